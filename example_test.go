package qft_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"qft"
)

// The examples run over loopback, with a helper of their own. Programs name
// theirs in Config.Helper, and leave the other two fields as they are.
func local(helper string) qft.Config {
	return qft.Config{Helper: helper, NoNearby: true, NoPortMapping: true}
}

// runHelper runs a helper until it is stopped.
func runHelper() (address string, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan []uint16)
	var running sync.WaitGroup
	running.Go(func() {
		if err := qft.Helper(ctx, qft.HelperConfig{Ready: func(ports []uint16) { ready <- ports }}); err != nil {
			log.Fatal(err)
		}
	})
	ports := <-ready
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), func() { cancel(); running.Wait() }
}

// folder makes a directory with a file of so many bytes, if any.
func folder(name string, size int) (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "qft-example-")
	if err != nil {
		log.Fatal(err)
	}
	if size > 0 {
		noise := make([]byte, size)
		rand.Read(noise)
		if err := os.WriteFile(filepath.Join(dir, name), noise, 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return dir, func() { os.RemoveAll(dir) }
}

// A sender makes a code and shows it; a receiver that is told it gets the file.
func Example() {
	helper, stop := runHelper()
	defer stop()
	from, remove := folder("notes.txt", 5)
	defer remove()
	to, remove := folder("", 0)
	defer remove()

	codes := make(chan string, 1)
	var sending sync.WaitGroup
	sending.Go(func() {
		cfg := local(helper)
		cfg.Events = func(e qft.Event) {
			if c, ok := e.(qft.Code); ok {
				codes <- c.Code // show it to a person, who tells it to the other one
			}
		}
		_, err := qft.Send(context.Background(), qft.Source{Paths: []string{filepath.Join(from, "notes.txt")}}, cfg)
		fmt.Println("sent:", err)
	})

	cfg := local(helper)
	cfg.Phrase = <-codes
	result, err := qft.Receive(context.Background(), qft.Target{Dir: to}, cfg)
	sending.Wait()
	fmt.Println("received:", filepath.Base(result.Path), result.Size, "bytes,", err)
	// Output:
	// sent: <nil>
	// received: notes.txt 5 bytes, <nil>
}

// A text is sent to be shown, and stays in memory. Both sides know a phrase of
// their own here, so nobody has to wait for a code.
func ExampleSend() {
	helper, stop := runHelper()
	defer stop()
	var sending sync.WaitGroup
	sending.Go(func() {
		cfg := local(helper)
		cfg.Phrase = "the two of us know this one"
		if _, err := qft.Send(context.Background(), qft.Source{Text: "the door is open"}, cfg); err != nil {
			fmt.Println(err)
		}
	})
	cfg := local(helper)
	cfg.Phrase = "the two of us know this one"
	result, err := qft.Receive(context.Background(), qft.Target{}, cfg)
	sending.Wait()
	fmt.Printf("%q, %v\n", result.Text, err)
	// Output:
	// "the door is open", <nil>
}

// A receiver that looks at what is coming, and does not want it. Kind says in a
// word how either side ended.
func ExampleReceive() {
	helper, stop := runHelper()
	defer stop()
	from, remove := folder("film.mkv", 3<<20)
	defer remove()
	to, remove := folder("", 0)
	defer remove()

	codes := make(chan string, 1)
	var sending sync.WaitGroup
	sending.Go(func() {
		cfg := local(helper)
		cfg.Events = showCode(codes)
		_, err := qft.Send(context.Background(), qft.Source{Paths: []string{from}, Name: "films"}, cfg)
		fmt.Println("sender:", qft.KindOf(err))
	})
	cfg := local(helper)
	cfg.Phrase = <-codes
	_, err := qft.Receive(context.Background(), qft.Target{
		Dir: to,
		Accept: func(p qft.Proposal) bool { // asks a person, who may take long
			fmt.Println("proposed:", strings.Join(p.Names, ", "))
			return false
		},
	}, cfg)
	sending.Wait()
	fmt.Println("receiver:", qft.KindOf(err))
	// Output:
	// proposed: films
	// sender: peer
	// receiver: refused
}

// showCode has a code go where somebody waits for it.
func showCode(codes chan<- string) func(qft.Event) {
	return func(e qft.Event) {
		if c, ok := e.(qft.Code); ok {
			codes <- c.Code
		}
	}
}

// A helper of one's own needs a machine that others can reach, and one UDP port.
func ExampleHelper() {
	ctx, stop := context.WithCancel(context.Background())
	err := qft.Helper(ctx, qft.HelperConfig{
		// Ports: []uint16{4000},
		Rules: qft.HelperRules{Members: 1000},
		Ready: func(ports []uint16) {
			fmt.Println("answers at", len(ports), "port")
			stop() // this one has done its work
		},
	})
	fmt.Println(err)
	// Output:
	// answers at 1 port
	// <nil>
}

// Progress comes several times a second. What a program does not know of events
// it leaves alone: there will be more of them.
func ExampleProgress() {
	helper, stop := runHelper()
	defer stop()
	from, remove := folder("disk.img", 8<<20)
	defer remove()
	to, remove := folder("", 0)
	defer remove()

	codes := make(chan string, 1)
	var sending sync.WaitGroup
	sending.Go(func() {
		cfg := local(helper)
		cfg.Events = showCode(codes)
		qft.Send(context.Background(), qft.Source{Paths: []string{filepath.Join(from, "disk.img")}}, cfg)
	})
	cfg := local(helper)
	cfg.Phrase = <-codes
	cfg.Events = func(e qft.Event) {
		switch e := e.(type) {
		case qft.Offer:
			fmt.Println("comes:", e.Name, e.Size)
		case qft.ContactLost:
			fmt.Println("no contact since", e.Since)
		case qft.Progress:
			if e.Done == e.Size {
				fmt.Println("done:", e.Done)
			}
		}
	}
	if _, err := qft.Receive(context.Background(), qft.Target{Dir: to}, cfg); err != nil {
		fmt.Println(err)
	}
	sending.Wait()
	// Output:
	// comes: disk.img 8388608
	// done: 8388608
}

// Canceling a Receive tells the sender, which waits for it to come again; the
// same call then goes on where it was.
func ExampleReceive_cancel() {
	helper, stop := runHelper()
	defer stop()
	from, remove := folder("disk.img", 4<<20)
	defer remove()
	to, remove := folder("", 0)
	defer remove()

	codes := make(chan string, 1)
	var sending sync.WaitGroup
	sending.Go(func() {
		cfg := local(helper)
		cfg.Events = showCode(codes)
		_, err := qft.Send(context.Background(), qft.Source{Paths: []string{filepath.Join(from, "disk.img")}}, cfg)
		fmt.Println("sender:", err)
	})
	cfg := local(helper)
	cfg.Phrase = <-codes
	ctx, cancel := context.WithCancel(context.Background())
	cfg.Limit = 1e6 // or it would be through before it is canceled
	cfg.Events = func(e qft.Event) {
		if _, ok := e.(qft.Offer); ok {
			cancel()
		}
	}
	_, err := qft.Receive(ctx, qft.Target{Dir: to}, cfg)
	fmt.Println("canceled:", qft.KindOf(err))

	cfg.Limit, cfg.Events = 0, nil
	_, err = qft.Receive(context.Background(), qft.Target{Dir: to}, cfg)
	sending.Wait()
	fmt.Println("again:", err)
	// Output:
	// canceled: canceled
	// sender: <nil>
	// again: <nil>
}

// A Control pauses and limits what runs, from any goroutine, also from within
// an event.
func ExampleControl() {
	helper, stop := runHelper()
	defer stop()
	from, remove := folder("disk.img", 4<<20)
	defer remove()
	to, remove := folder("", 0)
	defer remove()

	var control qft.Control
	control.SetLimit(100e3) // bytes per second
	control.Pause(true)     // before there is anything to pause
	codes := make(chan string, 1)
	var sending sync.WaitGroup
	sending.Go(func() {
		cfg := local(helper)
		cfg.Control = &control
		cfg.Events = showCode(codes)
		qft.Send(context.Background(), qft.Source{Paths: []string{filepath.Join(from, "disk.img")}}, cfg)
	})
	cfg := local(helper)
	cfg.Phrase = <-codes
	cfg.Events = func(e qft.Event) {
		if p, ok := e.(qft.Paused); ok {
			fmt.Println("the other side has paused:", p.There)
			control.Pause(false) // as the person there would
			control.SetLimit(0)
		}
	}
	_, err := qft.Receive(context.Background(), qft.Target{Dir: to}, cfg)
	sending.Wait()
	fmt.Println(err)
	// Output:
	// the other side has paused: true
	// the other side has paused: false
	// <nil>
}

// Two people chat: one accepts and tells the code, the other dials.
func ExampleAccept() {
	helper, stop := runHelper()
	defer stop()
	ctx := context.Background()
	codes := make(chan string, 1)
	var chat sync.WaitGroup
	chat.Go(func() {
		cfg := local(helper)
		cfg.Events = showCode(codes)
		s, err := qft.Accept(ctx, cfg)
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		for lines := bufio.NewScanner(s); lines.Scan(); {
			fmt.Fprintf(s, "you said %q\n", lines.Text())
		}
	})
	cfg := local(helper)
	cfg.Phrase = <-codes
	s, err := qft.Dial(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(s, "hello")
	fmt.Fprintln(s, "good-bye")
	s.CloseWrite()
	answers, err := io.ReadAll(s)
	s.Close()
	chat.Wait()
	fmt.Print(string(answers), err, "\n")
	// Output:
	// you said "hello"
	// you said "good-bye"
	// <nil>
}

// A port of one machine is brought to another one: whoever connects here talks
// to the service there. One Stream is one connection.
func ExampleDial() {
	helper, stop := runHelper()
	defer stop()
	ctx := context.Background()
	service, err := net.Listen("tcp", "127.0.0.1:0") // some service there
	if err != nil {
		log.Fatal(err)
	}
	codes := make(chan string, 1)
	var both sync.WaitGroup
	both.Go(func() { // the service
		c, err := service.Accept()
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		line, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Fprint(c, strings.ToUpper(line))
	})
	both.Go(func() { // the machine with the service
		cfg := local(helper)
		cfg.Events = showCode(codes)
		s, err := qft.Accept(ctx, cfg)
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		c, err := net.Dial("tcp", service.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		join(s, c.(*net.TCPConn))
	})
	cfg := local(helper) // the machine that wants it
	cfg.Phrase = <-codes
	s, err := qft.Dial(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(s, "is anybody there?")
	s.CloseWrite()
	answer, err := io.ReadAll(s)
	s.Close()
	both.Wait()
	service.Close()
	fmt.Print(string(answer), err, "\n")
	// Output:
	// IS ANYBODY THERE?
	// <nil>
}

// join copies both directions between two connections, each to its end.
func join(a *qft.Stream, b *net.TCPConn) {
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(a, b)
		a.CloseWrite()
	})
	both.Go(func() {
		io.Copy(b, a)
		b.CloseWrite()
	})
	both.Wait()
}
