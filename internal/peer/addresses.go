package peer

import (
	"encoding/binary"
	"net/netip"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
)

// candidates are the addresses at which we may be reached, as known now.
func (p *Peer) candidates(reflexive []nat.Candidate) []nat.Candidate {
	return append(hosts(p.cfg.Local()), reflexive...)
}

func hosts(addrs []netip.AddrPort) []nat.Candidate {
	var all []nat.Candidate
	for _, a := range addrs {
		all = append(all, nat.Candidate{Kind: nat.Host, Addr: a})
	}
	return all
}

func reflexive(c *rendezvous.Client) []nat.Candidate {
	var all []nat.Candidate
	for _, a := range c.Reflexive() {
		all = append(all, nat.Candidate{Kind: nat.Reflexive, Addr: a})
	}
	return all
}

// addresses are our candidates as sent inside the handshake.
func (p *Peer) addresses() []byte {
	p.meet.posted = p.candidates(reflexive(p.client))
	return nat.AppendCandidates(nil, p.meet.posted)
}

// postAddresses tells the partner about addresses learned since.
func (p *Peer) postAddresses(now time.Time) {
	if p.client == nil {
		return
	}
	seen := reflexive(p.client)
	if len(seen) == 0 {
		return
	}
	for _, c := range seen {
		if !contains(p.meet.posted, c) {
			all := p.candidates(seen)
			p.agent.SetLocal(now, all)
			if p.client.Post(p.meet.partner, p.addressNote(all)) == nil {
				p.meet.posted = all
			}
			return
		}
	}
}

func contains(all []nat.Candidate, c nat.Candidate) bool {
	for _, x := range all {
		if x == c {
			return true
		}
	}
	return false
}

// addressNote passes candidates through the helper, sealed. The role keeps the
// helper from showing us our own, the number from showing old ones again.
func (p *Peer) addressNote(c []nat.Candidate) []byte {
	p.meet.notes++
	plain := binary.BigEndian.AppendUint64(nil, p.meet.notes)
	sealed := p.sess.Box("addresses").Seal(nil, nat.AppendCandidates(plain, c), []byte{byte(p.cfg.Role)})
	return append([]byte{noteAddresses}, sealed...)
}

// openAddresses returns the candidates of an address note's body, nil if it is
// not a new one of the partner.
func (p *Peer) openAddresses(body []byte) []nat.Candidate {
	plain, err := p.sess.Box("addresses").Open(nil, body, []byte{byte(p.otherRole())})
	if err != nil || len(plain) < 8 {
		return nil
	}
	n := binary.BigEndian.Uint64(plain)
	if n <= p.meet.noted {
		return nil
	}
	c, err := nat.ParseCandidates(plain[8:])
	if err != nil {
		return nil
	}
	p.meet.noted = n
	return c
}

func (p *Peer) onAddresses(now time.Time, body []byte) {
	if c := p.openAddresses(body); len(c) > 0 {
		p.agent.AddRemote(now, c...)
	}
}
