// Package journal remembers through a crash which blocks are safe, with their
// hashes.
//
// A journal is one file that is only ever appended to. Its owner writes a run,
// the digests of consecutive blocks of one thing (a file, named by an ID), after
// the blocks themselves are durable; so whatever can be read back is true, and
// what a crash kept from being written costs some work and nothing else.
//
// # The file
//
// All numbers are big-endian.
//
//	header  "qftjrnl2" (8), length of the head (4), at most 32,768, salt (8),
//	        head, check (8)
//	record  length of the body (4), at most 65,536, body, check (8)
//	body    runs: ID (16), first block (8), count (2) = 1 to 1,024, count
//	        digests (32 each)
//
// The header's check is the first 8 bytes of BLAKE3 over what precedes it. A
// record's check is the same over the check before it and the record:
//
//	header                    record                 record              zeros
//	magic len salt head CHECK len run run run CHECK len run CHECK 0000000000
//	└─────────────────┘   │   └───────────────┘ │   └─────────┘ │
//	      hashed ─────────┘ └──── hashed ───────┘ └── hashed ───┘
//
// So a record is valid only behind the very records it was written behind: not
// in another journal, and not where some bytes of an older end remain. The salt
// is random, which makes a journal another one even if the head is the same.
//
// # Crashes
//
// Reading stops at the first record whose check is wrong: what a crash has torn,
// or the zeros that are written ahead so that a full disk cannot keep the last
// records out. Resume cuts off what lies behind. There is always room for as
// much as the largest Append so far, and for 8 KiB.
//
// # Memory
//
// An index of 24 bytes a run says where in the file its digests are; slices
// that grow make it up to 30. Find reads them from there.
//
// # Limitations
//
//   - The file is one that nobody else writes to; a lock is the owner's concern,
//     and so is that the directory entry of a new file is durable.
//   - The checks find accidents. Someone who can write the file can say in it
//     what he likes.
package journal
