package bus

import (
	"log/slog"
	"net/netip"
)

func netAddr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func addrs(a ...netip.AddrPort) []netip.AddrPort { return a }

// lines is a log whose lines go to a channel.
type lines chan<- string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func logger(to chan<- string) *slog.Logger { return slog.New(slog.NewTextHandler(lines(to), nil)) }
