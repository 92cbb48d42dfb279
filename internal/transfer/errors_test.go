package transfer

import "testing"

// TestFoldersHaveWords: nobody has to know what a dot stands for.
func TestFoldersHaveWords(t *testing.T) {
	for want, e := range map[string]*Error{
		"write to this folder: permission denied":              {Kind: Permission, Op: "write to", Path: "."},
		"this folder: not enough space":                        {Kind: NoSpace, Path: "."},
		"the other side reports: its folder: not enough space": {Kind: NoSpace, Path: ".", Peer: true},
		"the other side reports: film: not enough space":       {Kind: NoSpace, Path: "film", Peer: true},
		"write film: no such file or directory":                {Kind: NotFound, Op: "write", Path: "film"},
	} {
		if e.Error() != want {
			t.Errorf("it is %q, want %q", e, want)
		}
	}
}
