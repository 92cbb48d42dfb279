package rendezvous

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"io"
	"net/netip"
	"time"
)

// keyLife is how long a cookie key signs; it verifies for as long again. A
// cookie so holds for 30 to 60 s: longer than the keep-alive interval, within
// which a client gets a new one, and not much longer than an address is worth.
const keyLife = 30 * time.Second

// cookieJar signs source addresses, and keeps nothing about any of them.
type cookieJar struct {
	rand    io.Reader
	keys    [2]hash.Hash      // HMAC-SHA-256: signing, and previous
	rotated time.Time         // when the signing key was drawn
	in, sum [sha256.Size]byte // here, or each signature would allocate them
}

// advance draws a new key when it is time. Without traffic nothing rotates, so
// after a pause both keys are stale and both are replaced.
func (j *cookieJar) advance(now time.Time) {
	age := now.Sub(j.rotated)
	if j.keys[0] != nil && age < keyLife {
		return
	}
	j.keys[1] = j.keys[0]
	if j.keys[1] == nil || age >= 2*keyLife {
		j.keys[1] = j.draw()
	}
	j.keys[0] = j.draw()
	j.rotated = now
}

func (j *cookieJar) draw() hash.Hash {
	var k [32]byte
	fill(j.rand, k[:])
	return hmac.New(sha256.New, k[:])
}

// issue returns a cookie for a client at addr.
func (j *cookieJar) issue(now time.Time, addr netip.AddrPort) cookie {
	j.advance(now)
	return j.sign(j.keys[0], addr)
}

// valid reports, in constant time for each key, whether c was issued to addr.
func (j *cookieJar) valid(now time.Time, addr netip.AddrPort, c cookie) bool {
	j.advance(now)
	for _, k := range j.keys {
		if want := j.sign(k, addr); subtle.ConstantTimeCompare(want[:], c[:]) == 1 {
			return true
		}
	}
	return false
}

func (j *cookieJar) sign(k hash.Hash, addr netip.AddrPort) cookie {
	ip := addr.Addr().As16()
	in := binary.BigEndian.AppendUint16(append(j.in[:0], ip[:]...), addr.Port())
	k.Reset()
	k.Write(in)
	return cookie(k.Sum(j.sum[:0]))
}

// fill reads random bytes. Failing randomness leaves nothing safe to do.
func fill(rand io.Reader, b []byte) {
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("rendezvous: reading randomness: " + err.Error())
	}
}
