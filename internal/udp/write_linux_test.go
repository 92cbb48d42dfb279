package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTrainTooLargeForTheInterfaceLeavesTheOthers(t *testing.T) {
	enterNamespace(t, 1500)
	for _, addr := range []netip.Addr{loopback4, loopback6} {
		from, to := listen(t, Config{Addr: addr}), listen(t, Config{Addr: addr})
		offload := from.Stats().Offload
		sent := numbered(slices.Concat(repeat(1000, 5), repeat(1600, 5), []int{30}, repeat(1000, 5))...)
		write(t, from, batchOf(addrOf(to), sent))
		want := slices.Delete(slices.Clone(sent), 5, 10)
		wantPayloads(t, receive(t, to, len(want)), want)
		st := from.Stats()
		if st.TooBig != 5 || st.Refused != 0 || st.Sent != 11 {
			t.Errorf("%v: too big %d, refused %d, sent %d", addr, st.TooBig, st.Refused, st.Sent)
		}
		if st.Offload != offload {
			t.Errorf("%v: offload was given up because of packets that are too large: %q", addr, from.Hints())
		}
	}
}

func TestRouteErrorsSkipTheTrainAndKeepOffload(t *testing.T) {
	for _, err := range []error{unix.ENETUNREACH, unix.EPERM, unix.ENOBUFS, os.ErrDeadlineExceeded} {
		s := bound(t, Config{Addr: loopback4})
		refuse(s, err)
		write(t, s, batchOf(alice, numbered(repeat(100, 10)...)))
		if st := s.Stats(); st.Refused != 10 || !errors.Is(st.LastRefusal, err) || !st.Offload || st.Writes != 1 {
			t.Errorf("%v: refused %d (%v), offload %v, %d writes", err, st.Refused, st.LastRefusal, st.Offload, st.Writes)
		}
	}
}

func TestWriteDoesNotWaitForStuckInterface(t *testing.T) {
	enterNamespace(t, 0)
	unanswered := openTap(t)
	s := listen(t, Config{WriteBuffer: 1}) // the kernel makes it some 2 KiB
	b := batchOf(netip.AddrPortFrom(unanswered, 9), numbered(repeat(1000, 100)...))
	start := time.Now()
	write(t, s, b)
	if took := time.Since(start); took < writeWait || took > 8*writeWait {
		t.Errorf("Write took %v, want %v to %v", took, writeWait, 2*writeWait)
	}
	if st := s.Stats(); st.Refused == 0 || !errors.Is(st.LastRefusal, os.ErrDeadlineExceeded) {
		t.Errorf("refused %d packets, the last because of %v", st.Refused, st.LastRefusal)
	}
}

func TestKernelsThatMissegmentAreKnown(t *testing.T) {
	for release, want := range map[string]bool{
		"6.18.44":             false,
		"7.0.0-31-generic":    true,
		"7.0.14-pve":          true,
		"7.1.4":               true,
		"7.1.5-arch1-1":       false,
		"7.1-rc2":             true,
		"7.2.0":               false,
		"4.19.0-27-amd64":     false,
		"17.0.0":              false,
		"not a version":       false,
		"7.x":                 false,
		"":                    false,
		"7.0.0.fc45.x86_64":   true,
		"5.15.0+custom-build": false,
	} {
		if got := missegments(release); got != want {
			t.Errorf("missegments(%q) = %v", release, got)
		}
	}
}

func TestOnlyErrorsOfTheDescriptorBreakTheSocket(t *testing.T) {
	for err, want := range map[error]bool{
		net.ErrClosed: true, unix.EBADF: true, unix.ENOTSOCK: true,
		unix.ECONNREFUSED: false, unix.EINVAL: false, unix.ENETDOWN: false, os.ErrDeadlineExceeded: false,
	} {
		if got := broken(fmt.Errorf("wrapped: %w", err)); got != want {
			t.Errorf("broken(%v) = %v", err, got)
		}
	}
}

// TestKernelThatRefusesAtSendLosesNothing is the real thing: a kernel that knows
// UDP_SEGMENT, on a socket for which it finds out only when it sends that it
// cannot. Without checksums that is EINVAL; where a network card or IPsec is the
// reason it is EIO, and TestRefusedSegmentationLosesNothing plays that.
func TestKernelThatRefusesAtSendLosesNothing(t *testing.T) {
	from, to := bound(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
	if !from.Stats().Offload {
		t.Skip("this kernel has no segmentation offload")
	}
	raw, err := from.v4.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NO_CHECK, 1)
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	want := numbered(slices.Concat(repeat(1400, 50), []int{20}, repeat(600, 80))...)
	write(t, from, batchOf(addrOf(to), want))
	wantPayloads(t, receive(t, to, len(want)), want)
	st := from.Stats()
	if st.Offload || st.Refused != 0 || st.Sent != uint64(len(want)) {
		t.Errorf("offload %v, refused %d, sent %d of %d", st.Offload, st.Refused, st.Sent, len(want))
	}
	if st.Writes != uint64(len(want))+1 { // the train that was refused, and each packet
		t.Errorf("%d packets took %d writes", len(want), st.Writes)
	}
	if h := from.Hints(); len(h) == 0 || !strings.Contains(h[len(h)-1], "segmentation") {
		t.Errorf("hints are %q", h)
	}
}
