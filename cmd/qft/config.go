package main

import (
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"qft"
	"qft/internal/settings"
)

// said is what flags have set, by key of the settings.
type said map[string]string

// What each command takes of the settings.
var (
	meetingKeys = []string{settings.Helper, settings.HelperSecretFile, settings.Stun, settings.Port, settings.Wait, settings.LAN, settings.Portmap,
		settings.Offload, settings.PhraseFile}
	movingKeys = []string{settings.Limit, settings.Background, settings.Archive, settings.Bell, settings.Notify, settings.Color}
)

// flagUsage names the values of flags, and says more where the settings' line
// is too short for it.
var flagUsage = map[string]string{
	settings.Helper:           "`HOST[:PORT]` of the helper that both sides use, or none; the port is 4277 if not said",
	settings.HelperSecretFile: "`FILE` with the secret of a private helper (or set QFT_HELPER_SECRET)",
	settings.Stun:             "use no helper but tokens that people pass each other, and the STUN server `HOST[:PORT]`, port 3478 if not said; may be repeated",
	settings.Port:             "local UDP `PORT` (default: any free one; to send without a helper: 4277)",
	settings.Wait:             "give up with exit code 18 when nobody is there for `DURATION`, such as 90s or 10m",
	settings.LAN:              "do not look for the other side on this network",
	settings.Portmap:          "do not ask the router to open a port (PCP, NAT-PMP, UPnP)",
	settings.Offload:          "send packets one by one: slow, for drivers that break trains of them",
	settings.PhraseFile:       "use the phrase of your own in `FILE`, its first line, instead of a code (or set QFT_PHRASE)",
	settings.Limit:            "send no more than `RATE`, such as 20mbit or 2.5MB/s",
	settings.Folder:           "`FOLDER` to receive into, if -o says nothing",
	settings.Existing:         "what happens where something exists: `HOW` is ask, fail, overwrite, rename or skip",
	settings.MaxSize:          "take no more than `SIZE`, such as 500MB or 2GiB",
	settings.MaxFiles:         "take no more than `N` files",
	settings.Compress:         "send everything as it is, even where compressing would be faster",
	settings.QR:               "show the code as text only: neither in large letters nor as a QR",
	settings.Browser:          "do not open the default browser",
	settings.Color:            "colours: `WHEN` is auto, yes or no",
	settings.GUIPort:          "TCP `PORT` of the page on 127.0.0.1 (default any free one)",
}

// registerKeys gives a command the flags of settings.
func registerKeys(cmd *cobra.Command, to said, keys ...string) {
	all := settings.Keys()
	for _, name := range keys {
		k := all[slices.IndexFunc(all, func(k settings.Key) bool { return k.Name == name })]
		usage := flagUsage[name]
		if usage == "" {
			usage = k.Usage
		}
		say := func(v string) error {
			if name == settings.Stun && to[name] != "" {
				v = to[name] + " " + v
			}
			to[name] = v
			return nil
		}
		if !k.OnOff() {
			cmd.Flags().Func(name, usage, say)
			if err := cmd.RegisterFlagCompletionFunc(name, completeValue(k)); err != nil {
				panic(err) // the flag was made a line above
			}
			continue
		}
		registerOnOff(cmd, k, usage, say)
	}
}

// registerOnOff makes the two flags of a setting that is yes or no. Only the one
// that changes something is told of.
func registerOnOff(cmd *cobra.Command, k settings.Key, usage string, say func(string) error) {
	f := cmd.Flags()
	f.BoolFunc(k.Name, usage, say)
	f.BoolFunc("no-"+k.Name, usage, func(v string) error {
		no, err := strconv.ParseBool(v)
		if err != nil {
			return err
		}
		if no {
			return say("no")
		}
		return say("yes")
	})
	hidden := "no-" + k.Name
	if k.Default == "yes" {
		hidden = k.Name
	}
	if err := f.MarkHidden(hidden); err != nil {
		panic(err) // the flag was made two lines above
	}
}

// config is how to meet the other side: flags, environment and configuration
// file, in this order. The helper is the one given, if there is one.
func (t *terminal) config(flags said, helper string) (qft.Config, *settings.Settings, error) {
	if helper != "" {
		flags = withHelper(flags, helper)
	}
	s, err := settings.Load(flags)
	if err != nil {
		return qft.Config{}, nil, usageError{err}
	}
	cfg, err := s.Config()
	if err != nil {
		return cfg, s, usageError{err}
	}
	if err := t.want(s); err != nil {
		return cfg, s, usageError{err}
	}
	cfg.Events = t.event
	if len(cfg.Stun) > 0 {
		cfg.Paste, t.tokens = t.askToken, true
	}
	return cfg, s, nil
}

func withHelper(flags said, helper string) said {
	all := said{settings.Helper: helper}
	for k, v := range flags {
		if k != settings.Helper {
			all[k] = v
		}
	}
	return all
}

// want takes over what settings say of the terminal.
func (t *terminal) want(s *settings.Settings) error {
	for key, to := range map[string]*bool{settings.Copy: &t.wants.copy, settings.QR: &t.wants.qr, settings.Bell: &t.wants.bell, settings.Notify: &t.wants.notify} {
		on, err := s.On(key)
		if err != nil {
			return err
		}
		*to = on
	}
	color, err := s.Text(settings.Color)
	switch {
	case err != nil:
		return err
	case color == "no":
		t.styled = false
	case color == "yes":
		t.styled = t.redraws
	}
	return nil
}
