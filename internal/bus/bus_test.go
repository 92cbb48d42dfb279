package bus

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// patience is for what must come, however slow the machine is.
const patience = time.Minute

// TestMain wants no goroutine to be left. Those of the client of NATS end some
// time after it has been closed.
func TestMain(m *testing.M) {
	code := m.Run()
	err := goleak.Find()
	for began := time.Now(); err != nil && time.Since(began) < patience; {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// freePort is one that nobody listens on. It is none of those that a system gives
// to programs that ask for any, or it might be somebody's a moment later.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.IntN(5_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// server is a rendezvous server with something to say: a sender that asks for
// a number, which is claimed.
func server() *rendezvous.Server {
	s := rendezvous.NewServer(rendezvous.ServerConfig{Bus: true})
	ask(s, 0)
	return s
}

// ask lets another sender ask for a number, from the i-th address.
func ask(s *rendezvous.Server, i int) {
	at := udp.To(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1000))
	helper := netAddr("192.0.2.9:4277")
	c := rendezvous.NewClient(rendezvous.ClientConfig{Servers: addrs(helper), Room: rendezvous.NumberedRoom(0), Role: rendezvous.Sender})
	b, now := udp.NewBatch(1<<14), time.Now()
	for range 2 { // hello, join
		b.Reset()
		c.Send(now, b)
		for p := range b.All() {
			s.Receive(now, udp.Packet{Path: at, Data: bytes.Clone(p.Data)})
		}
		b.Reset()
		s.Send(now, b)
		for p := range b.All() {
			c.Receive(now, udp.Packet{Path: udp.To(helper), Data: bytes.Clone(p.Data)})
		}
	}
}

func TestWithoutNATSNothingWaits(t *testing.T) {
	b, err := Dial(Config{URL: "nats://127.0.0.1:" + freePort(t), Deliver: func([]rendezvous.BusMessage) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	if b.Connected() {
		t.Error("connected to nobody")
	}
	s := server()
	for i := range 1000 {
		ask(s, i)
		b.Exchange(s)
	}
	b.Close()
	if b.queued > maxQueued {
		t.Errorf("%d messages wait", b.queued)
	}
}

func TestAMalformedURLIsAnError(t *testing.T) {
	for _, url := range []string{"nats://a b:4222", "nats://host:port"} {
		if b, err := Dial(Config{URL: url, Deliver: func([]rendezvous.BusMessage) bool { return true }}); err == nil {
			b.Close()
			t.Errorf("%q was taken", url)
		}
	}
}

func TestWhatOneSaysAnotherHears(t *testing.T) {
	path, err := exec.LookPath("nats-server")
	if err != nil {
		if path = "/usr/sbin/nats-server"; !exists(path) {
			t.Skip("needs nats-server (see scripts/tools)")
		}
	}
	port := freePort(t)
	start := func() (stop func()) {
		nats := exec.Command(path, "-a", "127.0.0.1", "-p", port)
		if err := nats.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			nats.Process.Kill()
			nats.Wait()
		}
	}
	stop := start()
	heard := make(chan rendezvous.BusMessage, 1000)
	logs := make(chan string, 100)
	dial := func() *Bus {
		b, err := Dial(Config{URL: "nats://127.0.0.1:" + port, Log: logger(logs), Deliver: func(batch []rendezvous.BusMessage) bool {
			for _, m := range batch {
				heard <- m
			}
			return true
		}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	listens, says := dial(), dial()
	quiet := rendezvous.NewServer(rendezvous.ServerConfig{Bus: true})
	listens.Exchange(quiet)
	want := func(what string) {
		t.Helper()
		talker := server()
		limit := time.NewTimer(patience)
		defer limit.Stop()
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for {
			select {
			case m := <-heard:
				if m.Subject != "qft.claim" || len(m.Data) == 0 {
					t.Fatalf("%s: heard %+v", what, m)
				}
				return
			case <-again.C: // the first may come before the other listens
				ask(talker, 0)
				says.Exchange(talker)
			case <-limit.C:
				t.Fatalf("%s: nothing was heard", what)
			}
		}
	}
	want("at first")
	stop()
	for away := 0; away < 2; {
		select {
		case line := <-logs:
			if strings.Contains(line, "NATS is away") {
				away++
			}
		case <-time.After(patience):
			t.Fatalf("%d of two are told that NATS is away", away)
		}
	}
	for len(heard) > 0 {
		<-heard
	}
	defer start()()
	want("after a restart of NATS")
	listens.Close()
	says.Close()
}

func exists(path string) bool {
	_, err := os.Stat(filepath.Clean(path))
	return err == nil
}

func TestWhatDoesNotFitIsLostAndCounted(t *testing.T) {
	b := &Bus{wake: make(chan struct{}, 1)}
	s := server()
	for i := 0; b.Lost() == 0; i++ {
		ask(s, i)
		b.Exchange(s)
		if i > 10*maxQueued {
			t.Fatal("the queue has no end")
		}
	}
	if b.queued > maxQueued {
		t.Errorf("%d messages wait", b.queued)
	}
	for _, x := range b.turns {
		for _, m := range x.messages {
			if m.Subject == "" || len(m.Data) == 0 {
				t.Fatal(fmt.Sprint(m))
			}
		}
	}
}

// TestErrorsNameNoPassword: they are logged.
func TestErrorsNameNoPassword(t *testing.T) {
	for _, at := range []string{
		"nats://user:s3cr%zzt@127.0.0.1:1", "nats://127.0.0.1:1,tls://user:s3cr t@host", "nats://user:s3cr/t@host:4222",
		"nats://user:s3cr#t@host:4222", "nats://user:s3cret@host:port",
	} {
		_, err := Dial(Config{URL: at, Deliver: func([]rendezvous.BusMessage) bool { return true }})
		if err == nil || strings.Contains(err.Error(), "s3cr") || strings.Contains(err.Error(), "zz") {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// TestForbiddenSubjectsAreLoggedOnceAndUnnamed: the name of a private room is
// secret, and there may be many rooms.
func TestForbiddenSubjectsAreLoggedOnceAndUnnamed(t *testing.T) {
	path, err := exec.LookPath("nats-server")
	if err != nil {
		if path = "/usr/sbin/nats-server"; !exists(path) {
			t.Skip("needs nats-server (see scripts/tools)")
		}
	}
	port, conf := freePort(t), filepath.Join(t.TempDir(), "nats.conf")
	text := `listen: "127.0.0.1:` + port + `"
		authorization { users = [ { user: "a", password: "b", permissions: { subscribe: { deny: "qft.room.>" } } } ] }`
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(path, "-c", conf)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer server.Process.Kill()
	logs := make(chan string, 100)
	b, err := Dial(Config{URL: "nats://a:b@127.0.0.1:" + port, Log: logger(logs), Deliver: func([]rendezvous.BusMessage) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	until := func(what string) (forbids int) {
		t.Helper()
		for deadline := time.After(patience); ; {
			select {
			case line := <-logs:
				switch {
				case strings.Contains(line, "qft.room"):
					t.Error(line)
				case strings.Contains(line, "forbids"):
					forbids++
				case strings.Contains(line, what):
					return forbids
				}
			case <-deadline:
				t.Fatalf("it is not logged that NATS is %s", what)
			}
		}
	}
	until("connected")
	for i := range 5 {
		b.do(turn{adds: []string{fmt.Sprintf("qft.room.3.%032x", i)}}, make(map[string]*nats.Subscription))
	}
	if err := b.nc.Flush(); err != nil { // what the server objects to comes before its answer
		t.Fatal(err)
	}
	b.Close()
	if n := until("away"); n != 1 {
		t.Errorf("it is logged %d times that subjects are forbidden", n)
	}
}
