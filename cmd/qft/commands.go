package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"qft"
)

const about = `qft sends a file straight from one machine to another: both sides name one
phrase, a helper introduces their machines, both NATs are punched, and the
bytes go directly from disk to disk, encrypted, as fast as the path allows.

    qft send photos.tar            prints a code such as 7-acid-robot-zebra
    qft receive 7-acid-robot-zebra on the other machine

Both need a helper that both can reach: --helper HOST:PORT, QFT_HELPER in the
environment, or a line "helper = HOST:PORT" in the configuration file. Anybody
can run one with "qft helper PORT"; it never sees the file or the words.

QFT_NO_OFFLOAD=1 sends packets one by one: slow, for machines whose network
driver breaks segmentation offload (connected, and next to nothing arrives).`

const aboutRates = `RATE is a number and a unit, for instance 20mbit, 500kbit/s, 2.5MB/s or 800k:
bit kbit mbit gbit for bits, B kB MB GB (powers of 1000) or KiB MiB GiB for
bytes, k M G as short for kB MB GB; "/s" behind it changes nothing, and "none"
is no limit. It bounds everything that the sender sends, retransmissions
included. Either side may set it, the lower one holds. --background lets other
traffic go first, whichever side asks for it. Both can be said as QFT_LIMIT=RATE
and QFT_BACKGROUND=yes in the environment, or as "limit = RATE" and
"background = yes" in the configuration file.`

func rootCommand(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:           "qft",
		Short:         "quick, really reliable, peer-to-peer file transfer over UDP",
		Long:          about + "\n\n" + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no command %q", args[0])}
			}
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(sendCommand(t), receiveCommand(t), helperCommand(t),
		senderCommand(t), receiverCommand(t), versionCommand(t))
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

// options are the flags that send and receive share.
type options struct {
	helper     string
	port       uint16
	ask        bool
	limit      string
	background string
}

func (o *options) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.helper, "helper", "", "HOST:PORT of the helper that both sides use")
	cmd.Flags().Uint16Var(&o.port, "port", 0, "local UDP port (default: any free one)")
	cmd.Flags().BoolVar(&o.ask, "ask", false, "ask for a phrase of your own instead of using a code (or set QFT_PHRASE)")
	cmd.Flags().StringVar(&o.limit, "limit", "", "send no more than `RATE`, such as 20mbit or 2.5MB/s")
	cmd.Flags().BoolFunc("background", "yield to other traffic", func(v string) error {
		o.background = v // as text, so that "not said" differs from "no"
		return nil
	})
}

// phrase is one of the user's own choice, from the environment or the
// terminal: never from a flag, where everybody on the machine could read it.
func (o *options) phrase(ctx context.Context, t *terminal) (string, error) {
	if p := os.Getenv("QFT_PHRASE"); p != "" {
		return p, nil
	}
	if !o.ask {
		return "", nil
	}
	p, err := t.askSecret(ctx, "Phrase: ")
	if err == nil && p == "" {
		err = usageError{errors.New("the phrase is empty")}
	}
	return p, err
}

// receivePhrase is the code of the command line, a phrase of the user's own, or
// a code that is asked for.
func (o *options) receivePhrase(ctx context.Context, t *terminal, args []string) (string, error) {
	if len(args) > 0 {
		if o.ask {
			return "", usageError{errors.New("either a code or --ask")}
		}
		return checkCode(args[0])
	}
	if p, err := o.phrase(ctx, t); p != "" || err != nil {
		return p, err
	}
	code, err := t.ask(ctx, "Code: ")
	if err != nil {
		return "", err
	}
	return checkCode(code)
}

func checkCode(text string) (string, error) {
	code, err := qft.CheckCode(text)
	if err != nil {
		return "", usageError{err}
	}
	return code, nil
}

