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
)

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
			var src qft.Source
			if err := openSource(t, &src, args[2:3]); err != nil {
				return err
			}
			return t.send(cmd.Context(), src, cfg)
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
			if args[2] == "-" || streams() && irregular(args[2]) {
				to = qft.Target{}
				openTarget(t, &to, args[2])
			}
			return t.receive(cmd.Context(), to, cfg, false)
		},
	}
}

func legacyHelp(what, skip string) string {
	return `Meets the other side in the room of PHRASE and ` + what + `. PHRASE as "-"
is asked for, or taken from QFT_PHRASE, so that it does not show in the list of
processes. FILE as "-" is stdin or stdout; with QFT_STREAM=1 it may be a pipe or
a device. QFT_LIMIT and QFT_BACKGROUND, and their lines in the configuration
file, hold here too.

BITRATE is historical: an upper bound on the file bytes in one packet, 0 or
absent: what the path carries. SKIP is the byte offset ` + skip + `;
nobody should need it, since an interrupted transfer continues by itself.`
}

// legacy reads the positional arguments of sender and receiver.
func (t *terminal) legacy(ctx context.Context, args []string) (cfg qft.Config, err error) {
	if cfg, _, err = t.config(nil, args[0]); err != nil {
		return cfg, err
	}
	cfg.Phrase = args[1]
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
