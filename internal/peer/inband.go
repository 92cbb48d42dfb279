package peer

import (
	"encoding/binary"
	"time"

	"qft/internal/nat"
	"qft/internal/transport"
)

// addressStream is the stream of the connection that carries our addresses to
// the partner when they change: those of an interface that has come up, or of a
// port that the router has opened. What the connection carries is sealed, and
// needs no helper.
//
//	0  length  2   of the list
//	2  list        as in the handshake
const addressStream = 1

// maxList bounds a list on that stream.
const maxList = 2048

// tellEvery is how often it is looked whether there is something to tell:
// addresses that come and go in quick succession are told as they are in the end.
const tellEvery = 500 * time.Millisecond

// heedEvery is how often the partner's lists are taken at most: work that it could
// otherwise make without end.
const heedEvery = 100 * time.Millisecond

// inBandState is what goes over that stream.
type inBandState struct {
	told nat.List  // our network as last told
	next time.Time // earliest next telling
	out  []byte    // not taken by the stream yet
	in   []byte    // of a list that has not come whole
	heed time.Time // when the next is taken
}

// stepInBand tells our addresses if they have changed, and takes the partner's.
func (p *Peer) stepInBand(now time.Time) {
	s := &p.inband
	if p.conn.Err() != nil {
		return
	}
	if len(s.out) == 0 && !now.Before(s.next) {
		s.next = now.Add(tellEvery)
		p.tellNetwork(now)
	}
	if len(s.out) > 0 {
		s.out = s.out[p.conn.Write(addressStream, s.out):]
	}
	if now.Before(s.heed) {
		return
	}
	var b [512]byte
	for {
		if p.takeList(now) {
			s.heed = now.Add(heedEvery)
			return
		}
		n := p.conn.Read(addressStream, b[:])
		if n == 0 {
			return
		}
		s.in = append(s.in, b[:n]...)
	}
}

// tellNetwork tells the partner of our network if there is news.
func (p *Peer) tellNetwork(now time.Time) {
	s := &p.inband
	l := p.network()
	if !news(l, s.told) {
		return
	}
	list := nat.AppendCandidates(nil, l)
	s.out = append(binary.BigEndian.AppendUint16(nil, uint16(len(list))), list...)
	s.told = l
	p.agent().SetLocal(now, l)
}

// takeList takes a whole list off what has come, and reports whether there was
// one.
func (p *Peer) takeList(now time.Time) bool {
	s := &p.inband
	if len(s.in) < 2 {
		return false
	}
	n := int(binary.BigEndian.Uint16(s.in))
	if n > maxList {
		p.conn.Close(now, transport.CodeProtocol, "a list of addresses is too long")
		s.in = nil
		return false
	}
	if len(s.in) < 2+n {
		return false
	}
	l, err := nat.ParseCandidates(s.in[2 : 2+n])
	s.in = s.in[2+n:]
	if err != nil {
		p.conn.Close(now, transport.CodeProtocol, "a list of addresses makes no sense")
		s.in = nil
		return false
	}
	p.heedLines(l)
	p.agent().AddRemote(now, p.zoned(l))
	return true
}
