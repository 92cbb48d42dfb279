package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"qft/internal/settings"
)

// runs returns what the program prints on its outputs, and its exit code.
func runs(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	tm := newTerminal(strings.NewReader(""), &out, &err)
	code = run(context.WithoutCancel(t.Context()), tm, name, args)
	return out.String(), err.String(), code
}

// TestManualHasAllThereIs: commands, flags, settings, topics, exit codes.
func TestManualHasAllThereIs(t *testing.T) {
	page, _, code := runs(t, "qft", "man")
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	wants := func(what, text string) {
		t.Helper()
		if !strings.Contains(page, escape(text)) {
			t.Errorf("the manual has no %s %q", what, text)
		}
	}
	root := rootCommand(newTerminal(nil, nil, nil))
	for _, c := range visibleCommands(root) {
		wants("command", "qft "+c.Use)
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				wants("flag", "--"+f.Name)
			}
		})
	}
	for _, k := range settings.Keys() {
		wants("setting", k.Name+", "+k.Variable())
	}
	for _, e := range exits() {
		wants("exit code", fmt.Sprintf("%5d  %s", e.code, e.about))
	}
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skipf("its form is not checked: %v", err)
	}
	var shown, said bytes.Buffer
	cmd := exec.Command("groff", "-ww", "-man", "-Tascii", "-P-bou", "-P-c", "-rLL=78n")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(page), &shown, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Errorf("groff says %v: %s", err, said.Bytes())
	}
	for line := range strings.SplitSeq(shown.String(), "\n") {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// TestHelpFitsATerminal: of the usual 80 columns; and the list of commands of 40
// lines, the two that people need first.
func TestHelpFitsATerminal(t *testing.T) {
	root := rootCommand(newTerminal(nil, nil, nil))
	for _, c := range append(visibleCommands(root), root) {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		out, _, code := runs(t, "qft", args...)
		if code != 0 {
			t.Errorf("%s: exit code %d", c.CommandPath(), code)
		}
		for line := range strings.SplitSeq(out, "\n") {
			if len([]rune(line)) > helpWidth {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), len([]rune(line)), line)
			}
		}
	}
	out, _, _ := runs(t, "qft", "--help")
	send, receive, last := strings.Index(out, "\n  send "), strings.Index(out, "\n  receive "), strings.Index(out, "\n  resume ")
	if strings.Count(out, "\n") > 40 || send < 0 || send > receive || receive > last {
		t.Errorf("the list of commands:\n%s", out)
	}
}

// TestTopicsFitAScreen: at most 60 lines of 79 columns, and each names only
// topics that there are.
func TestTopicsFitAScreen(t *testing.T) {
	list, _, _ := runs(t, "qft", "help", "topics")
	for _, name := range topicNames() {
		out, _, code := runs(t, "qft", "help", name)
		if code != 0 || strings.Count(out, "\n") > 60 || strings.Count(out, "\n") < 10 {
			t.Errorf("%s: exit code %d, %d lines", name, code, strings.Count(out, "\n"))
		}
		for line := range strings.SplitSeq(out, "\n") {
			if len([]rune(line)) > 79 {
				t.Errorf("%s: %d columns: %s", name, len([]rune(line)), line)
			}
			for rest := line; ; {
				_, after, ok := strings.Cut(rest, "qft help ")
				if !ok {
					break
				}
				word, _, _ := strings.Cut(strings.TrimRight(strings.Fields(after)[0], ".,;"), " ")
				if _, _, code := runs(t, "qft", "help", word); code != 0 && word != strings.ToUpper(word) {
					t.Errorf("%s names qft help %s, which there is not", name, word)
				}
				rest = after
			}
		}
		if name != "topics" && !strings.Contains(list, "    "+name) {
			t.Errorf("the list has no %s", name)
		}
	}
	if _, said, code := runs(t, "qft", "help", "nonsense"); code != 2 || !strings.Contains(said, "qft help topics") {
		t.Errorf("exit code %d, %q", code, said)
	}
}

// TestOtherNames: links to the program are its historical commands.
func TestOtherNames(t *testing.T) {
	for path, want := range map[string]string{"/usr/bin/qfts": "qfts", `qftr.exe`: "qftr", "./QFTS.EXE": "qfts", "qft": "qft"} {
		if got := calledAs(path); got != want {
			t.Errorf("%s is called as %s", path, got)
		}
	}
	for _, name := range []string{"qfts", "qftr"} {
		if _, said, code := runs(t, name, "phrase only"); code != 2 || !strings.Contains(said, name+" takes PHRASE FILE") {
			t.Errorf("%s: exit code %d, %q", name, code, said)
		}
		if out, _, code := runs(t, name, "--help"); code != 0 || !strings.Contains(out, name+" PHRASE FILE") {
			t.Errorf("%s: exit code %d, %q", name, code, out)
		}
	}
}
