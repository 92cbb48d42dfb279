// Package plant grows a tree of files beside its place, hidden until it is
// whole, and puts it there.
//
// # A bed
//
// Everything of a transfer lies in one hidden directory beside the target:
//
//	.photos.qft-part/        mode 0700; of several items ".FIRST+N~label.qft-part"
//	    journal              the engine's; its lock is the bed's lock
//	    data/                the tree under its file names
//	        photos/
//	            a.jpg        a small file, complete
//	            .1f2e…qft-part   a large one that grows; its name tells its version
//	    later                links, and what directories need at the end
//	    record               facts for a run that continues Commit; mostly missing
//	    probes               names asked of a file system that folds them
//	    scratch              the engine's
//
//	Open ─► Ground ─ Prepare ─► Bed ─ Place ─► WriteFile, or OpenFile ─► Finish
//	                             │      ▲              │
//	                             │      └── next ◄─────┴── Sync, now and then
//	                             ├─► Commit    in place, the bed is gone
//	                             ├─► Close     kept for a later run
//	                             └─► Discard   gone
//
// Place says of each entry, in the order of the manifest, what is here of it.
// A file that it calls Kept or Part is one that an earlier run has left; only
// the engine's journal knows what of its bytes was verified and synced, and it
// must forget what it knows of a file that Place calls Fresh: what grows now
// under that name nobody has vouched for.
//
// # Order of what is durable
//
// Commit makes links and the metadata of directories in data/, syncs, moves
// each item to its final name with one exclusive rename, or merges it file by
// file into a directory that exists, syncs again, and only then removes the
// bed. Each file is under its name in the bed or under its final one at any
// moment, and never half. A run that is cut off anywhere is continued by the
// next: what has been moved it finds to be the same. Package faulty loses what
// was not synced, in any order, at each call in turn.
//
// # Names
//
// A sender's name is one element of any bytes. What cannot be a file name
// here, or could deceive who reads it, is escaped as %XX; a name that means
// two things to the file system gets "~2", an item whose name is taken " (2)"
// if the policy is Rename. Names that qft gives itself are refused. All access
// goes through open directories, one element at a time, and follows no symbolic
// link, whoever has put it there (see FS).
//
// # Speed
//
// A small file costs one open, write, chmod, utimes and close in a directory
// that is held open, and nothing on the disk is looked at where nothing can be.
// Durability comes from syncfs where there is one, else from a sync of each
// file and directory.
//
// # Limitations
//
//   - A file that exists is taken for the sender's if its size and time are
//     the same, unless Config.Checksum asks for its content.
//   - On file systems with neither an exclusive rename nor hard links a target
//     that appears in the very moment of the final rename is overwritten.
//   - In a merge with a directory on another disk, or on a system without hard
//     links for another name of a file, files are copied: without owners and
//     extended attributes.
//   - Directories that existed keep their modes, owners and times.
//   - Windows keeps no modes but read-only, and times of links are not set
//     there.
package plant
