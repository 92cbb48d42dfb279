package peer

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/secret"
)

const (
	// guessesCode wrong guesses burn a generated code of 33 bits: an attacker
	// who uses them all succeeds once in 1.7 thousand million.
	guessesCode = 5

	// guessesOwn is larger because strangers whose own phrases fall into the
	// same room by chance use them up without meaning to.
	guessesOwn = 20

	// Where a person has named a place, so many of the guesses are kept for
	// it: whoever is on this network cannot use up all.
	keptCode = 2
	keptOwn  = 10

	// searchTime is how long a path is looked for, counted from the beginning of
	// the handshake: with what it takes two members to see each other on a bad
	// line, a person hears within half a minute that there is none.
	searchTime = 27 * time.Second

	// punchTime ends, as long after the beginning, a search for a partner that
	// has told no address at all.
	punchTime = 28 * time.Second

	// slowStart is what it may take to come to the helper, on a bad line that
	// lets no UDP out, and to find the other side there.
	slowStart = 10 * time.Second

	// givenUp is how long the search has lasted when a partner that goes away
	// has not been stopped, but has found no path.
	givenUp = 20 * time.Second

	// rivalTime is how long a receiver that has met a sender in a shared room
	// lets another handshake under way finish, to notice two senders.
	rivalTime = 500 * time.Millisecond

	// sureTime is how long a receiver to whom a place on this network has said
	// that its code is wrong waits for a better one before it believes that.
	sureTime = 2 * time.Second
)

// meetState is the meeting in all places together.
type meetState struct {
	phrase   secret.Phrase
	ready    bool            // phrase is known
	own      bool            // it is of the user's own choice
	left     int             // guesses
	me       rendezvous.ID   // what the partner knows us by, in whatever place
	partner  rendezvous.ID   // what we know it by
	held     []hello         // receiver: not answered yet
	refusers []rendezvous.ID // receiver: who has said so on this network, by whatever address
	refused  time.Time       // receiver: a place on this network says then that the code is wrong; zero: none did
	rivalEnd time.Time       // two senders are noticed until then; zero: no rival
	punchEnd time.Time       // no path by then: there is none
	handOver time.Time       // sender of many: the rooms are left by then
}

func (m *meetState) init(cfg *Config) error {
	m.left = guessesCode
	if cfg.Words == "" {
		m.phrase, m.ready = cfg.Phrase, true
		if _, generated := cfg.Phrase.Number(); !generated {
			m.own = true
			m.left = guessesOwn
		}
	}
	if cfg.Guesses > 0 {
		m.left = min(m.left, cfg.Guesses)
	}
	_, err := io.ReadFull(cfg.Rand, m.me[:])
	return err
}

// kept is how many guesses a place must leave.
func (p *Peer) kept(pl *place) int {
	switch {
	case pl.named() || p.named() == nil:
		return 0
	case p.meet.own:
		return keptOwn
	}
	return keptCode
}

// begin opens the places that are known from the start.
func (p *Peer) begin(now time.Time) {
	if len(p.cfg.Stun) > 0 {
		p.pasted = &pasted{out: newOutside(now, p.cfg.Rand, p.cfg.Stun)}
		return
	}
	if len(p.cfg.Host) > 0 {
		p.open(now, atHost, p.cfg.Host)
	} else if len(p.cfg.Helpers) > 0 {
		p.open(now, atHelper, p.cfg.Helpers)
	}
	if p.cfg.Role == rendezvous.Receiver {
		p.call(now)
		if p.named() == nil {
			p.tell(p.joined())
		}
		return
	}
	if !p.meet.ready && p.named() == nil {
		p.number(now, p.chooseNumber())
	}
	if p.meet.ready && p.state == meeting {
		p.openOwn(now)
	}
}

