package plant

import (
	"os"
	"time"
)

// traits is what a file system does to names and times.
type traits struct {
	folds    bool          // names that differ may be one to it: A and a, é and e with an accent
	colons   bool          // a name may have characters that Windows does not allow
	syncsAll bool          // one call makes all that was written durable
	grain    time.Duration // times that differ by less may be one to it; 0: it keeps them as they are
}

// probe asks the file system for its traits. What it does not answer it is
// taken not to do.
func (b *Bed) probe() traits {
	t := traits{syncsAll: b.home.SyncsAll(), colons: true}
	// An odd second and a fraction that no coarser unit can hold.
	asked := time.Unix(1_000_000_001, 987_654_321)
	if b.home.SetTime(laterName, asked) == nil {
		if info, err := b.home.Lstat(laterName); err == nil {
			t.grain = grainOf(asked.Sub(info.ModTime()))
		}
	}
	const composed, apart = "\u00e9:", "e\u0301:"
	switch err := b.touch(composed); {
	case err == nil:
		_, err = b.home.Lstat(apart)
		t.folds = err == nil
		b.home.Remove(composed)
	case isBadName(err):
		t.colons = false
	}
	_, err := b.home.Lstat("LATER")
	t.folds = t.folds || !t.colons || err == nil
	return t
}

func (b *Bed) touch(name string) error {
	f, err := b.home.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	return f.Close()
}

// grainOf is the unit of time of which a fraction of that size was lost.
func grainOf(lost time.Duration) time.Duration {
	for _, unit := range []time.Duration{0, 100, time.Microsecond, time.Millisecond, 10 * time.Millisecond,
		100 * time.Millisecond, time.Second, 2 * time.Second} {
		if lost.Abs() <= unit {
			return unit
		}
	}
	return 0 // it does not keep times at all
}

// sameTime reports whether a file's time is what the file system makes of a
// sender's.
func (t traits) sameTime(stored, sent time.Time) bool {
	if stored.Equal(sent) {
		return true
	}
	return stored.Sub(sent).Abs() < t.grain
}
