// Package walk reads trees of files: entries in order, and the bytes of each.
//
// # Order
//
// A walk is pulled: each Next looks at as many names as it is asked for, and
// nothing runs between. Items come in the order in which they were named, what
// is in a directory in the order of the bytes of its names, and directories
// depth first, as the manifest has it. So one tree makes one manifest.
//
// # Races
//
// Trees are walked while others work in them. Directories are opened one below
// the other, never along a path, and never through a symlink; so a directory
// that is replaced by a symlink meanwhile leads nowhere else. What is
// removed between reading a name and looking at it is left out silently: a
// moment later the name would not have been there either. A name added to a
// directory after its names were read is not seen.
//
// Open goes along Found.Path, which others may have changed, and therefore
// compares inode, size and modification time with what the walk saw, before
// and after opening. Whatever is read is the file that was found.
//
// # Other grounds
//
// An fs.FS is walked likewise, by the same rules and in the same order. Its
// calls may block, so each runs in a goroutine of its own, which is left behind
// when Config.Cut is closed. What it makes up is not believed: names that are
// none, lengths that cannot be, directories without an end.
//
// # Memory and descriptors
//
// The walk remembers the names of the directories on the way to where it is,
// 6 bytes beyond each name's own, and the first names of up to 1<<20 files
// that have several. It holds at most maxOpen of those directories open; on
// the way back it opens the others again, by ".." of the one below, and makes
// sure that they are what they were.
//
// # Hard links
//
// The first name of a file is found as a File, every other one as a Link to it,
// across all items.
//
// # Excluding
//
// Patterns mean what they mean for git, byte for byte (gitignore(5)): the last
// pattern that matches decides; those of Config.Exclude come before those of
// .gitignore files, and deeper files before those above them. What is in an
// excluded directory cannot be taken in again. A directory whose .gitignore
// cannot be read is not sent.
//
// # Limitations
//
//   - Files of /proc and the like, which say that they are empty, arrive empty.
//   - Of git's sources only .gitignore files within the items count: not those
//     above them, .git/info/exclude, core.excludesFile or core.ignoreCase. Nor
//     does it count that a file is tracked.
//   - Elsewhere than on Linux, FreeBSD and macOS there are no inodes, so hard
//     links arrive as files of their own, and no holes, owners and extended
//     attributes.
//   - ACLs are read where they are extended attributes (Linux). On FreeBSD and
//     macOS, extended attributes are read along paths.
//   - Compressing file systems make files look Sparse that have no holes.
package walk
