// Package transport turns unreliable packets into reliable bytes at the speed
// the path allows.
//
// A Conn is a machine: it is handed packets and the time, and appends packets
// to a batch. It offers two services to the layer above:
//
//   - streams: a few ordered byte streams with small windows, for control;
//   - bulk: ranges of a linear byte space that the peer's Sink is to hold. A
//     bulk packet says where its bytes go, so it is useful whatever arrives
//     before or after it. Bytes are read from the Source when a packet is
//     built and read again when they must be sent again: a packet in flight
//     costs its record, not its payload.
//
// # Packet
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|1|0 0 0 0|A|M|K|              Connection ID (24)               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Packet Number (64)                       |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 Frames, sealed with the packet keys         ...
//
// K is the key phase. M: the packet is measured, that is, the receiver counts
// it for the congestion controller of the sender. A: the sender asks for an
// acknowledgement at once (the IMMEDIATE_ACK of
// draft-ietf-quic-ack-frequency). The twelve bytes before the frames are the additional
// data of the AEAD; the packet number is its nonce and is never used twice in
// one direction. Frames follow each other until the packet ends. Integers are
// variable-length as in RFC 9000 section 16 unless a width is given.
//
//	PADDING  0x00  everything to the end of the packet is zero
//	PING     0x01
//	ACK      0x02  largest, delay (us), window (bytes), newest measured
//	               packet, when it arrived (us, on the receiver's clock),
//	               bytes of all measured packets that had arrived by then,
//	               range count, first range, then per range: gap, range
//	               (RFC 9000 section 19.3.1)
//	STREAM   0x03  stream (8), offset, length, data
//	BULK     0x04  offset (48), data to the end of the packet
//	WINDOW   0x05  stream (8), offset below which bytes may be sent
//	CHALLENGE 0x06 8 bytes
//	RESPONSE  0x07 the 8 bytes of a challenge
//	CLOSE    0x08  code, length, reason (UTF-8, at most 256 bytes)
//	WISH     0x09  rate (bytes per second, 0: no matter), flags (8): 1 background, 2 paused
//	REPORT   0x0a  cause (8), loss (ppm), rate (bytes per second), RTT (us)
//
// All but PADDING, ACK, CHALLENGE, RESPONSE and REPORT are acknowledged and,
// when lost, sent again with their newest content.
//
// # Pause
//
// Either end may pause: it sets the flag in its WISH, which both ends send for
// that, and neither sends bulk while one of the two has it set. What is in
// flight is acknowledged or found lost, and stays queued; streams, probes for
// contact, for a path and for its MTU go on, and so does the congestion
// controller, which learns nothing from what was not asked for.
//
// # What is kept from QUIC, and what is not
//
// Packet numbers that never repeat, ack ranges, the loss timer and the probe
// timeout (RFC 9002), reordering tolerance in time as in RACK (RFC 8985), path
// MTU discovery (RFC 8899), path validation (RFC 9000 section 8.2), key
// updates. Left out: packet number encryption (an observer of both sides of a
// migration can link them), connection migration to an unvalidated address,
// stream multiplexing beyond four streams.
//
// # Limitations
//
// A connection does not end by itself when the peer is silent: it goes on
// probing more than once a second for as long as the caller keeps it. Bulk offsets
// end at 2^48 bytes (256 TiB).
package transport
