package walk

import (
	"context"

	"qft/internal/manifest"
)

// countStep is after how many finds Count reports.
const countStep = 1 << 10

// Count goes through the trees on its own, quickly, and reports how many files
// there are, more names of one file not counted, and how many bytes they have:
// now and then, and at the end. It may run beside Next. If ctx ends first, it
// returns its error.
func (w *Walk) Count(ctx context.Context, report func(files, bytes int64)) error {
	cfg := w.cfg
	cfg.Archive = false
	c := newWalker(cfg, w.items)
	defer c.close()
	var files, bytes int64
	var f Found
	for n := 1; c.next(&f); n++ {
		if f.Problem == nil && f.Kind == manifest.File {
			files++
			bytes += f.Size
		}
		if n%countStep == 0 {
			report(files, bytes)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	report(files, bytes)
	return nil
}
