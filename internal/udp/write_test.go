package udp

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestTrainsTakeNeighboursOfOneSizeAndDestination(t *testing.T) {
	other := netip.AddrPortFrom(alice.Addr(), 7)
	for _, c := range []struct {
		name  string
		sizes []int
		to    []netip.AddrPort // alice beyond its end
		want  []int            // lengths of the trains
	}{
		{name: "one packet", sizes: []int{5}, want: []int{1}},
		{name: "equal sizes", sizes: []int{5, 5, 5}, want: []int{3}},
		{name: "last is shorter", sizes: []int{5, 5, 3, 3}, want: []int{3, 1}},
		{name: "next is longer", sizes: []int{5, 6, 6}, want: []int{1, 2}},
		{name: "each shorter than the one before", sizes: []int{9, 8, 7, 6}, want: []int{2, 2}},
		{name: "empty packets travel alone", sizes: []int{5, 5, 0, 0, 5}, want: []int{2, 1, 1, 1}},
		{name: "destination changes", sizes: []int{5, 5, 5, 5}, to: []netip.AddrPort{alice, alice, bob, bob}, want: []int{2, 2}},
		{name: "destinations alternate", sizes: []int{5, 5, 5}, to: []netip.AddrPort{alice, bob, alice}, want: []int{1, 1, 1}},
		{name: "port changes", sizes: []int{5, 5}, to: []netip.AddrPort{alice, other}, want: []int{1, 1}},
		{name: "64 segments at most", sizes: repeat(5, 150), want: []int{64, 64, 22}},
		{name: "65,507 bytes at most", sizes: repeat(1400, 94), want: []int{46, 46, 2}},
		{name: "65,507 bytes exactly", sizes: []int{MaxPayload - 1, 1}, want: []int{2}},
		{name: "65,508 bytes", sizes: []int{MaxPayload - 1, 2}, want: []int{1, 1}},
		{name: "too big for any datagram", sizes: []int{70_000, 70_000}, want: []int{1, 1}},
	} {
		b := NewBatch(1 << 20)
		for i, p := range numbered(c.sizes...) {
			to := alice
			if i < len(c.to) {
				to = c.to[i]
			}
			b.Add(To(to), p)
		}
		var got []int
		for i := 0; i < b.Len(); {
			end := b.train(i)
			got = append(got, end-i)
			i = end
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: trains of %v packets, want %v", c.name, got, c.want)
		}
	}
}

// refuse makes every train of s fail with err, and counts them. It works on
// systems that have no trains, too.
func refuse(s *Socket, err error) *int {
	tried := new(int)
	s.segmenting.Store(true)
	s.notes.hints = nil
	s.v4.train = func([]byte, netip.AddrPort, int) error {
		*tried++
		return err
	}
	return tried
}

func TestRefusedSegmentationLosesNothing(t *testing.T) {
	for _, err := range []error{syscall.EIO, syscall.EINVAL, syscall.EOPNOTSUPP} {
		t.Run(err.Error(), func(t *testing.T) {
			from, to := bound(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
			tried := refuse(from, err)
			want := numbered(append(append(repeat(1300, 100), 200), repeat(50, 30)...)...)
			write(t, from, batchOf(addrOf(to), want))
			wantPayloads(t, receive(t, to, len(want)), want)
			if *tried != 1 {
				t.Errorf("%d trains were tried, want 1", *tried)
			}
			if st := from.Stats(); st.Offload || st.Refused != 0 || st.Sent != uint64(len(want)) {
				t.Errorf("offload %v, refused %d, sent %d", st.Offload, st.Refused, st.Sent)
			}
			if h := from.Hints(); len(h) != 1 || !strings.Contains(h[0], err.Error()) {
				t.Errorf("hints are %q, want one with the reason", h)
			}
		})
	}
}

func TestStopOffloadIsToldOnce(t *testing.T) {
	from, to := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
	before := len(from.Hints())
	on := from.Stats().Offload
	from.StopOffload("trains do not arrive")
	from.StopOffload("trains still do not arrive")
	if from.Stats().Offload {
		t.Error("offload is still on")
	}
	if h := from.Hints(); on && (len(h) != before+1 || !strings.Contains(h[before], "trains do not arrive")) {
		t.Errorf("hints are %q", h)
	}
	want := numbered(repeat(1000, 10)...)
	write(t, from, batchOf(addrOf(to), want))
	wantPayloads(t, receive(t, to, len(want)), want)
	if n := from.Stats().Writes; n != 10 {
		t.Errorf("10 packets took %d writes", n)
	}
}

func TestOversizePacketIsSkippedWhileOthersArrive(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		from, to := listen(t, cfg), listen(t, cfg)
		sent := numbered(1000, 1000, 66_000, 66_000, 1000, 20)
		write(t, from, batchOf(addrOf(to), sent))
		want := slices.Delete(slices.Clone(sent), 2, 4)
		wantPayloads(t, receive(t, to, len(want)), want)
		if st := from.Stats(); st.TooBig != 2 || st.Refused != 0 || st.Sent != 4 {
			t.Errorf("too big %d, refused %d, sent %d", st.TooBig, st.Refused, st.Sent)
		}
	})
}

func TestPacketsOfMissingFamilyAreSkipped(t *testing.T) {
	from, to := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
	b := NewBatch(1000)
	b.Add(To(netip.AddrPortFrom(loopback6, to.Port())), []byte("nowhere"))
	b.Add(To(netip.AddrPort{}), []byte("nowhere"))
	b.Add(To(addrOf(to)), []byte("here"))
	write(t, from, b)
	wantPayloads(t, receive(t, to, 1), [][]byte{[]byte("here")})
	if st := from.Stats(); st.Refused != 2 || st.LastRefusal == nil {
		t.Errorf("refused %d, latest reason %v", st.Refused, st.LastRefusal)
	}
}

func TestUnusableDestinationsDoNotStopTheBatch(t *testing.T) {
	from, to := listen(t, Config{}), listen(t, Config{Addr: loopback4})
	b := NewBatch(10_000)
	for range 3 {
		b.Add(To(netip.MustParseAddrPort("127.0.0.1:0")), []byte("no such port"))
		b.Add(To(netip.MustParseAddrPort("255.255.255.255:9")), []byte("broadcast needs SO_BROADCAST"))
		b.Add(To(netip.MustParseAddrPort("[fe80::1]:9")), []byte("no zone"))
	}
	b.Add(To(addrOf(to)), []byte("here"))
	write(t, from, b)
	wantPayloads(t, receive(t, to, 1), [][]byte{[]byte("here")})
	if st := from.Stats(); st.Refused < 3 || st.Sent+st.Refused != 10 {
		t.Errorf("refused %d, sent %d of 10", st.Refused, st.Sent)
	}
}

func TestBrokenSocketIsAnError(t *testing.T) {
	from := bound(t, Config{Addr: loopback4})
	from.v4.one = func([]byte, netip.AddrPort) error { return net.ErrClosed }
	refuse(from, net.ErrClosed)
	for _, sizes := range [][]int{{1}, {1, 1}} {
		if err := from.Write(batchOf(alice, numbered(sizes...))); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write of %d packets returned %v, want net.ErrClosed", len(sizes), err)
		}
	}
}
