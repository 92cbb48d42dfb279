package qft

import (
	"errors"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/transfer"
)

// transferError makes an error of the transfer one of this package.
func transferError(op string, err error) error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	var e *transfer.Error
	if !errors.As(err, &e) {
		return &Error{Op: op, Err: err}
	}
	return (&Error{Op: op, Kind: transferKind(op, e), Err: e}).advise(e.Advice())
}

func transferKind(op string, e *transfer.Error) Kind {
	switch e.Kind {
	case transfer.Changed, transfer.Corrupt:
		return KindIncomplete
	case transfer.Protocol, transfer.Version, transfer.Foreign:
		return KindProtocol
	}
	if e.Peer {
		return KindPeer
	}
	switch e.Kind {
	case transfer.Canceled:
		return KindCanceled
	case transfer.NotFound:
		if op == "receive" {
			return KindDisk // the folder that it should go to
		}
		return KindFile
	case transfer.Directory, transfer.NotRegular, transfer.Unreadable, transfer.BadName, transfer.BadSkip:
		return KindFile
	case transfer.Exists:
		return KindExists
	case transfer.NoSpace, transfer.Permission, transfer.Busy, transfer.Disk, transfer.Broken:
		return KindDisk
	case transfer.Refused:
		return KindRefused
	case transfer.TooMuch:
		return KindTooMuch
	case transfer.Lost:
		return KindPeer
	}
	return KindInternal
}

// peerError makes an error of the meeting one of this package.
func peerError(op string, e *peer.Error) error {
	out := &Error{Op: op, Err: e.Err}
	switch e.Kind {
	case peer.HelperUnreachable:
		out.Kind = KindHelper
		out.advise("Is that the helper's address, is it running, and does this network let UDP out? {no helper}")
	case peer.StunUnreachable:
		out.Kind = KindHelper
		out.Hint = "Any public STUN server will do, as HOST or HOST:PORT; without a port it is 3478. If several are silent, this network lets no UDP out: a helper is reached by TCP too."
	case peer.HostUnreachable:
		out.Kind = KindHelper
		out.Hint = "Is that the sender's machine, does it still wait, and is its UDP port reached from here?"
	case peer.HelperRefused:
		out.Kind = KindHelper
		switch {
		case errors.Is(e.Err, rendezvous.ErrExpired):
			out.Hint = "Start again when both are there; a sender that makes codes makes a new one."
		case errors.Is(e.Err, rendezvous.ErrDenied):
			out.advise("Ask whoever runs the helper for its secret{secret}, or use another helper.")
		default:
			out.Hint = "Try again in a minute, or use another helper."
		}
	case peer.HelperForeign:
		out.Kind = KindHelper
		out.Hint = "Compare the helper's address and port, and its version (qft version) with yours."
	case peer.NumberTaken:
		out.Kind = KindTaken
		out.advise("Another sender uses that number: send again with another {code}.")
	case peer.PhraseWrong:
		out.Kind = KindPhrase
		advice := "Compare the {code} with the sender's and receive again; the sender still waits."
		if op == "send" { // only tokens show a sender that it is wrong
			advice = "Both sides need the same phrase: agree on one, and begin again with new tokens."
		}
		out.advise(advice)
	case peer.PhraseBurnt:
		out.Kind = KindTaken
		out.advise("Somebody may be guessing. Start again with another {code}.")
	case peer.PhraseTaken:
		out.Kind = KindTaken
		out.advise("If that is not you on another screen, stop the sender and begin again with another {code}.")
	case peer.TwoSenders:
		out.Kind = KindTaken
		out.Hint = "Agree on another phrase, and let only one side send."
	case peer.PartnerStopped:
		out.Kind = KindPeer
	case peer.NoPath:
		out.Kind = KindNoPath
		if e.Report != nil {
			out.Hint = e.Report.String() + "\nqft doctor, on either side, measures what its network allows and what would help."
		}
	case peer.Broken:
		out.Kind = KindProtocol
		out.Hint = "Do both sides run the same version of qft?"
	}
	return out
}
