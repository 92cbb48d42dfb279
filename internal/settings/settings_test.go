package settings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/adrg/xdg"

	"qft"
)

// home is an empty configuration of this test's own.
func home(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	xdg.Reload()
	t.Cleanup(xdg.Reload)
	for _, k := range Keys() {
		t.Setenv(k.Variable(), "")
	}
	t.Setenv("QFT_NO_OFFLOAD", "")
	t.Setenv("QFT_HELPER_SECRET", "")
	if Path() != filepath.Join(dir, "qft", "config") {
		t.Skip("the configuration is elsewhere on this system")
	}
	return Path()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFlagBeforeEnvironmentBeforeFile(t *testing.T) {
	path := home(t)
	write(t, path, "limit = 1mbit\nport = 3000 # ours\nqr = no\n")
	t.Setenv("QFT_PORT", "2000")
	t.Setenv("QFT_LIMIT", "2mbit")
	s, err := Load(map[string]string{Limit: "3mbit", LAN: "no"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key, value, from string
		fixed            bool
	}{
		{Limit, "3mbit", "--limit", true}, {Port, "2000", "QFT_PORT", true}, {QR, "no", path, false},
		{LAN, "no", "--no-lan", true}, {Bell, "", "", false},
	} {
		if v := s.Lookup(c.key); v.Value != c.value || v.From != c.from || v.Fixed != c.fixed {
			t.Errorf("%s is %q from %q, fixed %v", c.key, v.Value, v.From, v.Fixed)
		}
	}
	cfg, err := s.Config()
	if err != nil || cfg.Limit != 375_000 || cfg.Port != 2000 || !cfg.NoNearby || cfg.NoPortMapping || cfg.Helper != "" {
		t.Errorf("%+v, %v", cfg, err)
	}
	if len(s.All()) != len(Keys()) {
		t.Errorf("%d of %d keys are told", len(s.All()), len(Keys()))
	}
}

// TestHomeInPaths: a shell knows ~ only where a word begins, and a file not at
// all.
func TestHomeInPaths(t *testing.T) {
	home(t)
	h := t.TempDir()
	t.Setenv("HOME", h)
	t.Setenv("USERPROFILE", h)
	for said, want := range map[string]string{"~": h, "~/in": h + "/in", "~other/in": "~other/in", "in/~": "in/~", "/in": "/in"} {
		s, err := Load(map[string]string{Folder: said, Helper: said})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Lookup(Folder).Value; got != want {
			t.Errorf("%s is %s, want %s", said, got, want)
		}
		if got := s.Lookup(Helper).Value; got != said {
			t.Errorf("%s, no path, has become %s", said, got)
		}
	}
}

func TestErrorsNameTheirPlace(t *testing.T) {
	path := home(t)
	for _, c := range []struct {
		text, flag, want string
	}{
		{"limit = 5\n", "", path + ": limit: "},
		{"\n\nspeed = 5\n", "", path + ":3: "},
		{"limit =\n", "", path + ":1: limit has no value"},
		{"just this\n", "", path + ":1: \"just this\" is no setting"},
		{"", "20", "--limit: "},
	} {
		write(t, path, c.text)
		s, err := Load(map[string]string{Limit: c.flag})
		if err == nil {
			_, err = s.Config()
		}
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
}

// TestAHelperByFlagIsWanted: STUN servers of the file do not take its place.
func TestAHelperByFlagIsWanted(t *testing.T) {
	write(t, home(t), "stun = stun.invalid:3478, other.invalid:3478\n")
	s, err := Load(map[string]string{Helper: "127.0.0.1:4000"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg, err := s.Config(); err != nil || len(cfg.Stun) != 0 || cfg.Helper != "127.0.0.1:4000" {
		t.Errorf("%+v, %v", cfg, err)
	}
	if s, err = Load(nil); err != nil {
		t.Fatal(err)
	}
	if cfg, err := s.Config(); err != nil || len(cfg.Stun) != 2 {
		t.Errorf("%+v, %v", cfg, err)
	}
}

func TestDefaultsMakeSense(t *testing.T) {
	home(t)
	s, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.All() {
		if err := Check(v.Name, v.Default); err != nil {
			t.Errorf("the default of %s: %v", v.Name, err)
		}
		if v.Usage == "" || strings.HasSuffix(v.Usage, ".") {
			t.Errorf("the usage of %s is %q", v.Name, v.Usage)
		}
	}
	cfg, err := s.Config()
	if err != nil || cfg.Limit != 0 || cfg.Background || cfg.NoNearby || cfg.NoOffload {
		t.Errorf("%+v, %v", cfg, err)
	}
	if what, err := s.Resolution(); err != nil || what != qft.ExistingAsk {
		t.Errorf("%v, %v", what, err)
	}
	if n, err := s.MaxBytes(); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestSetLeavesTheRestAlone(t *testing.T) {
	path := home(t)
	write(t, path, "# ours\nhelper = a.invalid:1   # the old one\n\nlimit = 1mbit\nhelper = b.invalid:2 # the new one\n")
	for _, c := range []struct{ key, value, want string }{
		{Helper, "c.invalid:3", "# ours\n\nlimit = 1mbit\nhelper = c.invalid:3  # the new one\n"},
		{Bell, "yes", "# ours\n\nlimit = 1mbit\nhelper = c.invalid:3  # the new one\nbell = yes\n"},
		{Limit, "", "# ours\n\nhelper = c.invalid:3  # the new one\nbell = yes\n"},
		{Limit, "", "# ours\n\nhelper = c.invalid:3  # the new one\nbell = yes\n"},
	} {
		if err := Set(c.key, c.value); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != c.want {
			t.Errorf("after %s = %s:\n%s\nwant\n%s", c.key, c.value, got, c.want)
		}
	}
	for key, value := range map[string]string{Limit: "20", "speed": "1", Helper: "a.invalid:1\nlimit = 1mbit", Folder: "a#b"} {
		if err := Set(key, value); err == nil {
			t.Errorf("%s = %q was written", key, value)
		}
	}
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
		t.Errorf("%v was left beside it, %v", names, err)
	}
}

// TestSetMakesPathsAbsolute: what is read from everywhere names one place.
func TestSetMakesPathsAbsolute(t *testing.T) {
	path := home(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for said, want := range map[string]string{"in": filepath.Join(dir, "in"), "~/in": "~/in", dir: dir} {
		if err := Set(Folder, said); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "folder = "+want+"\n" {
			t.Errorf("%s: %q, %v", said, got, err)
		}
	}
}

func TestSetMakesTheFile(t *testing.T) {
	path := home(t)
	if err := Set(Color, "no"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "color = no\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzFile: whatever is in a file, it is read or its line is named; and what Set
// makes of it says just what was set.
func FuzzFile(f *testing.F) {
	f.Add("helper = a:1 # one\n\n#limit = 1\n", "b.invalid:2")
	f.Add("helper\n= =\nhelper = = \r\nhelper=#", "none")
	f.Fuzz(func(t *testing.T, text, value string) {
		err := Parse(strings.NewReader(text), "config", func(key, value string) error {
			if key == "" {
				return errors.New("no key")
			}
			return nil
		})
		var e *Error
		if err != nil && (!errors.As(err, &e) || !strings.HasPrefix(e.From, "config")) {
			t.Fatalf("%q: %v", text, err)
		}
		value = strings.TrimSpace(value)
		if strings.ContainsAny(value, "\n\r#") || strings.ContainsAny(text, "\r") || Check(Helper, value) != nil {
			return
		}
		got := ""
		Parse(strings.NewReader(change(text, Helper, value)), "config", func(key, v string) error {
			if key == Helper {
				got = v
			}
			return nil
		})
		if got != value && len(text) < 60_000 {
			t.Fatalf("%q: set to %q, it says %q", text, value, got)
		}
	})
}
