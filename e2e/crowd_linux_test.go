package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crowd is a great many clients of one helper, all on this machine: client i
// has the address 127.16.0.0 + i, of its own, and all share one port and one
// socket. It speaks the protocol by docs/protocol.md section 4 alone and shares
// no code with what it tests. One goroutine drives it.
type crowd struct {
	*wire
	clients []member
	salt    uint32 // begins the keys
	began   time.Time
	kind    byte // of the rooms: 1 numbered

	answers  int // of any kind, so far
	refused  int // of them, refusals
	tooLarge int // of them, larger than what was asked
	each     []time.Duration
	answered func(i int) // is told of each member that was heard; may be nil
}

// member is one client of the crowd.
type member struct {
	cookie  [16]byte
	sent    time.Duration // when the request under way was sent, since crowd.began; 0: none is
	size    uint16        // of that request
	req     uint32
	number  uint32
	joined  bool
	knocked bool // has a cookie

	came    time.Duration // for the first time
	counted bool          // among those who were let in
}

// Sizes of messages, and where what stands in them.
const (
	helloBytes = 64
	cookieAt   = 11
	crowdNet   = 127<<24 | 16<<16
	crowdMost  = 1 << 20
)

// newCrowd makes n clients of the helper at that address, an IPv4 one of
// loopback. Nobody has said anything yet.
func newCrowd(t *testing.T, to netip.AddrPort, n int) *crowd {
	t.Helper()
	if n > crowdMost {
		t.Fatalf("a crowd has at most %d clients", crowdMost)
	}
	c := &crowd{wire: newWire(t, to), clients: make([]member, n), began: time.Now().Add(-time.Second), kind: 1}
	var salt [4]byte
	rand.Read(salt[:])
	c.salt = binary.BigEndian.Uint32(salt[:])
	return c
}

func (c *crowd) now() time.Duration { return time.Since(c.began) }

// listen takes what has arrived, and reports whether that was anything.
func (c *crowd) listen() bool {
	now := c.now()
	return c.receive(func(at uint32, b []byte) {
		if i := at - crowdNet; int(i) < len(c.clients) {
			c.take(now, i, b)
		}
	})
}

// take is client i's packet from the helper.
func (c *crowd) take(now time.Duration, i uint32, b []byte) {
	c.answers++
	m := &c.clients[i]
	if len(b) < 15 || b[0] != 0x51 {
		return
	}
	if m.sent > 0 && len(b) > int(m.size) {
		c.tooLarge++
	}
	switch b[1] {
	case 0x11: // cookie
		m.cookie, m.knocked = [16]byte(b[cookieAt:]), true
		c.join(i)
		return
	case 0x12: // joined
		m.cookie = [16]byte(b[cookieAt:])
		m.number = binary.BigEndian.Uint32(b[57:])
		if !m.joined {
			m.joined = true
			c.ack(i, binary.BigEndian.Uint32(b[53:]))
		}
	case 0x15: // refused
		c.refused++
	default:
		return
	}
	if m.sent > 0 {
		c.each = append(c.each, now-m.sent)
		m.sent = 0
		if c.answered != nil {
			c.answered(int(i))
		}
	}
}

// begin writes what all messages begin with. The token is the client's number.
func (c *crowd) begin(b []byte, typ byte, i uint32) []byte {
	b = append(b, 0x51, typ, 1)
	return binary.BigEndian.AppendUint64(b, uint64(c.salt)<<32|uint64(i))
}

func end(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *crowd) hello(i uint32) {
	m := &c.clients[i]
	m.sent, m.size = c.now(), helloBytes
	c.post(crowdNet+i, func(b []byte) []byte {
		return end(append(c.begin(b, 1, i), make([]byte, helloBytes-cookieAt-4)...))
	})
}

// join is contact and keep-alive: as a sender, in a room of the client's own.
func (c *crowd) join(i uint32) {
	m := &c.clients[i]
	m.req++
	m.sent = c.now()
	m.size = uint16(c.post(crowdNet+i, func(b []byte) []byte {
		b = append(c.begin(b, 2, i), m.cookie[:]...)
		b = binary.BigEndian.AppendUint32(b, m.req)
		b = append(b, c.kind, 1)
		b = append(b, make([]byte, 12)...)
		b = binary.BigEndian.AppendUint32(b, m.number)
		return end(append(append(b, c.key(i)...), make([]byte, 16)...)) // no secret
	}))
}

