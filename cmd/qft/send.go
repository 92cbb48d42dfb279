package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"qft"
	"qft/internal/settings"
)

const aboutSend = `Sends files and directories, in any mix, to whoever types the code that is
printed: on a terminal in large letters, with a QR where there is room. Where
these are in the way, as for programs that read the screen aloud, --no-qr leaves
both out. A directory arrives with names, modes, times, links and holes; special
files are left out and named.

The sender stays until the transfer is done: if the receiver is stopped, killed,
cut off or out of disk space, type the same "qft receive CODE" there again, and
it continues where it was. Ctrl-C ends; the same two commands, with a new code,
continue as well, and "qft resume" lists what can be continued.

"-" sends what comes on stdin as a stream, until it ends:

    tar c . | qft send -           qft receive -o - CODE | tar x

With QFT_STREAM=1 so does a PATH that is a pipe or a device. --text sends a few
lines that the receiver shows: --text "see you at 8", or --text - for stdin.

--to 5 sends to five receivers, at the same time if they come together, all with
the one code; --keep to any number, until it is stopped.

`

// sendFlags are the flags of send.
type sendFlags struct {
	options
	source  qft.Source
	text    string
	keep    bool
	hasText bool
}

func sendCommand(t *terminal) *cobra.Command {
	var s sendFlags
	cmd := &cobra.Command{
		Use:   "send PATH...",
		Short: "send files and directories; prints a code for the receiver",
		Long:  aboutSend + aboutRates,
		RunE: func(cmd *cobra.Command, args []string) error {
			s.hasText = cmd.Flags().Changed("text")
			if cmd.Flags().Changed("to") && s.source.Receivers < 1 {
				return usageError{fmt.Errorf("--to %d: at least one receiver is needed", s.source.Receivers)}
			}
			if err := s.read(cmd.Context(), t, args); err != nil {
				return err
			}
			cfg, set, err := t.config(s.said, "")
			if err != nil {
				return err
			}
			if err := s.apply(set); err != nil {
				return usageError{err}
			}
			if cfg.Phrase, err = s.phrase(cmd.Context(), t); err != nil {
				return err
			}
			t.json = s.json
			return t.send(cmd.Context(), s.source, cfg)
		},
	}
	s.register(cmd, settings.GitIgnore, settings.Compress, settings.Copy, settings.QR)
	f := cmd.Flags()
	f.IntVar(&s.source.Receivers, "to", 0, "send to `N` receivers with one code (default 1)")
	f.BoolVar(&s.keep, "keep", false, "go on sending to whoever types the code, until stopped")
	f.StringVar(&s.text, "text", "", "send `TEXT` to be shown; - reads it from stdin")
	f.StringVar(&s.source.Name, "name", "", "what the file, directory or stream is called at the receiver")
	f.StringArrayVar(&s.source.Exclude, "exclude", nil, "leave out what matches `PATTERN`, as in .gitignore; may be repeated")
	completeFlags(cmd, "to", "text", "name", "exclude")
	f.BoolVar(&s.source.Checksum, "checksum", false, "show the hash of what was sent: of one file, what b3sum prints")
	return cmd
}

// apply takes over what settings say of the source.
func (s *sendFlags) apply(set *settings.Settings) (err error) {
	if s.source.GitIgnore, err = set.On(settings.GitIgnore); err != nil {
		return err
	}
	if s.source.Archive, err = set.On(settings.Archive); err != nil {
		return err
	}
	compress, err := set.On(settings.Compress)
	s.source.NoCompress = !compress
	return err
}

// read finds out what is to be sent.
func (s *sendFlags) read(ctx context.Context, t *terminal, args []string) error {
	src := &s.source
	switch {
	case s.keep && src.Receivers > 0:
		return usageError{errors.New("either --to N or --keep")}
	case s.keep:
		src.Receivers = -1
	}
	switch {
	case s.hasText && len(args) > 0:
		return usageError{errors.New("either --text or a PATH")}
	case s.hasText:
		return s.readText(ctx, t)
	case len(args) == 0:
		return usageError{errors.New("qft send takes PATH..., - for stdin, or --text TEXT")}
	}
	return openSource(t, src, args)
}

// readText takes the text of the flag or of stdin.
func (s *sendFlags) readText(ctx context.Context, t *terminal) error {
	s.source.Text = s.text
	if s.text == "-" {
		text, err := t.await(ctx, func() (string, error) {
			b, err := io.ReadAll(io.LimitReader(t.in, qft.MaxText+1))
			return string(b), err
		})
		if err != nil {
			return err
		}
		s.source.Text = text
	}
	if strings.TrimSpace(s.source.Text) == "" {
		return usageError{errors.New("the text is empty")}
	}
	if len(s.source.Text) > qft.MaxText {
		return usageError{fmt.Errorf("the text has more than %d bytes: send it as a stream, qft send -", qft.MaxText)}
	}
	return nil
}

func (t *terminal) send(ctx context.Context, src qft.Source, cfg qft.Config) error {
	t.checksum = src.Checksum
	t.text = src.Text != ""
	t.many = src.Receivers < 0 || src.Receivers > 1
	t.sends = sourceText(src)
	t.own = cfg.Phrase != ""
	if !t.own && !t.tokens {
		t.terms.Again = "run the same command again, and tell the other side the new code, to continue"
	}
	t.helper = cfg.Helper
	defer t.attend(&cfg, src.Stream != nil)()
	r, err := qft.Send(ctx, src, cfg)
	t.finish("sent", r, err)
	return err
}

// sourceText is what is sent, as far as that is known before anybody looks.
func sourceText(src qft.Source) string {
	switch {
	case src.Text != "":
		return "a text"
	case src.Stream != nil:
		return "a stream"
	}
	var names []string
	for _, path := range src.Paths[:min(len(src.Paths), 3)] {
		st, err := os.Stat(path)
		name := clean(filepath.Base(path))
		switch {
		case err != nil:
		case st.IsDir():
			name += string(filepath.Separator) + folderText(path)
		default:
			name += ", " + size(st.Size())
		}
		names = append(names, name)
	}
	text := strings.Join(names, "; ")
	if more := len(src.Paths) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// folderText is how much a folder holds, if that is known at a glance: nobody
// waits for it, since the sender counts by itself.
func folderText(path string) string {
	const most = 50 * time.Millisecond
	began := time.Now()
	files, bytes := 0, int64(0)
	err := filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || time.Since(began) > most {
			return fs.SkipAll
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			files++
			bytes += info.Size()
		}
		return nil
	})
	if err != nil || time.Since(began) > most || files == 0 {
		return ""
	}
	return fmt.Sprintf(", %d files, %s", files, size(bytes))
}
