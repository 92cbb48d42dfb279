package tcp

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"qft/internal/udp"
)

// pipe is a line over a connection in memory, in a bubble, without a network.
type pipe struct {
	t     *testing.T
	lines *Lines
	far   net.Conn // the other end
}

func newPipe(t *testing.T, cfg Config) *pipe {
	t.Helper()
	p := &pipe{t: t, lines: newLines(cfg)}
	near, far := net.Pipe()
	p.far = far
	if !p.lines.adopt(remoteConn{near}, false) {
		t.Fatal("the connection was not taken")
	}
	return p
}

// remoteConn has an address to be told apart by.
type remoteConn struct{ net.Conn }

func (remoteConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.7:7000"))
}

// greeted exchanges greetings.
func (p *pipe) greeted() *pipe {
	p.t.Helper()
	got := make([]byte, len(greeting))
	if _, err := io.ReadFull(p.far, got); err != nil || string(got) != greeting {
		p.t.Fatalf("greeting %q, %v", got, err)
	}
	p.write(greeting)
	if b := <-p.lines.Incoming(); b.Kind != Up || b.Dialled {
		p.t.Fatalf("first was told %+v, want that the line is up", b)
	}
	return p
}

func (p *pipe) write(s string) {
	p.t.Helper()
	if _, err := p.far.Write([]byte(s)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pipe) wantPackets(want ...string) {
	p.t.Helper()
	for len(want) > 0 {
		b := <-p.lines.Incoming()
		if b.Kind != Packets {
			p.t.Fatalf("was told %+v, want packets", b)
		}
		for k := range b.Packets() {
			if len(want) == 0 || string(k.Data) != want[0] {
				p.t.Fatalf("packet %q, want %q", k.Data, want)
			}
			want = want[1:]
		}
		b.Release()
	}
}

// wantDown wants the line to end, and returns how long it took.
func (p *pipe) wantDown() time.Duration {
	p.t.Helper()
	began := time.Now()
	if b := <-p.lines.Incoming(); b.Kind != Down {
		p.t.Fatalf("was told %+v, want that the line is down", b)
	}
	return time.Since(began)
}

func (p *pipe) end() {
	p.far.Close()
	p.lines.Close()
	if n := p.lines.accepts; n != 0 || len(p.lines.sources) != 0 {
		p.t.Errorf("%d lines are still counted", n)
	}
}

func TestFramesArriveInWhateverPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(t, Config{}).greeted()
		defer p.end()
		p.write("\x00\x03o")
		p.write("ne\x00")
		p.wantPackets("one")
		p.write("\x03two\x00\x05three")
		p.wantPackets("two", "three")
		large := string(bytes.Repeat([]byte{7}, 65507))
		p.write("\xff\xe3" + large)
		p.wantPackets(large)
	})
}

func TestFramesBehindTheGreetingAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(t, Config{})
		defer p.end()
		go io.CopyN(io.Discard, p.far, int64(len(greeting)))
		p.write(greeting + "\x00\x01a\x00\x01b")
		<-p.lines.Incoming() // up
		p.wantPackets("a", "b")
	})
}

// TestOnlyTheGreetingGoesToStrangers: whoever is dialled and is no qft gets six
// bytes and is never told of.
func TestOnlyTheGreetingGoesToStrangers(t *testing.T) {
	for _, x := range []struct{ name, says string }{
		{"a web server", "HTTP/1.0 400 Bad Request\r\n"},
		{"another version", "\x00\x04qft\x02"},
		{"a giant", "\xff\xff\xff\xff\xff\xff"},
		{"who hangs up", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipe(t, Config{})
				defer p.end()
				if x.says != "" {
					go p.far.Write([]byte(x.says))
				} else {
					p.far.SetReadDeadline(time.Now().Add(time.Second))
				}
				got, _ := io.ReadAll(io.LimitReader(p.far, int64(len(greeting))))
				if string(got) != greeting {
					t.Errorf("was sent %q, want the greeting", got)
				}
				if x.says == "" {
					p.far.Close()
				} else if n, err := p.far.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("read %d bytes more, %v; want the end", n, err)
				}
				synctest.Wait()
				select {
				case b := <-p.lines.Incoming():
					t.Errorf("was told %+v", b)
				default:
				}
			})
		})
	}
}

func TestSilentConnectionIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(t, Config{})
		defer p.end()
		began := time.Now()
		got, _ := io.ReadAll(p.far)
		if string(got) != greeting || time.Since(began) != greetTime {
			t.Errorf("was sent %q and held for %v", got, time.Since(began))
		}
	})
}

func TestWrongLengthsCloseTheLine(t *testing.T) {
	for _, x := range []struct {
		says  string
		frame int
	}{{"\x00\x00", 0}, {"\xff\xe4", 0}, {"\xff\xff", 0}, {"\x04\x01", 1024}} {
		synctest.Test(t, func(t *testing.T) {
			p := newPipe(t, Config{Frame: x.frame}).greeted()
			defer p.end()
			p.write("\x00\x04good" + x.says)
			p.wantPackets("good")
			if took := p.wantDown(); took != 0 {
				t.Errorf("%x: the line stood for %v more", x.says, took)
			}
		})
	}
}

// TestSlowLoris: bytes that trickle in, and never make a frame, keep nothing
// open, and hold no memory to speak of.
func TestSlowLoris(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(t, Config{Silence: 20 * time.Second}).greeted()
		defer p.end()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for _, c := range "\xff\x00" + string(make([]byte, 100)) {
				if _, err := p.far.Write([]byte{byte(c)}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		if took := p.wantDown(); took != 20*time.Second {
			t.Errorf("the line stood for %v", took)
		}
		<-stopped
	})
}

func TestFramesKeepALineOpenAndTrustToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(t, Config{}).greeted()
		defer p.end()
		for range 5 {
			time.Sleep(20 * time.Second)
			p.write("\x00\x01a")
			p.wantPackets("a")
		}
		p.lines.Trust(udp.FirstLine)
		time.Sleep(time.Hour)
		p.write("\x00\x01b")
		p.wantPackets("b")
		p.lines.Hang(udp.FirstLine)
		p.wantDown()
	})
}

// TestWriteNeverWaits: the other end reads nothing, so the queue fills, packets
// are dropped, and in the end the line is closed.
func TestWriteNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(t, Config{Queue: 10_000}).greeted()
		defer p.end()
		p.lines.Trust(udp.FirstLine)
		b := udp.NewBatch(100_000)
		to := udp.Path{Local: udp.FirstLine, Remote: netip.MustParseAddrPort("192.0.2.7:7000")}
		for range 100 {
			b.Add(to, make([]byte, 998))
		}
		p.lines.Write(b)
		synctest.Wait() // the writer has taken what there was, and waits
		p.lines.Write(b)
		// Ten packets fit; the writer may have taken up to ten others.
		if n := p.lines.Dropped(); n < 180 || n > 190 {
			t.Errorf("%d packets of 200 were dropped", n)
		}
		if took := p.wantDown(); took != writeTime {
			t.Errorf("the line stood for %v", took)
		}
	})
}

func TestPacketsForAnotherLineAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(t, Config{}).greeted()
		defer p.end()
		b := udp.NewBatch(100_000)
		remote := netip.MustParseAddrPort("192.0.2.7:7000")
		b.Add(udp.Path{Local: udp.FirstLine, Remote: netip.MustParseAddrPort("192.0.2.8:7000")}, []byte("x"))
		b.Add(udp.Path{Local: udp.FirstLine + 1, Remote: remote}, []byte("x"))
		b.Add(udp.Path{Local: udp.FirstLine, Remote: remote}, nil)
		p.lines.Write(b)
		if n := p.lines.Dropped(); n != 3 {
			t.Errorf("%d packets were dropped, want 3", n)
		}
		b.Reset()
		b.Add(udp.To(remote), []byte("for UDP"))
		b.Add(udp.Path{Local: udp.FirstLine, Remote: remote}, []byte("yes"))
		p.lines.Write(b)
		got := make([]byte, 5)
		if _, err := io.ReadFull(p.far, got); err != nil || string(got) != "\x00\x03yes" {
			t.Errorf("read %q, %v", got, err)
		}
	})
}
