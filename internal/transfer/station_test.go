package transfer

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"qft/internal/plant/faulty"
)

// newStationOf is a station with a tree and so much room.
func newStationOf(t *testing.T, tree spec, room int64) *station {
	t.Helper()
	from, _ := trees(t, tree, 1)
	s := &station{t: t, rng: rand.New(rand.NewPCG(1, 8)), disk: faulty.New(1, faulty.Options{Capacity: room}), from: from}
	s.look()
	return s
}

// look notes what the source is now.
func (s *station) look() {
	s.t.Helper()
	s.want = make(map[string]string)
	err := filepath.WalkDir(s.from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == s.from {
			return err
		}
		info, err := os.Lstat(p)
		if err != nil {
			return err
		}
		var b []byte
		switch {
		case info.Mode().IsRegular():
			b, err = os.ReadFile(p)
		case info.Mode()&fs.ModeSymlink != 0:
			var text string
			text, err = os.Readlink(p)
			b = []byte(text)
		}
		rel, _ := filepath.Rel(s.from, p)
		s.want[rel] = portrait(info.Mode(), info.ModTime(), b)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
