package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shells run a script of theirs that prints what Tab would offer at the end of
// the line $LINE, one a line. The program's own script is the file $SCRIPT.
var shells = map[string]struct{ flags, script string }{
	"bash": {"--norc --noprofile -c", `
		. "$SCRIPT"
		read -ra COMP_WORDS <<<"$LINE"
		case $LINE in *' ') COMP_WORDS+=('');; esac
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9
		__start_qft
		printf '%s\n' "${COMPREPLY[@]}"`},
	"fish": {"--no-config -c", `source $SCRIPT; complete -C $LINE`},
	"zsh": {"-f -c", `
		compdef() { :; }
		_describe() { local name; for name in "$@"; do case $name in completions) print -l -- ${completions//\\:/:};; esac; done }
		_arguments() { :; }
		. "$SCRIPT"
		words=(${=LINE}) CURRENT=${#words}
		case $LINE in *' ') CURRENT=$((CURRENT + 1));; esac
		_qft`},
}

// TestTabInRealShells: the scripts work in the shells that they are for, without
// anything else being installed there.
func TestTabInRealShells(t *testing.T) {
	bin, err := kit.qft()
	if err != nil {
		t.Fatal(err)
	}
	for shell, how := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(err)
			}
			text, err := exec.Command(bin, "completion", shell).Output()
			if err != nil {
				t.Fatal(err)
			}
			script := filepath.Join(t.TempDir(), "qft."+shell)
			if err := os.WriteFile(script, text, 0o600); err != nil {
				t.Fatal(err)
			}
			for line, want := range map[string]string{
				"qft rec":                    "receive",
				"qft receive 7-acid-roboti":  "7-acid-robotics",
				"qft help sec":               "security",
				"qft config gitig":           "gitignore",
				"qft config existing over":   "overwrite",
				"qft receive --existing ren": "rename",
				"qft send --no-off":          "--no-offload",
				"qft completion pow":         "powershell",
			} {
				cmd := exec.Command(path, append(strings.Fields(how.flags), how.script)...)
				cmd.Env = append(os.Environ(), "SCRIPT="+script, "LINE="+line, "HOME="+t.TempDir(),
					"PATH="+filepath.Dir(bin)+string(os.PathListSeparator)+os.Getenv("PATH"))
				out, err := cmd.CombinedOutput()
				offered := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' || r == '\t' || r == ':' || r == ' ' })
				if err != nil || !slices.Contains(offered, want) {
					t.Errorf("%q offers %q, %v", line, out, err)
				}
			}
		})
	}
}
