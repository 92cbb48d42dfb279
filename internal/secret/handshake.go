package secret

import (
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"errors"
	"fmt"
	"io"
)

// version is the protocol version that every handshake message begins with.
const version = 1

var (
	// ErrWrongPhrase says that the other side did not prove to know the
	// phrase: one guess, and a wrong one.
	ErrWrongPhrase = errors.New("the other side used a different phrase")

	// ErrVersion says that the other side speaks another protocol version.
	// The error that wraps it names both.
	ErrVersion = errors.New("the other side speaks another protocol version")

	// ErrMalformed says that a handshake message breaks its own form, which no
	// honest peer of this version would send.
	ErrMalformed = errors.New("malformed handshake message")
)

// Layout of the messages; docs/protocol.md draws it. Each begins with the
// version and its number, 1 to 3; messages 1 and 2 go on with flags.
const (
	flagAES = 1 << 0 // the sender has AES hardware; other bits: sent 0, ignored

	yAt      = 3
	kemAt    = yAt + pointSize
	m1Size   = kemAt + mlkem.EncapsulationKeySize768 // 1,219
	m2Head   = kemAt + mlkem.CiphertextSize768       // up to tag_b: 1,123
	m2Min    = m2Head + tagSize + BoxOverhead        // 1,195 and the payload
	m3Head   = 2
	m3Min    = m3Head + tagSize + BoxOverhead // 74 and the payload
	seedSize = mlkem.SeedSize
)

// check tells whether m is message number n of this version with size bytes,
// or at least size bytes. Nothing of m but the version is believed before.
func check(m []byte, n byte, size int, exact bool) error {
	if len(m) > 0 && m[0] != version {
		return fmt.Errorf("%w: theirs is %d, ours is %d", ErrVersion, m[0], version)
	}
	if len(m) < size || exact && len(m) != size {
		return fmt.Errorf("%w: message %d has %d bytes", ErrMalformed, n, len(m))
	}
	if m[1] != n {
		return fmt.Errorf("%w: message %d came in place of %d", ErrMalformed, m[1], n)
	}
	return nil
}

// associated returns the associated data (ADa or ADb) of message 1 or 2, up to
// byte end: everything in it except the share Y.
func associated(m []byte, end int) []byte {
	return append(append([]byte(nil), m[:yAt]...), m[kemAt:end]...)
}

func flags(aes bool) byte {
	if aes {
		return flagAES
	}
	return 0
}

// roles is CPace's channel identifier: the protocol with its version, then the
// role of the initiator and that of the responder.
func roles() []byte {
	return lvCat([]byte(labelPrefix+"CPace"), []byte("sender"), []byte("receiver"))
}

// newScalar takes a scalar from rand and returns it with its share of the
// password's generator.
func newScalar(rand io.Reader, p Phrase, sid []byte) (*ecdh.PrivateKey, []byte, error) {
	if len(p.password) == 0 || len(sid) == 0 {
		return nil, nil, errors.New("starting the handshake: no phrase or no session id")
	}
	var b [pointSize]byte
	defer clear(b[:])
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, nil, fmt.Errorf("starting the handshake: %w", err)
	}
	scalar, err := ecdh.X25519().NewPrivateKey(b[:])
	if err != nil {
		return nil, nil, fmt.Errorf("starting the handshake: %w", err)
	}
	g := generator(p.password, roles(), sid)
	defer clear(g)
	y, err := mult(scalar, g)
	if err != nil {
		return nil, nil, fmt.Errorf("starting the handshake: %w", err)
	}
	return scalar, y, nil
}

// Initiator is the sender's side of one handshake, between message 1 and 2.
type Initiator struct {
	rand   io.Reader
	sid    []byte
	aes    bool
	scalar *ecdh.PrivateKey // nil once Finish has been called
	kem    *mlkem.DecapsulationKey768
	m1     []byte
}