func sendCommand(t *terminal) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "send FILE",
		Short: "send a file; prints the code that the receiver types",
		Long: `Sends one file to whoever types the code that is printed. The code is good for
one transfer. Stopping either side and running both again continues where it
left off.

` + aboutRates,
		Args: exactly(1, 1, "one file (pack folders or several files first, for instance with tar)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := t.config(o)
			if err != nil {
				return err
			}
			if cfg.Phrase, err = o.phrase(cmd.Context(), t); err != nil {
				return err
			}
			return t.send(cmd.Context(), args[0], cfg)
		},
	}
	o.register(cmd)
	return cmd
}

func receiveCommand(t *terminal) *cobra.Command {
	var o options
	var output string
	cmd := &cobra.Command{
		Use:   "receive [CODE]",
		Short: "receive a file with the code that the sender tells",
		Long: `Receives one file into the current folder under the sender's name for it, or
where -o says. Without CODE it asks. Nothing that exists is overwritten.

` + aboutRates,
		Args: exactly(0, 1, "at most one code"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := t.config(o)
			if err != nil {
				return err
			}
			if cfg.Phrase, err = o.receivePhrase(cmd.Context(), t, args); err != nil {
				return err
			}
			return t.receive(cmd.Context(), target(output), cfg)
		},
	}
	o.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "file or existing folder to write to")
	cmd.ValidArgsFunction = func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return qft.CompleteCode(typed), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// target is where the file goes: into a folder under its own name, or to a
// file of the given name.
func target(output string) qft.Target {
	if output == "" {
		return qft.Target{Dir: "."}
	}
	if st, err := os.Stat(output); err == nil && st.IsDir() || strings.HasSuffix(output, string(filepath.Separator)) {
		return qft.Target{Dir: output}
	}
	return qft.Target{Dir: filepath.Dir(output), Name: filepath.Base(output)}
}

func helperCommand(t *terminal) *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "helper PORT",
		Short: "run a helper that introduces machines to each other",
		Long: `Runs a helper on one UDP port, IPv4 and IPv6, until it is interrupted. It needs
a public address (or one that all its users reach), next to no memory, and
carries no file data. It also answers STUN binding requests.`,
		Args: exactly(1, 1, "the UDP port to listen on"),
		RunE: func(cmd *cobra.Command, args []string) error {
			port, err := parsePort(args[0])
			if err != nil {
				return usageError{err}
			}
			level := slog.LevelInfo
			if verbose {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: level}))
			return qft.Helper(cmd.Context(), qft.HelperConfig{Port: port, Log: log})
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log every member that comes and goes (no phrases: they are never sent)")
	return cmd
}

func senderCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "sender HELPER:PORT PHRASE FILE [BITRATE] [SKIP]",
		Short: "send with a phrase of your own (the historical command)",
		Long:  legacyHelp("sends FILE", "from which to send"),
		Args:  exactly(3, 5, "HELPER:PORT PHRASE FILE [BITRATE] [SKIP]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := t.legacy(cmd.Context(), args)
			if err != nil {
				return err
			}
			return t.send(cmd.Context(), args[2], cfg)
		},
	}
}

func receiverCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "receiver HELPER:PORT PHRASE FILE [BITRATE] [SKIP]",
		Short: "receive with a phrase of your own (the historical command)",
		Long:  legacyHelp("receives into FILE", "at which to write on: that much of FILE is kept as it is"),
		Args:  exactly(3, 5, "HELPER:PORT PHRASE FILE [BITRATE] [SKIP]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := t.legacy(cmd.Context(), args)
			if err != nil {
				return err
			}
			to := qft.Target{Dir: filepath.Dir(args[2]), Name: filepath.Base(args[2])}
			return t.receive(cmd.Context(), to, cfg)
		},
	}
}

func legacyHelp(what, skip string) string {
	return `Meets the other side in the room of PHRASE and ` + what + `. PHRASE as "-"
is asked for, or taken from QFT_PHRASE, so that it does not show in the list of
processes.

BITRATE is historical: an upper bound on the file bytes in one packet, 0 or
absent: what the path carries. SKIP is the byte offset ` + skip + `;
nobody should need it, since an interrupted transfer continues by itself.`
}

