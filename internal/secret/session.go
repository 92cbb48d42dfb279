package secret

import (
	"crypto/cipher"
	"errors"
	"io"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Session holds the keys that two sides who know the same phrase agreed on.
type Session struct {
	rand     io.Reader
	exporter []byte
	sealer   *Sealer
	opener   *Opener
}

// newSession derives all keys from secret, and clears it.
func newSession(rand io.Reader, secret []byte, initiator, aes bool) *Session {
	defer clear(secret)
	out, in := "traffic initiator", "traffic responder"
	if !initiator {
		out, in = in, out
	}
	return &Session{
		rand:     rand,
		exporter: expandLabel(secret, "exporter", nil, trafficSize),
		sealer:   newSealer(expandLabel(secret, out, nil, trafficSize), aes),
		opener:   newOpener(expandLabel(secret, in, nil, trafficSize), aes),
	}
}

// Export returns n bytes, at most 16,320, that only the two sides know, the
// same on both and for each label and n unrelated to all others.
func (s *Session) Export(label string, n int) []byte {
	return expandLabel(s.exporter, "export "+label, nil, n)
}

// Box returns the box with the given label, which takes its nonces from the
// randomness that the handshake was given. Both sides' boxes have one key, so
// what must not be taken for the other side's when it is sent back has to
// name its sender, in the plaintext or the additional data.
func (s *Session) Box(label string) *Box {
	return newBox(s.rand, expandLabel(s.exporter, "box "+label, nil, boxKeySize))
}

// Sealer returns the one sealer of packets to the other side. Every call
// returns the same: two with one key would repeat nonces.
func (s *Session) Sealer() *Sealer { return s.sealer }

// Opener returns the one opener of packets from the other side.
func (s *Session) Opener() *Opener { return s.opener }

// BoxOverhead is how many bytes longer a sealed box is than its plaintext: a
// nonce of 24 and a tag of 16.
const BoxOverhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

const boxKeySize = chacha20poly1305.KeySize

// ErrAuth says that a box or packet was not sealed by the other side, or was
// altered on the way.
var ErrAuth = errors.New("message authentication failed")

// Box seals single messages in any number and order with XChaCha20-Poly1305
// under random nonces, whose 24 bytes are too many to repeat. It may be used
// by several goroutines if its source of randomness may.
type Box struct {
	rand io.Reader
	aead cipher.AEAD
}

// newBox clears key.
func newBox(rand io.Reader, key []byte) *Box {
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic("secret: making a box: " + err.Error())
	}
	return &Box{rand: rand, aead: aead}
}

// Seal appends the sealed plaintext, BoxOverhead bytes longer, to dst, with
// which it must not overlap. It panics if the source of randomness fails.
func (b *Box) Seal(dst, plaintext, ad []byte) []byte {
	dst = slices.Grow(dst, len(plaintext)+BoxOverhead)
	n := len(dst)
	dst = dst[:n+chacha20poly1305.NonceSizeX]
	mustRead(b.rand, dst[n:])
	return b.aead.Seal(dst, dst[n:], plaintext, ad)
}

// Open appends the plaintext to dst, with which sealed must not overlap. The
// error is ErrAuth.
func (b *Box) Open(dst, sealed, ad []byte) ([]byte, error) {
	if len(sealed) < BoxOverhead {
		return nil, ErrAuth
	}
	nonce, ct := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	out, err := b.aead.Open(dst, nonce, ct, ad)
	if err != nil {
		return nil, ErrAuth
	}
	return out, nil
}
