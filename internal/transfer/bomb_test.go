package transfer

import "github.com/klauspost/compress/zstd"

// bomb is 1 GiB of zeros, compressed until it fits into 1,000 bytes or as near
// as that can be.
func bomb() []byte {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err)
	}
	b := e.EncodeAll(make([]byte, 8<<20), nil)
	return b[:min(len(b), 1000)]
}
