package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"qft/internal/settings"
)

const aboutConfig = `Shows what is set, and where that was said: by a variable of the environment, by
the configuration file, or nowhere, and then the default holds. Each setting is
a flag --KEY of the commands that it concerns, too (--no-KEY for what is on by
default), and that goes before the others.

    qft config                              all settings
    qft config helper                       one of them
    qft config helper helper-host:4277      written into the file
    qft config --unset helper               taken out of it
    qft config --path                       where the file is

The file has lines KEY = VALUE, with # for comments; other lines of it stay as
they are. No phrase and no secret belongs in it, but the names of files that
hold them.`

func configCommand(t *terminal) *cobra.Command {
	var unset, path, asJSON bool
	cmd := &cobra.Command{
		Use:   "config [KEY [VALUE]]",
		Short: "show and change settings",
		Long:  aboutConfig,
		Args:  exactly(0, 2, "a setting, and its new value"),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case path && len(args) > 0:
				return usageError{errors.New("--path takes no setting")}
			case path:
				fmt.Fprintln(t.out, settings.Path())
				return nil
			case unset && len(args) != 1:
				return usageError{errors.New("--unset takes one setting")}
			case len(args) > 0 && settings.Check(args[0], "") != nil:
				return usageError{advised{settings.Check(args[0], ""), "qft config lists the settings."}}
			case unset:
				return t.setting(args[0], "")
			case len(args) == 2 && args[1] == "":
				return usageError{fmt.Errorf("the value is empty: qft config --unset %s goes back to the default", args[0])}
			case len(args) == 2:
				return t.setting(args[0], args[1])
			}
			return t.showSettings(args, asJSON)
		},
		ValidArgsFunction: completeKey,
	}
	f := cmd.Flags()
	f.BoolVar(&unset, "unset", false, "take a setting out of the file")
	f.BoolVar(&path, "path", false, "print where the configuration file is")
	f.BoolVar(&asJSON, "json", false, "print an array of JSON instead, for programs")
	return cmd
}

// setting writes one into the file, and says so if that has no effect now: what
// was asked for is done.
func (t *terminal) setting(key, value string) error {
	if err := settings.Set(key, value); err != nil {
		return usageError{err}
	}
	s, err := settings.Load(nil)
	if err != nil {
		t.say(nil, "written, but another line of the file makes no sense, and has to be corrected: %s", clean(err.Error()))
		return nil
	}
	if v := s.Lookup(key); v.Fixed {
		t.say(nil, "written, but %s says %s, and goes before the file", v.From, clean(v.Value))
	}
	return nil
}

func (t *terminal) showSettings(keys []string, asJSON bool) error {
	s, err := settings.Load(nil)
	if err != nil {
		return usageError{err}
	}
	if asJSON {
		return t.settingsJSON(s, keys)
	}
	if len(keys) == 1 {
		v := s.Lookup(keys[0])
		if v.Value == "" {
			v.Value = v.Default
		}
		fmt.Fprintln(t.out, clean(v.Value))
		return nil
	}
	w := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
	for _, v := range s.All() {
		value, from := v.Value, v.From
		if value == "" {
			value, from = cmp.Or(v.Default, "-"), "default"
		}
		if err := settings.Check(v.Name, v.Value); err != nil {
			from += ": " + err.Error()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, clean(value), clean(from))
	}
	return w.Flush()
}

// settingsJSON prints all settings, or those of the keys.
func (t *terminal) settingsJSON(s *settings.Settings, keys []string) error {
	type line struct {
		Key     string `json:"key"`
		Value   string `json:"value"` // empty: nothing is said
		From    string `json:"from"`
		Default string `json:"default"`
	}
	all := []line{}
	for _, v := range s.All() {
		if len(keys) > 0 && !slices.Contains(keys, v.Name) {
			continue
		}
		all = append(all, line{v.Name, v.Value, v.From, v.Default})
	}
	return json.NewEncoder(t.out).Encode(all)
}
