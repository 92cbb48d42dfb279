package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"qft"
	"qft/internal/settings"
)

const aboutReceive = `Receives what the sender offers into the current folder, or where -o says.
Without CODE it asks. CODE@HOST or CODE@HOST:PORT asks for the sender at its own
machine, without a helper: one that was started without one listens on UDP port
4277, or that of its --port. A code ends with its send, so it may stand in the
command line; what is misspelt in it is repaired, or named.

On a terminal it shows what is coming and asks whether you want it, and what to
do about what exists already; elsewhere it takes what comes and ends with exit
code 4 where something is in the way. Nothing that exists is overwritten
unasked. What is there already and identical is not sent again.

-o FOLDER receives into an existing folder, -o NAME gives one file or directory
that name, and -o - writes a file or a stream to stdout. A text is shown.

If it is stopped, killed or cut off, type the same again: it continues, and the
sender has waited.

`

// receiveFlags are the flags of receive.
type receiveFlags struct {
	options
	target    qft.Target
	output    string
	overwrite bool
	rename    bool
	skip      bool
	yes       bool
}

func receiveCommand(t *terminal) *cobra.Command {
	var r receiveFlags
	cmd := &cobra.Command{
		Use:   "receive [CODE[@HOST[:PORT]]]",
		Short: "receive with the code that the sender tells",
		Long:  aboutReceive + aboutRates,
		Args:  exactly(0, 1, "at most one code"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.read(); err != nil {
				return err
			}
			cfg, set, err := t.config(r.said, "")
			if err != nil {
				return err
			}
			if err := r.apply(set); err != nil {
				return usageError{err}
			}
			if cfg.Phrase, cfg.Host, err = r.receivePhrase(cmd.Context(), t, args); err != nil {
				return err
			}
			openTarget(t, &r.target, r.output)
			t.json = r.json
			return t.receive(cmd.Context(), r.target, cfg, !r.yes)
		},
		ValidArgsFunction: completeCode,
	}
	r.register(cmd, settings.Folder, settings.Existing, settings.MaxSize, settings.MaxFiles)
	f := cmd.Flags()
	f.StringVarP(&r.output, "output", "o", "", "file or existing folder to write to; - is stdout")
	f.BoolVar(&r.overwrite, "overwrite", false, "replace what exists: --existing overwrite")
	f.BoolVar(&r.rename, "rename", false, "give what arrives another name where something exists: --existing rename")
	f.BoolVar(&r.skip, "skip-existing", false, "leave what exists as it is, and do not receive it: --existing skip")
	f.BoolVarP(&r.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&r.target.Checksum, "checksum", false,
		"compare what exists by its content, and show the hash of what was received")
	return cmd
}

// read takes the flags that say one thing together.
func (r *receiveFlags) read() error {
	for _, f := range []struct {
		on  bool
		how string
	}{{r.overwrite, "overwrite"}, {r.rename, "rename"}, {r.skip, "skip"}} {
		if !f.on {
			continue
		}
		if r.said[settings.Existing] != "" {
			return usageError{errors.New("only one of --overwrite, --rename and --skip-existing, or --existing")}
		}
		r.said[settings.Existing] = f.how
	}
	if r.json && r.output == "-" {
		return usageError{errors.New("--json and -o - both want stdout")}
	}
	return nil
}

// apply takes over what settings say of the target.
func (r *receiveFlags) apply(set *settings.Settings) (err error) {
	to := &r.target
	if to.Existing, err = set.Resolution(); err != nil {
		return err
	}
	if to.MaxBytes, err = set.MaxBytes(); err != nil {
		return err
	}
	if to.MaxFiles, err = set.MaxCount(); err != nil {
		return err
	}
	if to.Archive, err = set.On(settings.Archive); err != nil {
		return err
	}
	if r.output != "" {
		return nil
	}
	folder := set.Lookup(settings.Folder)
	if folder.Value != "" && !isDir(folder.Value) {
		return fmt.Errorf("%s: there is no folder %s: make it, or name another one", folder.From, clean(folder.Value))
	}
	r.output = folder.Value
	return nil
}

// receive receives; where somebody is at the terminal, and may be asked, that
// person decides.
func (t *terminal) receive(ctx context.Context, to qft.Target, cfg qft.Config, mayAsk bool) error {
	if mayAsk && t.attended() {
		to.Accept = func(p qft.Proposal) bool { return t.askProposal(ctx, to, p) }
		if to.Stream == nil {
			to.Resolve = func(path string) (qft.Existing, bool) { return t.askConflict(ctx, path) }
		}
	}
	t.checksum, t.receives, t.keeps = to.Checksum, true, to.Existing == qft.ExistingSkip
	if _, _, err := qft.SplitCode(cfg.Phrase); err == nil {
		t.terms.Again = "run the same command again (with the new code, if the sender was started anew) to continue"
	}
	defer t.attend(&cfg, false)()
	r, err := qft.Receive(ctx, to, cfg)
	t.finish("received", r, err)
	return err
}
