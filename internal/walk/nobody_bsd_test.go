//go:build darwin || freebsd

package walk

import (
	"os"
	"testing"
)

// asNobody calls f, unless as root, who does not notice permissions.
func asNobody(t *testing.T, _ string, f func()) {
	if os.Geteuid() == 0 {
		t.Skip("root may read all, and here a thread cannot be another user")
	}
	f()
}
