package peer

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/secret"
)

// The first byte of a note says what follows.
const (
	noteHello      = 1 // m1, sender to receiver
	noteAnswer     = 2 // m2, receiver to sender
	noteConfirm    = 3 // m3, sender to receiver
	noteWrong      = 4 // the phrases differ
	noteTaken      = 5 // the phrase is right, but somebody else was first
	noteTwoSenders = 6 // the phrase is right, and another sender has it too
	noteAddresses  = 7 // sealed: more of my addresses
)

const (
	// guessesCode wrong guesses burn a generated code of 30 bits: an attacker
	// who uses them all succeeds once in two hundred million.
	guessesCode = 5

	// guessesOwn is larger because strangers whose own phrases fall into the
	// same room by chance use them up without meaning to.
	guessesOwn = 20

	// confirmTime is how long the receiver waits for the last message of a
	// handshake before it counts it as a guess at its phrase.
	confirmTime = 15 * time.Second

	// maxHeadStart bounds the wait that lets both sides punch at once.
	maxHeadStart = time.Second

	// rivalTime is how long a receiver that has met a sender in a shared room
	// lets another handshake under way finish, to notice two senders.
	rivalTime = 500 * time.Millisecond
)

// meetState is the handshakes with the members of the room.
type meetState struct {
	phrase   secret.Phrase
	ready    bool // phrase is known
	own      bool // it is of the user's own choice
	left     int  // guesses
	members  []*member
	partner  rendezvous.ID
	answered bool            // the helper has answered once
	rivalEnd time.Time       // two senders are noticed until then; zero: no rival
	posted   []nat.Candidate // our addresses as last sent
	remote   []nat.Candidate // the partner's, to be probed from punchAt on
	punchAt  time.Time       // zero: at once
}

// member is one handshake.
type member struct {
	id        rendezvous.ID
	initiator *secret.Initiator
	responder *secret.Responder
	began     time.Time
	deadline  time.Time // responder: m3 must be here
}

func (m *meetState) init(cfg *Config) {
	m.left = guessesCode
	if cfg.Words == "" {
		m.phrase, m.ready = cfg.Phrase, true
		if _, generated := cfg.Phrase.Number(); !generated {
			m.own = true
			m.left = guessesOwn
		}
	}
}

func (m *meetState) find(id rendezvous.ID) *member {
	for _, x := range m.members {
		if x.id == id {
			return x
		}
	}
	return nil
}

func (m *meetState) drop(id rendezvous.ID) {
	for i, x := range m.members {
		if x.id == id {
			m.members = append(m.members[:i], m.members[i+1:]...)
			return
		}
	}
}

func (p *Peer) stepMeeting(now time.Time) {
	p.pumpHelper(now)
	if p.state == meeting && !p.meet.answered && !now.Before(p.began.Add(helperPatience)) {
		p.fail(now, HelperUnreachable, fmt.Errorf("the helper at %s does not answer", p.helpers()))
	}
	for _, m := range p.meet.members {
		if m.responder != nil && !m.deadline.After(now) {
			p.meet.drop(m.id)
			p.wrong(now)
			break
		}
	}
	if !p.meet.rivalEnd.After(now) {
		p.meet.rivalEnd = time.Time{}
	}
	if p.sess != nil && p.agent != nil {
		p.postAddresses(now)
	}
}

// helpers lists the helper's addresses for people.
func (p *Peer) helpers() string {
	var all []string
	for _, a := range p.cfg.Helpers {
		all = append(all, a.String())
	}
	return strings.Join(all, " or ")
}

// pumpHelper takes what the helper has told, until we part.
func (p *Peer) pumpHelper(now time.Time) {
	for p.client != nil && p.state < parting {
		e, ok := p.client.Next()
		if !ok {
			break
		}
		p.onHelper(now, e)
	}
}

func (p *Peer) meetDeadline() time.Time {
	var d time.Time
	if p.state == meeting && !p.meet.answered {
		d = p.began.Add(helperPatience)
	}
	for _, m := range p.meet.members {
		if m.responder != nil {
			d = earlier(d, m.deadline)
		}
	}
	return earlier(earlier(d, p.meet.rivalEnd), p.meet.punchAt)
}

func (p *Peer) onHelper(now time.Time, e rendezvous.Event) {
	switch e.Kind {
	case rendezvous.Joined:
		p.onJoined(now, e.Number)
	case rendezvous.Refused:
		p.onRefused(now, e.Err)
	case rendezvous.Silent:
		if p.meet.answered {
			p.tell(HelperSilent{})
		}
	case rendezvous.Back:
		p.tell(HelperBack{})
	case rendezvous.Arrived:
		p.onArrived(now, e.Member)
	case rendezvous.Departed:
		if m := p.meet.find(e.Member); m != nil && m.responder == nil {
			p.meet.drop(e.Member)
		}
	case rendezvous.Note:
		p.onNote(now, e.Member, e.Note)
	}
}

