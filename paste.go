package qft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"qft/internal/peer"
	"qft/internal/secret"
	"qft/internal/token"
	"qft/internal/udp"
)

// WholeToken reports whether no further lines belong to a token that a person
// pastes: it is all there, or no token. Whether it is the right one turns out
// when Config.Paste returns it.
func WholeToken(text string) bool {
	_, _, err := token.Parse(text)
	return !errors.Is(err, token.ErrIncomplete)
}

// stunPort is where a STUN server listens (RFC 8489 section 8.1).
const stunPort = 3478

// CheckStun reports what is wrong with a STUN server's address as such, HOST or
// HOST:PORT.
func CheckStun(address string) error {
	if _, _, err := splitHost(address, stunPort); err != nil {
		return fmt.Errorf("reading the STUN server's address: %w", err)
	}
	return nil
}

// checkStun says what is wrong with an exchange of tokens.
func (c *Config) checkStun(op string) error {
	usage := func(err error) error { return &Error{Op: op, Kind: KindUsage, Err: err} }
	for _, s := range c.Stun {
		if err := CheckStun(s); err != nil {
			return usage(err)
		}
	}
	switch {
	case c.Paste == nil:
		return usage(errors.New("with STUN servers, somebody has to paste the other side's token"))
	case c.Host != "":
		return usage(errors.New("either STUN servers or the sender's host"))
	}
	return nil
}

// stunServers looks up all of them that there are.
func (h *host) stunServers(ctx context.Context, socket *udp.Socket) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	var last error
	for _, s := range h.cfg.Stun {
		found, err := resolve(ctx, h.op, s, stunPort, socket)
		switch {
		case KindOf(err) == KindCanceled:
			return nil, err
		case err != nil:
			last = err
		}
		all = append(all, found...)
	}
	if len(all) > 0 || last == nil {
		return all, nil
	}
	return nil, &Error{Op: h.op, Kind: KindHelper, Err: fmt.Errorf("looking up the STUN servers: %w", errors.Unwrap(last)),
		Hint: "Any public STUN server will do, as HOST or HOST:PORT; without a port it is 3478."}
}

// paster asks a person for the other side's token.
type paster struct {
	ask  func(context.Context) (string, error)
	ctx  context.Context
	loop *peer.Loop
	d    *driver
	err  error // why there is none; touched in the loop only
}

// want asks, beside the loop, until there is a token of use.
func (p *paster) want() {
	go func() {
		text, err := p.ask(p.ctx)
		p.loop.Post(func() { p.take(time.Now(), text, err) })
	}()
}

func (p *paster) take(now time.Time, text string, err error) {
	if err != nil {
		p.err = err
		p.d.Peer.Stop(now)
		return
	}
	err = p.d.Peer.Paste(now, text)
	if err == nil || errors.Is(err, secret.ErrWrongPhrase) {
		return // the peer has ended in the second case, and says so
	}
	p.d.event(TokenRefused{err.Error()})
	if p.d.Err() == nil {
		p.want()
	}
}

// failed is how an attempt ends for which nobody gave a token.
func (p *paster) failed(op string) error {
	if p.err == nil || p.ctx.Err() != nil {
		return nil
	}
	if KindOf(p.err) == KindCanceled {
		return p.err
	}
	return &Error{Op: op, Kind: KindUsage, Err: fmt.Errorf("asking for the other side's token: %w", p.err)}
}
