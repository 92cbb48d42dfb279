package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"qft"
	"qft/internal/settings"
)

const aboutResume = `Without arguments it lists the transfers that were interrupted: what this
machine was sending, and what it was receiving, whose beginnings lie beside
their places. What lies in the current folder is listed even if nothing else is
known of it.

"qft resume 2" continues number 2 of the list, with the same paths and options:
a send prints a new code, or asks for the phrase if it had one of its own; a
receive needs the code that the sender shows now. Nothing that has arrived is
sent or hashed again.

"qft resume --discard 2" forgets it, and removes what has arrived of it.`

func resumeCommand(t *terminal) *cobra.Command {
	var o options
	var discard bool
	cmd := &cobra.Command{
		Use:   "resume [N [CODE]]",
		Short: "list what was interrupted, and continue it",
		Long:  aboutResume,
		Args:  exactly(0, 2, "the number of a transfer in its list, and a code"),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := qft.Unfinished(settings.StatePath(), ".")
			if err != nil {
				return err
			}
			if len(args) == 0 {
				if discard {
					return usageError{errors.New("--discard takes the number of a transfer in the list of qft resume")}
				}
				t.list(list)
				return nil
			}
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 1 || n > len(list) {
				return usageError{advised{fmt.Errorf("there is no number %q in the list", args[0]), "qft resume lists what can be continued, by number."}}
			}
			if !discard {
				return t.resume(cmd.Context(), &list[n-1], o, args[1:])
			}
			if len(args) > 1 {
				return usageError{errors.New("--discard takes one number")}
			}
			if err := list[n-1].Discard(); err != nil {
				return err
			}
			t.say(nil, "discarded: %s", unfinishedText(&list[n-1]))
			return nil
		},
		ValidArgsFunction: completeUnfinished,
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&discard, "discard", false, "forget it, and remove what has arrived")
	return cmd
}

// list prints what can be continued.
func (t *terminal) list(list []qft.Record) {
	if len(list) == 0 {
		t.say(nil, "nothing was interrupted")
		return
	}
	for i := range list {
		fmt.Fprintf(t.out, "%3d  %s\n", i+1, unfinishedText(&list[i]))
	}
	t.say(nil, "continue: qft resume N [CODE]; remove: qft resume --discard N")
}

func unfinishedText(r *qft.Record) string {
	s := r.Role + " " + clean(r.What)
	switch {
	case r.Role == "receive":
		s += " into " + clean(r.Dir)
	case len(r.Paths) > 0:
		s += " (" + clean(r.Paths[0]) + ")"
	}
	switch {
	case r.Size > 0:
		s += fmt.Sprintf(", %s of %s", size(r.Done), size(r.Size))
	case r.Done > 0:
		s += fmt.Sprintf(", %s on the disk", size(r.Done))
	}
	if !r.Seen.IsZero() {
		s += ", " + r.Seen.Local().Format(time.DateTime)
	}
	return s
}

// resume continues a transfer with what it had: the helper too, unless a flag
// says another one.
func (t *terminal) resume(ctx context.Context, r *qft.Record, o options, code []string) error {
	helper := r.Helper
	if o.said[settings.Helper] != "" {
		helper = ""
	}
	cfg, _, err := t.config(o.said, helper)
	if err != nil {
		return err
	}
	o.ask = o.ask || r.Own && len(code) == 0
	if r.Role == "receive" || len(code) > 0 {
		cfg.Phrase, cfg.Host, err = o.receivePhrase(ctx, t, code)
	} else {
		cfg.Phrase, err = o.phrase(ctx, t)
	}
	if err != nil {
		return err
	}
	t.json = o.json
	if r.Role == "receive" {
		return t.receive(ctx, r.Target(), cfg, true)
	}
	return t.send(ctx, r.Source(), cfg)
}
