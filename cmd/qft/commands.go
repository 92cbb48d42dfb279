package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"qft"
	"qft/internal/settings"
)

const about = `qft sends files straight from one machine to another, encrypted.

    qft send photos/ notes.txt      prints a code: 7-acid-robot-zebra
    qft receive 7-acid-robot-zebra  on the other machine

On one network that is all. Across networks both sides name one helper, which
anybody can run with "qft helper PORT": qft config helper HOST. In a browser:
qft gui. What this network allows: qft doctor. How it works, and what to do
when it does not: qft help topics.`

const aboutRates = `RATE is a number and a unit, for instance 20mbit, 500kbit/s, 2.5MB/s or 800k:
bit kbit mbit gbit for bits, B kB MB GB (powers of 1000) or KiB MiB GiB for
bytes, k M G as short for kB MB GB; "/s" behind it changes nothing, and "none"
is no limit. It bounds everything that the sender sends, retransmissions
included. Either side may set it, the lower one holds. --background lets other
traffic go first, whichever side asks for it. Both can be said as QFT_LIMIT=RATE
and QFT_BACKGROUND=yes in the environment, or as "limit = RATE" and
"background = yes" in the configuration file.`

func rootCommand(t *terminal) *cobra.Command {
	cobra.MousetrapHelpText = ""       // a double click opens the window
	cobra.EnableCommandSorting = false // what most people need comes first
	root := &cobra.Command{
		Use:           "qft",
		Short:         "quick, really reliable, peer-to-peer file transfer over UDP",
		Long:          about,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknown(cmd, args[0])
			}
			if clicked(t.in, t.out, t.err) {
				gui, _, err := cmd.Find([]string{"gui"})
				if err != nil {
					return err
				}
				gui.SetContext(cmd.Context())
				return gui.RunE(gui, nil)
			}
			return screenful(cmd)
		},
	}
	root.Version = fmt.Sprintf("qft %s, protocol %d\n", version(), qft.ProtocolVersion)
	root.SetVersionTemplate("{{.Version}}")
	root.SetUsageFunc(usage)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand(root))
	for _, g := range []struct {
		id, title string
		all       []*cobra.Command
	}{
		{"files", "Files:", []*cobra.Command{sendCommand(t), receiveCommand(t), resumeCommand(t), guiCommand(t)}},
		{"network", "Network and settings:", []*cobra.Command{helperCommand(t), doctorCommand(t), configCommand(t)}},
		{"more", "More:", []*cobra.Command{versionCommand(t, root), completionCommand(t), senderCommand(t), receiverCommand(t),
			manCommand(t, root)}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.all {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("more")
	return root
}

// exactly is cobra.RangeArgs with our kind of error.
func exactly(low, high int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < low || len(args) > high {
			return usageError{fmt.Errorf("%s takes %s", cmd.CommandPath(), what)}
		}
		return nil
	}
}

// options are the flags that all transfers share.
type options struct {
	said said
	ask  bool
	json bool
}

func (o *options) register(cmd *cobra.Command, keys ...string) {
	o.said = make(said)
	registerKeys(cmd, o.said, slices.Concat(meetingKeys, movingKeys, keys)...)
	f := cmd.Flags()
	f.BoolVar(&o.ask, "ask", false, "ask for a phrase of your own instead of using a code (or set QFT_PHRASE)")
	f.BoolVar(&o.json, "json", false, "print events for programs on stdout, a line of JSON each (docs/events.md)")
}

// phrase is one of the user's own choice, from the environment, a file or the
// terminal: never from a flag, where everybody on the machine could read it.
func (o *options) phrase(ctx context.Context, t *terminal) (string, error) {
	if p := os.Getenv("QFT_PHRASE"); p != "" && o.said[settings.PhraseFile] == "" {
		return p, nil
	}
	s, err := settings.Load(o.said)
	if err != nil {
		return "", usageError{err}
	}
	if p, err := t.readPhrase(s.Lookup(settings.PhraseFile)); p != "" || err != nil || !o.ask {
		return p, err
	}
	p, err := t.askSecret(ctx, "Phrase: ")
	if err == nil && p == "" {
		err = usageError{errors.New("the phrase is empty")}
	}
	return p, err
}

// readPhrase reads the first line of a file, if one is set.
func (t *terminal) readPhrase(file settings.Value) (string, error) {
	if file.Value == "" {
		return "", nil
	}
	f, err := os.Open(file.Value)
	if err != nil {
		return "", usageError{fmt.Errorf("%s: the phrase cannot be read: %w", file.From, err)}
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		t.say(nil, "%s can be read by others on this machine: chmod 600 makes it yours", clean(file.Value))
	}
	line, err := bufio.NewReader(io.LimitReader(f, 4<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", usageError{fmt.Errorf("%s: the phrase cannot be read: %w", file.From, err)}
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", usageError{fmt.Errorf("%s: the first line of %s holds no phrase", file.From, file.Value)}
	}
	return line, nil
}

// receivePhrase is the code of the command line, a phrase of the user's own, or
// a code that is asked for; and where the sender is, if that is said.
func (o *options) receivePhrase(ctx context.Context, t *terminal, args []string) (phrase, host string, err error) {
	if o.said[settings.Stun] != "" && len(args) > 0 {
		return "", "", usageError{errors.New("with --stun there is no code: the sender's token is asked for")}
	}
	if len(args) > 0 {
		if phrase, host, err = t.readCode(args[0]); err != nil || phrase != "" {
			if err == nil && o.ask {
				err = usageError{errors.New("either a code or --ask")}
			}
			return phrase, host, err
		}
	}
	if p, err := o.phrase(ctx, t); p != "" || err != nil || o.said[settings.Stun] != "" {
		return p, host, err
	}
	if o.json {
		return "", "", usageError{errors.New("with --json nobody is asked: give the code as an argument, or QFT_PHRASE")}
	}
	return t.askCode(ctx, host)
}

// askCode asks for a code until it is one: what is misspelt beyond repair costs
// no attempt. Where nobody can be asked again, once has to do.
func (t *terminal) askCode(ctx context.Context, host string) (phrase, at string, err error) {
	t.say(nil, "Type the code that the sender sees; Tab completes its words.")
	for {
		text, err := t.put(ctx, &question{text: "Code: ", complete: qft.CompleteCode})
		if errors.As(err, new(usageError)) {
			err = usageError{advised{err, "give the code as an argument: qft receive CODE"}}
		}
		if err != nil {
			return "", "", err
		}
		text, helper := settings.Invited(text)
		phrase, at, err := t.readCode(text)
		if err == nil && helper != "" {
			err = usageError{errors.New("that command names a helper as well: end this with Ctrl-C, and type all of it")}
		}
		if text == "" || err == nil && phrase == "" {
			err = usageError{errors.New("the code is missing: it is a number and three words, such as 7-acid-robot-zebra")}
		}
		if err == nil {
			return phrase, cmp.Or(at, host), nil
		}
		if !t.edits() {
			return "", "", err
		}
		t.say(nil, "%s", cleanLines(err.Error()))
	}
}

// readCode reads a code, and shows what was repaired in it.
func (t *terminal) readCode(text string) (code, host string, err error) {
	code, host, err = qft.SplitCode(text)
	if err != nil {
		return "", "", usageError{&qft.Error{Op: "receive", Kind: qft.KindUsage, Err: namedWord(text, err),
			Hint: "compare it with the sender's screen: a number and three words, such as 7-acid-robot-zebra"}}
	}
	if code == "" {
		return code, host, nil
	}
	was := codeWords(text)
	for i, w := range codeWords(code) {
		if i < len(was) && was[i] != w {
			t.say(nil, "%q is read as %q", clean(was[i]), w)
		}
	}
	return code, host, nil
}

// codeWords are the parts of a code, however it is written.
func codeWords(text string) []string {
	text, _, _ = strings.Cut(text, "@")
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune("-_. \t", r) })
}

