package settings

import (
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"

	"qft"
)

// Value is what a key is set to.
type Value struct {
	Key
	Value string // empty: nothing was said, and Default holds
	// From is where it was said: "--limit", "QFT_LIMIT", or the file's path.
	From string
	// Fixed says that a flag or variable said it: a line of the file would not
	// count.
	Fixed bool
}

// Settings is what is set.
type Settings struct {
	values map[string]Value
	flags  map[string]string
}

// Error is a setting that makes no sense.
type Error struct {
	From string // where it was said
	Err  error
}

func (e *Error) Error() string { return e.From + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Load joins flags, by key, with the environment and the file. What nobody
// will look at is not checked here, but by Lookup's users: an error in a line
// that a flag takes the place of is nobody's concern. An error of the file is
// an *Error that names its line.
func Load(flags map[string]string) (*Settings, error) {
	s := &Settings{values: make(map[string]Value), flags: maps.Clone(flags)}
	for _, k := range Keys() {
		v := Value{Key: k}
		switch said := os.Getenv(k.Variable()); {
		case flags[k.Name] != "":
			v.Value, v.From, v.Fixed = flags[k.Name], flagOf(k, flags[k.Name]), true
		case said != "":
			v.Value, v.From, v.Fixed = said, k.Variable(), true
		case k.Name == Offload && os.Getenv("QFT_NO_OFFLOAD") == "1":
			v.Value, v.From, v.Fixed = "no", "QFT_NO_OFFLOAD", true
		}
		s.values[k.Name] = v
	}
	file, err := readFile(Path())
	if err != nil {
		return nil, err
	}
	for name, said := range file {
		if v := s.values[name]; v.Value == "" {
			v.Value, v.From = said, Path()
			s.values[name] = v
		}
	}
	for name, v := range s.values {
		if v.Place != NoPlace {
			v.Value = atHome(v.Value)
			s.values[name] = v
		}
	}
	return s, nil
}

// Reload joins the same flags with what the file says by now.
func (s *Settings) Reload() (*Settings, error) { return Load(s.flags) }

// atHome replaces ~ at the beginning of a path: shells do that, but not in the
// middle of a word, and nobody does it in a file.
func atHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && !os.IsPathSeparator(rest[0]) {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return home + rest
}

// flagOf is the flag that said a value.
func flagOf(k Key, value string) string {
	if on, err := ParseYes(value); k.OnOff() && err == nil && !on && k.Default == "yes" {
		return "--no-" + k.Name
	}
	return "--" + k.Name
}

// All returns the settings in the order of Keys.
func (s *Settings) All() []Value {
	var all []Value
	for _, k := range Keys() {
		all = append(all, s.values[k.Name])
	}
	return all
}

// Lookup returns a setting; its Value may be empty.
func (s *Settings) Lookup(name string) Value { return s.values[name] }

// Text returns what is in force: the value, or the default. An error says
// where it was said.
func (s *Settings) Text(name string) (string, error) {
	v := s.values[name]
	if v.Value == "" {
		return v.Default, nil
	}
	if err := Check(name, v.Value); err != nil {
		return "", &Error{v.where(), err}
	}
	return v.Value, nil
}

// where is where a value was said, for errors.
func (v Value) where() string {
	if v.Fixed {
		return v.From
	}
	return v.From + ": " + v.Name
}

// On returns a setting that is yes or no.
func (s *Settings) On(name string) (bool, error) {
	text, err := s.Text(name)
	if err != nil {
		return false, err
	}
	return ParseYes(text)
}

// MaxBytes returns the most that is to be received; 0: no bound.
func (s *Settings) MaxBytes() (int64, error) {
	text, err := s.Text(MaxSize)
	if err != nil || text == "none" {
		return 0, err
	}
	return qft.ParseSize(text)
}

// MaxCount returns the most files that are to be received; 0: no bound.
func (s *Settings) MaxCount() (int64, error) {
	text, err := s.Text(MaxFiles)
	if err != nil {
		return 0, err
	}
	return parseCount(text)
}

// PortOf returns a setting that is a port; 0: any.
func (s *Settings) PortOf(name string) (uint16, error) {
	text, err := s.Text(name)
	if err != nil {
		return 0, err
	}
	return parsePort(text)
}

// Resolution returns what happens where something exists; ExistingAsk needs
// somebody to ask.
func (s *Settings) Resolution() (qft.Existing, error) {
	text, err := s.Text(Existing)
	if err != nil {
		return 0, err
	}
	what, err := ParseExisting(text)
	return what, err
}

// ParseExisting reads one of the choices of Existing.
func ParseExisting(text string) (qft.Existing, error) {
	switch text {
	case "ask":
		return qft.ExistingAsk, nil
	case "fail":
		return qft.ExistingFail, nil
	case "overwrite":
		return qft.ExistingOverwrite, nil
	case "rename":
		return qft.ExistingRename, nil
	case "skip":
		return qft.ExistingSkip, nil
	}
	return 0, fmt.Errorf("what happens to what exists is ask, fail, overwrite, rename or skip, not %s", strconv.Quote(text))
}

// Config returns how the other side is met. Phrase, Control and Events are the
// caller's.
func (s *Settings) Config() (cfg qft.Config, err error) {
	cfg.State = StatePath()
	limit, err := s.Text(Limit)
	if err != nil {
		return cfg, err
	}
	if cfg.Limit, err = qft.ParseRate(limit); err != nil {
		return cfg, err
	}
	if cfg.Port, err = s.PortOf(Port); err != nil {
		return cfg, err
	}
	wait, err := s.Text(Wait)
	if err != nil {
		return cfg, err
	}
	if cfg.Wait, err = parseWait(wait); err != nil {
		return cfg, err
	}
	servers, err := s.Text(Stun)
	if err != nil {
		return cfg, err
	}
	if err := s.switches(&cfg); err != nil {
		return cfg, err
	}
	if cfg.Helper, err = s.Text(Helper); err != nil {
		return cfg, err
	}
	if cfg.Helper == NoHelper {
		cfg.Helper = ""
	}
	if cfg.HelperSecret, err = s.secret(); err != nil {
		return cfg, err
	}
	if s.values[Helper].From != "--"+Helper || s.values[Stun].From == "--"+Stun {
		cfg.Stun = splitList(servers) // else the flag is what somebody wants now
	}
	return cfg, nil
}

// switches takes over what is yes or no.
func (s *Settings) switches(cfg *qft.Config) error {
	for _, c := range []struct {
		key string
		to  *bool
		not bool
	}{
		{Background, &cfg.Background, false},
		{LAN, &cfg.NoNearby, true},
		{Portmap, &cfg.NoPortMapping, true},
		{Offload, &cfg.NoOffload, true},
	} {
		on, err := s.On(c.key)
		if err != nil {
			return err
		}
		*c.to = on != c.not
	}
	return nil
}
