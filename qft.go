// Package qft sends files to, and receives files from, whoever knows the same
// phrase.
//
// Two machines that name the same phrase meet at a helper, which introduces
// them and never sees file data, names or the phrase's words. They punch
// through both their NATs, and the bytes go straight from disk to disk,
// encrypted end to end:
//
//	_, err := qft.Send(ctx, qft.Source{Paths: []string{"photos", "notes.txt"}}, qft.Config{
//		Helper: "helper.example:4000",
//		Events: func(e qft.Event) {
//			if c, ok := e.(qft.Code); ok {
//				fmt.Println("the code is", c.Code)
//			}
//		},
//	})
//
// Send and Receive block until the transfer is done, failed, or ctx is
// canceled; the other side is told. What had arrived stays in a hidden place
// beside the target, and the same call goes on from there.
//
// # Standing still
//
// A Send does not end because the receiver does. When contact is lost, when
// the receiver is stopped or killed, when its disk is full, Send goes on
// waiting under the same code or phrase, also at the helper, and serves
// whoever comes and knows it: the same receiver over another address, or one
// that was started anew, which continues where the other was. It ends when the
// transfer is done, when the person at the receiver does not want it, when the
// files cannot be sent, or when ctx is canceled. A Receive whose sender
// vanished waits likewise; one whose sender was stopped on purpose ends.
// Config.Wait bounds how long nobody may be there.
// stand.go says how.
//
// # Streams
//
// Accept and Dial give two programs a Stream in place of files: an
// io.ReadWriteCloser over the same kind of path. It lives as long as both
// programs do.
//
// # Several at a time
//
// Functions of this package may be called at the same time, also with the same
// Config. Each has a socket and a few goroutines of its own, and none left when
// it returns (a Stream: when Close has returned). There is no global state, no
// logging but HelperConfig.Log, and no exit; panics are bugs. docs/library.md says what stays as it
// is from version to version, and what the limits are.
package qft

import (
	"context"
	"runtime/debug"
	"strings"
	"time"

	"qft/internal/secret"
)

const (
	// Version of this module.
	Version = "0.1.0"

	// ProtocolVersion is what both sides and the helper must share.
	ProtocolVersion = 1
)

// Config is how to meet the other side. The zero value meets on this network,
// without a helper.
type Config struct {
	// Helper is the HOST or HOST:PORT at which both sides meet; without a port it
	// is DirectPort. If empty, they find each
	// other on this network, or at the sender's machine: see Host.
	Helper string

	// HelperSecret is what a private helper lets in by
	// (HelperRules.Secrets). If empty, none is shown.
	HelperSecret []byte

	// Host is, for Receive, the HOST or HOST:PORT of the sender's machine, to be
	// asked there instead of at a helper. Without a port it is DirectPort.
	Host string

	// Stun are HOST or HOST:PORT of standard STUN servers (RFC 8489), which know
	// nothing of qft; without a port it is 3478. If there are any, nobody is met at a helper or on this network: a
	// Token event says what to give to the other side, and Paste has to return
	// what that side was told. There is then one receiver, and what is
	// interrupted begins with new tokens. Phrase may be empty, if whatever
	// carries the tokens can be trusted not to change them.
	Stun []string

	// Paste returns the token of the other side, as it was pasted. It runs in a
	// goroutine of its own, until ctx ends, which it should heed, and is called
	// again where a token is of no use, which TokenRefused tells. An error ends
	// the transfer.
	Paste func(ctx context.Context) (string, error)

	// NoNearby does not look for the other side on this network.
	NoNearby bool

	// Phrase is what both sides know. If empty, Send makes a code and tells
	// it in a Code event. Receive needs it.
	Phrase string

	// Port is the local UDP port. If zero, any free one; for a Send without a
	// helper, DirectPort if that is free. A meeting beside another one takes any
	// free one as well.
	Port uint16

	// PacketBytes bounds the file bytes in one packet. If zero, the path
	// decides.
	PacketBytes int

	// Limit bounds the UDP payload that the sender sends, retransmissions
	// included, in bytes per second; below 1000 it counts as 1000. Either side
	// may set it, and the lower limit holds. Several receivers share it. If
	// zero, the path decides.
	Limit float64

	// Background makes the sender yield to other traffic. Either side may ask
	// for it.
	Background bool

	// Control changes the two while the transfer runs. It may be nil.
	Control *Control

	// NoPortMapping leaves the router in peace: it is not asked to open a port
	// (PCP, NAT-PMP, UPnP) for the time of the transfer.
	NoPortMapping bool

	// NoOffload sends and receives packets one by one, without the system's
	// segmentation offload: slow, and a way out where a driver does it wrong.
	NoOffload bool

	// Wait is how long nobody may be there, at the beginning and whenever the
	// contact to all is lost, before it is given up with an error of KindNobody.
	// If zero, it is waited for ever.
	Wait time.Duration

	// Skip is the offset in the only file from which to send, or at which to go
	// on writing. An interrupted transfer continues without it.
	Skip int64

	// State is a directory, made if need be, for what outlasts the process: a
	// record of each transfer that is not finished (Unfinished lists them),
	// and the hashes of what was sent, so that continuing need not compute them
	// again. No phrase and no code is ever written there. If empty, nothing is
	// kept.
	State string

	// Events is told what happens. If nil, nobody is.
	Events func(Event)
}

// CheckCode normalises a code as a person has typed it; single typing errors
// in its words are repaired. The error says which word is unknown.
func CheckCode(text string) (string, error) {
	p, err := secret.ParseCode(text)
	if err != nil {
		return "", err
	}
	return p.String(), nil
}

// CompleteCode returns what the beginning of a code may go on as. All of them
// begin with what was typed, and go on in capitals where the word is in such.
func CompleteCode(typed string) []string {
	cut := strings.LastIndexAny(typed, "-") + 1
	if cut == 0 {
		return nil // the number cannot be guessed
	}
	begun := strings.ToLower(typed[cut:])
	var all []string
	for _, w := range secret.Complete(begun) {
		rest := w[len(begun):]
		if strings.ToUpper(typed[cut:]) == typed[cut:] {
			rest = strings.ToUpper(rest)
		}
		all = append(all, typed+rest)
	}
	return all
}

// parsePhrase reads a phrase. The hash of one's own takes 64 MiB for a moment,
// which would stay with the process until the collector needs them.
func parsePhrase(text string) (secret.Phrase, error) {
	p, err := secret.Parse(text)
	if _, generated := p.Number(); err == nil && !generated {
		debug.FreeOSMemory()
	}
	return p, err
}
