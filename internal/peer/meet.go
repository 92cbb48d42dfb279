package peer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	// guessesCode wrong guesses burn a generated code of 33 bits: an attacker
	// who uses them all succeeds once in 1.7 thousand million.
	guessesCode = 5

	// guessesOwn is larger because strangers whose own phrases fall into the
	// same room by chance use them up without meaning to.
	guessesOwn = 20

	// confirmTime is how long the receiver waits for the last message of a
	// handshake before it counts it as a guess at its phrase.
	confirmTime = 15 * time.Second

	// maxHeadStart bounds the wait that lets both sides punch at once.
	maxHeadStart = time.Second

	// silentGrace is how much later a confirmation may come when the helper
	// that brings it has fallen silent.
	silentGrace = 5 * time.Second

	// punchTime is after the agent's own timeout: it ends a search for a
	// partner that has told no address at all.
	punchTime = 35 * time.Second

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
	expected []rendezvous.ID // receiver: senders that are there and have not said hello
	partner  rendezvous.ID
	answered bool      // the helper has answered once
	silent   bool      // the helper has stopped answering
	rivalEnd time.Time // two senders are noticed until then; zero: no rival
	posted   nat.List  // our addresses as last sent
	remote   nat.List  // the partner's, to be probed from punchAt on
	punchAt  time.Time // zero: at once
	punchEnd time.Time // no path by then: there is none
	handOver time.Time // sender of many: the room is left by then
	notes    uint64    // address notes sent
	noted    uint64    // the partner's newest address note
}

