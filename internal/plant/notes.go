package plant

import (
	"fmt"
	"maps"
	"os/user"
	"slices"
	"strconv"

	"qft/internal/manifest"
)

// notes counts what could not be done, by its sort.
type notes map[string]note

type note struct {
	count int
	first string
}

// note notes that something of the entry p could not be set: the bytes are what
// was asked for. It returns what is an error all the same: the disk is broken or
// full.
func (b *Bed) note(what, p string, err error) error {
	if err == nil || isBroken(err) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.notes == nil {
		b.notes = make(notes)
	}
	n := b.notes[what]
	if n.count++; n.count == 1 {
		n.first = fmt.Sprintf("%s: %v", printable(p), Cause(err))
	}
	b.notes[what] = n
	return nil
}

func (n notes) lines() []string {
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(n)) {
		line := what + " not as sent: " + n[what].first
		if more := n[what].count - 1; more > 0 {
			line += fmt.Sprintf(" (and %d more)", more)
		}
		lines = append(lines, line)
	}
	return lines
}

// owners remembers which users and groups of the sender's exist here.
type owners struct{ users, groups map[string]int }

// maxOwners bounds them: whoever comes later is taken by number.
const maxOwners = 4096

// owner is the user and group here that go by the names at the sender, or by
// the numbers if nobody here has the names.
func (b *Bed) owner(a *manifest.Attrs) (uid, gid int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owners.users == nil {
		b.owners = owners{make(map[string]int), make(map[string]int)}
	}
	uid = known(b.owners.users, a.User, int(a.UID), func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	gid = known(b.owners.groups, a.Group, int(a.GID), func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	return uid, gid
}

// known looks a name up once. -1 in the map is a name that nobody has here.
func known(ids map[string]int, name string, otherwise int, lookup func(string) (string, error)) int {
	if name == "" {
		return otherwise
	}
	id, seen := ids[name]
	if !seen && len(ids) < maxOwners {
		id = -1
		if text, err := lookup(name); err == nil {
			if n, err := strconv.Atoi(text); err == nil {
				id = n
			}
		}
		ids[name] = id
		seen = true
	}
	if !seen || id < 0 {
		return otherwise
	}
	return id
}

// maxLost is how many of what was lost are remembered by name.
const maxLost = 100

// lose notes that an entry could not be made at all: it is one more name of a
// file that did not come.
func (b *Bed) lose(p string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.losses++; len(b.lost) < maxLost {
		b.lost = append(b.lost, p)
	}
}

// Lost is what Commit could not make, because the file that it is another name
// of did not come: the first of them, and how many they are.
func (b *Bed) Lost() (handles []string, count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost, b.losses
}
