// Package digest hashes blocks such that they join into the BLAKE3 of the file.
//
// BLAKE3 is a binary tree over chunks of 1,024 bytes, in which the left branch
// of every node is complete. A slab, the piece [i MiB, (i+1) MiB) of a file, is
// 1,024 chunks that begin at chunk 1,024*i, and therefore a whole subtree; what
// its top hands to its parent (the chaining value: see section 2.1 of the BLAKE3
// paper) serves as the slab's digest. Slabs can so be verified one by one, in
// any order, and their digests still add up to what b3sum prints:
//
//	              root                        what b3sum prints
//	            /      \
//	         node       \                     Tree
//	        /    \       \
//	     slab 0  slab 1  slab 2               Slab: chaining values
//	     /    \
//	   ...    ...                             512 KiB, 256 KiB ... 16 KiB
//	  /  \
//	c0 .. c15                                 16 chunks, hashed side by side
//
// A file of at most one block is its own root and has its plain BLAKE3, which
// differs from its chaining value as a slab: File and Slab never agree.
//
// Lists of digests (Pack, Set.Sum) are hashed in key derivation mode, each with
// a context of its own: a file that consists of digests must not have the
// digest of what they were taken from.
//
// # Holes
//
// A slab without data has no digest of its own; the zero Sum marks it. Nothing
// else ever has that value: finding a block that has it is as hard as breaking
// BLAKE3.
//
// # Speed
//
// Bytes are hashed by lukechampine.com/blake3/guts, 16 chunks side by side with
// AVX-512 and 8 with AVX2; on other processors in plain Go, one by one.
//
// # Concurrency
//
// The functions may be called at the same time; a Tree or a Set belongs to one
// goroutine.
package digest
