package portmap

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listenOn(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// speakPCP answers as a router that gives every port.
func speakPCP(closed chan<- struct{}) func([]byte) [][]byte {
	out := netip.AddrPortFrom(outside, 4000)
	return func(b []byte) [][]byte {
		if len(b) != pcpMap {
			return nil
		}
		if b[7] == 0 && b[6] == 0 {
			select {
			case closed <- struct{}{}:
			default:
			}
		}
		return [][]byte{grantPCP(b, out, pcpSuccess, 1200)}
	}
}

func TestPortIsOpenedAndClosed(t *testing.T) {
	r := newFakeRouter(t)
	closed := make(chan struct{}, 1)
	r.speaks = speakPCP(closed)
	m, found := r.mapper(Config{})
	if got := <-found; !slices.Equal(got, []Mapping{{Outside: netip.AddrPortFrom(outside, 4000), By: ByPCP}}) {
		t.Fatalf("found %v", got)
	}
	m.Close()
	<-closed
}

// TestEveryProtocolIsAskedOnDemand: who wants to know is told all.
func TestEveryProtocolIsAskedOnDemand(t *testing.T) {
	r := newFakeRouter(t)
	r.kinds = []string{serviceWAN2}
	r.speaks = speakPCP(make(chan struct{}, 1))
	m, _ := r.mapper(Config{All: true})
	<-m.Searched()
	var open []string
	for _, a := range m.Answers() {
		if len(a.Open) > 0 {
			open = append(open, a.By)
		}
	}
	if !slices.Equal(open, []string{ByPCP, ByUPnP}) {
		t.Errorf("opened by %v", open)
	}
}

func TestNoRouter(t *testing.T) {
	m := Start(context.Background(), Config{Port: 1, V4: true, V6: true, Gateways: func() []Gateway { return nil }})
	<-m.Searched()
	if a := m.Answers(); len(a) != 0 {
		t.Errorf("answers %v", a)
	}
	m.Close()
}

// TestRoutersComeAndGo: what one that is gone has opened is told to be gone, and
// a router that comes back is asked anew.
func TestRoutersComeAndGo(t *testing.T) {
	r := newFakeRouter(t)
	r.speaks = speakPCP(make(chan struct{}, 1))
	found := make(chan []Mapping, 10)
	m := newMapper(Config{Port: 4000, UDP: true, V4: true, Found: func(all []Mapping) { found <- slices.Clone(all) }})
	ctx, cancel := context.WithCancel(t.Context())
	m.running.Go(func() { m.tell(ctx) })
	for range 3 {
		m.follow(ctx, []Gateway{r.gateway()})
		if got := <-found; len(got) != 1 {
			t.Fatalf("found %v", got)
		}
		m.follow(ctx, nil)
		if got := <-found; len(got) != 0 {
			t.Fatalf("a router that is gone has opened %v", got)
		}
	}
	m.follow(ctx, []Gateway{r.gateway()})
	<-found
	cancel()
	m.follow(ctx, nil)
	m.running.Wait()
}

func TestCloseAtOnce(t *testing.T) {
	r := newFakeRouter(t)
	r.kinds = []string{serviceWAN2}
	r.speaks = speakPCP(make(chan struct{}, 1))
	for range 20 {
		m, _ := r.mapper(Config{})
		m.Close()
	}
	r.wantOpen(map[string]string{})
}

// TestGarbage: a router that sends anything at all does no harm.
func TestGarbage(t *testing.T) {
	r := newFakeRouter(t)
	var once sync.Once
	heard := make(chan struct{})
	r.speaks = func(b []byte) [][]byte {
		once.Do(func() { close(heard) })
		return [][]byte{nil, {0}, b, make([]byte, 1500), append([]byte{2, 129, 0, 0}, make([]byte, 56)...), {0, 128, 0, 0}}
	}
	m, found := r.mapper(Config{TCP: true})
	<-heard
	m.Close()
	if len(found) != 0 {
		t.Errorf("found %v", <-found)
	}
}
