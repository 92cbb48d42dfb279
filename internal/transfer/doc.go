// Package transfer moves a tree of files over a connection: manifest, blocks,
// journal, verification, disk. Today the tree is one regular file.
//
// # How it works
//
// A transfer's files, in the order of the manifest, form one linear space of
// bytes, which is cut into blocks of 1 MiB. The sender reads block after block,
// hashes each with BLAKE3 while it is in memory, and has the connection send
// its bytes; hashes travel beside them on the control stream, so nothing is
// read before the first byte leaves. The receiver puts pieces, in whatever
// order they come, into blocks, and compares each whole block with its hash.
//
//	sender                                                receiver
//
//	file ─► read ahead ─► hash ─────────── HASH ────────► compare ─► journal
//	             │                                           ▲
//	             └► slots ─► ReadBulk ═══ packets ═══► WriteBulk ─► write ─► .NAME.qft-part
//	                chunks ─►   ▲                            │                    │
//	                  │      lost packets                    └ spill, stage       │ all verified
//	                  └─ read again                                               ▼
//	                                                                            NAME
//
// Both sides are machines: driven from one loop by Start, Step, ReadBulk and
// WriteBulk, handed the time, without goroutines. What blocks, which is all
// work on disk and all hashing, goes through Config.Go.
//
// # Memory
//
// Buffers are counted and never more than Config.Memory. The sender keeps the
// blocks it has read ahead and those it has sent last; a packet that was lost
// after its block has gone is read again, in chunks of 64 KiB. The receiver
// keeps incomplete blocks; when they get too many the oldest are written as far
// as they are there, later pieces of them are gathered and written too, and
// the complete block is read back to be hashed. BulkWindow closes when the disk
// does not keep up.
//
// # Phases
//
//	            Start            ACCEPT            root sent        DONE
//	sender:   Idle ──► Offering ──────► Moving ───────────► Finishing ──► Ended
//
//	            Start            OFFER               ready        complete
//	receiver: Idle ──► Offering ──────► Preparing ──────► Moving ──────► Finishing
//	                                                                        │ in place
//	                                                  Ended ◄── Telling ◄───┘
//	                                                     DONE known, or 60 s
//
//	either:   any of these ─► Stopping ─► Ended      (not from a Finishing
//	                                                  receiver, nor from Telling)
//
// # Control messages
//
// A message is its length (4 bytes, without this header; at most 65,536), its
// type (1 byte) and its body. All numbers are big-endian. A position, length
// or count of bytes is 8 bytes and at most 2^46.
//
//	0x01 OFFER   s→r  version (1) = 1, log2 of the block size (1) = 20,
//	                  start (8): what the sender skips,
//	                  entries (4) = 1, and each entry:
//	                    kind (1) = 1 regular file, permission bits (2),
//	                    modification time: seconds (8, signed), nanoseconds (4),
//	                    size (8), length of the name (2), name
//	0x02 ACCEPT  r→s  version (1) = 1, from (8): all before is there,
//	                  had (8): bytes that are there, by this and by HAVE
//	0x03 REJECT  r→s  version (1), Kind (1), length (2), text: instead of ACCEPT
//	0x04 HASH    s→r  first block (8), 1 to 1,024 hashes (32 each)
//	0x05 HAVE    r→s  the same, of verified blocks that must not be sent: before
//	                  ACCEPT those of the journal, behind it those before from
//	0x06 RESEND  r→s  block (8): it did not match; send its HASH and bytes again
//	0x07 SAFE    r→s  bytes (8) of the space that are verified and written
//	0x08 END     s→r  root (32), behind the HASH of every block that is not HAVE
//	0x09 DONE    r→s  nothing: the file is in place, durably
//	0x0a ABORT   both version (1), Kind (1), length (2), text
//
// REJECT and ABORT keep this layout in every version. The root is BLAKE3 in
// key derivation mode, with the context string rootContext, over the hashes of
// all blocks in order. Blocks are numbered from offset 0 and clipped to [start,
// size), and so are their hashes.
//
// # Journal
//
// ".NAME.qft-journal" lies beside ".NAME.qft-part" and says which of its blocks
// are safe. Its lock keeps a second receiver away.
//
//	header  "qftjrnl1" (8), length of the header (4), block size (4), size (8),
//	        start (8), skip (8), modification time: seconds (8), nanoseconds (4),
//	        length of the name (2), name, check (8)
//	record  first block (8), count (2) = 1 to 1,024, count hashes (32 each),
//	        check (8)
//
// A check is the first 8 bytes of BLAKE3 over what precedes it, in a record
// over the header's check and the record. Records are written after the blocks
// were synced, every 2 s or 64 MiB, and at the end. Reading stops at the first
// record whose check is wrong: what a crash has torn, or the zeros that are
// written ahead so that a full disk cannot keep the last records out.
//
// # Limitations
//
//   - What Skip vouches for is not verified, except for the block in which it
//     ends.
//   - A file is known again by name, size and modification time. One that was
//     changed without changing these, between two runs, makes a mixture.
//   - A change of the file during a transfer is noticed by its size and
//     modification time, and by a hash where a block is read as a whole again.
//   - On file systems with neither an exclusive rename nor hard links (FAT on
//     FreeBSD or Windows), a target that appears in the very moment of the
//     final rename would be overwritten.
//   - Holes arrive as zeros.
package transfer
