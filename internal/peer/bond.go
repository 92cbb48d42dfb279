package peer

import (
	"encoding/binary"
	"slices"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/secret"
)

// bond is a finished handshake with the partner, and the search for a path
// under its keys. A sender may have several with one receiver, through different
// places: which of them the receiver has, only its probes tell. For the last
// message of a handshake may be lost, or be held back by whoever has the place.
type bond struct {
	at      *place
	partner rendezvous.ID // in that place
	session *secret.Session
	agent   *nat.Agent
	posted  nat.List  // our network as last told
	remote  nat.List  // the partner's, to be probed from punchAt on
	punchAt time.Time // zero: at once
	goneAt  time.Time // the partner is said to have left the place, which is believed from then on; zero: it is there
	notes   uint64    // address notes sent
	noted   uint64    // the partner's newest address note
}

// maxBonds with one partner: more places than this do not work at once.
const maxBonds = 4

// laterBond is how long the agent of another handshake with the same partner
// keeps still, unless it is the one that the partner has: then that shows.
const laterBond = 500 * time.Millisecond

// goneTime is how long a partner is waited for elsewhere that is said to have left
// a place which nobody has named: whoever passes messages on there can say so.
const goneTime = 5 * time.Second

// sess is the session with the partner, nil if nobody was met.
func (p *Peer) sess() *secret.Session {
	if len(p.bonds) == 0 {
		return nil
	}
	return p.bonds[0].session
}

// agent looks for a path to the partner, nil if nobody was met. While there are
// several, it is the first's.
func (p *Peer) agent() *nat.Agent {
	if len(p.bonds) == 0 {
		return nil
	}
	return p.bonds[0].agent
}

// decide makes b the only bond: the partner has shown that it has it.
func (p *Peer) decide(now time.Time, b *bond) {
	for _, o := range p.bonds {
		if o != b {
			o.agent.Close()
		}
	}
	p.bonds = []*bond{b}
	b.punchAt = time.Time{} // there may be better paths among those that were to wait
	b.punch(now)
}

// bondWith returns the bond with a member, nil if there is none.
func (p *Peer) bondWith(pl *place, id rendezvous.ID) *bond {
	for _, b := range p.bonds {
		if b.at == pl && b.partner == id {
			return b
		}
	}
	return nil
}

// loosen drops a bond, and reports whether others are left.
func (p *Peer) loosen(b *bond) bool {
	b.agent.Close()
	p.bonds = slices.DeleteFunc(p.bonds, func(o *bond) bool { return o == b })
	return len(p.bonds) > 0
}

// roomForBond reports whether there may be another bond at a place. One that a
// person has named takes the room of another: whoever passes messages on elsewhere
// can take all of it.
func (p *Peer) roomForBond(pl *place) bool {
	if len(p.bonds) < maxBonds {
		return true
	}
	if i := slices.IndexFunc(p.bonds, func(b *bond) bool { return !b.at.named() }); pl.named() && i >= 0 {
		return p.loosen(p.bonds[i])
	}
	return false
}

// startAgent begins the search under the keys of b.
func (p *Peer) startAgent(now time.Time, b *bond, timeout time.Duration) {
	var tag [4]byte
	copy(tag[:], b.session.Export("nat tag", len(tag)))
	b.agent = nat.NewAgent(now, nat.Config{
		Box:         b.session.Box("nat"),
		Tag:         tag,
		Controlling: p.cfg.Role == rendezvous.Sender,
		Local:       p.listFor(b, b.posted),
		Sockets:     p.cfg.Sockets,
		Rand:        p.cfg.Rand,
		V4:          p.cfg.V4,
		V6:          p.cfg.V6,
		Timeout:     timeout,
	})
	p.linesFor(now, b.agent)
}

// punch hands the partner's addresses to the agent when their time has come.
func (b *bond) punch(now time.Time) {
	if b.punchAt.After(now) {
		return
	}
	b.punchAt = time.Time{}
	b.agent.AddRemote(now, b.remote)
	b.remote = nat.List{}
}

// addressNote passes our network through a place, sealed. The role keeps the
// helper from showing us our own, the number from showing old ones again.
func (b *bond) addressNote(role rendezvous.Role, l nat.List) []byte {
	b.notes++
	plain := binary.BigEndian.AppendUint64(nil, b.notes)
	sealed := b.session.Box("addresses").Seal(nil, nat.AppendCandidates(plain, l), []byte{byte(role)})
	return append([]byte{noteAddresses}, sealed...)
}

// openAddresses returns the list of an address note's body, without candidates
// if it is not a new one of the partner, which has that role.
func (b *bond) openAddresses(role rendezvous.Role, body []byte) (l nat.List) {
	plain, err := b.session.Box("addresses").Open(nil, body, []byte{byte(role)})
	if err != nil || len(plain) < 8 {
		return l
	}
	n := binary.BigEndian.Uint64(plain)
	if n <= b.noted {
		return l
	}
	if l, err = nat.ParseCandidates(plain[8:]); err == nil {
		b.noted = n
	}
	return l
}
