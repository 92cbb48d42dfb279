package transfer

import (
	"github.com/zeebo/blake3"

	"qft/internal/digest"
)

// rootContext separates the root from every other use of BLAKE3.
const rootContext = "qft 2026-11 transfer: root over entries v2"

// root is a hash over everything that a transfer has settled, entry by entry
// in order: both sides come to the same one or something is wrong.
type root struct{ h *blake3.Hasher }

func newRoot() root { return root{blake3.NewDeriveKey(rootContext)} }

// add takes the next entry: its encoding, what became of it, and the digest of
// its content, or zeros where the transfer knows none.
func (r root) add(raw []byte, v verdict, sum digest.Sum) {
	r.h.Write(raw) // a hash.Hash never returns an error
	r.h.Write([]byte{byte(v)})
	r.h.Write(sum[:])
}

func (r root) sum() (s digest.Sum) {
	r.h.Sum(s[:0])
	return s
}
