package qft

import (
	"fmt"
	"log/slog"
	"net"

	"qft/internal/tcp"
)

// Limits of the helper's TCP side. A line costs a file descriptor, a goroutine
// and 4 KiB; the limits of the server come on top.
const (
	helperLines       = 4096
	helperSourceLines = 64
	helperFrame       = 2048 // more than any request
	helperQueue       = 64 << 10
)

// listenTCP has a helper answer over TCP as well, for networks that let no UDP
// out: on those of its ports that no other program has, a web server on 443 for
// instance. It is nil, and the log says why, where that cannot be.
func listenTCP(log *slog.Logger, ports []uint16, at ownAddresses) *tcp.Lines {
	host := ""
	if at.first.IsValid() {
		host = at.first.String()
	}
	var free []uint16
	for _, p := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(p)))
		if err != nil {
			log.Warn("helper does not listen on a port of TCP", "port", p, "reason", err.Error())
			continue
		}
		l.Close()
		free = append(free, p)
	}
	if len(free) == 0 {
		log.Warn("helper does not listen on TCP: networks that block UDP cannot use it")
		return nil
	}
	lines, err := tcp.Listen(tcp.Config{
		Ports: free, Addr: at.first, Addr6: at.six, Accept: helperLines, SourceAccept: helperSourceLines,
		Frame: helperFrame, Queue: helperQueue,
	})
	if err != nil {
		log.Warn("helper does not listen on TCP: networks that block UDP cannot use it", "reason", err.Error())
		return nil
	}
	log.Info("helper is listening on TCP", "ports", free)
	return lines
}
