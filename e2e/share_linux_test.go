package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stream is the kernel's TCP from one host to another, without end.
type stream struct {
	got  atomic.Int64 // bytes that have arrived
	ends []io.Closer
}

// startTCP starts one whose sender uses the congestion control of that name.
func (l *link) startTCP(control string, port int) *stream {
	l.t.Helper()
	s := &stream{}
	err := l.b.inside(func() error {
		ln, err := net.Listen("tcp4", fmt.Sprintf("10.99.0.2:%d", port))
		if err != nil {
			return err
		}
		s.ends = append(s.ends, ln)
		go s.sink(ln)
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	err = l.a.inside(func() error {
		d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, c syscall.RawConn) (err error) {
			c.Control(func(fd uintptr) {
				err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, control)
			})
			return err
		}}
		c, err := d.DialContext(context.Background(), "tcp4", fmt.Sprintf("10.99.0.2:%d", port))
		if err != nil {
			return err
		}
		s.ends = append(s.ends, c)
		go func() {
			for block := make([]byte, 64<<10); ; {
				if _, err := c.Write(block); err != nil {
					return // closed at the end
				}
			}
		}()
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

func (s *stream) sink(ln net.Listener) {
	c, err := ln.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	for block := make([]byte, 64<<10); ; {
		n, err := c.Read(block)
		s.got.Add(int64(n))
		if err != nil {
			return
		}
	}
}

func (s *stream) close() {
	for _, c := range s.ends {
		c.Close()
	}
}

// sharing is two flows on one link; qft is one of them, or a TCP to compare by.
type sharing struct {
	ours, theirs string
	queue        int  // ms
	last         bool // ours starts 5 s after theirs, or else before
}

func (c sharing) String() string {
	order := "first"
	if c.last {
		order = "last"
	}
	return fmt.Sprintf("%s beside %s, queue %d ms, %s", c.ours, c.theirs, c.queue, order)
}

// TestBenchShare prints what part of a link of 20 Mbit/s and 30 ms qft has
// beside the kernel's TCP: 40 s each, from 5 s after both run.
func TestBenchShare(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: make bench")
	}
	share(t, [2]string{"qft", "cubic"}, [2]string{"qft", "bbr"})
}

// TestShareOfModels prints how the lab's model of cubic does beside the real
// one, qft beside the model, and real TCP beside real TCP.
func TestShareOfModels(t *testing.T) {
	if os.Getenv("QFT_BENCH") != "models" {
		t.Skip("a measurement: QFT_BENCH=models")
	}
	share(t, [2]string{"model", "cubic"}, [2]string{"qft", "model"}, [2]string{"bbr", "cubic"})
}

// share measures pairs, ours before theirs.
func share(t *testing.T, pairs ...[2]string) {
	for _, pair := range pairs {
		for _, last := range []bool{false, true} {
			// Three such links together ask little of a machine.
			t.Run(fmt.Sprintf("%s beside %s, last %v", pair[0], pair[1], last), func(t *testing.T) {
				for _, queue := range []int{30, 100, 400} {
					c := sharing{pair[0], pair[1], queue, last}
					t.Run(c.String(), func(t *testing.T) {
						t.Parallel()
						c.measure(t)
					})
				}
			})
		}
	}
}

// mostLate is how late a packet in a hundred may be, in ms.
const mostLate = 1

func (c sharing) measure(t *testing.T) {
	l := newLink(t, "--rate", "20mbit", "--rtt", "30ms", "--queue", fmt.Sprintf("%dms", c.queue))
	const rate = 20e6
	carried := func() int64 { return l.b.traffic("lab0").in }
	// until waits until the link has carried so many seconds' worth of its rate,
	// less a tenth, and returns how long that took.
	until := func(seconds int64) time.Duration {
		goal := carried() + seconds*rate/8*9/10
		return eventually(t, 3*time.Duration(seconds)*time.Second, "bytes on the link", func() bool { return carried() >= goal })
	}
	var theirs *stream
	starts := []func(){func() { t.Cleanup(l.startOurs(c.ours)) }, func() {
		theirs = l.startTheirs(c.theirs)
		t.Cleanup(theirs.close)
	}}
	if c.last {
		starts[0], starts[1] = starts[1], starts[0]
	}
	for _, start := range starts {
		start()
		until(5) // as long as the lab's model waits
	}
	all, tcp := -carried(), -theirs.got.Load()
	took := until(40)
	all, tcp = all+carried(), tcp+theirs.got.Load()
	// With headers, TCP's segments are 1,500 bytes; what is not TCP's is ours.
	share := 1 - float64(tcp)*1500/1448/float64(all)
	truth, word := l.truth(), "SHARE"
	if l.late > mostLate {
		word = "VOID" // the machine was too busy for the link to be what it should be
	}
	t.Logf("%s %v: %.2f, link %.2f used; %s", word, c, share, float64(all)*8/took.Seconds()/rate, truth)
}

// startTheirs starts the flow that we have to share with.
func (l *link) startTheirs(kind string) *stream {
	if kind == "model" {
		return l.startModel()
	}
	return l.startTCP(kind, 5001)
}

// startOurs starts the flow that is measured and returns what ends it.
func (l *link) startOurs(kind string) func() {
	l.t.Helper()
	switch kind {
	case "qft":
	case "model":
		return l.startModel().close
	default:
		return l.startTCP(kind, 5002).close
	}
	helper := l.b.startHelper()
	x := l.bySend(l.a, l.b, linkHelper, l.file("film", 300_000_000))
	return func() {
		for _, p := range []*proc{x.sender, x.receiver, helper} {
			p.signal(syscall.SIGTERM)
			<-p.done
		}
	}
}
