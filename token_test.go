package qft

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
)

// exchange is an encounter without a helper: STUN servers, and two people who
// paste tokens.
type exchange struct {
	*encounter
	t             *testing.T
	sender, taker *end
	first, second string // tokens
}

// newExchange lets both begin, and carries nothing across yet.
func newExchange(t *testing.T, seed uint64, a, b *network, loss float64, phrases ...string) *exchange {
	t.Helper()
	x := &exchange{encounter: newEncounter(seed), t: t}
	line := lab.Link{Delay: helperDelay, Loss: loss}
	from, _ := a.attach(x.World, "sender", line, false)
	to, _ := b.attach(x.World, "receiver", line, false)
	var said [2]secret.Phrase
	for i, text := range phrases {
		p, err := parseOnce(text)
		if err != nil {
			t.Fatal(err)
		}
		said[i] = p
	}
	x.sender = x.paster(rendezvous.Sender, from, said[0], func(text string) { x.first = text })
	x.taker = x.paster(rendezvous.Receiver, to, said[1], func(text string) { x.second = text })
	x.until("the sender's token", 15*time.Second, func() bool { return x.first != "" })
	return x
}

func (x *exchange) paster(role rendezvous.Role, host *lab.Host, phrase secret.Phrase, token func(string)) *end {
	n := &end{e: x.encounter, host: host, token: token}
	further := &lab.Sockets{Host: host}
	cfg := peer.Config{
		Role: role, App: still{}, AES: true, Rand: x.Entropy(), Phrase: phrase, Sockets: further, V4: true,
		Local: func() []netip.AddrPort { return []netip.AddrPort{host.AddrPort(false, n.port)} },
	}
	for _, port := range helperPorts {
		cfg.Stun = append(cfg.Stun, x.helper.AddrPort(false, port))
	}
	n.Peer = peer.New(x.Now(), cfg)
	n.port = host.Bind(0, n)
	further.Of = n.port
	return n
}

func (x *exchange) until(what string, limit time.Duration, there func() bool) {
	x.t.Helper()
	if !x.Run(limit, there) {
		x.t.Fatalf("%s: not within %v; sender %v, receiver %v", what, limit, x.sender.Err(), x.taker.Err())
	}
}

// paste hands a token to a side, as its person does.
func (x *exchange) paste(to *end, text string) error {
	err := to.Paste(x.Now(), text)
	to.host.Wake(to.port)
	return err
}

// carry brings both tokens across, with the pauses that people make.
func (x *exchange) carry(pause time.Duration) {
	x.t.Helper()
	x.Run(pause, nil)
	if err := x.paste(x.taker, x.first); err != nil {
		x.t.Fatal(err)
	}
	x.until("the receiver's token", 15*time.Second, func() bool { return x.second != "" })
	x.Run(pause, nil)
	if err := x.paste(x.sender, x.second); err != nil {
		x.t.Fatal(err)
	}
}

// TestTokensInPlaceOfAHelper: STUN servers and a chat are enough, through NATs
// that forget after 20 s, with people who take two minutes.
func TestTokensInPlaceOfAHelper(t *testing.T) {
	home := shortLived(lab.NAT{Filtering: byPort})
	for _, c := range []struct {
		name  string
		loss  float64
		pause time.Duration
	}{{"at once", 0, 0}, {"after two minutes", 0, 2 * time.Minute}, {"with loss", 0.1, 30 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(5) {
				x := newExchange(t, seed, home, home, c.loss)
				x.carry(c.pause)
				x.until("a path", 10*time.Second, func() bool { return x.sender.connected != 0 && x.taker.connected != 0 })
			}
		})
	}
}

// TestTokensGoWrong: what people paste by mistake, and what others change.
func TestTokensGoWrong(t *testing.T) {
	home := shortLived(lab.NAT{Filtering: byPort})
	x := newExchange(t, 1, home, home, 0)
	other := newExchange(t, 2, home, home, 0)
	other.carry(0)
	for name, text := range map[string]string{
		"nothing":          "",
		"half of it":       x.first[:len(x.first)/2],
		"one's own kind":   other.second,
		"a letter changed": strings.Replace(x.first, x.first[200:202], "__", 1),
	} {
		if err := x.paste(x.taker, text); !errors.Is(err, peer.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := x.paste(x.taker, x.first); err != nil {
		t.Fatal(err)
	}
	if err := x.paste(x.taker, x.first); !errors.Is(err, peer.ErrToken) {
		t.Errorf("twice: %v", err)
	}
	x.until("the receiver's token", 15*time.Second, func() bool { return x.second != "" })
	if err := x.paste(x.sender, other.second); !errors.Is(err, peer.ErrToken) {
		t.Errorf("an answer to another token: %v", err)
	}
	if err := x.paste(x.sender, x.second); err != nil {
		t.Errorf("the right one, after all: %v", err)
	}
	x.until("a path", 10*time.Second, func() bool { return x.sender.connected != 0 && x.taker.connected != 0 })
}

// TestTokensUnderDifferentPhrases: a phrase makes a token safe from whoever may
// change it on its way; a wrong one is told.
func TestTokensUnderDifferentPhrases(t *testing.T) {
	home := shortLived(lab.NAT{Filtering: byPort})
	same := newExchange(t, 1, home, home, 0, "a phrase of ours", "a phrase of ours")
	same.carry(0)
	same.until("a path", 10*time.Second, func() bool { return same.sender.connected != 0 && same.taker.connected != 0 })

	x := newExchange(t, 1, home, home, 0, "a phrase of ours", "a phrase of theirs")
	if err := x.paste(x.taker, x.first); err != nil {
		t.Fatal(err)
	}
	x.until("the receiver's token", 15*time.Second, func() bool { return x.second != "" })
	if err := x.paste(x.sender, x.second); !errors.Is(err, secret.ErrWrongPhrase) {
		t.Errorf("pasting the token: %v", err)
	}
	x.until("the sender's end", 5*time.Second, func() bool { return x.sender.failedAs(peer.PhraseWrong) })
}

// TestNoStunServerAnswers is told within the patience that helpers get.
func TestNoStunServerAnswers(t *testing.T) {
	x := &exchange{encounter: newEncounter(1), t: t}
	x.helper.Unbind(helperPorts[0])
	home := shortLived(lab.NAT{})
	from, _ := home.attach(x.World, "sender", lab.Link{Delay: helperDelay}, false)
	x.sender = x.paster(rendezvous.Sender, from, secret.Phrase{}, func(string) { t.Error("a token without an address") })
	x.taker = x.sender
	x.until("the end", 20*time.Second, func() bool { return x.sender.failedAs(peer.StunUnreachable) })
}
