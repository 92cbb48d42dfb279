// Package secret turns a phrase into keys, and keys into sealed packets.
//
// # Phrases
//
// A generated code is a number, which is a public room at the helper, and
// three words of a list of 2,048, which are the password (33 bits). Any other
// text is a phrase of the user's own: Argon2id makes a seed of it, and from
// the seed come, by separate labels, 20 bits of room and 256 bits of password.
//
// # The meeting
//
// The sender is the initiator. Both know sid, the rendezvous ids of the two
// members. CPace (draft-irtf-cfrg-cpace-21, CPACE-X25519-SHA512,
// initiator-responder) runs over the password; ML-KEM-768 (FIPS 203) runs
// beside it, its messages being CPace's associated data.
//
//	initiator (sender)                          responder (receiver)
//	g  = generator(password, roles, sid)        g, the same
//	Ya = ya*g;  ek, dk = ML-KEM key pair
//	     m1:  version 1 flags Ya ek
//	     ------------------------------------->
//	                                            Yb = yb*g;  K = yb*Ya
//	                                            ct, ss = encapsulate(ek)
//	     m2:  version 2 flags Yb ct  tag_b  box(payload)
//	     <-------------------------------------
//	K = ya*Yb;  ss = decapsulate(ct)
//	tag_b wrong: ErrWrongPhrase, nothing more is sent
//	     m3:  version 3 tag_a  box(payload)
//	     ------------------------------------->
//	                                            tag_a wrong: ErrWrongPhrase
//
// Who guesses must commit to one password with one share, and learns from one
// tag whether it was right. A guessing responder shows the guess before seeing
// anything of the sender; a guessing initiator learns it from tag_b, but then
// owes a valid m3, so the responder can count that guess too. What a bystander
// sees fits every password alike: Ya and Yb are uniformly distributed in the
// one group that every password's g generates, and the tags are keyed by K.
//
// # Key schedule
//
// All of it is HKDF with SHA-512; expand is labelled (see expandLabel).
//
//	ISK = SHA-512(lv_cat("CPace255_ISK", sid, K) || transcript)
//	th1 = SHA-512(lv_cat("qft 1 handshake", sid, m1, m2 before tag_b))
//	th2 = SHA-512(lv_cat("qft 1 handshake", th1, m2 from tag_b))
//
//	ISK || ss ── Extract(salt th1) ──► master
//	master ─┬─ "confirm responder" th1 ──► tag_b = HMAC(·, th1)[:32]
//	        ├─ "payload responder" th1 ──► box of m2
//	        ├─ "confirm initiator" th2 ──► tag_a = HMAC(·, th2)[:32]
//	        ├─ "payload initiator" th2 ──► box of m3
//	        └─ "session" th2 ──► session ─┬─ "exporter" ──► Export, Box
//	                                      ├─ "traffic initiator" ─┐
//	                                      └─ "traffic responder" ─┤
//	            ┌──────────────── "key update" ◄──────────────────┤
//	            └─► next traffic secret         "key", "iv" ◄─────┘
//
// # Packets
//
// A packet is sealed in place: its header is the additional data, the nonce is
// the iv XOR the 64-bit packet number (RFC 9001 section 5.3), which never
// repeats. The AEAD is AES-128-GCM where both sides have AES hardware, else
// ChaCha20-Poly1305. Each direction updates its key by itself and says so by
// one phase bit in the header:
//
//	phase   0 0 0 0 1 1 1 0 1 1 1 ...      the late 0 still opens with the
//	                ^ first packet         previous key: its number is below
//	                                       the first of phase 1
//
// # Limitations
//
//   - The room of an own phrase is 20 bits of a hash of it, which the helper
//     sees. It confirms no guess, but whoever spends one Argon2id per guess
//     can strike out all but a millionth of a dictionary and try the rest
//     online. Own phrases want 50 bits or more; generated codes have no such
//     weakness.
//   - A guess is right by chance once in 2^33 for a code. Counting wrong
//     guesses, and stopping after a few, is the caller's duty.
//   - ML-KEM protects recordings. Someone with a quantum computer during the
//     meeting could solve CPace's discrete logarithms and impersonate.
//   - ErrWrongPhrase also covers a helper that altered a share: no one without
//     the password can tell these apart.
//   - The key of a Box is one for both directions; see Session.Box.
//   - Go's runtime may copy memory: secrets are cleared where that is cheap,
//     which is a habit and not a guarantee.
//   - Failed opens are not counted, though RFC 9001 section 6.6 wants a
//     ChaCha20-Poly1305 key dropped after 2^36 of them. That many forgeries,
//     19 hours of 10^6 packets a second, succeed with a chance of 2^-57.
package secret
