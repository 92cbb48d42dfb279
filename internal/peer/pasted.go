package peer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/token"
)

const (
	tokenVersion = 1
	tokenID      = 16 // random bytes that name an exchange
	tokenTag     = 4  // of them, in the receiver's token

	// pastePatience is how long STUN servers may take to answer at all.
	pastePatience = 15 * time.Second

	// pastedPunch is how long a receiver looks for a path: until a person on
	// the other side has pasted its token.
	pastedPunch = 10 * time.Minute
)

// ErrToken is in the chain of an error of Paste.
var ErrToken = errors.New("this token is of no use here")

// pasted is a meeting without a helper: each person gives the other one a
// token, by whatever means they have.
//
//	sender                    two people                    receiver
//	  |  asks STUN servers                  asks STUN servers  |
//	  |  token: id, {addresses}, m1                            |
//	  |---------------------------------------------------->   |
//	  |                        token: id, m2 with {addresses}  |
//	  |   <----------------------------------------------------|
//	  |<== probes under the session of m1 and m2, no m3 ======>|
//
// The receiver begins to probe when its token is there, and goes on while it
// is carried across; the sender begins when it is pasted. The NATs' mappings
// are kept by asking the STUN servers every 10 s.
type pasted struct {
	out       *outside
	id        []byte // of the exchange; receiver: from the sender's token
	initiator *secret.Initiator
	list      nat.List // of our network, as our token tells it
	remote    nat.List // receiver: the sender's
	m1, sid   []byte   // receiver: the sender's
	given     bool     // our token was told
	asked     bool     // the other's was asked for
}

// pastedPhrase is what the handshake of tokens runs over.
func (p *Peer) pastedPhrase() secret.Phrase {
	if p.cfg.Phrase.String() == "" {
		return secret.NoPhrase()
	}
	return p.cfg.Phrase
}

func (p *Peer) stepPasted(now time.Time) {
	x := p.pasted
	if x.out.dead(now, pastePatience) {
		p.fail(now, StunUnreachable, fmt.Errorf("no STUN server answers: %s", addresses(p.cfg.Stun)))
		return
	}
	if p.cfg.Role == rendezvous.Receiver && !x.asked {
		x.asked = true
		p.tell(WantToken{})
	}
	if x.given || !x.out.settled(now) {
		return
	}
	var err error
	switch {
	case p.cfg.Role == rendezvous.Sender:
		err = p.giveFirst()
	case x.m1 != nil:
		err = p.giveSecond(now)
	}
	if err != nil {
		p.fail(now, Broken, fmt.Errorf("making the token: %w", err))
	}
}

// own is our network, as a token tells it.
func (p *Peer) own() []byte {
	p.pasted.list = p.network()
	return nat.AppendCandidates(nil, p.pasted.list)
}

// pastedSID binds the handshake to the exchange and to the addresses that the
// sender's token tells in the clear.
func pastedSID(id, list []byte) []byte {
	sum := sha256.Sum256(list)
	return append(append([]byte(nil), id...), sum[:16]...)
}

// giveFirst tells the sender's token.
func (p *Peer) giveFirst() error {
	x := p.pasted
	x.id = make([]byte, tokenID)
	if _, err := io.ReadFull(p.cfg.Rand, x.id); err != nil {
		return err
	}
	list := p.own()
	i, m1, err := secret.NewInitiator(p.cfg.Rand, p.pastedPhrase(), pastedSID(x.id, list), p.cfg.AES)
	if err != nil {
		return err
	}
	x.initiator = i
	m := append([]byte{tokenVersion}, x.id...)
	m = binary.BigEndian.AppendUint16(m, uint16(len(list)))
	m = append(append(m, list...), m1...)
	x.given, x.asked = true, true
	p.tell(Token{Text: token.Format(token.Sender, m)})
	p.tell(WantToken{})
	return nil
}