// member is one handshake.
type member struct {
	id        rendezvous.ID
	initiator *secret.Initiator
	responder *secret.Responder
	began     time.Time
	deadline  time.Time // responder: m3 must be here, or our answer was a guess
	counted   bool      // it was counted as one
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
	if cfg.Guesses > 0 {
		m.left = min(m.left, cfg.Guesses)
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

// hear takes a sender off those that have not said hello.
func (m *meetState) hear(id rendezvous.ID) {
	m.expected = slices.DeleteFunc(m.expected, func(x rendezvous.ID) bool { return x == id })
}

// open counts the answers that are not confirmed yet.
func (m *meetState) open() (n int) {
	for _, x := range m.members {
		if x.responder != nil && !x.counted {
			n++
		}
	}
	return n
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
	if p.waitsForAnswer() && !now.Before(p.patience()) {
		p.fail(now, HelperUnreachable, fmt.Errorf("the helper at %s does not answer", p.helpers()))
	}
	p.expireAnswers(now)
	if !p.meet.rivalEnd.After(now) {
		p.meet.rivalEnd = time.Time{}
	}
	if p.sess != nil && p.agent != nil {
		p.postAddresses(now)
	}
}

// waitsForAnswer reports whether the helper has yet to show that it is there.
func (p *Peer) waitsForAnswer() bool {
	return p.state == meeting && !p.meet.answered && !p.cfg.Again
}

// helpers lists the helper's addresses for people.
func (p *Peer) helpers() string {
	var all []string
	for _, a := range p.cfg.Helpers {
		all = append(all, a.String())
	}
	return strings.Join(all, " or ")
}

// patience is until when the helper may take to let us in: longer when it has
// been heard at all, for then it is there and only the network is bad.
func (p *Peer) patience() time.Time {
	for _, s := range p.client.Servers() {
		if !s.Heard.IsZero() {
			return p.began.Add(3 * helperPatience)
		}
	}
	return p.began.Add(helperPatience)
}

// expireAnswers counts answers that were not confirmed in time as guesses:
// whoever got one could test a guess by it. It may also have been an honest
// sender on a bad line, so a confirmation that comes later is still good.
func (p *Peer) expireAnswers(now time.Time) {
	for _, m := range p.meet.members {
		switch {
		case m.responder == nil || m.counted || m.deadline.After(now):
		case p.meet.silent:
			m.deadline = now.Add(silentGrace)
		default:
			m.counted = true
			p.wrong(now)
			return
		}
	}
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
	if p.waitsForAnswer() {
		d = p.patience()
	}
	for _, m := range p.meet.members {
		if m.responder != nil && !m.counted {
			d = earlier(d, m.deadline)
		}
	}
	d = earlier(earlier(d, p.meet.rivalEnd), p.meet.punchAt)
	if p.state == punching {
		d = earlier(d, p.meet.punchEnd)
		if p.client != nil && p.meet.handOver.After(p.turn) {
			d = earlier(d, p.meet.handOver)
		}
	}
	return d
}

func (p *Peer) onHelper(now time.Time, e rendezvous.Event) {
	switch e.Kind {
	case rendezvous.Joined:
		p.onJoined(now, e.Number)
	case rendezvous.Refused:
		p.onRefused(now, e.Err)
	case rendezvous.Silent:
		p.meet.silent = true
		if p.meet.answered || p.cfg.Again {
			p.tell(HelperSilent{})
		}
	case rendezvous.Back:
		p.meet.silent = false
		p.tell(HelperBack{})
	case rendezvous.Arrived:
		p.onArrived(now, e.Member)
	case rendezvous.Departed:
		if p.state == punching && e.Member == p.meet.partner && p.cfg.Role == rendezvous.Sender {
			// A receiver leaves when it has heard us over a connection, and we
			// have none.
			p.fail(now, PartnerStopped, errors.New("the other side went away while a path was being looked for"))
			return
		}
		p.meet.hear(e.Member)
		if m := p.meet.find(e.Member); m != nil && (m.responder == nil || m.counted) {
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
	expired := errors.Is(err, rendezvous.ErrExpired)
	if p.sess != nil || p.meet.answered && !errors.Is(err, rendezvous.ErrTaken) && !expired {
		return // it knew us before; the client keeps asking
	}
	if p.cfg.Again && !expired { // of this membership nothing comes any more
		p.tell(Barred{Taken: errors.Is(err, rendezvous.ErrTaken), Err: err})
		return // and so it does here
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
	if p.cfg.Role == rendezvous.Receiver && p.meet.find(id) == nil {
		p.meet.expected = append(p.meet.expected, id)
	}
	if p.cfg.Role != rendezvous.Sender || !p.meet.ready || p.meet.find(id) != nil || p.meet.left <= 0 {
		return
	}
	if slices.Contains(p.cfg.Known, id) || p.cfg.Many && p.sess != nil {
		return // met, or the next meeting's
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
		p.onWrong(now, from)
	case kind == noteTaken && receiver:
		p.onTaken(now, from, body)
	case kind == noteLater && receiver:
		p.onLater(now, from, body)
	case kind == noteVerdict && p.sess != nil && from == p.meet.partner:
		p.onVerdict(now, body)
	case kind == noteAddresses && p.sess != nil && from == p.meet.partner:
		p.onAddresses(now, body)
	}
}

// onHello answers a sender. The tag in the answer lets it test one guess at
// our phrase, so answers are counted like guesses unless they are confirmed.
func (p *Peer) onHello(now time.Time, from rendezvous.ID, m1 []byte) {
	p.meet.hear(from)
	if p.meet.find(from) != nil || p.meet.open() >= p.meet.left {
		return
	}
	r, m2, err := secret.NewResponder(p.cfg.Rand, p.meet.phrase, p.sid(from), m1, p.addresses(), p.cfg.AES)
	if errors.Is(err, secret.ErrVersion) && !p.meet.own && p.sess == nil {
		p.fail(now, Broken, fmt.Errorf("meeting the other side: %w", err))
	}
	if err != nil {
		return // not our partner, and no guess: it was shown nothing
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
	var mine []byte
	if p.sess == nil {
		mine = p.addresses()
	}
	m3, sess, payload, err := initiator.Finish(m2, mine)
	switch {
	case errors.Is(err, secret.ErrWrongPhrase):
		p.post(from, noteWrong, nil)
		p.wrong(now)
	case err != nil:
		// Whoever sends nonsense has shown no guess and learns nothing.
	case p.sess != nil && p.cfg.Many:
		p.post(from, noteLater, m3)
	case p.sess != nil:
		p.post(from, noteTaken, m3)
	default:
		p.post(from, noteConfirm, m3)
		// The receiver can begin when m3 is there, half a round trip from
		// now. A router whose filter keeps state of what it refuses may map
		// the receiver's port anew if our probes come before its own leave.
		p.meet.punchAt = now.Add(min(now.Sub(m.began)/2, maxHeadStart))
		p.met(now, from, sess, payload)
	}
}

// confirm takes the last message of a handshake. Whatever is wrong with it,
// the sender has had its guess when it got our answer.
func (p *Peer) confirm(now time.Time, from rendezvous.ID, m3 []byte) (*secret.Session, []byte, bool) {
	m := p.meet.find(from)
	if m == nil || m.responder == nil {
		return nil, nil, false
	}
	responder := m.responder
	m.responder = nil
	sess, payload, err := responder.Finish(m3)
	if err != nil {
		p.meet.drop(from)
		p.onWrongFrom(now, errors.Is(err, secret.ErrWrongPhrase), m.counted)
		return nil, nil, false
	}
	return sess, payload, true
}

func (p *Peer) onConfirm(now time.Time, from rendezvous.ID, m3 []byte) {
	sess, payload, ok := p.confirm(now, from, m3)
	switch {
	case !ok:
	case p.sess != nil:
		p.post(from, noteVerdict, p.verdict(sess, verdictTwoSenders))
		p.post(p.meet.partner, noteVerdict, p.verdict(p.sess, verdictTwoSenders))
		p.fail(now, TwoSenders, errors.New("two senders use this phrase at the same time"))
	default:
		p.met(now, from, sess, payload)
	}
}

// onTaken: the sender has proved that it knows the phrase, and is taken.
func (p *Peer) onTaken(now time.Time, from rendezvous.ID, m3 []byte) {
	if _, _, ok := p.confirm(now, from, m3); ok && p.sess == nil {
		p.fail(now, PhraseTaken, errors.New("somebody else is already receiving with this phrase"))
	}
}

// onLater: the sender has proved that it knows the phrase, and comes back as
// another member when it has met whom it has to meet first. Like the other
// words that end a handshake it counts from who knows the phrase only, or a
// guesser could take back what our answer has shown it.
func (p *Peer) onLater(now time.Time, from rendezvous.ID, m3 []byte) {
	if _, _, ok := p.confirm(now, from, m3); ok && p.sess == nil {
		p.tell(Queued{})
	}
}

// onWrong: a sender says that our tag was wrong.
func (p *Peer) onWrong(now time.Time, from rendezvous.ID) {
	if m := p.meet.find(from); m != nil && m.responder != nil {
		p.meet.drop(from)
		p.onWrongFrom(now, true, m.counted)
	}
}

// onWrongFrom counts a guess, if it is not counted yet. A receiver with a code meets the one sender that
// holds the number: told by it that the words differ, it need not wait on.
func (p *Peer) onWrongFrom(now time.Time, told, counted bool) {
	if told && !p.meet.own && p.sess == nil {
		p.fail(now, PhraseWrong, errors.New("the code does not match the sender's"))
		return
	}
	if !counted {
		p.wrong(now)
	}
}

// verdict seals why we stop for whoever has the session.
func (p *Peer) verdict(s *secret.Session, why byte) []byte {
	return s.Box("verdict").Seal(nil, []byte{why}, []byte{byte(p.cfg.Role)})
}

func (p *Peer) onVerdict(now time.Time, body []byte) {
	why, err := p.sess.Box("verdict").Open(nil, body, []byte{byte(p.otherRole())})
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

// wrong counts a failed guess. Guesses made while a path to the right partner
// is being looked for count, but change nothing else.
func (p *Peer) wrong(now time.Time) {
	p.meet.left = max(p.meet.left-1, 0)
	if p.sess != nil {
		return
	}
	p.tell(WrongPhrase{Left: p.meet.left})
	if p.meet.left == 0 {
		p.fail(now, PhraseBurnt, errors.New("too many others tried a wrong phrase"))
	}
}

// met: the other side knows the phrase.
func (p *Peer) met(now time.Time, partner rendezvous.ID, sess *secret.Session, payload []byte) {
	p.sess = sess
	p.meet.partner = partner
	p.meet.rivalEnd = now.Add(rivalTime)
	p.meet.punchEnd = now.Add(punchTime)
	if p.cfg.Many {
		p.meet.handOver = now.Add(handOver)
	}
	p.state = punching
	p.tell(Met{Member: partner})
	p.startAgent(now)
	// A payload that makes no sense leaves us with what the partner's probes
	// show of it.
	p.meet.remote, _ = nat.ParseCandidates(payload)
	var hosts nat.List
	for _, c := range p.meet.remote.Candidates {
		if c.Kind == nat.Host {
			hosts.Candidates = append(hosts.Candidates, c)
		}
	}
	p.agent.AddRemote(now, hosts)
	p.punch(now)
}

// punch hands the partner's addresses to the agent when their time has come.
func (p *Peer) punch(now time.Time) {
	if p.meet.punchAt.After(now) {
		return
	}
	p.meet.punchAt = time.Time{}
	p.agent.AddRemote(now, p.meet.remote)
	p.meet.remote = nat.List{}
}
