package qft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"qft/internal/duplex"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/transfer"
)

// Stream is a connection between two programs that met under one code or
// phrase: an ordered stream of bytes each way, over the same punched and
// encrypted path as files take. Accept and Dial make it.
//
// Its methods may be called from several goroutines at a time, but for two
// Reads or two Writes at once. Errors are of type *Error, but for io.EOF.
//
// A lost contact does not end a Stream: Read and Write wait while the other
// side is looked for, and go on over another path or under another address.
// Config.Events tells (ContactLost, ContactBack, Connected). Whoever does not
// want to wait calls Close. The end of one of the two programs without Close is
// such a loss, and the rest of the Stream is gone with it.
type Stream struct {
	end  *duplex.End
	done chan struct{} // nothing of it runs any more

	mu     sync.Mutex
	path   string
	remote netip.AddrPort
}

// Accept waits for whoever knows the code or phrase to Dial, and returns when
// the two are connected. Without Config.Phrase a code is made, which a Code
// event tells, as Send does; whatever Config says of meeting holds. Events
// go on for as long as the Stream does. Of the rest of Config, Skip and State
// have no meaning here, and Limit and Background hold for both directions.
//
// ctx bounds the meeting only: when it ends before, Accept returns; afterwards
// Close ends the Stream. One Accept makes one Stream, whose code is used up. A
// program that means files there (Receive) is an error of KindProtocol on both
// sides.
func Accept(ctx context.Context, cfg Config) (*Stream, error) {
	return openStream(ctx, "accept", rendezvous.Sender, cfg)
}

// Dial connects to whoever waits in Accept under Config.Phrase, as Receive does
// to a Send. See Accept.
func Dial(ctx context.Context, cfg Config) (*Stream, error) {
	if cfg.Phrase == "" && len(cfg.Stun) == 0 {
		return nil, &Error{Op: "dial", Kind: KindUsage, Err: errors.New("dialling needs the code or phrase of the other side")}
	}
	return openStream(ctx, "dial", rendezvous.Receiver, cfg)
}

func openStream(ctx context.Context, op string, role rendezvous.Role, cfg Config) (*Stream, error) {
	if err := cfg.checkPlaces(op); err != nil {
		return nil, err
	}
	run, quit := context.WithCancelCause(context.WithoutCancel(ctx))
	s := &Stream{done: make(chan struct{})}
	opened := make(chan *duplex.End, 1)
	h := &host{op: op, cfg: cfg, role: role, both: true}
	h.cfg.Events = s.watch(cfg.Events)
	h.open = func(spawn func(work, done func()), _ <-chan struct{}) (*party, error) {
		var e *duplex.End
		e = duplex.New(spawn, func() { opened <- e })
		return &party{engine: e, attach: func(l peer.Link) { l.SetSource(e); l.SetSink(e) }}, nil
	}
	detach := context.AfterFunc(ctx, func() { quit(context.Cause(ctx)) })
	var failed error
	go func() {
		defer close(s.done)
		defer quit(nil)
		_, failed = h.transfer(run, 1, true)
	}()
	select {
	case s.end = <-opened:
	case <-s.done:
	}
	if !detach() {
		<-s.done
		return nil, &Error{Op: op, Kind: KindCanceled, Err: fmt.Errorf("stopped: %w", context.Cause(ctx))}
	}
	if s.end == nil {
		return nil, failed
	}
	go func() {
		<-s.done // the loop may have ended for its own reasons, as a socket that fails
		s.end.Abandon(failed)
	}()
	return s, nil
}

// watch keeps what is known of the path on its way to whoever wants events.
func (s *Stream) watch(tell func(Event)) func(Event) {
	return func(e Event) {
		if c, ok := e.(Connected); ok {
			s.mu.Lock()
			s.path, s.remote = c.Path, c.Remote
			s.mu.Unlock()
		}
		if tell != nil {
			tell(e)
		}
	}
}

// Read waits for bytes of the other side, and returns them in the order in which
// they were written there. io.EOF says that it has ended its direction, by
// CloseWrite or Close; any other end is an *Error, once all that has arrived was
// read.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.end.Read(p)
	return n, streamError(err)
}

// Write puts bytes on their way, and waits while 16 MiB are unread by the other
// side. That they were taken does not say that they have arrived: see Close.
func (s *Stream) Write(p []byte) (int, error) {
	n, err := s.end.Write(p)
	return n, streamError(err)
}

// CloseWrite ends this side's direction: the other side reads io.EOF behind what
// was written. Read goes on.
func (s *Stream) CloseWrite() error { return streamError(s.end.CloseWrite()) }

// Close ends both directions and the connection. It first brings what was
// written to the other side's machine, and waits for that as long as it gets
// on, but gives up when nothing does for 10 s; whatever comes meanwhile is not
// read any more. The other side reads what it was sent, and then io.EOF. The
// error says that something written did not get there, or was not read when the
// other side closed before. Further calls return the same.
func (s *Stream) Close() error {
	s.end.Hang()
	<-s.done
	return streamError(s.end.Flaw())
}

// Path is the kind of path that the Stream takes now, as in Connected.
func (s *Stream) Path() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.path
}

// Remote is the address that packets go to now. It may change.
func (s *Stream) Remote() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

// streamError makes an error of an End one of this package.
func streamError(err error) error {
	var e *transfer.Error
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, duplex.ErrGone):
		return &Error{Op: "stream", Kind: KindCanceled, Err: fmt.Errorf("%w: %w", err, net.ErrClosed)}
	case errors.As(err, &e) && e.Err != nil:
		return &Error{Op: "stream", Kind: transferKind("stream", e), Err: e.Err}
	}
	return &Error{Op: "stream", Err: err}
}