// NewInitiator starts a handshake and returns message 1, of 1,219 bytes. Both
// sides hand in the same sid, which must be fresh for every handshake, and may
// be public; aes says that this machine has AES in hardware.
func NewInitiator(rand io.Reader, p Phrase, sid []byte, aes bool) (*Initiator, []byte, error) {
	scalar, y, err := newScalar(rand, p, sid)
	if err != nil {
		return nil, nil, err
	}
	var seed [seedSize]byte
	defer clear(seed[:])
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, nil, fmt.Errorf("starting the handshake: %w", err)
	}
	kem, err := mlkem.NewDecapsulationKey768(seed[:])
	if err != nil {
		return nil, nil, fmt.Errorf("starting the handshake: %w", err)
	}
	m1 := append([]byte{version, 1, flags(aes)}, y...)
	m1 = append(m1, kem.EncapsulationKey().Bytes()...)
	i := &Initiator{
		rand: rand, sid: append([]byte(nil), sid...), aes: aes,
		scalar: scalar, kem: kem, m1: m1,
	}
	return i, append([]byte(nil), m1...), nil
}

// Finish takes message 2 and returns message 3, which carries payload, the
// session, and the responder's payload. ErrWrongPhrase says that the responder
// guessed wrong: it is told nothing, and the caller counts the guess.
//
// Finish works once, whatever it returns: a second answer would be a second
// guess at the same message 1.
func (i *Initiator) Finish(m2, payload []byte) (m3 []byte, s *Session, peerPayload []byte, err error) {
	scalar := i.scalar
	if scalar == nil {
		return nil, nil, nil, errors.New("finishing the handshake: it is already finished")
	}
	i.scalar = nil
	if err := check(m2, 2, m2Min, false); err != nil {
		return nil, nil, nil, err
	}
	k, err := mult(scalar, m2[yAt:kemAt])
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: its share is of low order", ErrMalformed)
	}
	kemSecret, err := i.kem.Decapsulate(m2[kemAt:m2Head])
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	a := agree(i.sid, i.m1, m2, k, kemSecret)
	defer clear(a.master)
	rest := m2[m2Head:]
	if !hmac.Equal(rest[:tagSize], a.tagB()) {
		return nil, nil, nil, ErrWrongPhrase
	}
	if peerPayload, err = a.boxB(i.rand).Open(nil, rest[tagSize:], a.th1[:]); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: its payload was altered", ErrMalformed)
	}
	a.th2 = transcriptHash(a.th1[:], rest)
	m3 = append([]byte{version, 3}, a.tagA()...)
	m3 = a.boxA(i.rand).Seal(m3, payload, a.th2[:])
	return m3, a.session(i.rand, true, i.aes && m2[2]&flagAES != 0), peerPayload, nil
}

// CheckFirst reports what is wrong with the form of message 1, before anything
// is computed from it. The errors are those of NewResponder.
func CheckFirst(m1 []byte) error { return check(m1, 1, m1Size, true) }

// Responder is the receiver's side of one handshake, between message 2 and 3.
type Responder struct {
	rand io.Reader
	aes  bool // both sides have it
	a    agreement
}

// NewResponder answers message 1 with message 2, of 1,195 bytes and the
// payload, which only someone with the right phrase can read. It shows the
// initiator whether its phrase was right: until Finish accepts message 3, the
// caller counts this as a guess.
func NewResponder(rand io.Reader, p Phrase, sid, m1, payload []byte, aes bool) (*Responder, []byte, error) {
	if err := check(m1, 1, m1Size, true); err != nil {
		return nil, nil, err
	}
	ek, err := mlkem.NewEncapsulationKey768(m1[kemAt:])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	scalar, y, err := newScalar(rand, p, sid)
	if err != nil {
		return nil, nil, err
	}
	k, err := mult(scalar, m1[yAt:kemAt])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: its share is of low order", ErrMalformed)
	}
	kemSecret, ct, err := encapsulate(rand, ek)
	if err != nil {
		return nil, nil, fmt.Errorf("answering the handshake: %w", err)
	}
	m2 := append([]byte{version, 2, flags(aes)}, y...)
	m2 = append(m2, ct...)
	a := agree(sid, m1, m2, k, kemSecret)
	m2 = append(m2, a.tagB()...)
	m2 = a.boxB(rand).Seal(m2, payload, a.th1[:])
	a.th2 = transcriptHash(a.th1[:], m2[m2Head:])
	return &Responder{rand: rand, aes: aes && m1[2]&flagAES != 0, a: a}, m2, nil
}

