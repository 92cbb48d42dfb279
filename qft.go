// Package qft sends files to, and receives files from, whoever knows the same
// phrase.
//
// Two machines that name the same phrase meet at a helper, which introduces
// them and never sees file data, names or the phrase's words. They punch
// through both their NATs, and the bytes go straight from disk to disk,
// encrypted end to end:
//
//	_, err := qft.Send(ctx, "photos.tar", qft.Config{
//		Helper: "helper.example:4000",
//		Events: func(e qft.Event) {
//			if c, ok := e.(qft.Code); ok {
//				fmt.Println("the code is", c.Code)
//			}
//		},
//	})
//
// Send and Receive block until the transfer is done, failed, or ctx is
// canceled; the other side is told. What had arrived stays in a hidden partial
// file beside the target, and the same call goes on from there.
package qft

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/udp"
)

const (
	// Version of this module.
	Version = "0.1.0"

	// ProtocolVersion is what both sides and the helper must share.
	ProtocolVersion = 1
)

// Config is how to meet the other side. Only Helper must be set.
type Config struct {
	// Helper is the HOST:PORT at which both sides meet.
	Helper string

	// Phrase is what both sides know. If empty, Send makes a code and tells
	// it in a Code event. Receive needs it.
	Phrase string

	// Port is the local UDP port. If zero, any free one.
	Port uint16

	// PacketBytes bounds the file bytes in one packet. If zero, the path
	// decides.
	PacketBytes int

	// Limit bounds the UDP payload that the sender sends, retransmissions
	// included, in bytes per second; below 1000 it counts as 1000. Either side
	// may set it, and the lower limit holds. If zero, the path decides.
	Limit float64

	// Background makes the sender yield to other traffic. Either side may ask
	// for it.
	Background bool

	// Control changes the two while the transfer runs. It may be nil.
	Control *Control

	// NoOffload sends and receives packets one by one, without the system's
	// segmentation offload: slow, and a way out where a driver does it wrong.
	NoOffload bool

	// Skip is the offset in the file from which to send, or at which to go on
	// writing. An interrupted transfer continues without it.
	Skip int64

	// Events is told what happens. If nil, nobody is.
	Events func(Event)
}

// Target is where a received file goes.
type Target struct {
	Dir  string // an existing directory; if empty, the current one
	Name string // if empty, the sender's name for the file
}

// Result is what a transfer came to.
type Result struct {
	Path    string // of the file here
	Size    int64  // bytes
	Resumed int64  // of those, how many were at the receiver already
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

// CompleteCode returns what the beginning of a code may go on as.
func CompleteCode(typed string) []string {
	cut := strings.LastIndexAny(typed, "-") + 1
	if cut == 0 {
		return nil // the number cannot be guessed
	}
	var all []string
	for _, w := range secret.Complete(strings.ToLower(typed[cut:])) {
		all = append(all, typed[:cut]+w)
	}
	return all
}

// meet finds the other side and runs the app over the connection.
func meet(ctx context.Context, op string, role rendezvous.Role, cfg Config, build func(*peer.Loop) (*app, error)) (*app, error) {
	socket, err := listen(op, udp.Config{Port: cfg.Port, NoOffload: cfg.NoOffload})
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	loop := peer.NewLoop(socket)
	a, err := build(loop)
	if err != nil {
		return nil, err
	}
	a.idle = loop.Idle
	pc := peer.Config{
		Role: role, Rand: rand.Reader, AES: secret.HardwareAES(), App: a,
		PacketBytes: cfg.PacketBytes, Limit: cfg.Limit, Background: cfg.Background,
		Local: func() []netip.AddrPort { return localAddrs(socket) },
	}
	pc.V4, pc.V6 = socket.Families()
	if pc.Helpers, err = resolve(ctx, op, cfg.Helper, socket); err != nil {
		a.engine.Close()
		return nil, err
	}
	if cfg.Phrase == "" {
		pc.Words = secret.NewWords(rand.Reader)
	} else if pc.Phrase, err = parsePhrase(cfg.Phrase); err != nil {
		a.engine.Close()
		return nil, &Error{Op: op, Kind: KindUsage, Err: fmt.Errorf("reading the phrase: %w", err)}
	}
	p := peer.New(time.Now(), pc)
	defer cfg.Control.attach(&steered{cfg: cfg, loop: loop, peer: p})()
	for _, h := range socket.Hints() {
		a.emit(Hint{h})
	}
	loop.SetMachine(&driver{Peer: p, app: a, words: pc.Words})
	if err := loop.Run(ctx); err != nil {
		a.engine.Close()
		return nil, &Error{Op: op, Kind: KindPort, Err: fmt.Errorf("using the socket: %w", err)}
	}
	return a, a.result(ctx, op, p)
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

func listen(op string, cfg udp.Config) (*udp.Socket, error) {
	s, err := udp.Listen(cfg)
	if err == nil {
		return s, nil
	}
	e := &Error{Op: op, Kind: KindPort, Err: fmt.Errorf("opening a UDP socket: %w", err)}
	if errors.Is(err, udp.ErrPortInUse) {
		e.Hint = "Another program uses that port: stop it or choose another port."
	}
	return nil, e
}

func localAddrs(s *udp.Socket) []netip.AddrPort {
	v4, v6 := s.Families()
	addrs, err := udp.Interfaces()
	if err != nil {
		return nil // the helper's view of us remains
	}
	var all []netip.AddrPort
	for _, a := range addrs {
		if a.Is4() && v4 || a.Is6() && v6 {
			all = append(all, netip.AddrPortFrom(a, s.Port()))
		}
	}
	return all
}

// resolveTime bounds the look-up of the helper's name.
const resolveTime = 10 * time.Second

func resolve(ctx context.Context, op, helper string, s *udp.Socket) ([]netip.AddrPort, error) {
	fail := func(kind Kind, err error) error {
		return &Error{Op: op, Kind: kind, Err: err,
			Hint: "The helper is HOST:PORT of a machine on which somebody runs: qft helper PORT"}
	}
	if helper == "" {
		return nil, fail(KindUsage, errors.New("no helper is set"))
	}
	host, service, err := net.SplitHostPort(helper)
	if err != nil {
		return nil, fail(KindUsage, fmt.Errorf("reading the helper's address: %w", err))
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, fail(KindUsage, fmt.Errorf("the helper's port %q is no number from 1 to 65535", service))
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return nil, &Error{Op: op, Kind: KindCanceled, Err: errors.New("interrupted")}
	}
	if err != nil {
		return nil, fail(KindHelper, fmt.Errorf("looking up the helper: %w", err))
	}
	v4, v6 := s.Families()
	var all []netip.AddrPort
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() && v4 || a.Is6() && v6 {
			all = append(all, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	if len(all) == 0 {
		return nil, fail(KindHelper, fmt.Errorf("the helper %s has no address that this machine can use", host))
	}
	return all, nil
}
