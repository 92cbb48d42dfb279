package peer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/secret"
)

// The first byte of a note says what follows.
const (
	noteHello     = 1 // m1, sender to receiver
	noteAnswer    = 2 // m2, receiver to sender
	noteConfirm   = 3 // m3, sender to receiver
	noteWrong     = 4 // the phrases differ
	noteTaken     = 5 // m3 of a sender whose partner is somebody else
	noteVerdict   = 6 // sealed: why I stop
	noteAddresses = 7 // sealed: more of my addresses
	noteLater     = 8 // m3 of a sender that has others to meet first
)

// The byte in a noteVerdict.
const (
	verdictTwoSenders = 1 // another sender has the phrase too
	verdictStopped    = 2 // on purpose
)

const (
	// confirmTime is how long the receiver waits for the last message of a
	// handshake before it counts it as a guess at its phrase.
	confirmTime = 15 * time.Second

	// silentGrace is how much later a confirmation may come when the place
	// that brings it has fallen silent.
	silentGrace = 5 * time.Second

	// maxHeadStart bounds the wait that lets both sides punch at once.
	maxHeadStart = time.Second

	// A receiver with a code answers one hello at a time, for the same sender
	// may say it in several places, and a code that is wrong there would be
	// wrong as many times. It waits so long for the end of a handshake: on
	// this network less.
	holdTime    = time.Second
	holdNearby  = 300 * time.Millisecond
	maxHeld     = 16
	identityLen = len(rendezvous.ID{})
)

// member is one handshake.
type member struct {
	id        rendezvous.ID
	initiator *secret.Initiator
	responder *secret.Responder
	began     time.Time
	told      nat.List  // responder: our network, as in the answer
	deadline  time.Time // responder: m3 must be here, or our answer was a guess
	counted   bool      // it was counted as one
}

// hello is one that has not been answered yet.
type hello struct {
	at   *place
	from rendezvous.ID
	m1   []byte
}

func (p *Peer) onNote(now time.Time, pl *place, from rendezvous.ID, note []byte) {
	if len(note) == 0 {
		return
	}
	kind, body := note[0], note[1:]
	receiver := p.cfg.Role == rendezvous.Receiver
	b := p.bondWith(pl, from)
	switch {
	case kind == noteHello && receiver:
		p.onHello(now, pl, from, body)
	case kind == noteAnswer && !receiver:
		p.onAnswer(now, pl, from, body)
	case kind == noteConfirm && receiver:
		p.onConfirm(now, pl, from, body)
	case kind == noteWrong && receiver:
		p.onWrong(now, pl, from)
	case kind == noteTaken && receiver:
		p.onTaken(now, pl, from, body)
	case kind == noteLater && receiver:
		p.onLater(now, pl, from, body)
	case kind == noteVerdict && b != nil:
		p.onVerdict(now, b, body)
	case kind == noteAddresses && b != nil:
		p.onAddresses(now, b, body)
	}
}

// open counts the answers that are not confirmed yet.
func (p *Peer) unconfirmed() (n int) {
	for _, pl := range p.places {
		for _, x := range pl.members {
			if x.responder != nil && !x.counted {
				n++
			}
		}
	}
	return n
}

// busy is until when a receiver with a code answers nobody else: zero if it
// may at once.
func (p *Peer) busy() (until time.Time) {
	if p.meet.own {
		return until
	}
	for _, pl := range p.places {
		for _, x := range pl.members {
			if x.responder == nil || x.counted {
				continue
			}
			t := x.began.Add(holdTime)
			if pl.kind == nearby {
				t = x.began.Add(holdNearby)
			}
			if t.After(until) {
				until = t
			}
		}
	}
	return until
}

// onHello answers a sender, or lets it wait.
func (p *Peer) onHello(now time.Time, pl *place, from rendezvous.ID, m1 []byte) {
	pl.hear(from)
	switch {
	case pl.find(from) != nil || !p.meet.own && p.sess() != nil || p.heard():
	case p.busy().After(now):
		p.hold(hello{pl, from, slices.Clone(m1)})
	default:
		p.answer(now, pl, from, m1)
	}
}

// hold has a hello wait. One of the place that a person has named goes before
// those of this network, and finds room: it is said only once.
func (p *Peer) hold(h hello) {
	held := p.meet.held
	if slices.ContainsFunc(held, func(o hello) bool { return o.at == h.at && o.from == h.from }) {
		return
	}
	at := len(held)
	if h.at.named() {
		if i := slices.IndexFunc(held, func(o hello) bool { return !o.at.named() }); i >= 0 {
			at = i
		}
	}
	if at < maxHeld {
		held = slices.Insert(held, at, h)
		p.meet.held = held[:min(len(held), maxHeld)]
	}
}