func (p *Peer) onJoined(now time.Time, number uint32) {
	p.meet.answered = true
	if !p.meet.ready {
		phrase, err := secret.Parse(strconv.FormatUint(uint64(number), 10) + "-" + p.cfg.Words)
		if err != nil {
			p.fail(now, Broken, fmt.Errorf("making the code: %w", err))
			return
		}
		p.meet.phrase, p.meet.ready = phrase, true
	}
	p.tell(Joined{Number: number})
}

func (p *Peer) onRefused(now time.Time, err error) {
	if p.meet.answered && !errors.Is(err, rendezvous.ErrTaken) {
		return // it knew us before; the client keeps asking
	}
	p.meet.answered = true
	kind := HelperRefused
	switch {
	case errors.Is(err, rendezvous.ErrTaken):
		kind = NumberTaken
	case errors.Is(err, rendezvous.ErrVersion), errors.Is(err, rendezvous.ErrGarbled):
		kind = HelperForeign
	}
	p.fail(now, kind, fmt.Errorf("joining the room at %s: %w", p.helpers(), err))
}

// sid binds a handshake to the two members, and so to this meeting.
func (p *Peer) sid(other rendezvous.ID) []byte {
	sender, receiver := p.client.ID(), other
	if p.cfg.Role == rendezvous.Receiver {
		sender, receiver = other, p.client.ID()
	}
	return append(sender[:], receiver[:]...)
}

func (p *Peer) post(to rendezvous.ID, kind byte, body []byte) {
	if p.client != nil {
		// The only errors are of size and of too much outstanding: then the
		// handshake dies and the member comes again.
		_ = p.client.Post(to, append([]byte{kind}, body...))
	}
}

func (p *Peer) onArrived(now time.Time, id rendezvous.ID) {
	if p.cfg.Role != rendezvous.Sender || !p.meet.ready || p.meet.find(id) != nil {
		return
	}
	i, m1, err := secret.NewInitiator(p.cfg.Rand, p.meet.phrase, p.sid(id), p.cfg.AES)
	if err != nil {
		p.fail(now, Broken, fmt.Errorf("starting the handshake: %w", err))
		return
	}
	p.meet.members = append(p.meet.members, &member{id: id, initiator: i, began: now})
	p.post(id, noteHello, m1)
}

func (p *Peer) onNote(now time.Time, from rendezvous.ID, note []byte) {
	if len(note) == 0 {
		return
	}
	kind, body := note[0], note[1:]
	receiver := p.cfg.Role == rendezvous.Receiver
	switch {
	case kind == noteHello && receiver:
		p.onHello(now, from, body)
	case kind == noteAnswer && !receiver:
		p.onAnswer(now, from, body)
	case kind == noteConfirm && receiver:
		p.onConfirm(now, from, body)
	case kind == noteWrong && receiver:
		if m := p.meet.find(from); m != nil {
			p.meet.drop(from)
			p.wrong(now)
		}
	case kind == noteTaken && receiver && p.state == meeting:
		p.fail(now, PhraseTaken, errors.New("somebody else is already receiving with this phrase"))
	case kind == noteTwoSenders && !receiver && p.meet.find(from) != nil:
		p.fail(now, TwoSenders, errors.New("another sender uses the same phrase at the same time"))
	case kind == noteAddresses && p.sess != nil && from == p.meet.partner:
		p.onAddresses(now, body)
	}
}

// onHello answers a sender. The tag in the answer lets it test one guess at
// our phrase, so answers are counted like guesses unless they are confirmed.
func (p *Peer) onHello(now time.Time, from rendezvous.ID, m1 []byte) {
	if p.meet.find(from) != nil || len(p.meet.members) >= p.meet.left {
		return
	}
	r, m2, err := secret.NewResponder(p.cfg.Rand, p.meet.phrase, p.sid(from), m1, p.addresses(), p.cfg.AES)
	if err != nil {
		p.handshakeError(now, err)
		return
	}
	p.meet.members = append(p.meet.members, &member{id: from, responder: r, deadline: now.Add(confirmTime)})
	p.post(from, noteAnswer, m2)
}

