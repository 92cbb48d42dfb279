package transfer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"qft/internal/manifest"
)

// TestMessageOfEntriesIsNeverTooLong: two entries with as many attributes as an
// entry may have.
func TestMessageOfEntriesIsNeverTooLong(t *testing.T) {
	var list []*sentEntry
	for k, n := range []int{32_600, 32_750, 32_700} {
		e := file(fmt.Sprintf("%0200d", k), 5)
		e.Attrs = &manifest.Attrs{Xattrs: []manifest.Xattr{{Name: "user.a", Value: make([]byte, n-200*(1-min(k, 1)))}}}
		raw := manifest.Append(nil, &e)
		if _, _, err := manifest.Parse(raw); err != nil {
			t.Fatal(err)
		}
		list = append(list, &sentEntry{n: int64(k), raw: raw})
	}
	for len(list) > 0 {
		s := &Sender{}
		list = list[s.sendEntries(list):]
		if _, _, rest, err := nextFrame(s.ctl.out); err != nil || rest == nil {
			t.Fatalf("a message of %d bytes: %v", len(s.ctl.out), err)
		}
	}
}

// TestHeavyEntriesDoNotStop: the receiver must take all that a sender has under
// way, since what would settle it comes behind it.
func TestHeavyEntriesDoNotStop(t *testing.T) {
	from, to := trees(t, spec{"t": nil, "t/a": nil, "t/b": nil}, 1)
	for k := range 1535 {
		writeFile(t, filepath.Join(from, "t/a", fmt.Sprint(k)), []byte{1})
	}
	value := make([]byte, 32<<10-200)
	for k := range 1700 {
		p := filepath.Join(from, "t/b", fmt.Sprint(k))
		writeFile(t, p, []byte("x"))
		if err := unix.Setxattr(p, "user.heavy", value, 0); err != nil {
			t.Skip(err)
		}
	}
	defer os.RemoveAll(from)
	w := newWorld(t, 1)
	sc := sending(items(t, from)...)
	sc.Walk.Archive = true
	rc := receiving(to)
	rc.Plant.Archive = true
	w.connect(sc, rc)
	w.wantDelivered()
}
