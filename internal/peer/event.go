package peer

import (
	"net/netip"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
)

// Event is one of the structs of this file: something that a person who waits
// wants to know.
type Event any

type (
	// Joined: the other side can find us. Number is that of a generated code,
	// zero for an own phrase. Helper says that the helper has let us in, Host
	// that the sender's machine has, Nearby that we look on this network. Port is
	// where a sender without a helper listens.
	Joined struct {
		Number               uint32
		Helper, Host, Nearby bool
		Port                 uint16
	}

	// HelperSilent: the helper has not answered for some seconds; it is asked
	// again and again.
	HelperSilent struct{}

	// HelperPorts: the helper does not answer by UDP where it should. Blocked
	// are the UDP ports of its machine that were asked and gave no answer, Open
	// those that did, TCP the TCP ports at which it answers. It comes again when
	// more of them do.
	HelperPorts struct{ Blocked, Open, TCP []uint16 }

	// HelperBack: the helper answers again.
	HelperBack struct{}

	// WrongPhrase: somebody came with another phrase, and was told. Left is
	// how many more may try.
	WrongPhrase struct{ Left int }

	// Barred: the helper does not let us back in yet, for Err; it is asked
	// again and again. Taken says that another sender has our number, which
	// may be what is left of ourselves.
	Barred struct {
		Taken bool
		Err   error
	}

	// Queued: the sender knows the phrase, and has others to meet first.
	Queued struct{}

	// Met: the other side knows the phrase; a path is being looked for. Members
	// are what it is called there and everywhere. Again says that it is the same
	// one, in another place.
	Met struct {
		Members []rendezvous.ID
		Again   bool
	}

	// Token is what a person has to give to the other one; WantToken asks for
	// the other's, see Paste.
	Token     struct{ Text string }
	WantToken struct{}

	// RoomLeft: the rooms are free for the next meeting.
	RoomLeft struct{}

	// Connected: full-size packets pass both ways. Word says by what kind of
	// path. It comes again when the path changes.
	Connected struct {
		Word   string
		Remote netip.AddrPort
		RTT    time.Duration
	}

	// Paused: which of the sides have paused; it comes soon after the first
	// Connected, and when that changes.
	Paused struct{ Here, There bool }

	// ContactLost: nothing has been heard of the other side since.
	ContactLost struct{ Since time.Time }

	// ContactBack: it is there again, after so long.
	ContactBack struct{ After time.Duration }
)

// Kind says why a peer has failed.
type Kind int

const (
	// HelperUnreachable: the helper never answered.
	HelperUnreachable Kind = iota + 1
	// HelperRefused: it answered, and has no room for us now.
	HelperRefused
	// HelperForeign: what answers there is no helper, or one of another version.
	HelperForeign
	// NumberTaken: another sender holds the number of the code.
	NumberTaken
	// PhraseWrong: the phrase is not the one of the other side.
	PhraseWrong
	// PhraseBurnt: too many others tried a wrong one.
	PhraseBurnt
	// PhraseTaken: the other side already has a partner with this phrase.
	PhraseTaken
	// TwoSenders: two senders use this phrase at the same time.
	TwoSenders
	// PartnerStopped: the other side stopped while a path was looked for.
	PartnerStopped
	// NoPath: no pair of addresses passes full-size packets both ways.
	NoPath
	// Broken: the handshake made no sense.
	Broken
	// HostUnreachable: nothing answers at the sender's host.
	HostUnreachable
	// StunUnreachable: no STUN server answers.
	StunUnreachable
)

// Error is how a peer failed before it was connected.
type Error struct {
	Kind   Kind
	Err    error
	Report *nat.Report // NoPath: what was tried
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }
