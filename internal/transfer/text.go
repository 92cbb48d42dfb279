package transfer

import "qft/internal/manifest"

// maxName is how many bytes of a name are shown.
const maxName = 255

// printable is manifest.Printable of at most limit bytes.
func printable(text string, limit int) string {
	return manifest.Printable(text[:min(len(text), limit)])
}
