package squeeze

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// decoder is shared by all who call Decode: it keeps no more than its tables
// from one block to the next, and serves up to four at the same time.
var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecoderMaxWindow(maxBlock))
})

// Decode decompresses src, which comes from anywhere, into dst. It must give
// exactly len(dst) bytes, 1 MiB at most, and be shorter than that. After an
// error dst holds anything. It may be called by several goroutines at the same
// time.
func Decode(dst, src []byte) error {
	if len(src) >= len(dst) || len(dst) > maxBlock {
		return fmt.Errorf("decompressing: %d bytes for %d", len(src), len(dst))
	}
	d, err := decoder()
	if err != nil {
		return fmt.Errorf("decompressing: %w", err)
	}
	// Without the capacity, what lies behind dst could be written over.
	out, err := d.DecodeAll(src, dst[:0:len(dst)])
	if err != nil {
		return fmt.Errorf("decompressing: %w", err)
	}
	if len(out) != len(dst) {
		return fmt.Errorf("decompressing: it gave %d bytes instead of %d", len(out), len(dst))
	}
	return nil
}