// giveSecond tells the receiver's token, and begins to look for a path.
func (p *Peer) giveSecond(now time.Time) error {
	x := p.pasted
	r, m2, err := secret.NewResponder(p.cfg.Rand, p.pastedPhrase(), x.sid, x.m1, p.own(), p.cfg.AES)
	if err != nil {
		return err
	}
	sess, err := r.Trust()
	if err != nil {
		return err
	}
	m := append([]byte{tokenVersion}, x.id[:tokenTag]...)
	x.given = true
	p.tell(Token{Text: token.Format(token.Receiver, append(m, m2...))})
	p.metByToken(now, sess, x.remote, pastedPunch)
	return nil
}

// metByToken begins to look for a path, for so long at most.
func (p *Peer) metByToken(now time.Time, sess *secret.Session, remote nat.List, limit time.Duration) {
	b := &bond{at: &place{kind: byToken}, session: sess, posted: p.pasted.list}
	p.pair(now, b, rendezvous.ID{}, remote, limit)
}

// Paste takes the other side's token. The error, which wraps ErrToken or
// secret.ErrWrongPhrase, is for the person who pasted it, who may try again.
func (p *Peer) Paste(now time.Time, text string) error {
	if p.pasted == nil || p.state != meeting {
		return fmt.Errorf("%w: none is expected", ErrToken)
	}
	from, m, err := token.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrToken, err)
	case len(m) > 0 && m[0] != tokenVersion:
		return fmt.Errorf("%w: it is of another version of qft", ErrToken)
	case p.cfg.Role == rendezvous.Sender && from != token.Receiver:
		return fmt.Errorf("%w: it is a sender's; paste the one that the receiver was given", ErrToken)
	case p.cfg.Role == rendezvous.Receiver && from != token.Sender:
		return fmt.Errorf("%w: it is a receiver's; paste the one that the sender was given", ErrToken)
	case from == token.Sender:
		return p.takeFirst(m)
	}
	return p.takeSecond(now, m)
}

// takeFirst reads the sender's token.
func (p *Peer) takeFirst(m []byte) error {
	x := p.pasted
	const head = 1 + tokenID + 2
	if x.m1 != nil {
		return fmt.Errorf("%w: there is one already", ErrToken)
	}
	if len(m) < head {
		return fmt.Errorf("%w: it is too short", ErrToken)
	}
	n := int(binary.BigEndian.Uint16(m[head-2:]))
	if len(m) < head+n {
		return fmt.Errorf("%w: it is too short", ErrToken)
	}
	list := m[head : head+n]
	remote, err := nat.ParseCandidates(list)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrToken, err)
	}
	if err := secret.CheckFirst(m[head+n:]); err != nil {
		return fmt.Errorf("%w: %w", ErrToken, err)
	}
	x.id, x.remote = bytes.Clone(m[1:1+tokenID]), remote
	x.sid, x.m1 = pastedSID(x.id, list), bytes.Clone(m[head+n:])
	return nil
}

// takeSecond reads the receiver's token.
func (p *Peer) takeSecond(now time.Time, m []byte) error {
	x := p.pasted
	const head = 1 + tokenTag
	switch {
	case x.initiator == nil:
		return fmt.Errorf("%w: ours was not given yet", ErrToken)
	case len(m) < head || !bytes.Equal(m[1:head], x.id[:tokenTag]):
		return fmt.Errorf("%w: it answers another token than the one shown here", ErrToken)
	}
	// One answer to one token: whoever altered it has had a guess.
	_, sess, payload, err := x.initiator.Finish(m[head:], nil)
	if err != nil {
		p.fail(now, PhraseWrong, fmt.Errorf("reading the token: %w", err))
		return err
	}
	remote, err := nat.ParseCandidates(payload)
	if err != nil {
		p.fail(now, Broken, fmt.Errorf("reading the addresses in the token: %w", err))
		return err
	}
	p.metByToken(now, sess, remote, searchTime)
	return nil
}
