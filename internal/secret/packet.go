package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

// Overhead is how many bytes longer a sealed packet is than its plaintext.
const Overhead = 16

// KeyLimit is the number of packets after which a key should be updated, and
// hardLimit that after which it must not be used: half and all of the 2^23
// packets that RFC 9001 section 6.6 allows AES-GCM for confidentiality.
const (
	KeyLimit  = 1 << 22
	hardLimit = 1 << 23
)

// maxPacketNumber is RFC 9000 section 12.3's 2^62-1. It leaves room for
// arithmetic on packet numbers that cannot overflow.
const maxPacketNumber = 1<<62 - 1

const (
	trafficSize = 64
	nonceSize   = 12
)

var (
	// ErrKeyExhausted says that a key has sealed as many packets as is safe.
	ErrKeyExhausted = errors.New("packet key exhausted")

	// ErrReplay says that a packet with this number was opened before, or is
	// too old to tell.
	ErrReplay = errors.New("packet number seen before")

	errOrder = errors.New("sealing a packet: its number is not above the last one's")
	errRoom  = errors.New("sealing a packet: no room for header and tag")
)

// packetKey is the key of one direction in one phase. The nonce is kept here
// because one on the stack would escape through the interface, and cost an
// allocation per packet.
type packetKey struct {
	aead  cipher.AEAD
	iv    [nonceSize]byte
	nonce [nonceSize]byte
}

// newPacketKey derives the key of the phase with the given traffic secret.
func newPacketKey(traffic []byte, useAES bool) *packetKey {
	k := &packetKey{iv: [nonceSize]byte(expandLabel(traffic, "iv", nil, nonceSize))}
	k.nonce = k.iv
	var err error
	if useAES {
		key := expandLabel(traffic, "key", nil, 16)
		defer clear(key)
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			k.aead, err = cipher.NewGCM(block)
		}
	} else {
		key := expandLabel(traffic, "key", nil, chacha20poly1305.KeySize)
		defer clear(key)
		k.aead, err = chacha20poly1305.New(key)
	}
	if err != nil {
		panic("secret: making a packet key: " + err.Error())
	}
	return k
}

// nonceOf is RFC 9001 section 5.3: the packet number in network byte order,
// padded on the left to the size of the iv, XOR the iv.
func (k *packetKey) nonceOf(pn uint64) []byte {
	binary.BigEndian.PutUint64(k.nonce[4:], binary.BigEndian.Uint64(k.iv[4:])^pn)
	return k.nonce[:]
}

// nextTraffic returns the traffic secret of the next phase, and clears that of
// this one: what was sealed before stays closed to who steals the next.
func nextTraffic(traffic []byte) []byte {
	defer clear(traffic)
	return expandLabel(traffic, "key update", nil, trafficSize)
}

// Sealer seals packets to the other side. One goroutine at a time may use it.
type Sealer struct {
	key     *packetKey
	traffic []byte // of the current phase
	aes     bool
	phase   byte
	first   uint64 // lowest packet number of the current phase
	next    uint64 // lowest packet number not sealed yet
}

func newSealer(traffic []byte, useAES bool) *Sealer {
	return &Sealer{key: newPacketKey(traffic, useAES), traffic: traffic, aes: useAES}
}

// Seal encrypts pkt[hdr:] in place, with pkt[:hdr] as additional data, and
// returns the packet grown by Overhead bytes, for which pkt must have the
// capacity. It does not allocate.
//
// Packet numbers grow from call to call, at most to 2^62-1; one that does not
// is refused, because a nonce used twice gives away the authentication key. A
// number is spent even if its packet is never sent.
func (s *Sealer) Seal(pkt []byte, hdr int, pn uint64) ([]byte, error) {
	if hdr < 0 || hdr > len(pkt) || cap(pkt)-len(pkt) < Overhead {
		return nil, errRoom
	}
	if pn < s.next {
		return nil, errOrder
	}
	if pn-s.first >= hardLimit || pn > maxPacketNumber {
		return nil, ErrKeyExhausted
	}
	s.next = pn + 1
	return s.key.aead.Seal(pkt[:hdr], s.key.nonceOf(pn), pkt[hdr:], pkt[:hdr]), nil
}

// Phase is the phase bit, 0 or 1, to write into the header of the next packet.
func (s *Sealer) Phase() byte { return s.phase }

// Due reports whether the key should be updated before packet number pn. All
// numbers since the key's first count, whether used or skipped.
func (s *Sealer) Due(pn uint64) bool { return pn >= s.first && pn-s.first >= KeyLimit }

// Update changes to the next key from packet number pn on. The caller makes
// sure that the peer has acknowledged a packet of the current phase first: a
// peer that misses a whole phase takes the next but one, whose bit is the same
// again, for the one it knows, and opens nothing more.
func (s *Sealer) Update(pn uint64) {
	s.traffic = nextTraffic(s.traffic)
	s.key = newPacketKey(s.traffic, s.aes)
	s.phase ^= 1
	s.first = max(pn, s.next)
}

// Opener opens packets from the other side. One goroutine at a time may use
// it.
//
// The key follows from number and phase bit alone: the bit of the current
// phase means the current key; the other bit means the previous phase below
// the lowest number opened in the current one, and the next phase above. So a
// forged packet costs one attempt to open it, with a key that is ready.
type Opener struct {
	prev    *packetKey // nil in the first phase, and when all its numbers are too old
	cur     *packetKey
	next    *packetKey
	traffic []byte // of the next phase
	aes     bool
	phase   byte
	first   uint64 // lowest packet number opened in the current phase; 0 in the first
	replay  Replay
}

func newOpener(traffic []byte, useAES bool) *Opener {
	o := &Opener{cur: newPacketKey(traffic, useAES), aes: useAES}
	o.traffic = nextTraffic(traffic)
	o.next = newPacketKey(o.traffic, useAES)
	return o
}

// Open decrypts pkt[hdr:] in place, with pkt[:hdr] as additional data, and
// returns the plaintext, which lies in pkt. phase is the header's bit, 0 or 1.
//
// The error is ErrReplay or ErrAuth; the opener is then as before, but pkt may
// be overwritten. It does not allocate, except once per key update.
func (o *Opener) Open(pkt []byte, hdr int, pn uint64, phase byte) ([]byte, error) {
	if hdr < 0 || len(pkt)-Overhead < hdr || pn > maxPacketNumber || phase > 1 {
		return nil, ErrAuth
	}
	if o.replay.Seen(pn) {
		return nil, ErrReplay
	}
	k := o.keyFor(pn, phase)
	if k == nil {
		return nil, ErrAuth
	}
	plain, err := k.aead.Open(pkt[hdr:hdr], k.nonceOf(pn), pkt[hdr:], pkt[:hdr])
	if err != nil {
		return nil, ErrAuth
	}
	o.replay.Mark(pn)
	switch {
	case k == o.next:
		o.advance(pn)
	case k == o.cur && pn < o.first:
		o.first = pn
	case o.prev != nil && pn > o.first+replayWindow:
		o.prev = nil
	}
	return plain, nil
}

func (o *Opener) keyFor(pn uint64, phase byte) *packetKey {
	switch {
	case phase == o.phase:
		return o.cur
	case pn < o.first:
		return o.prev
	default:
		return o.next
	}
}

// advance enters the next phase, of which pn is the first packet to arrive.
func (o *Opener) advance(pn uint64) {
	o.prev, o.cur = o.cur, o.next
	o.traffic = nextTraffic(o.traffic)
	o.next = newPacketKey(o.traffic, o.aes)
	o.phase ^= 1
	o.first = pn
}
