// Package faulty is a disk in memory that fails: the test twin of the system's
// disk behind plant.FS.
//
// # What a crash loses
//
// What was not synced survives a crash by chance, from a seed, and in no order:
//
//   - A change of names (made, linked, renamed, removed) is durable when a
//     directory that it concerns was synced. Otherwise it may survive or not,
//     but only on top of the earlier changes of the same names, and a renaming
//     is never torn. A directory is not gone before what was in it is.
//   - The bytes of a file are durable after its Datasync or Sync. Otherwise each
//     sector of 512 bytes that was written may be as before or as after, and so
//     may the length.
//   - Its mode and time are durable after its Sync, those of a directory after
//     the directory's.
//
// That is less than the usual file systems promise, which keep the order of
// changes, so what survives here survives there.
//
// # Other faults
//
// The n-th call can fail with any error, before or, of a write, after half of
// it was done; or the power fails at the n-th call, after which every call fails
// until Crash has given the disk its next life. Modes are obeyed as for a user
// without privileges. Capacity, the folding of names, coarse times and what
// file systems cannot do are Options.
package faulty