// encapsulate is ML-KEM.Encaps with its 32 random bytes taken from rand. The
// standard library's only door to that is the package for known-answer tests;
// Encapsulate itself reads the system's randomness, and then no run of the
// protocol could be replayed.
func encapsulate(rand io.Reader, ek *mlkem.EncapsulationKey768) (secret, ct []byte, err error) {
	var m [32]byte
	defer clear(m[:])
	if _, err := io.ReadFull(rand, m[:]); err != nil {
		return nil, nil, err
	}
	return mlkemtest.Encapsulate768(ek, m[:])
}

// Finish takes message 3 and returns the session and the initiator's payload.
// Like the initiator's, it works once.
func (r *Responder) Finish(m3 []byte) (s *Session, peerPayload []byte, err error) {
	a := r.a
	if a.master == nil {
		return nil, nil, errors.New("finishing the handshake: it is already finished")
	}
	r.a.master = nil
	defer clear(a.master)
	if err := check(m3, 3, m3Min, false); err != nil {
		return nil, nil, err
	}
	rest := m3[m3Head:]
	if !hmac.Equal(rest[:tagSize], a.tagA()) {
		return nil, nil, ErrWrongPhrase
	}
	if peerPayload, err = a.boxA(r.rand).Open(nil, rest[tagSize:], a.th2[:]); err != nil {
		return nil, nil, fmt.Errorf("%w: its payload was altered", ErrMalformed)
	}
	return a.session(r.rand, false, r.aes), peerPayload, nil
}

// Trust returns the session at once, in place of Finish, where no message 3 can
// come: the other side shows that it has the right phrase by the first thing
// that it seals under the session. Until then nothing is known of it.
func (r *Responder) Trust() (*Session, error) {
	a := r.a
	if a.master == nil {
		return nil, errors.New("trusting the handshake: it is already finished")
	}
	r.a.master = nil
	defer clear(a.master)
	return a.session(r.rand, false, r.aes), nil
}

// agreement is what both sides compute once they have both shares; it is equal
// if and only if password, sid, roles and both messages are.
type agreement struct {
	master []byte
	th1    [64]byte // over all before tag_b
	th2    [64]byte // over all of messages 1 and 2
}

// agree derives the agreement; m2 may end after its head. It clears k and
// kemSecret.
func agree(sid, m1, m2, k, kemSecret []byte) agreement {
	th1 := transcriptHash(sid, m1, m2[:m2Head])
	isk := intermediateKey(sid, k,
		share{m1[yAt:kemAt], associated(m1, m1Size)},
		share{m2[yAt:kemAt], associated(m2, m2Head)})
	master := extractMaster(isk, kemSecret, th1)
	clear(k)
	clear(isk)
	clear(kemSecret)
	return agreement{master: master, th1: th1}
}

func (a *agreement) tagB() []byte { return confirmation(a.master, "confirm responder", a.th1) }
func (a *agreement) tagA() []byte { return confirmation(a.master, "confirm initiator", a.th2) }

func (a *agreement) boxB(rand io.Reader) *Box {
	return newBox(rand, expandLabel(a.master, "payload responder", a.th1[:], boxKeySize))
}

func (a *agreement) boxA(rand io.Reader) *Box {
	return newBox(rand, expandLabel(a.master, "payload initiator", a.th2[:], boxKeySize))
}

func (a *agreement) session(rand io.Reader, initiator, aes bool) *Session {
	return newSession(rand, expandLabel(a.master, "session", a.th2[:], trafficSize), initiator, aes)
}
