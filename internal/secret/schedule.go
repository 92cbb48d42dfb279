package secret

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
)

// labelPrefix keeps the keys of this protocol version apart from those of any
// other use of the same secret.
const labelPrefix = "qft 1 "

// expandLabel is HKDF-Expand (RFC 5869) with SHA-512 under a label and a
// context, after the model of HKDF-Expand-Label in RFC 8446 section 7.1:
//
//	info = uint16(n) || lv_cat(labelPrefix || label, context)
//
// It panics for n above 16,320, which only a caller's mistake can ask for.
func expandLabel(key []byte, label string, context []byte, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, lvCat([]byte(labelPrefix+label), context)...)
	out, err := hkdf.Expand(sha512.New, key, string(info), n)
	if err != nil {
		panic("secret: expanding a key: " + err.Error())
	}
	return out
}

// extractMaster mixes the two shared secrets, so that breaking one of the two
// exchanges is not enough, under a salt that binds all that was said.
func extractMaster(isk, kem []byte, th1 [64]byte) []byte {
	both := append(append([]byte(nil), isk...), kem...)
	defer clear(both)
	master, err := hkdf.Extract(sha512.New, both, th1[:])
	if err != nil {
		panic("secret: extracting the master secret: " + err.Error())
	}
	return master
}

// transcriptHash hashes what has been said in one stage of the handshake.
func transcriptHash(parts ...[]byte) [64]byte {
	return sha512.Sum512(append(lvCat([]byte(labelPrefix+"handshake")), lvCat(parts...)...))
}

const tagSize = 32

// confirmation returns the tag by which one side proves to know master and to
// have seen the same transcript. The label differs by direction: a tag sent
// back proves nothing.
func confirmation(master []byte, label string, th [64]byte) []byte {
	key := expandLabel(master, label, th[:], sha512.Size)
	defer clear(key)
	mac := hmac.New(sha512.New, key)
	mac.Write(th[:])
	return mac.Sum(nil)[:tagSize]
}