// onAnswer checks a receiver's tag; only a right one is answered with ours.
func (p *Peer) onAnswer(now time.Time, from rendezvous.ID, m2 []byte) {
	m := p.meet.find(from)
	if m == nil || m.initiator == nil {
		return
	}
	initiator := m.initiator
	m.initiator = nil
	m3, sess, payload, err := initiator.Finish(m2, p.addresses())
	switch {
	case errors.Is(err, secret.ErrWrongPhrase):
		p.post(from, noteWrong, nil)
		p.wrong(now)
	case err != nil:
		p.handshakeError(now, err)
	case p.sess != nil:
		p.post(from, noteTaken, nil)
	default:
		p.post(from, noteConfirm, m3)
		// The receiver can begin when m3 is there, half a round trip from
		// now. A router whose filter keeps state of what it refuses may map
		// the receiver's port anew if our probes come before its own leave.
		p.meet.punchAt = now.Add(min(now.Sub(m.began)/2, maxHeadStart))
		p.met(now, from, sess, payload)
	}
}

func (p *Peer) onConfirm(now time.Time, from rendezvous.ID, m3 []byte) {
	m := p.meet.find(from)
	if m == nil || m.responder == nil {
		return
	}
	responder := m.responder
	m.responder = nil
	sess, payload, err := responder.Finish(m3)
	switch {
	case errors.Is(err, secret.ErrWrongPhrase):
		p.wrong(now)
	case err != nil:
		p.handshakeError(now, err)
	case p.sess != nil:
		p.post(from, noteTwoSenders, nil)
		p.post(p.meet.partner, noteTwoSenders, nil)
		p.fail(now, TwoSenders, errors.New("two senders use this phrase at the same time"))
	default:
		p.met(now, from, sess, payload)
	}
}

// handshakeError handles a member that does not speak our language. It is not
// a guess at the phrase, and in a shared room it is not our partner either.
func (p *Peer) handshakeError(now time.Time, err error) {
	if !p.meet.own && p.sess == nil {
		p.fail(now, Broken, fmt.Errorf("meeting the other side: %w", err))
	}
}

// wrong counts a failed guess.
func (p *Peer) wrong(now time.Time) {
	if p.sess != nil {
		return
	}
	if p.cfg.Role == rendezvous.Receiver && !p.meet.own {
		p.fail(now, PhraseWrong, errors.New("the code does not match the sender's"))
		return
	}
	p.meet.left--
	p.tell(WrongPhrase{Left: max(p.meet.left, 0)})
	if p.meet.left <= 0 {
		p.fail(now, PhraseBurnt, errors.New("too many others tried a wrong phrase"))
	}
}

// met: the other side knows the phrase.
func (p *Peer) met(now time.Time, partner rendezvous.ID, sess *secret.Session, payload []byte) {
	p.sess = sess
	p.meet.partner = partner
	p.meet.rivalEnd = now.Add(rivalTime)
	p.state = punching
	p.tell(Met{})
	p.startAgent(now)
	// A payload that makes no sense leaves us with what the partner's probes
	// show of it.
	p.meet.remote, _ = nat.ParseCandidates(payload)
	for _, c := range p.meet.remote {
		if c.Kind == nat.Host {
			p.agent.AddRemote(now, c)
		}
	}
	p.punch(now)
}

// punch hands the partner's addresses to the agent when their time has come.
func (p *Peer) punch(now time.Time) {
	if p.meet.punchAt.After(now) {
		return
	}
	p.meet.punchAt = time.Time{}
	p.agent.AddRemote(now, p.meet.remote...)
	p.meet.remote = nil
}

// candidates are the addresses at which we may be reached, as known now.
func (p *Peer) candidates(reflexive []nat.Candidate) []nat.Candidate {
	var all []nat.Candidate
	for _, a := range p.cfg.Local() {
		all = append(all, nat.Candidate{Kind: nat.Host, Addr: a})
	}
	return append(all, reflexive...)
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
			p.addresses()
			p.agent.SetLocal(now, p.meet.posted)
			p.post(p.meet.partner, noteAddresses, p.seal(p.meet.posted))
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

// seal and unseal pass candidates through the helper. The role in the
// additional data keeps the helper from showing us our own.
func (p *Peer) seal(c []nat.Candidate) []byte {
	return p.sess.Box("addresses").Seal(nil, nat.AppendCandidates(nil, c), []byte{byte(p.cfg.Role)})
}

func (p *Peer) unseal(b []byte) []nat.Candidate {
	other := rendezvous.Sender + rendezvous.Receiver - p.cfg.Role
	plain, err := p.sess.Box("addresses").Open(nil, b, []byte{byte(other)})
	if err != nil {
		return nil
	}
	c, err := nat.ParseCandidates(bytes.Clone(plain))
	if err != nil {
		return nil
	}
	return c
}

func (p *Peer) onAddresses(now time.Time, body []byte) {
	if c := p.unseal(body); len(c) > 0 {
		p.agent.AddRemote(now, c...)
	}
}