// chooseNumber makes up the number of a code where no helper assigns one. On
// one network there are few: four to six digits keep them apart.
func (p *Peer) chooseNumber() uint32 {
	var seed [32]byte
	if _, err := io.ReadFull(p.cfg.Rand, seed[:]); err != nil {
		panic("peer: no randomness: " + err.Error())
	}
	return 1000 + rand.New(rand.NewChaCha8(seed)).Uint32N(999_000)
}

// number makes the phrase of a code that lacked it.
func (p *Peer) number(now time.Time, n uint32) {
	phrase, err := secret.Parse(strconv.FormatUint(uint64(n), 10) + "-" + p.cfg.Words)
	if err != nil {
		p.fail(now, Broken, fmt.Errorf("making the code: %w", err))
		return
	}
	p.meet.phrase, p.meet.ready = phrase, true
}

// openOwn opens a sender's own places, which need the number.
func (p *Peer) openOwn(now time.Time) {
	p.openHome(now)
	if p.cfg.Door.IsValid() {
		p.open(now, atDoor, []netip.AddrPort{p.cfg.Door})
	}
	p.call(now)
	if p.named() == nil {
		p.tell(p.joined())
	}
}

func (p *Peer) joined() Joined {
	j := Joined{Helper: p.helper() != nil, Host: len(p.cfg.Host) > 0, Nearby: p.near.beacon != nil}
	j.Number, _ = p.meet.phrase.Number()
	if p.cfg.Role == rendezvous.Sender && !j.Helper {
		j.Port = p.cfg.Port
	}
	return j
}

func (p *Peer) stepMeeting(now time.Time) {
	if p.pasted != nil && p.state == meeting {
		p.stepPasted(now)
		return
	}
	p.stepNearby(now)
	p.pump(now)
	p.answerHeld(now)
	switch {
	case p.waitsForAnswer() && !now.Before(p.patience()):
		kind := HelperUnreachable
		if len(p.cfg.Host) > 0 {
			kind = HostUnreachable
		}
		p.fail(now, kind, fmt.Errorf("%s does not answer", p.servers()))
	case p.state == meeting && due(p.sureEnd(), now):
		p.fail(now, PhraseWrong, errors.New("the code does not match that of the sender on this network"))
	}
	p.expireAnswers(now)
	if !p.meet.rivalEnd.After(now) {
		p.meet.rivalEnd = time.Time{}
	}
	p.postAddresses(now)
}

// sureEnd is when a receiver believes this network that its code is wrong.
func (p *Peer) sureEnd() time.Time {
	if p.meet.refused.IsZero() || p.named() != nil {
		return time.Time{}
	}
	return p.meet.refused.Add(sureTime)
}

// waitsForAnswer reports whether the place that was named has yet to show that
// it is there, and no other one has.
func (p *Peer) waitsForAnswer() bool {
	n := p.named()
	return p.state == meeting && n != nil && !n.joined && !p.cfg.Again &&
		!slices.ContainsFunc(p.places, func(pl *place) bool { return pl.kind == nearby && len(pl.members) > 0 })
}

// servers names the place that a person has named, for people.
func (p *Peer) servers() string {
	list, what := p.cfg.Helpers, "the helper at "
	if len(p.cfg.Host) > 0 {
		list, what = p.cfg.Host, "the sender's machine at "
	}
	return what + addresses(list)
}

// addresses lists some for people.
func addresses(list []netip.AddrPort) string {
	var all []string
	for _, a := range list {
		all = append(all, a.String())
	}
	return strings.Join(all, " or ")
}

// patience is until when the place that was named may take to let us in: longer
// when it has been heard at all, for then it is there and only the network is
// bad.
func (p *Peer) patience() time.Time {
	for _, s := range p.named().client.Servers() {
		if !s.Heard.IsZero() {
			return p.began.Add(3 * helperPatience)
		}
	}
	return p.began.Add(helperPatience)
}

// pump takes what the places have told, until we part.
func (p *Peer) pump(now time.Time) {
	for _, pl := range slices.Clone(p.places) {
		for pl.client != nil && p.state < parting && slices.Contains(p.places, pl) {
			e, ok := pl.client.Next()
			if !ok {
				break
			}
			p.onPlace(now, pl, e)
		}
	}
}

