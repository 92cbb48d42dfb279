package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/inconshreveable/mousetrap"
	"github.com/spf13/cobra"

	"qft/internal/gui"
	"qft/internal/settings"
)

const aboutGUI = `Opens a window in the default browser: send, receive, what runs, what was
interrupted, what the network allows, and settings. The page is served by this
program, on 127.0.0.1 only, and talks to nobody else. The program ends when the
last page is closed and nothing runs.

The page's list of folders begins at your home, the folder in which this command
was typed, removable media (on Windows all drives but its own), and each
FOLDER; it leads nowhere else.

A second "qft gui" opens another page of the first.`

func guiCommand(t *terminal) *cobra.Command {
	flags := make(said)
	var stay bool
	cmd := &cobra.Command{
		Use:   "gui [FOLDER...]",
		Short: "send and receive in a browser window",
		Long:  aboutGUI,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, set, err := t.config(flags, "")
			if err != nil {
				return err
			}
			cfg := gui.Config{Settings: set, Stay: stay, Out: t.err, Show: opener()}
			if cfg.Port, err = set.PortOf(settings.GUIPort); err != nil {
				return usageError{err}
			}
			browser, err := set.On(settings.Browser)
			if err != nil {
				return usageError{err}
			}
			if browser {
				cfg.Open = opener()
			}
			for _, folder := range args {
				path, err := filepath.Abs(folder)
				if err != nil {
					return usageError{err}
				}
				if !isDir(path) {
					return usageError{advised{fmt.Errorf("there is no folder %s", clean(folder)), "check the name, or leave it out: qft gui opens without one."}}
				}
				cfg.Places = append(cfg.Places, path)
			}
			return gui.Run(cmd.Context(), cfg)
		},
		ValidArgsFunction: completeFolders,
	}
	registerKeys(cmd, flags, settings.Helper, settings.HelperSecretFile, settings.Folder, settings.GUIPort, settings.Browser)
	cmd.Flags().BoolVar(&stay, "stay", false, "go on running when the last page is closed")
	return cmd
}

// clicked reports whether somebody has started the program without a terminal,
// by a double click: then there is a window, rather than a help that nobody
// sees.
func clicked(in io.Reader, out, err io.Writer) bool {
	if runtime.GOOS == "windows" {
		return mousetrap.StartedByExplorer()
	}
	desktop := os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
	return desktop && !isTerminal(in) && !isTerminal(out) && !isTerminal(err) && nowhere(in)
}

// nowhere reports whether nothing can come from an input, as desktops have it:
// a script that pipes something in means something else.
func nowhere(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
