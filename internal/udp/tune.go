package udp

import (
	"fmt"
	"net"
)

// tuning is what came of setting one family's socket options.
type tuning struct {
	readBuffer, writeBuffer int // bytes granted
	hints                   []string
}

// tune sets the options that make a socket fast and let the transport probe
// the path MTU. None of them is vital: what the system refuses becomes a hint.
func tune(conn *net.UDPConn, v6 bool, cfg Config) tuning {
	var t tuning
	raw, err := conn.SyscallConn()
	if err != nil {
		return t
	}
	// Control fails only on a closed socket, which the first read reports.
	_ = raw.Control(func(fd uintptr) {
		t.plain(fd, v6)
		t.readBuffer = t.grow(fd, receiving, cfg.ReadBuffer)
		t.writeBuffer = t.grow(fd, sending, cfg.WriteBuffer)
	})
	return t
}

// tunePlainly sets the options that cost nothing.
func tunePlainly(conn *net.UDPConn) (t tuning) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { t.plain(fd, false) })
	}
	return t
}

func (t *tuning) plain(fd uintptr, v6 bool) {
	if err := forbidFragments(fd, v6); err != nil {
		t.hints = append(t.hints, fmt.Sprintf("large packets may be fragmented, because the system does not let the don't-fragment flag be set: %v", err))
	}
	muteUnreachable(fd)
}

// direction is one of a socket's two kernel buffers.
type direction int

const (
	receiving direction = iota
	sending
)

func (d direction) String() string {
	return [...]string{"receive", "send"}[d]
}

// grow asks for a kernel buffer of so many bytes, 0 meaning the default, and
// returns what was granted.
func (t *tuning) grow(fd uintptr, d direction, want int) int {
	if want == 0 {
		want = bufferWanted
	}
	granted := growBuffer(fd, d, want)
	if granted < want {
		h := fmt.Sprintf("the system caps the UDP %s buffer at %d KiB of the %d KiB wanted, which costs speed", d, granted>>10, want>>10)
		if command := raiseBuffer(d, want); command != "" {
			h += "; to raise it: " + command
		}
		t.hints = append(t.hints, h)
	}
	return granted
}
