package settings

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"qft"
)

// Key is what can be set.
type Key struct {
	Name    string
	Default string // what holds if nobody says anything, as people write it
	Usage   string // a line
	// Choices are all the values there are, if there are only these.
	Choices []string
	// Place says what is at a value that is a path.
	Place Place

	check func(value string) error
}

// Place is what a setting names the path of.
type Place int

const (
	NoPlace Place = iota
	AFile
	AFolder
)

// Variable is the key's name in the environment.
func (k Key) Variable() string { return "QFT_" + strings.ReplaceAll(strings.ToUpper(k.Name), "-", "_") }

// OnOff reports whether the key is yes or no.
func (k Key) OnOff() bool { return slices.Equal(k.Choices, onOff) }

// The keys, as others name them.
const (
	Helper           = "helper"
	HelperSecretFile = "helper-secret-file"
	Stun             = "stun"
	Port             = "port"
	Wait             = "wait"
	LAN              = "lan"
	Portmap          = "portmap"
	Offload          = "offload"
	Limit            = "limit"
	Background       = "background"
	PhraseFile       = "phrase-file"
	Folder           = "folder"
	Existing         = "existing"
	MaxSize          = "max-size"
	MaxFiles         = "max-files"
	Archive          = "archive"
	Compress         = "compress"
	GitIgnore        = "gitignore"
	Copy             = "copy"
	QR               = "qr"
	Bell             = "bell"
	Notify           = "notify"
	Color            = "color"
	GUIPort          = "gui-port"
	Browser          = "browser"
)

// NoHelper in the place of a helper's address means that there is none,
// whatever the file says.
const NoHelper = "none"

var onOff = []string{"yes", "no"}

// Keys are all there are, in the order in which they are told.
func Keys() []Key {
	return []Key{
		{Name: Helper, Default: NoHelper, Usage: "HOST or HOST:PORT at which both sides meet (port 4277), or none", check: checkHelper},
		{Name: HelperSecretFile, Place: AFile, Usage: "file with the secret of a private helper"},
		{Name: Stun, Usage: "STUN servers HOST or HOST:PORT (port 3478), to be used instead of a helper", check: checkStun},
		{Name: Port, Default: "any", Usage: "local UDP port", check: checkPort},
		{Name: Wait, Default: "none", Usage: "how long nobody may be there before it is given up, such as 90s or 10m", check: checkWait},
		yesNo(LAN, "yes", "look for the other side on this network"),
		yesNo(Portmap, "yes", "ask the router to open a port (PCP, NAT-PMP, UPnP)"),
		yesNo(Offload, "yes", "hand packets to the system in trains (segmentation offload)"),
		{Name: Limit, Default: "none", Usage: "rate that is not exceeded, such as 20mbit or 2.5MB/s", check: checkRate},
		yesNo(Background, "no", "yield to other traffic"),
		{Name: PhraseFile, Place: AFile, Usage: "file with a phrase of your own, to be used instead of codes"},
		{Name: Folder, Place: AFolder, Usage: "folder for what is received, if -o says none; the current one, in the window Downloads"},
		{Name: Existing, Default: "ask", Usage: "what happens where something exists; without a terminal, ask is fail",
			Choices: []string{"ask", "fail", "overwrite", "rename", "skip"}},
		{Name: MaxSize, Default: "none", Usage: "most that is received, such as 2GiB", check: checkSize},
		{Name: MaxFiles, Default: "none", Usage: "most files that are received", check: checkCount},
		yesNo(Archive, "no", "owners, ACLs and extended attributes too"),
		yesNo(Compress, "yes", "compress what gains time by it"),
		yesNo(GitIgnore, "no", "leave out what .gitignore files name, and .git"),
		yesNo(Copy, "no", "copy the command for the other side to the clipboard, through the terminal"),
		yesNo(QR, "yes", "draw the code where it fits: in large letters, and as a QR"),
		yesNo(Bell, "no", "ring the terminal's bell at the end"),
		yesNo(Notify, "no", "have the terminal notify the desktop at the end"),
		{Name: Color, Default: "auto", Usage: "colours on the terminal", Choices: []string{"auto", "yes", "no"}},
		{Name: GUIPort, Default: "any", Usage: "TCP port of the window's page on 127.0.0.1", check: checkPort},
		yesNo(Browser, "yes", "open the window's page in the default browser"),
	}
}

func yesNo(name, standard, usage string) Key {
	return Key{Name: name, Default: standard, Usage: usage, Choices: onOff}
}

func find(name string) (Key, bool) {
	all := Keys()
	i := slices.IndexFunc(all, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return all[i], true
}

// Check reports what is wrong with a value, and with a key that there is not.
// An empty value is fine: nothing is said.
func Check(name, value string) error {
	k, ok := find(name)
	if !ok {
		return fmt.Errorf("there is no setting %q", name)
	}
	if value == "" {
		return nil
	}
	if k.OnOff() {
		_, err := ParseYes(value)
		return err
	}
	if k.Choices != nil && !slices.Contains(k.Choices, value) {
		return fmt.Errorf("it is one of %s, not %q", strings.Join(k.Choices, ", "), value)
	}
	if k.check != nil {
		return k.check(value)
	}
	return nil
}

// ParseYes reads yes or no, and what else people write for it.
func ParseYes(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "true", "on", "1":
		return true, nil
	case "no", "false", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("it is yes or no, not %q", text)
}

func checkHelper(v string) error {
	if v == NoHelper {
		return nil
	}
	return qft.CheckHelper(v)
}

func checkRate(v string) error {
	_, err := qft.ParseRate(v)
	return err
}

func checkWait(v string) error {
	_, err := parseWait(v)
	return err
}

// parseWait reads a time; without a unit it is seconds. 0 is for ever.
func parseWait(v string) (time.Duration, error) {
	if v == "none" {
		return 0, nil
	}
	d, err := time.ParseDuration(v)
	if n, nerr := strconv.ParseUint(v, 10, 31); nerr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time to wait: type 90s, 10m or 2h, for instance, or none", v)
	}
	return d, nil
}

func checkSize(v string) error {
	if v == "none" {
		return nil
	}
	_, err := qft.ParseSize(v)
	return err
}

func checkCount(v string) error {
	_, err := parseCount(v)
	return err
}

func parseCount(v string) (int64, error) {
	if v == "none" {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no number of files: type 1000, for instance, or none", v)
	}
	return n, nil
}

func checkPort(v string) error {
	_, err := parsePort(v)
	return err
}

func parsePort(v string) (uint16, error) {
	if v == "any" || v == "0" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("the port %q is no number from 1 to 65535", v)
	}
	return uint16(n), nil
}

func checkStun(v string) error {
	for _, s := range splitList(v) {
		if err := qft.CheckStun(s); err != nil {
			return err
		}
	}
	if len(splitList(v)) == 0 {
		return errors.New("no server is named")
	}
	return nil
}

func splitList(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
}
