package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/zeebo/blake3"
)

func sumOf(block []byte) (digest, error) {
	return sumBlock(block, func([]byte, int64) error { return nil })
}

func TestBlockHashIsBLAKE3(t *testing.T) {
	for _, n := range []int{0, 1, 1023, 1025, pieceSize, pieceSize + 1, blockSize - 1, blockSize} {
		block := content(uint64(n), n)
		if sum, err := sumOf(block); err != nil || sum != blake3.Sum256(block) {
			t.Errorf("the hash of %d bytes is wrong (%v)", n, err)
		}
	}
	block := content(1, blockSize)
	wide, err := sumWide(block, func([]byte, int64) error { return nil })
	if err != nil || wide != blake3.Sum256(block) {
		t.Errorf("the tree of a block is wrong (%v)", err)
	}
}

func TestBlockIsHashedAsItIsFilled(t *testing.T) {
	for _, n := range []int{pieceSize + 5, blockSize} {
		want := content(7, n)
		got := make([]byte, n)
		sum, err := sumBlock(got, func(piece []byte, at int64) error {
			copy(piece, want[at:])
			return nil
		})
		if err != nil || !bytes.Equal(got, want) || sum != blake3.Sum256(want) {
			t.Errorf("%d bytes: filled %v, hashed %v, %v", n, bytes.Equal(got, want), sum == blake3.Sum256(want), err)
		}
		broken := errors.New("broken")
		calls := 0
		if _, err := sumBlock(got, func([]byte, int64) error { calls++; return broken }); err != broken || calls != 1 {
			t.Errorf("%d bytes: an error gave %v after %d calls", n, err, calls)
		}
	}
}

func BenchmarkBlockHash(b *testing.B) {
	for _, n := range []int{blockSize, blockSize - 1} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			block := content(1, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				sumOf(block)
			}
		})
	}
}
