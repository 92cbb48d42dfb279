package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"qft/internal/settings"
)

// manCommand prints the man page, for packages.
func manCommand(t *terminal, root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "man",
		Short:  "print the man page qft(1), made from the commands",
		Hidden: true,
		Args:   exactly(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			m := &manual{w: t.out}
			m.page(root)
			return m.err
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

// manual writes a page in the man macros of troff.
type manual struct {
	w   io.Writer
	err error
}

func (m *manual) printf(format string, args ...any) {
	if m.err == nil {
		_, m.err = fmt.Fprintf(m.w, format, args...)
	}
}

// page writes all of it: one page, so that searching finds everything.
func (m *manual) page(root *cobra.Command) {
	m.printf(".\\\" Made by qft man.\n.TH QFT 1 \"\" \"qft %s\" \"User Commands\"\n", version())
	m.printf(".SH NAME\nqft \\- %s\n", escape(root.Short))
	m.printf(".SH SYNOPSIS\n")
	commands := visibleCommands(root)
	for _, c := range commands {
		m.printf(".B %s\n.br\n", escape("qft "+c.Use))
	}
	m.printf(".B %s\n.br\n.B %s\n", escape(senderName+" PHRASE FILE [BITRATE] [SKIP]"), escape(receiverName+" PHRASE FILE [BITRATE] [SKIP]"))
	m.printf(".SH DESCRIPTION\n")
	m.text(root.Long)
	m.printf(".SH COMMANDS\n")
	for _, c := range commands {
		m.command(c)
	}
	m.settings()
	m.printf(".SH \"EXIT STATUS\"\n.nf\n%s\n.fi\n", escape(exitCodes()))
	for _, name := range topicNames() {
		title, text := topicText(name)
		if name == "topics" || name == "scripts" {
			continue // the page is the one, and has said most of the other
		}
		m.printf(".SH \"%s\"\n", strings.ToUpper(escape(title)))
		m.text(text)
	}
	m.files()
}

func visibleCommands(root *cobra.Command) (all []*cobra.Command) {
	for _, c := range root.Commands() {
		if !c.Hidden {
			all = append(all, c)
		}
	}
	return all
}

// command writes what there is on a command, and its flags.
func (m *manual) command(c *cobra.Command) {
	m.printf(".SS %s\n", escape("qft "+c.Use))
	about := c.Long
	if about == "" {
		about = c.Short
	}
	m.text(about)
	for _, sub := range visibleCommands(c) {
		m.printf(".TP\n.B %s\n%s\n", escape(sub.CommandPath()), escape(sub.Short))
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" && f.NoOptDefVal == "" {
			name += " " + value
		}
		m.printf(".TP\n.B %s\n%s\n", escape(name), escape(usage))
	})
}

// settings writes what can be set in the environment and in the file.
func (m *manual) settings() {
	m.printf(".SH SETTINGS\nA flag goes before a variable of the environment, and that before a line KEY = VALUE of the configuration file.\n")
	for _, k := range settings.Keys() {
		m.printf(".TP\n.B %s\n%s", escape(k.Name+", "+k.Variable()), escape(k.Usage))
		if k.Choices != nil {
			m.printf(" (%s)", escape(strings.Join(k.Choices, ", ")))
		}
		if k.Default != "" {
			m.printf("; default: %s", escape(k.Default))
		}
		m.printf("\n")
	}
	m.printf(".SH ENVIRONMENT\nThe variables of the settings, and\n")
	for _, v := range environment() {
		m.printf(".TP\n.B %s\n%s\n", escape(v[0]), escape(v[1]))
	}
}

// environment is what no setting stands for.
func environment() [][2]string {
	return [][2]string{
		{"QFT_PHRASE", "a phrase of your own, in place of a code"},
		{"QFT_HELPER_SECRET", "the secret of a private helper"},
		{"QFT_STREAM", "1: all commands take pipes and devices as files"},
		{"QFT_NO_OFFLOAD", "1: the same as QFT_OFFLOAD=no"},
		{"NO_COLOR", "anything: no bold and no colours"},
	}
}

func (m *manual) files() {
	m.printf(".SH FILES\n.TP\n.I %s\nsettings\n.TP\n.I %s\nwhat was interrupted; no phrase and no code\n", escape("~/.config/qft/config"), escape("~/.local/state/qft/"))
	m.printf(".TP\n.I %s\nwhat has arrived so far of NAME, beside its place\n", escape(".NAME.qft-part"))
	m.printf(".PP\nOther systems have them where they keep such files: qft config --path.\n")
	m.printf(".SH \"SEE ALSO\"\nqft help topics; docs/ of the sources\n")
}

// text writes paragraphs. One that is indented stays as it is; what is indented
// below a line of its own is that heading's paragraph.
func (m *manual) text(s string) {
	for part := range strings.SplitSeq(strings.TrimRight(s, " \n"), "\n\n") {
		lines := strings.Split(part, "\n")
		below := lines[1:]
		switch {
		case indented(lines[0]):
			for i, line := range lines { // pages are indented already
				lines[i] = strings.TrimPrefix(line, "  ")
			}
			m.printf(".PP\n.nf\n%s\n.fi\n", escape(strings.Join(lines, "\n")))
			continue
		case len(below) > 0 && indented(below[0]):
			m.printf(".TP\n.B %s\n", escape(lines[0]))
		default:
			m.printf(".PP\n%s\n", escape(lines[0]))
		}
		listed := false // the lines are points of a list, and what belongs to them
		for _, line := range below {
			text := strings.TrimSpace(line)
			point := strings.HasPrefix(text, "- ")
			if point || listed && !strings.HasPrefix(line, "      ") {
				m.printf(".br\n")
				listed = point
			}
			m.printf("%s\n", escape(text))
		}
	}
}

func indented(line string) bool { return strings.HasPrefix(line, "    ") }

// escape makes text harmless in troff: a line that begins with a dot or an
// apostrophe is a request there, a hyphen is not the minus of a flag, and
// backslashes escape.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`, "→", `\(->`, "·", `\(bu`, "…", "...").Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