func (p *Peer) meetDeadline() time.Time {
	var d time.Time
	if p.waitsForAnswer() {
		d = p.patience()
	}
	for _, pl := range p.places {
		for _, m := range pl.members {
			if m.responder != nil && !m.counted {
				d = earlier(d, m.deadline)
			}
		}
	}
	d = earlier(earlier(d, p.meet.rivalEnd), p.heldDeadline())
	if p.state == meeting {
		d = earlier(d, p.sureEnd())
	}
	for _, b := range p.bonds {
		d = earlier(earlier(d, b.punchAt), b.goneAt)
	}
	if p.state == punching {
		d = earlier(d, p.meet.punchEnd)
		if p.inRooms() && p.meet.handOver.After(p.turn) {
			d = earlier(d, p.meet.handOver)
		}
	}
	return d
}

func (p *Peer) onPlace(now time.Time, pl *place, e rendezvous.Event) {
	switch e.Kind {
	case rendezvous.Joined:
		p.onJoined(now, pl, e.Number)
	case rendezvous.Refused:
		p.onRefused(now, pl, e.Err)
	case rendezvous.Silent:
		pl.silent = true
		if pl.named() && (pl.joined || p.cfg.Again) {
			p.tell(HelperSilent{})
		}
	case rendezvous.Back:
		pl.silent = false
		if pl.named() {
			p.tell(HelperBack{})
		}
	case rendezvous.Arrived:
		p.onArrived(now, pl, e.Member)
	case rendezvous.Departed:
		p.onDeparted(now, pl, e.Member)
	case rendezvous.Note:
		p.onNote(now, pl, e.Member, e.Note)
	}
}

func (p *Peer) onJoined(now time.Time, pl *place, number uint32) {
	pl.joined = true
	if !pl.named() {
		return
	}
	if !p.meet.ready {
		p.number(now, number)
		if p.meet.ready {
			p.openOwn(now)
		}
	}
	if p.meet.ready {
		p.tell(p.joined())
	}
}

func (p *Peer) onRefused(now time.Time, pl *place, err error) {
	expired := errors.Is(err, rendezvous.ErrExpired)
	switch {
	case pl.kind == nearby:
		p.shun(now, pl.addr)
		p.close(now, pl)
		return
	case !pl.named(), p.sess() != nil, pl.joined && !errors.Is(err, rendezvous.ErrTaken) && !expired:
		return // it knew us before; the client keeps asking
	case p.cfg.Again && !expired: // of this membership nothing comes any more
		p.tell(Barred{Taken: errors.Is(err, rendezvous.ErrTaken), Err: err})
		return // and so it does here
	}
	pl.joined = true
	kind := HelperRefused
	switch {
	case errors.Is(err, rendezvous.ErrTaken):
		kind = NumberTaken
	case errors.Is(err, rendezvous.ErrBusy) && len(p.cfg.Host) > 0: // a sender lets in nobody of another room
		p.fail(now, PhraseWrong, fmt.Errorf("%s waits under another one, or for nobody any more", p.servers()))
		return
	case errors.Is(err, rendezvous.ErrVersion), errors.Is(err, rendezvous.ErrGarbled):
		kind = HelperForeign
	}
	p.fail(now, kind, fmt.Errorf("joining the room of %s: %w", p.servers(), err))
}

