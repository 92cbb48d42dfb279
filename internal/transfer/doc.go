// Package transfer moves a tree of files over a connection: messages, blocks,
// verification.
//
// # How it works
//
// The sender walks what a person named and tells it entry by entry; the
// receiver judges each: it is here already, some of it is, it is wanted. Of
// what is wanted the sender makes blocks of at most 1 MiB: a slab is a piece of
// a file larger than that, a pack is several small files, one behind the other.
// It reads a block, hashes it, perhaps compresses it, announces it, and has the
// connection send its bytes. The receiver puts pieces together in whatever
// order they come, compares each whole block with its digest, and writes it.
// Nothing waits for anything but the first word on an entry, so that a file
// costs no round trip.
//
//	sender                                                     receiver
//
//	walk ──────────────── ENTRIES ─────────────────────────► judge ─► verdict
//	  wanted ◄─────────── HAVE, VERDICTS ◄──────────────────────┘
//	  │
//	  └► read, hash ───── BLOCK ─────────────────────────────► compare ─► journal
//	       │                                                      ▲
//	       └► slots ─► ReadBulk ═══ packets ═══► WriteBulk ─► blocks ─► files in
//	         chunks ─►   ▲                          │                    the bed
//	           │      lost packets                  └ spill, stage       │ all
//	           └─ read again                                             ▼ verified
//	                                                                final names
//
// Both sides are machines: driven from one loop by Start, Step, ReadBulk and
// WriteBulk, handed the time, without goroutines. What blocks, which is all
// work on disk and all hashing, goes through Config.Go.
//
// # Memory
//
// Buffers are counted and never more than Config.Memory. The sender keeps the
// blocks it has read ahead and those it has sent last; a packet that was lost
// after its block has gone is read again. The receiver keeps incomplete blocks;
// when they get too many the oldest are written to a scratch file, and read
// back when they are complete. BulkWindow closes when the disk does not keep
// up. Entries are kept from when they are told until they are settled, at most
// 32,768 of them, however many there are.
//
// # Phases
//
//	            Start            ACCEPT            root sent        DONE
//	sender:   Idle ──► Offering ──────► Moving ───────────► Finishing ──► Ended
//
//	            Start            OFFER          Accept          ready
//	receiver: Idle ──► Offering ──────► Deciding ──► Preparing ──────► Moving
//	                                                                    │ complete
//	                              Ended ◄── Telling ◄── Finishing ◄─────┘
//	                                   DONE known    in place
//
//	either:   any of these ─► Stopping ─► Ended      (not from a Finishing
//	                                                  receiver, nor from Telling)
//
// # Control messages
//
// A message is its length (4 bytes, without this header; at most 65,536), its
// type (1 byte) and its body. All numbers are big-endian. A position, length
// or count is 8 bytes and at most 2^46, unless said otherwise.
//
//	0x01 OFFER    s→r  version (1) = 2, log2 of the block size (1) = 20,
//	                   flags (1): 1 a stream, 2 a text, 4 the counts are final,
//	                   8 with the attributes of an archive;
//	                   files, bytes: as far as they were counted; skip;
//	                   label (16): BLAKE3 over the items' names; items (4);
//	                   names of the first: count (1), and each length (2), name;
//	                   with flag 2: length (2), text
//	0x02 ACCEPT   r→s  version (1), flags (1): 1 blocks may be compressed
//	0x03 REJECT   r→s  version (1), Kind (1), length (2), text: instead of ACCEPT
//	0x04 ENTRIES  s→r  number of the first, and entries as package manifest
//	                   encodes them; from the beginning, ACCEPT or not
//	0x05 COUNT    s→r  files, bytes, final (1)
//	0x06 VERDICTS r→s  number of the first entry, and runs: verdict (1), count (4):
//	                   0 WANT, 1 HAVE all of it, 2 the SAME is under its final
//	                   name, 3 SKIP: something else is and stays, 4 REFUSED,
//	                   5 PART of it is here, 6 CLAIM, 7 MADE without any bytes
//	0x07 HAVE     r→s  entry, first slab, 1 to 1,024 digests (32 each): before
//	                   the verdict HAVE or PART
//	0x08 CLAIM    r→s  entry, BLAKE3 of what is here (32): before the verdict CLAIM
//	0x09 BLOCK    s→r  number, bytes on the way (4), flags (1): 1 zstd, 2 again,
//	                   digest (32), extents: count (2), each entry, offset,
//	                   length (4). Its bytes are at number·2^20 of the bulk space
//	0x0a HOLE     s→r  entry, first slab, count: they have no bytes
//	0x0b FAILED   s→r  entry, Kind (1), length (2), text: it will not come
//	0x0c EQUAL    s→r  entry: the claim is right
//	0x0d RESEND   r→s  block: it did not match; its extents come as a new block
//	0x0e SAFE     r→s  bytes that are verified and written; the number of the
//	                   first block that is not settled
//	0x0f ENDED    s→r  entry, size: the stream has ended
//	0x10 END      s→r  entries, blocks, root (32)
//	0x11 DONE     r→s  files, bytes, refused: all else is in place, durably
//	0x12 ABORT    both version (1), Kind (1), length (2), text
//	0x13 DIFFERS  s→r  entry: what is here of it is not what there is
//
// REJECT and ABORT keep this layout in every version. Entries are numbered from
// 0 in the order of telling, blocks in that of their announcements, and of one
// file the slabs come in order, those that are here left out.
//
// The digest of a slab is the chaining value of its subtree in the file's
// BLAKE3, or zeros for a hole; that of a pack is made of its files' plain
// BLAKE3 hashes (package digest). The root is BLAKE3 in key derivation mode
// over, for each entry, its encoding, its verdict, and the digest of its content
// if that was transferred, now or before.
//
// # Limitations
//
//   - What Skip vouches for is not verified.
//   - A file is known again by path, size and modification time. One that was
//     changed without changing these, between two runs, is noticed only by a
//     sender that still has its cache of hashes.
//   - A change of a file during a transfer is noticed by its size and
//     modification time, and by a digest where a block is read again.
//   - A stream cannot be resumed.
package transfer
