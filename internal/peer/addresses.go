package peer

import (
	"encoding/binary"
	"net/netip"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
)

// network is what the partner is told of ours: the addresses given, those that
// the helper saw, and what our NAT does.
func (p *Peer) network(local []netip.AddrPort, c *rendezvous.Client) nat.List {
	l := nat.List{Candidates: append(hosts(local), reflexive(c)...)}
	for _, a := range local {
		if a.Addr().Is4() {
			l.Profile = nat.NewProfile(a.Port(), c.Reflexive())
			break
		}
	}
	return l
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
	p.meet.posted = p.network(p.cfg.Local(), p.client)
	return nat.AppendCandidates(nil, p.meet.posted)
}

// postAddresses tells the partner what the helper has told us since.
func (p *Peer) postAddresses(now time.Time) {
	if p.client == nil {
		return
	}
	var local []netip.AddrPort
	for _, c := range p.meet.posted.Candidates {
		if c.Kind == nat.Host {
			local = append(local, c.Addr)
		}
	}
	all := p.network(local, p.client)
	news := all.Profile != p.meet.posted.Profile
	for _, c := range all.Candidates {
		news = news || !contains(p.meet.posted.Candidates, c)
	}
	if !news {
		return
	}
	p.agent.SetLocal(now, all)
	if p.client.Post(p.meet.partner, p.addressNote(all)) == nil {
		p.meet.posted = all
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
func (p *Peer) addressNote(l nat.List) []byte {
	p.meet.notes++
	plain := binary.BigEndian.AppendUint64(nil, p.meet.notes)
	sealed := p.sess.Box("addresses").Seal(nil, nat.AppendCandidates(plain, l), []byte{byte(p.cfg.Role)})
	return append([]byte{noteAddresses}, sealed...)
}

// openAddresses returns the list of an address note's body, without candidates
// if it is not a new one of the partner.
func (p *Peer) openAddresses(body []byte) (l nat.List) {
	plain, err := p.sess.Box("addresses").Open(nil, body, []byte{byte(p.otherRole())})
	if err != nil || len(plain) < 8 {
		return l
	}
	n := binary.BigEndian.Uint64(plain)
	if n <= p.meet.noted {
		return l
	}
	if l, err = nat.ParseCandidates(plain[8:]); err == nil {
		p.meet.noted = n
	}
	return l
}

func (p *Peer) onAddresses(now time.Time, body []byte) {
	if l := p.openAddresses(body); len(l.Candidates) > 0 {
		p.agent.AddRemote(now, l)
	}
}
