package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"qft"
	"qft/internal/settings"
)

// helperArgument is how errors call the argument that names the helper.
const helperArgument = "HELPER"

func senderCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "sender HELPER[:PORT] PHRASE FILE [BITRATE] [SKIP]",
		Short: "the historical send, with a phrase of your own",
		Long:  legacyHelp("sends FILE", "from which to send"),
		Args:  exactly(3, 5, "HELPER[:PORT] PHRASE FILE [BITRATE] [SKIP]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t.terms = historicalTerms(cmd.CommandPath())
			return t.legacySend(cmd.Context(), args[0], args[1:])
		},
		ValidArgsFunction: completeFile(2),
	}
}

func receiverCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "receiver HELPER[:PORT] PHRASE FILE [BITRATE] [SKIP]",
		Short: "the historical receive",
		Long:  legacyHelp("receives into FILE", "at which to write on: that much of FILE is kept as it is"),
		Args:  exactly(3, 5, "HELPER[:PORT] PHRASE FILE [BITRATE] [SKIP]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t.terms = historicalTerms(cmd.CommandPath())
			return t.legacyReceive(cmd.Context(), args[0], args[1:])
		},
		ValidArgsFunction: completeFile(2),
	}
}

// The program's name, and its other ones: links to it that stand for sender and
// receiver with the helper of the settings.
const (
	mainName     = "qft"
	senderName   = "qfts"
	receiverName = "qftr"
)

// calledAs is the program's name as it was typed, without what Windows adds.
func calledAs(path string) string {
	name := strings.ToLower(filepath.Base(path))
	return strings.TrimSuffix(name, ".exe")
}

// shortCommand is the whole program under one of its other names.
func shortCommand(t *terminal, name string) *cobra.Command {
	send := name == senderName
	cmd := &cobra.Command{
		Use:           name + " PHRASE FILE [BITRATE] [SKIP]",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          exactly(2, 4, "PHRASE FILE [BITRATE] [SKIP]"),
	}
	t.terms = historicalTerms(name)
	cmd.SetUsageFunc(usage)
	cmd.SetFlagErrorFunc(flagError)
	cmd.CompletionOptions.DisableDefaultCmd = true
	const where = "\n\nThe helper is the one of the settings: qft config helper HOST."
	if send {
		cmd.Long = legacyHelp("sends FILE", "from which to send") + where
		cmd.RunE = func(cmd *cobra.Command, args []string) error { return t.legacySend(cmd.Context(), "", args) }
		return cmd
	}
	cmd.Long = legacyHelp("receives into FILE", "at which to write on: that much of FILE is kept as it is") + where
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return t.legacyReceive(cmd.Context(), "", args) }
	return cmd
}

// legacySend sends as PHRASE FILE [BITRATE] [SKIP] say.
func (t *terminal) legacySend(ctx context.Context, helper string, args []string) error {
	cfg, err := t.legacy(ctx, helper, args)
	if err != nil {
		return err
	}
	var src qft.Source
	if err := openSource(t, &src, args[1:2]); err != nil {
		return err
	}
	return t.send(ctx, src, cfg)
}

// legacyReceive receives likewise.
func (t *terminal) legacyReceive(ctx context.Context, helper string, args []string) error {
	cfg, err := t.legacy(ctx, helper, args)
	if err != nil {
		return err
	}
	file := args[1]
	to := qft.Target{Dir: filepath.Dir(file), Name: filepath.Base(file)}
	if file == "-" || streams() && irregular(file) {
		to = qft.Target{}
		openTarget(t, &to, file)
	}
	return t.receive(ctx, to, cfg, false)
}

func legacyHelp(what, skip string) string {
	return `Meets the other side in the room of PHRASE and ` + what + `. PHRASE as "-"
is asked for, or taken from QFT_PHRASE, so that it does not show in the list of
processes. FILE as "-" is stdin or stdout; with QFT_STREAM=1 it may be a pipe or
a device. QFT_LIMIT and QFT_BACKGROUND, and their lines in the configuration
file, hold here too.

` + wrap("BITRATE is historical: an upper bound on the file bytes in one packet, 0 or absent: what the path carries. "+
		"SKIP is the byte offset "+skip+"; nobody should need it, since an interrupted transfer continues by itself.", helpWidth, "")
}

// legacy reads PHRASE FILE [BITRATE] [SKIP]; without a helper it is the one of
// the settings.
func (t *terminal) legacy(ctx context.Context, helper string, args []string) (cfg qft.Config, err error) {
	if err := settings.Check(settings.Helper, helper); err != nil {
		return cfg, usageError{&settings.Error{From: helperArgument, Err: err}}
	}
	if cfg, _, err = t.config(nil, helper); err != nil {
		return cfg, err
	}
	cfg.Phrase = args[0]
	if cfg.Phrase == "-" {
		o := options{ask: true}
		if cfg.Phrase, err = o.phrase(ctx, t); err != nil {
			return cfg, err
		}
	}
	if strings.TrimSpace(cfg.Phrase) == "" {
		return cfg, usageError{errors.New("the phrase is empty")}
	}
	if len(args) > 2 {
		n, err := strconv.ParseUint(args[2], 10, 16)
		if err != nil || n > 65532 {
			return cfg, usageError{fmt.Errorf("the bitrate %q is no number from 0 to 65532 (bytes in a packet)", args[2])}
		}
		cfg.PacketBytes = int(n)
	}
	if len(args) > 3 {
		n, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil || n < 0 {
			return cfg, usageError{fmt.Errorf("the skip %q is no number of bytes", args[3])}
		}
		cfg.Skip = n
	}
	return cfg, nil
}
