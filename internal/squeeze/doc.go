// Package squeeze compresses a block where that gains time.
//
// Compressing pays when the path is slower than the processor, and what it
// carries is not compressed yet. Nobody needs to say so: a sample of each block
// is compressed, and how much smaller it gets, and how fast, decides together
// with the rate of the path.
//
//	block ─► sample, 4 × 16 KiB ─► fast, matches only ─► 5 % smaller? ── yes ─┐
//	                                                         │ no             │
//	                              a few bytes are frequent? ◄┘                │
//	                                │ no      │ yes                           │
//	                                │         └► Huffman ─► 5 % smaller? yes ─┤
//	                                │                         │ no            │
//	                                ▼                         ▼               ▼
//	                               as it is ◄─ no ─ sample at 4 x the path's rate?
//	                                                     32 x: better, else: fast
//
// Most data that is compressed or encrypted ends at the second question, which
// costs about a hundredth of hashing and encrypting the block. The third is for
// what has no repetitions and is still no noise, such as base64 of a picture.
//
// The format is one zstd frame (RFC 8878) with its content size and without a
// checksum, for the block has a digest.
//
// # Memory
//
// An Encoder holds for each level, from its first use on, as much as this times
// the blocks that are compressed at the same time, of which there are at most
// three and no more than processors: 0.3 MiB for samples, 1.6 MiB fast, 5.5 MiB
// better. zstd's slowest level would need 36 MiB, for 5 % on log files, and is
// not used. Decode holds 0.2 MiB for each block at the same time, of which
// there are at most four.
//
// # Limitations
//
//   - Parts that repeat are not seen if they are noise themselves and the
//     sample holds them once.
//   - A sample that was interrupted looks slow: its block may be compressed
//     less, or not.
package squeeze