func (p *Peer) onArrived(now time.Time, pl *place, id rendezvous.ID) {
	if b := p.bondWith(pl, id); b != nil {
		b.goneAt = time.Time{} // it only slept
	}
	if p.cfg.Role == rendezvous.Receiver && pl.find(id) == nil {
		pl.expected = append(pl.expected, id)
	}
	if p.cfg.Role != rendezvous.Sender || !p.meet.ready || pl.find(id) != nil || p.meet.left <= p.kept(pl) {
		return
	}
	if slices.Contains(p.cfg.Known, id) || p.cfg.Many && p.sess() != nil && !p.mayBePartner(pl) {
		return // met, or the next meeting's
	}
	i, m1, err := secret.NewInitiator(p.cfg.Rand, p.meet.phrase, pl.sid(p.cfg.Role, id), p.cfg.AES)
	if err != nil {
		p.fail(now, Broken, fmt.Errorf("starting the handshake: %w", err))
		return
	}
	pl.members = append(pl.members, &member{id: id, initiator: i, began: now})
	pl.post(id, noteHello, m1)
}

// mayBePartner reports whether who arrives at a place may be the partner that was
// met in others only: the last message of the handshakes there may be held back.
func (p *Peer) mayBePartner(pl *place) bool {
	return p.state == punching && pl.named() && !slices.ContainsFunc(p.bonds, func(b *bond) bool { return b.at.named() })
}

func (p *Peer) onDeparted(now time.Time, pl *place, id rendezvous.ID) {
	b := p.bondWith(pl, id)
	if b != nil && p.state == punching && p.cfg.Role == rendezvous.Sender {
		b.goneAt = now
		if n := p.named(); n != nil && !pl.named() && n.joined && !gone(n.client) {
			b.goneAt = now.Add(goneTime)
		}
		if p.partedFrom(now); p.state != punching {
			return
		}
	}
	pl.hear(id)
	p.meet.held = slices.DeleteFunc(p.meet.held, func(h hello) bool { return h.at == pl && h.from == id })
	if m := pl.find(id); m != nil && (m.responder == nil || m.counted) {
		pl.drop(id)
	}
}

// partedFrom drops the bonds whose partner has gone. A receiver leaves when it has
// heard us over a connection, and we have none.
func (p *Peer) partedFrom(now time.Time) {
	for _, b := range slices.Clone(p.bonds) {
		if !due(b.goneAt, now) || p.loosen(b) {
			continue
		}
		p.bonds = []*bond{b} // to the end
		if r := b.agent.Report(now); r.Searched >= givenUp || r.Apart() {
			p.failSearch(now)
			return
		}
		p.fail(now, PartnerStopped, errors.New("the other side went away while a path was being looked for"))
	}
}

// met: the other side knows the phrase.
func (p *Peer) met(now time.Time, b *bond, partner rendezvous.ID, list []byte) {
	began := b.at.find(b.partner).began
	if began.Sub(p.began) < slowStart {
		began = p.began // whom we found was waiting, and so is a person
	}
	p.pair(now, b, partner, p.remote(b.at, list), max(searchTime-now.Sub(began), givenUp))
}

// pair begins to look for a path to the partner, for so long.
func (p *Peer) pair(now time.Time, b *bond, partner rendezvous.ID, remote nat.List, limit time.Duration) {
	first := len(p.bonds) == 0
	p.bonds = append(p.bonds, b)
	if first {
		p.meet.partner = partner
		p.meet.rivalEnd = now.Add(rivalTime)
		p.meet.punchEnd = now.Add(limit + punchTime - searchTime)
		if p.cfg.Many {
			p.meet.handOver = now.Add(handOver)
		}
		p.state = punching
	} else {
		b.punchAt = now.Add(max(laterBond, b.punchAt.Sub(now)))
	}
	p.tell(Met{Members: []rendezvous.ID{b.partner, partner}, Again: !first})
	p.startAgent(now, b, limit)
	b.remote = remote
	p.heedLines(b.remote)
	// A NAT that counts its ports should count those first that the partner
	// expects, and not the private addresses of somewhere else.
	if first && b.posted.Profile.Mapping != nat.Sequential {
		var hosts nat.List
		for _, c := range b.remote.Candidates {
			if c.Kind == nat.Host {
				hosts.Candidates = append(hosts.Candidates, c)
			}
		}
		b.agent.AddRemote(now, hosts)
	}
	b.punch(now)
}
