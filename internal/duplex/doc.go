// Package duplex carries an ordered stream of bytes each way over a connection.
//
// An End is one side. In the loop it is a machine as both sides of a transfer
// are: Start, Step, Deadline, ReadBulk, WriteBulk, handed the time. Beside the
// loop, Read, Write, CloseWrite and Hang may be called from any goroutine, and
// block.
//
// # How it works
//
// The bytes of a direction are bulk: byte n of the stream is offset n of the
// linear space, so what is lost delays only what has to wait for it, and a
// packet in flight costs no copy. The writer keeps bytes until it is told that
// they were read, and that is also how it is kept from writing more than a
// window ahead of the reader: both sides need no more than a window of memory
// for a direction, and each window grows only as far as it is used.
//
//	Write ─► window ─► ReadBulk ═══ packets ═══► WriteBulk ─► window ─► Read
//	           ▲                                                          │
//	           └──────────────────────── READ ◄───────────────────────────┘
//
// # Control messages
//
// They are framed as those of a transfer are: length (4 bytes, without this
// header), type (1), body. Numbers are big-endian.
//
//	STREAM 0x40  version (1)  the first message of both sides
//	READ   0x41  offset (8)   all bytes below have been read
//	END    0x42  offset (8)   there are so many bytes and no more
//	CLOSED 0x43               nothing more is read here; behind the last READ
//
// Bulk leaves once the other side's STREAM has come. The other side may have
// come for files: its first message is then another one, or none and the
// answer of a transfer to STREAM. Both sides end with transfer.Foreign.
//
// # How it ends
//
// CloseWrite ends one direction by END. Hang ends both: what was written is
// brought to the other machine, for as long as that gets on, then CLOSED says
// what was not read here, and the connection is closed. The other side reads
// what has arrived, up to the end that was told.
//
//	            Start          STREAM        Hang           all is there
//	End:   idle ─────► greeting ─────► open ─────► closing ────────────► ended
//	                      │ not a stream, broken rules                     ▲
//	                      └─────────► failing ── the other side knows ─────┘
//
// # Limitations
//
// A direction carries 2^48 bytes (256 TiB) at most. There are no deadlines and
// no urgent data: whoever does not want to wait for a peer without contact
// hangs up.
package duplex
