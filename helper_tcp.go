package qft

import (
	"log/slog"

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
// out. It is nil, and the log says why, where that cannot be.
func listenTCP(log *slog.Logger, ports []uint16) *tcp.Lines {
	lines, err := tcp.Listen(tcp.Config{
		Ports: ports, Accept: helperLines, SourceAccept: helperSourceLines,
		Frame: helperFrame, Queue: helperQueue,
	})
	if err != nil {
		log.Warn("helper does not listen on TCP: networks that block UDP cannot use it", "reason", err.Error())
		return nil
	}
	log.Info("helper is listening on TCP", "ports", ports)
	return lines
}
