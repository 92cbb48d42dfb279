package gui

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	mostConnections = 256

	// writeTime is how long the other end may take for one answer, or for one
	// message of a stream.
	writeTime = 20 * time.Second
)

// crowd bounds the connections. Everybody on this machine can make some, so
// when there are too many, the oldest goes that has not shown a token: those
// of our pages stay.
type crowd struct {
	net.Listener

	mu   sync.Mutex
	open []*visitor // the oldest first
}

// visitor is a connection. Whoever does not take what is written to it loses it.
type visitor struct {
	net.Conn
	crowd *crowd
	known bool // it has shown a token; belongs to the crowd's lock
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &visitor{Conn: conn, crowd: c}
	c.mu.Lock()
	c.open = append(c.open, v)
	out := v
	if i := slices.IndexFunc(c.open, func(o *visitor) bool { return !o.known }); len(c.open) <= mostConnections {
		out = nil
	} else if i >= 0 {
		out = c.open[i]
	}
	c.mu.Unlock()
	if out != nil {
		out.Close()
	}
	return v, nil
}

// Close implements net.Conn.
func (v *visitor) Close() error {
	c := v.crowd
	c.mu.Lock()
	c.open = slices.DeleteFunc(c.open, func(o *visitor) bool { return o == v })
	c.mu.Unlock()
	return v.Conn.Close()
}

// Write implements net.Conn.
func (v *visitor) Write(p []byte) (int, error) {
	if err := v.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return v.Conn.Write(p)
}

// visitorKey finds the visitor in the context of its requests.
type visitorKey struct{}

// with is an http.Server's ConnContext.
func (c *crowd) with(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, conn)
}

// welcome has the connection of a request stay.
func welcome(ctx context.Context) {
	if v, ok := ctx.Value(visitorKey{}).(*visitor); ok {
		v.crowd.mu.Lock()
		defer v.crowd.mu.Unlock()
		v.known = true
	}
}
