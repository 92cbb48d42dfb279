package tcp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

const (
	// tryTime bounds one attempt. A system sends its second SYN after 1 s and
	// its third after 3 s; a new attempt sends one sooner.
	tryTime = 2500 * time.Millisecond

	// What is refused is tried again after a pause, drawn from the first half
	// and the whole of it, which grows from the shortest to the longest: two
	// sides that refuse each other in step would do so for ever.
	shortestPause = 100 * time.Millisecond
	longestPause  = 2 * time.Second

	// maxDials bounds the addresses that are dialled at the same time.
	maxDials = 24

	// portTries bounds the search for a port that is free in both families.
	portTries = 16
)

// Dial tries to reach an address from the own port until there is a line to it,
// the limit has passed, or Undial. It does not wait. An address that is dialled
// already, or has a line, is left alone.
func (l *Lines) Dial(remote netip.AddrPort, limit time.Duration) {
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.cfg.Dials || l.dials[remote] != nil || len(l.dials) >= maxDials || l.reaches(remote) {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), limit)
	l.dials[remote] = stop
	l.running.Go(func() {
		l.dial(ctx, remote)
		l.Undial(remote)
	})
}

// Undial ends the trying to reach an address.
func (l *Lines) Undial(remote netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if stop := l.dials[remote]; stop != nil {
		stop()
		delete(l.dials, remote)
	}
}

// reaches reports whether there is a line to an address. The caller has locked.
func (l *Lines) reaches(remote netip.AddrPort) bool {
	for _, x := range l.lines {
		if x.path.Remote == remote {
			return true
		}
	}
	return false
}

func (l *Lines) dial(ctx context.Context, remote netip.AddrPort) {
	network := "tcp4"
	if remote.Addr().Is6() {
		network = "tcp6"
	}
	d := net.Dialer{Timeout: tryTime, Control: control(true)}
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		d.LocalAddr = &net.TCPAddr{IP: l.cfg.Addr.AsSlice(), Port: int(l.Port())}
		conn, err := d.DialContext(ctx, network, remote.String())
		if err == nil {
			l.adopt(conn, true)
			return
		}
		l.mu.Lock()
		done := l.reaches(remote) // the other side's attempt was taken instead
		l.mu.Unlock()
		if done || ctx.Err() != nil {
			return
		}
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			continue // it has waited already
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
			return
		}
	}
}

// listenBoth listens on one port in each family that the machine has.
func listenBoth(cfg Config, port uint16) ([]net.Listener, error) {
	lc := net.ListenConfig{Control: control(cfg.Dials)}
	listen := func(network string, port uint16) (net.Listener, error) {
		host := ""
		switch {
		case network == "tcp6" && cfg.Addr6.IsValid():
			host = cfg.Addr6.String()
		case cfg.Addr.IsValid():
			host = cfg.Addr.String()
		}
		return lc.Listen(context.Background(), network, net.JoinHostPort(host, fmt.Sprint(port)))
	}
	switch a := cfg.Addr.Unmap(); {
	case a.Is4():
		x, err := listen("tcp4", port)
		if err != nil || !cfg.Addr6.IsValid() {
			return []net.Listener{x}, err
		}
		x6, err := listen("tcp6", portOf(x))
		if err != nil {
			x.Close()
		}
		return []net.Listener{x, x6}, err
	case a.Is6():
		x, err := listen("tcp6", port)
		return []net.Listener{x}, err
	}
	var err error
	for range portTries {
		x4, err4 := listen("tcp4", port)
		if err4 != nil {
			x6, err6 := listen("tcp6", port)
			if err6 == nil && !portTaken(err4) {
				return []net.Listener{x6}, nil
			}
			if err6 == nil {
				x6.Close()
			}
			return nil, fmt.Errorf("listening on TCP port %d: %w", port, err4)
		}
		x6, err6 := listen("tcp6", portOf(x4))
		switch {
		case err6 == nil:
			return []net.Listener{x4, x6}, nil
		case !portTaken(err6):
			return []net.Listener{x4}, nil
		}
		x4.Close()
		if err = fmt.Errorf("listening on TCP port %d: %w", port, err6); port != 0 {
			break
		}
	}
	return nil, err
}