// legacy reads the positional arguments of sender and receiver.
func (t *terminal) legacy(ctx context.Context, args []string) (cfg qft.Config, err error) {
	cfg = qft.Config{Helper: args[0], Phrase: args[1], NoOffload: noOffload(), Events: t.event}
	if cfg.Phrase == "-" {
		o := options{ask: true}
		if cfg.Phrase, err = o.phrase(ctx, t); err != nil {
			return cfg, err
		}
	}
	if strings.TrimSpace(cfg.Phrase) == "" {
		return cfg, usageError{errors.New("the phrase is empty")}
	}
	if len(args) > 3 {
		n, err := strconv.ParseUint(args[3], 10, 16)
		if err != nil || n > 65532 {
			return cfg, usageError{fmt.Errorf("the bitrate %q is no number from 0 to 65532 (bytes in a packet)", args[3])}
		}
		cfg.PacketBytes = int(n)
	}
	if len(args) > 4 {
		n, err := strconv.ParseInt(args[4], 10, 64)
		if err != nil || n < 0 {
			return cfg, usageError{fmt.Errorf("the skip %q is no number of bytes", args[4])}
		}
		cfg.Skip = n
	}
	return cfg, nil
}

func versionCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  exactly(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(t.out, "qft %s, protocol %d\n", version(), qft.ProtocolVersion)
			return nil
		},
	}
}

func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
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

// config joins flags, environment and configuration file, in this order.
func (t *terminal) config(o options) (qft.Config, error) {
	cfg := qft.Config{Port: o.port, NoOffload: noOffload(), Events: t.event}
	s, err := settings(o)
	if err != nil {
		return cfg, err
	}
	cfg.Helper = s[keyHelper]
	if cfg.Limit, err = limit(s[keyLimit]); err != nil {
		return cfg, err
	}
	if cfg.Background, err = yes(keyBackground, s[keyBackground]); err != nil {
		return cfg, err
	}
	if cfg.Helper == "" {
		return cfg, usageError{fmt.Errorf(`no helper is set. Both sides need the same one:
  --helper HOST:PORT, or QFT_HELPER=HOST:PORT in the environment, or a line
  helper = HOST:PORT
  in %s
Anybody can run a helper on a machine that both reach: qft helper 4000`, configPath())}
	}
	return cfg, nil
}

// noOffload is for the rare person whose network driver loses what it is given
// in trains: not worth a flag.
func noOffload() bool { return os.Getenv("QFT_NO_OFFLOAD") == "1" }

func (t *terminal) send(ctx context.Context, path string, cfg qft.Config) error {
	_, err := qft.Send(ctx, path, cfg)
	if err == nil {
		t.finish("sent")
	}
	return err
}

func (t *terminal) receive(ctx context.Context, to qft.Target, cfg qft.Config) error {
	r, err := qft.Receive(ctx, to, cfg)
	if err == nil {
		t.finish("received")
		fmt.Fprintln(t.out, r.Path)
	}
	return err
}

// ask reads one line.
func (t *terminal) ask(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(t.err, prompt)
	return t.await(ctx, func() (string, error) {
		line, err := bufio.NewReader(t.in).ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		return line, err
	})
}

// await reads an answer that an interrupt may cut short: a read from a
// terminal cannot be, so it is left behind.
func (t *terminal) await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := read()
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		if a.err != nil {
			return "", usageError{fmt.Errorf("reading the answer: %w", a.err)}
		}
		return strings.TrimSpace(a.text), nil
	case <-ctx.Done():
		fmt.Fprintln(t.err)
		return "", &qft.Error{Op: "ask", Kind: qft.KindCanceled, Err: errors.New("interrupted")}
	}
}
