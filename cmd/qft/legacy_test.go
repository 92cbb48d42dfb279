package main

import (
	"os"
	"strings"
	"testing"
)

// TestHistoricalErrors: what to do can be done with the command that was typed.
func TestHistoricalErrors(t *testing.T) {
	file := t.TempDir() + "/letter"
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"qft", []string{"receiver", "127.0.0.1:1", "violin glacier mustard anchor", file}, 4, "To do: move it away, or name another FILE; qft receive"},
		{"qftr", []string{"violin glacier mustard anchor", file}, 4, "To do: move it away, or name another FILE; qft receive"},
		{"qft", []string{"sender", "127.0.0.1:0", "violin glacier mustard anchor", file}, 2, "qft: HELPER: reading the helper's address: the port"},
		{"qft", []string{"receive", "7-acid-robot-zebra", "--helper", "127.0.0.1:1", "-o", file}, 4, "choose another name with -o NAME, or say --overwrite"},
	} {
		_, said, code := runs(t, c.name, c.args...)
		if said = strings.Join(strings.Fields(said), " "); code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%s %v: exit code %d: %s", c.name, c.args, code, said)
		}
	}
}
