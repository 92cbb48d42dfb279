// Package walk reads trees of files: entries in order, and the bytes of each.
//
// This file holds the shape of its configuration until the package is merged.
package walk

// Config is what to send.
type Config struct {
	// Paths are the items as a person named them: files, directories, or
	// symlinks to such, which are followed. At least one.
	Paths []string
	// Name is what a single item is called in the manifest. If "", the last
	// element of its path.
	Name string
	// Exclude are patterns as in a .gitignore file that lies in each item.
	Exclude []string
	// GitIgnore makes .gitignore files count, and leaves out ".git".
	GitIgnore bool
	// Archive adds owners and extended attributes.
	Archive bool
}
