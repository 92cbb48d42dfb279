package qft

import (
	"net/netip"
	"time"
)

// Event is one of the structs of this file: what a person who waits wants to
// know. Events come in order and one at a time, though not from one goroutine;
// whoever takes them must not block for long, and not call back but through a
// Control.
type Event interface{ event() }

type (
	// Code is what the other side has to be told. It comes once, from a Send
	// that was given no phrase.
	Code struct{ Code string }

	// WeakPhrase: the phrase is one of the user's own that is easily guessed, as
	// Reason says, without quoting it. It comes first, and nothing else follows
	// from it.
	WeakPhrase struct{ Reason string }

	// Waiting: we wait for the other side. Again says that somebody was met
	// before: a session was interrupted, or its contact is lost, and another one
	// under the same code or phrase may continue it; or further receivers are
	// waited for. Helper says that we are known to the helper, Host that the
	// sender's machine, as it was named, has let us in, Nearby that the other side
	// is looked for on this network. Port is where a sender without a helper
	// listens, for receivers that are told its host; zero: there is a helper, or
	// this is a receiver.
	Waiting struct {
		Again, Helper, Host, Nearby bool
		Port                        uint16
	}

	// Alone: a receiver has waited for After, and nobody has come. It comes once
	// at most, and says nothing of what follows: the sender may not have been
	// started, or has ended; the code, or one side's helper, may be another one.
	// Helper, Host and Nearby are those of Waiting.
	Alone struct {
		Helper, Host, Nearby bool
		After                time.Duration
	}

	// Token is what the other side has to be given, lines of text; only with
	// Config.Stun.
	Token struct{ Text string }

	// TokenWanted: the other side's token is wanted; Config.Paste is asked.
	TokenWanted struct{}

	// TokenRefused: the token that Config.Paste returned is of no use, for
	// Reason. Another one is wanted.
	TokenRefused struct{ Reason string }

	// HelperSilent: the helper has stopped answering; it is asked on and on.
	HelperSilent struct{}

	// HelperBack: the helper answers again.
	HelperBack struct{}

	// HelperPorts: the helper does not answer by UDP at the port that was
	// given; it comes within 5 s of the start. Blocked are the UDP ports of its
	// machine that were asked and gave no answer, Open those that did, TCP the
	// TCP ports at which it answers. The transfer goes on through what is open,
	// and between the two machines by TCP where there is no UDP at all. It comes
	// again when more ports answer.
	HelperPorts struct{ Blocked, Open, TCP []uint16 }

	// HelperRefuses: the helper does not let us wait again yet, for Reason;
	// it is asked on and on.
	HelperRefuses struct{ Reason string }

	// WrongPhrase: somebody came with another phrase and was refused. Left is
	// how many more may try before this side gives up.
	WrongPhrase struct{ Left int }

	// Queued: the sender is there, and meets other receivers first.
	Queued struct{}

	// Met: the other side knows the phrase; a direct path is being looked for.
	Met struct{}

	// Connected: full-size packets pass both ways. It comes again when the
	// path changes. Path is a word such as "LAN", "IPv6" or "punched".
	Connected struct {
		Path   string
		Remote netip.AddrPort
		RTT    time.Duration
	}

	// Proposal is what the receiver is about to get: nothing has been written.
	// Target.Accept decides; it is told as an event in any case.
	Proposal struct {
		Files   int64    // as far as the sender has counted
		Bytes   int64    // of content, as far as it has
		Counted bool     // these are final
		Items   int      // things that the sender has named
		Names   []string // of the first of them, safe to print
		Text    bool     // it is a text
		Stream  bool     // it is a stream, whose size nobody knows
	}

	// Offer: what is being transferred, once both sides have agreed on it.
	// Resumed bytes were at the receiver already.
	Offer struct {
		Name    string // of the only item, or of the first "and N more"; safe to print
		Size    int64  // bytes
		Files   int64
		Resumed int64
		Counted bool // Size and Files are final; else they grow
	}

	// Progress comes several times a second while files are under way. Done
	// counts bytes that are safe at the receiver, or need not be sent, resumed
	// ones included. What is said of the path is the sender's view, on both
	// sides.
	Progress struct {
		Done, Size int64
		FilesDone  int64
		Files      int64
		Counted    bool    // Size and Files are final
		File       string  // the one being worked on, safe to print; may be empty
		Rate       float64 // bytes per second of content, over the last seconds
		Left       time.Duration
		Bottleneck Bottleneck
		RTT        time.Duration // zero: not known
		Loss       float64       // share of the packets that were lost, over the last seconds
		PathRate   float64       // bytes per second that the path is thought to carry, or at least that under a limit; zero: not known
		Counters
	}

	// FileFailed: a file cannot be sent, or not be made here; the others go on.
	// It is told of the first hundred; Result.FailedCount has their number.
	FileFailed Failure

	// FileSkipped: a pipe, socket or device is left out. It is told of the first
	// hundred.
	FileSkipped Failure

	// FileRenamed: something has another name here, because the sender's
	// cannot be used or is taken. It is told of the first hundred.
	FileRenamed struct{ Path, Name string }

	// Paused: which sides have paused the transfer (Control.Pause): this one,
	// the other. It comes whenever that changes, from both false at the start, and
	// also when a session that goes on where another one was finds it changed;
	// each of several Sessions has its own.
	Paused struct{ Here, There bool }

	// ContactLost: nothing has been heard of the other side since then.
	ContactLost struct{ Since time.Time }

	// ContactBack: the other side is there again, after so long.
	ContactBack struct{ After time.Duration }

	// Interrupted: a session has ended before the transfer, or a path to
	// somebody who knows the phrase was not found; this side stays. Err says
	// why, and is of type *Error.
	Interrupted struct{ Err error }

	// Replaced: a session whose contact was lost gives way to a new one.
	Replaced struct{}

	// Finished: one of several receivers has it all, or its session has ended
	// otherwise, for Err, which is then of type *Error. It comes in a Session.
	Finished struct {
		Result Result
		Err    error
	}

	// Session is an event of the session with one of several receivers.
	// Sessions are numbered from 1 in the order of meeting; one that continues
	// another has a new number.
	Session struct {
		Number int
		Event  Event
	}

	// Hint is advice that would make this machine faster.
	Hint struct{ Text string }
)

func (Code) event()          {}
func (WeakPhrase) event()    {}
func (Waiting) event()       {}
func (Alone) event()         {}
func (Token) event()         {}
func (TokenWanted) event()   {}
func (TokenRefused) event()  {}
func (HelperSilent) event()  {}
func (HelperBack) event()    {}
func (HelperPorts) event()   {}
func (HelperRefuses) event() {}
func (WrongPhrase) event()   {}
func (Queued) event()        {}
func (Met) event()           {}
func (Connected) event()     {}
func (Proposal) event()      {}
func (Offer) event()         {}
func (Progress) event()      {}
func (FileFailed) event()    {}
func (FileSkipped) event()   {}
func (FileRenamed) event()   {}
func (Paused) event()        {}
func (ContactLost) event()   {}
func (ContactBack) event()   {}
func (Interrupted) event()   {}
func (Replaced) event()      {}
func (Finished) event()      {}
func (Session) event()       {}
func (Hint) event()          {}
