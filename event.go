package qft

import (
	"net/netip"
	"time"
)

// Event is one of the structs of this file: what a person who waits wants to
// know. Events come in order, from one goroutine; whoever takes them must not
// block for long.
type Event interface{ event() }

type (
	// Code is what the other side has to be told. It comes once, from a Send
	// that was given no phrase.
	Code struct{ Code string }

	// Waiting: we are known to the helper and wait for the other side.
	Waiting struct{}

	// HelperSilent: the helper has stopped answering; it is asked on and on.
	HelperSilent struct{}

	// HelperBack: the helper answers again.
	HelperBack struct{}

	// WrongPhrase: somebody came with another phrase and was refused. Left is
	// how many more may try before this side gives up.
	WrongPhrase struct{ Left int }

	// Met: the other side knows the phrase; a direct path is being looked for.
	Met struct{}

	// Connected: full-size packets pass both ways. It comes again when the
	// path changes. Path is a word such as "LAN", "IPv6" or "punched".
	Connected struct {
		Path   string
		Remote netip.AddrPort
		RTT    time.Duration
	}

	// Offer: what is being transferred. Resumed bytes were here already.
	Offer struct {
		Name    string
		Size    int64
		Resumed int64
	}

	// Progress comes several times a second while a file is under way. Done
	// counts bytes that are safe at the receiver, resumed ones included. What
	// is said of the path is the sender's view, on both sides.
	Progress struct {
		Done, Size int64
		Rate       float64 // bytes per second of file, over the last seconds
		Left       time.Duration
		Bottleneck Bottleneck
		RTT        time.Duration // zero: not known
		Loss       float64       // share of the packets that were lost, over the last seconds
		PathRate   float64       // bytes per second that the path is thought to carry, or at least that under a limit; zero: not known
	}

	// ContactLost: nothing has been heard of the other side since then.
	ContactLost struct{ Since time.Time }

	// ContactBack: the other side is there again, after so long.
	ContactBack struct{ After time.Duration }

	// Hint is advice that would make this machine faster.
	Hint struct{ Text string }
)

func (Code) event()         {}
func (Waiting) event()      {}
func (HelperSilent) event() {}
func (HelperBack) event()   {}
func (WrongPhrase) event()  {}
func (Met) event()          {}
func (Connected) event()    {}
func (Offer) event()        {}
func (Progress) event()     {}
func (ContactLost) event()  {}
func (ContactBack) event()  {}
func (Hint) event()         {}