// answerHeld answers those who have waited.
func (p *Peer) answerHeld(now time.Time) {
	for len(p.meet.held) > 0 && p.state == meeting && !p.busy().After(now) {
		h := p.meet.held[0]
		p.meet.held = p.meet.held[1:]
		p.answer(now, h.at, h.from, h.m1)
	}
}

// heldDeadline is when somebody who waits can be answered.
func (p *Peer) heldDeadline() time.Time {
	if len(p.meet.held) == 0 || p.state != meeting {
		return time.Time{}
	}
	return p.busy()
}

// answer answers a hello. The tag in the answer lets the sender test one guess
// at our phrase, so answers are counted like guesses unless they are confirmed.
func (p *Peer) answer(now time.Time, pl *place, from rendezvous.ID, m1 []byte) {
	if p.unconfirmed()+p.kept(pl) >= p.meet.left || pl.kind == nearby && slices.Contains(p.meet.refusers, from) {
		return
	}
	own := p.network()
	r, m2, err := secret.NewResponder(p.cfg.Rand, p.meet.phrase, pl.sid(p.cfg.Role, from), m1, p.introduction(own), p.cfg.AES)
	if errors.Is(err, secret.ErrVersion) && pl.named() && !p.meet.own && p.sess() == nil {
		p.fail(now, Broken, fmt.Errorf("meeting the other side: %w", err))
	}
	if err != nil {
		return // not our partner, and no guess: it was shown nothing
	}
	pl.members = append(pl.members, &member{id: from, responder: r, began: now, told: own, deadline: now.Add(confirmTime)})
	pl.post(from, noteAnswer, m2)
}

// introduction is what is sealed into the handshake: who we are, whatever the
// place, and where.
func (p *Peer) introduction(own nat.List) []byte {
	return nat.AppendCandidates(p.meet.me[:identityLen:identityLen], own)
}

// introduced reads the partner's introduction. One that makes no sense leaves
// us with what its probes show.
func introduced(payload []byte) (who rendezvous.ID, list []byte) {
	if len(payload) < identityLen {
		return rendezvous.ID{}, nil
	}
	return rendezvous.ID(payload[:identityLen]), payload[identityLen:]
}

// remote is what the partner has told of its network.
func (p *Peer) remote(pl *place, list []byte) nat.List {
	told, _ := nat.ParseCandidates(list)
	return p.whereabouts(pl, told)
}

// onAnswer checks a receiver's tag; only a right one is answered with ours.
func (p *Peer) onAnswer(now time.Time, pl *place, from rendezvous.ID, m2 []byte) {
	m := pl.find(from)
	if m == nil || m.initiator == nil || p.meet.left <= p.kept(pl) {
		return
	}
	initiator := m.initiator
	m.initiator = nil
	own := p.network()
	m3, sess, payload, err := initiator.Finish(m2, p.introduction(own))
	if errors.Is(err, secret.ErrWrongPhrase) {
		pl.post(from, noteWrong, nil)
		p.wrong(now)
		return
	}
	if err != nil {
		return // Whoever sends nonsense has shown no guess and learns nothing.
	}
	who, list := introduced(payload)
	again := p.sess() != nil && who == p.meet.partner
	switch {
	case slices.Contains(p.cfg.Known, who), p.sess() != nil && !again && p.cfg.Many:
		pl.post(from, noteLater, m3)
	case p.sess() != nil && !again:
		pl.post(from, noteTaken, m3)
	default:
		pl.post(from, noteConfirm, m3)
		if again && (p.state != punching || !p.roomForBond(pl)) {
			return // the receiver knows that it has met us
		}
		// The receiver can begin when m3 is there, half a round trip from
		// now. A router whose filter keeps state of what it refuses may map
		// the receiver's port anew if our probes come before its own leave.
		b := &bond{at: pl, partner: from, session: sess, posted: own}
		b.punchAt = now.Add(min(now.Sub(m.began)/2, maxHeadStart))
		p.met(now, b, who, list)
	}
}

// confirm takes the last message of a handshake. Whatever is wrong with it,
// the sender has had its guess when it got our answer.
func (p *Peer) confirm(now time.Time, pl *place, from rendezvous.ID, m3 []byte) (*secret.Session, []byte, bool) {
	m := pl.find(from)
	if m == nil || m.responder == nil {
		return nil, nil, false
	}
	responder := m.responder
	m.responder = nil
	sess, payload, err := responder.Finish(m3)
	if err != nil {
		p.onWrongFrom(now, pl, m, errors.Is(err, secret.ErrWrongPhrase))
		return nil, nil, false
	}
	return sess, payload, true
}

func (p *Peer) onConfirm(now time.Time, pl *place, from rendezvous.ID, m3 []byte) {
	m := pl.find(from)
	sess, payload, ok := p.confirm(now, pl, from, m3)
	who, list := introduced(payload)
	switch {
	case !ok:
	case p.sess() == nil:
		// What was learned since the answer is told at once, as posted lacks it.
		p.met(now, &bond{at: pl, partner: from, session: sess, posted: m.told}, who, list)
	case who == p.meet.partner:
		// The same sender, met in another place before.
	case p.heard(): // too late to make anything of it
	default:
		pl.post(from, noteVerdict, p.verdict(sess, verdictTwoSenders))
		p.postVerdict(verdictTwoSenders)
		p.fail(now, TwoSenders, errors.New("two senders use this phrase at the same time"))
	}
}

// onTaken: the sender has proved that it knows the phrase, and is taken.
func (p *Peer) onTaken(now time.Time, pl *place, from rendezvous.ID, m3 []byte) {
	if _, _, ok := p.confirm(now, pl, from, m3); ok && p.sess() == nil {
		p.fail(now, PhraseTaken, errors.New("somebody else is already receiving with this phrase"))
	}
}

// onLater: the sender has proved that it knows the phrase, and comes back as
// another member when it has met whom it has to meet first. Like the other
// words that end a handshake it counts from who knows the phrase only, or a
// guesser could take back what our answer has shown it.
func (p *Peer) onLater(now time.Time, pl *place, from rendezvous.ID, m3 []byte) {
	if _, _, ok := p.confirm(now, pl, from, m3); ok && p.sess() == nil {
		p.tell(Queued{})
	}
}

// onWrong: a sender says that our tag was wrong.
func (p *Peer) onWrong(now time.Time, pl *place, from rendezvous.ID) {
	if m := pl.find(from); m != nil && m.responder != nil {
		p.onWrongFrom(now, pl, m, true)
	}
}

// onWrongFrom counts a guess, if it is not counted yet. A receiver with a code
// meets the one sender that holds the number: told by it that the words differ,
// it need not wait on. On this network anybody may say so; who does is not
// answered again under another address.
func (p *Peer) onWrongFrom(now time.Time, pl *place, m *member, told bool) {
	pl.drop(m.id)
	if told && !p.meet.own && p.sess() == nil {
		if pl.named() {
			p.fail(now, PhraseWrong, errors.New("the code does not match the sender's"))
			return
		}
		p.meet.refusers = append(p.meet.refusers, m.id) // no more than there are guesses
		p.meet.refused = earlier(p.meet.refused, now)
	}
	if !m.counted {
		p.wrong(now)
	}
}

// wrong counts a failed guess. Guesses made while a path to the right partner
// is being looked for count, but change nothing else.
func (p *Peer) wrong(now time.Time) {
	p.meet.left = max(p.meet.left-1, 0)
	if p.sess() != nil {
		return
	}
	p.tell(WrongPhrase{Left: p.meet.left})
	if p.meet.left == 0 {
		p.fail(now, PhraseBurnt, errors.New("too many others tried a wrong phrase"))
	}
}

// expireAnswers counts answers that were not confirmed in time as guesses:
// whoever got one could test a guess by it. It may also have been an honest
// sender on a bad line, so a confirmation that comes later is still good.
func (p *Peer) expireAnswers(now time.Time) {
	for _, pl := range p.places {
		for _, m := range pl.members {
			switch {
			case m.responder == nil || m.counted || m.deadline.After(now):
			case pl.silent:
				m.deadline = now.Add(silentGrace)
			default:
				m.counted = true
				p.wrong(now)
				return
			}
		}
	}
}

// countOpen counts the answers that will not be confirmed any more, as the place
// is left: they were guesses.
func (p *Peer) countOpen(pl *place) {
	for _, m := range pl.members {
		if m.responder != nil && !m.counted {
			m.counted = true
			p.meet.left = max(p.meet.left-1, 0)
		}
	}
}

// verdict seals why we stop for whoever has the session.
func (p *Peer) verdict(s *secret.Session, why byte) []byte {
	return s.Box("verdict").Seal(nil, []byte{why}, []byte{byte(p.cfg.Role)})
}

// postVerdict tells the partner why we stop.
func (p *Peer) postVerdict(why byte) {
	for _, b := range p.bonds {
		b.at.post(b.partner, noteVerdict, p.verdict(b.session, why))
	}
}

func (p *Peer) onVerdict(now time.Time, b *bond, body []byte) {
	why, err := b.session.Box("verdict").Open(nil, body, []byte{byte(p.otherRole())})
	switch {
	case err != nil || len(why) != 1:
	case why[0] == verdictTwoSenders && p.cfg.Role == rendezvous.Sender:
		p.fail(now, TwoSenders, errors.New("another sender uses the same phrase at the same time"))
	case why[0] == verdictStopped:
		p.fail(now, PartnerStopped, errors.New("the other side stopped before anything was sent"))
	}
}

func (p *Peer) otherRole() rendezvous.Role {
	return rendezvous.Sender + rendezvous.Receiver - p.cfg.Role
}