func (c *crowd) key(i uint32) []byte {
	k := binary.BigEndian.AppendUint32(make([]byte, 0, 16), c.salt)
	return append(binary.BigEndian.AppendUint32(k, i), "secret!!"...)
}

// ack confirms the roster.
func (c *crowd) ack(i uint32, version uint32) {
	m := &c.clients[i]
	id := sha256.Sum256(append([]byte("qft rendezvous member\x00"), c.key(i)...))
	c.post(crowdNet+i, func(b []byte) []byte {
		b = append(c.begin(b, 4, i), m.cookie[:]...)
		b = append(b, id[:16]...)
		b = append(b, make([]byte, 16)...)
		return end(binary.BigEndian.AppendUint32(b, version))
	})
}

// enter has all clients join and fails if one is not let in.
func (c *crowd) enter(d time.Duration) {
	c.t.Helper()
	c.drive(d, 512, func(i int) bool { return c.clients[i].joined }, func(i uint32) {
		if c.clients[i].knocked {
			c.join(i)
		} else {
			c.hello(i)
		}
	})
}

// drive asks for each client in turn, with so many requests under way at most,
// until done holds for all. A request that was not answered in time is sent
// again.
func (c *crowd) drive(d time.Duration, window int, done func(int) bool, ask func(uint32)) {
	c.t.Helper()
	const again = 500 * time.Millisecond
	end := c.now() + d
	var waiting []uint32
	next := 0
	for c.now() < end {
		waiting = slices.DeleteFunc(waiting, func(i uint32) bool {
			if done(int(i)) {
				return true
			}
			if c.now()-c.clients[i].sent > again {
				ask(i)
			}
			return false
		})
		for len(waiting) < window && next < len(c.clients) {
			if !done(next) {
				ask(uint32(next))
				waiting = append(waiting, uint32(next))
			}
			next++
		}
		if len(waiting) == 0 {
			c.flush()
			return
		}
		c.flush()
		c.poll(unix.POLLIN, 10*time.Millisecond)
		for c.listen() {
		}
	}
	c.t.Fatalf("%d clients of %d are still waiting after %v; %d refusals", len(waiting)+len(c.clients)-next, len(c.clients), d, c.refused)
}

// hammer has the clients send keep-alives, a window of them under way, each as
// soon as another is answered, and returns how many a second were answered.
func (c *crowd) hammer(d time.Duration, window int) (perSecond float64) {
	c.each = c.each[:0]
	var next uint32
	free := window
	c.answered = func(int) { free++ }
	defer func() { c.answered = nil }()
	start := c.now()
	heard := start
	for c.now() < start+d {
		for ; free > 0; free-- {
			c.join(next)
			next = (next + 1) % uint32(len(c.clients))
		}
		c.flush()
		before := len(c.each)
		for c.listen() {
		}
		switch now := c.now(); {
		case len(c.each) > before:
			heard = now
		case now-heard > 200*time.Millisecond: // lost; nobody waits for ever
			free, heard = window, now
		default:
			c.poll(unix.POLLIN, time.Millisecond)
		}
	}
	return float64(len(c.each)) / (c.now() - start).Seconds()
}

// stroll has the clients send keep-alives at a steady rate, whatever comes
// back, and returns how long the answers took, sorted, and how many never came.
// A request counts from when it was due to leave.
func (c *crowd) stroll(d time.Duration, perSecond float64) (took []time.Duration, lost int) {
	c.each = c.each[:0]
	start := c.now()
	sent := 0
	for at := start; at < start+d; at = c.now() {
		for due := int((at - start).Seconds() * perSecond); sent < due; sent++ {
			i := uint32(sent % len(c.clients))
			c.join(i)
			c.clients[i].sent = start + time.Duration(float64(sent)/perSecond*1e9)
		}
		c.flush()
		if !c.listen() {
			c.poll(unix.POLLIN, 200*time.Microsecond)
		}
	}
	c.rest()
	took = slices.Clone(c.each)
	slices.Sort(took)
	return took, sent - len(took)
}

// rest takes the answers that are still under way, and forgets the requests
// that get none.
func (c *crowd) rest() {
	for end := c.now() + time.Second; c.now() < end; {
		if !c.listen() {
			c.poll(unix.POLLIN, 10*time.Millisecond)
		}
	}
	for i := range c.clients {
		c.clients[i].sent = 0
	}
}

// quantile is the value below which that share of the sorted values lies.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func (c *crowd) String() string {
	return fmt.Sprintf("%d clients, %d answers, %d refusals, %d answers larger than the request", len(c.clients), c.answers, c.refused, c.tooLarge)
}