// namedWord names the word that keeps a text from being a code, and what it may
// have been. The package does not: what is typed may be a secret.
func namedWord(text string, err error) error {
	words := codeWords(text)
	switch n := len(words); {
	case strings.TrimSpace(text) == "":
		return errors.New("the code is missing")
	case n == 1:
		return errors.New("a code is a number and three words, and this has only one part")
	case n != 0 && n != 4:
		return fmt.Errorf("a code is a number and three words, and this has %d parts", n)
	}
	for _, w := range words[min(len(words), 1):] {
		if _, cerr := qft.CheckCode("1-" + w + "-acid-acid"); cerr == nil {
			continue
		}
		var all []string
		for n := len(w) - 1; n >= 2 && len(all) == 0; n-- {
			if utf8.ValidString(w[:n]) {
				all = lastWords(qft.CompleteCode("1-" + w[:n]))
			}
		}
		if len(all) == 0 {
			return fmt.Errorf("%q is no word of a code", clean(w))
		}
		return fmt.Errorf("%q is no word of a code; perhaps %s", clean(w), strings.Join(all[:min(len(all), 4)], ", "))
	}
	return errors.New(strings.Replace(err.Error(), "reading the code: it ", "the code ", 1))
}

func versionCommand(t *terminal, root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  exactly(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(t.out, root.Version)
			return err
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

// version is the release that this is, or is on the way to, and of a build from
// a checkout its commit.
func version() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return qft.Version
	}
	for _, s := range b.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 9 {
			return qft.Version + "+" + s.Value[:9]
		}
	}
	return qft.Version
}

func parsePort(s string) (uint16, error) {
	// "0.0.0.0:1234" was never needed, but a pasted HOST:PORT should not be
	// taken for anything else.
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the port %q is no number from 1 to 65535", s)
	}
	return uint16(n), nil
}
