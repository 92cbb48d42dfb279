package tcp

import (
	"io"
	"net"
	"sync"
	"time"

	"qft/internal/udp"
)

// line is one connection. Its run is the only reader of it; what is to be
// written is taken by a writer that exists while there is something.
type line struct {
	lines   *Lines
	conn    net.Conn
	path    udp.Path
	dialled bool
	free    chan struct{} // the burst was released

	mu      sync.Mutex
	queue   []byte // frames to be written
	spare   []byte // what the writer had last
	writing bool
	trusted bool
	ended   bool // nothing is written any more
}

// run drives a line from its greeting to its end.
func (x *line) run() {
	buf, up := x.greet()
	up = up && x.lines.tell(&Burst{Kind: Up, Path: x.path, Dialled: x.dialled})
	if up {
		x.read(buf)
		x.linger()
	}
	x.end()
	if up {
		x.lines.tell(&Burst{Kind: Down, Path: x.path})
	}
}

// linger has what is queued leave when all ends, since it is the good-byes. To
// close while there is something to read would have the system reset the
// connection, and forget what it has not sent: so the other end closes first.
func (x *line) linger() {
	if !x.lines.ending() {
		return
	}
	x.mu.Lock()
	x.ended = true
	_ = x.conn.SetDeadline(time.Now().Add(closeTime))
	idle := !x.writing
	x.mu.Unlock()
	if idle {
		x.closeWrite()
	}
	_, _ = io.Copy(io.Discard, x.conn)
}

// closeWrite says that no more comes.
func (x *line) closeWrite() {
	if c, ok := x.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	} else {
		x.conn.Close()
	}
}

// wake has the reader look whether all ends.
func (x *line) wake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended {
		x.ended = true
		_ = x.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// end closes the connection and makes room for another one. Until then there
// may be a writer.
func (x *line) end() {
	x.mu.Lock()
	x.ended = true
	x.mu.Unlock()
	x.conn.Close()
	x.lines.forget(x)
}

// greet exchanges greetings. What came behind the other side's is returned.
func (x *line) greet() ([]byte, bool) {
	_ = x.conn.SetDeadline(time.Now().Add(greetTime))
	if _, err := x.conn.Write([]byte(greeting)); err != nil {
		return nil, false
	}
	buf := make([]byte, 0, leastBuffer)
	for len(buf) < len(greeting) {
		n, err := x.conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if got := min(len(buf), len(greeting)); string(buf[:got]) != greeting[:got] {
			return nil, false
		}
		if err != nil && len(buf) < len(greeting) {
			return nil, false
		}
	}
	_ = x.conn.SetWriteDeadline(time.Time{})
	return append(buf[:0], buf[len(greeting):]...), true
}

// read passes on what arrives until the line ends. buf has what came with the
// greeting.
func (x *line) read(buf []byte) {
	x.patience()
	most := 4 * (lengthSize + x.lines.cfg.Frame)
	for {
		n, broken := whole(buf, x.lines.cfg.Frame)
		if n > 0 {
			if !x.pass(buf[:n]) {
				return
			}
			buf = append(buf[:0], buf[n:]...)
			x.patience()
		}
		if broken != nil {
			return
		}
		if len(buf) == cap(buf) || n >= cap(buf)/2 && 2*cap(buf) <= most {
			buf = append(make([]byte, 0, min(2*cap(buf), most)), buf...)
		}
		k, err := x.conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+k]
		if err != nil && k == 0 {
			return
		}
	}
}

// pass hands over whole frames and waits until they were taken.
func (x *line) pass(frames []byte) bool {
	if !x.lines.tell(&Burst{Kind: Packets, Path: x.path, frames: frames, line: x}) {
		return false
	}
	select {
	case <-x.free:
		return true
	case <-x.lines.closing:
		return false
	}
}

// patience begins the wait for the next whole frame anew.
func (x *line) patience() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.trusted && !x.ended {
		_ = x.conn.SetReadDeadline(time.Now().Add(x.lines.cfg.Silence))
	}
}

func (x *line) trust() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.trusted = true; !x.ended {
		_ = x.conn.SetReadDeadline(time.Time{})
	}
}

// push queues a packet, and reports false if there is no room for it or it is
// none that a frame can hold.
func (x *line) push(packet []byte) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	size := lengthSize + len(packet)
	if x.ended || len(packet) == 0 || len(packet) > x.lines.cfg.Frame || len(x.queue)+size > x.lines.cfg.Queue {
		return false
	}
	x.queue = appendFrame(x.queue, packet)
	if !x.writing {
		x.writing = true
		x.lines.running.Go(x.drain)
	}
	return true
}

// drain writes what is queued until there is nothing left. A line that takes
// nothing is closed, and has its last writer for good.
func (x *line) drain() {
	for {
		x.mu.Lock()
		out := x.queue
		if len(out) == 0 {
			x.writing = false
			if x.ended {
				x.closeWrite()
			}
			x.mu.Unlock()
			return
		}
		x.queue, x.spare = x.spare[:0], nil
		x.mu.Unlock()
		for rest := out; len(rest) > 0; {
			n := min(len(rest), pieceSize)
			x.mu.Lock()
			if !x.ended {
				_ = x.conn.SetWriteDeadline(time.Now().Add(writeTime))
			}
			x.mu.Unlock()
			if _, err := x.conn.Write(rest[:n]); err != nil {
				discard(x.conn)
				return
			}
			rest = rest[n:]
		}
		x.mu.Lock()
		x.spare = out
		x.mu.Unlock()
	}
}
