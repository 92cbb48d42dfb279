package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"qft"
)

const aboutHelper = `Runs a helper on UDP ports, IPv4 and IPv6, and on the same ports of TCP for
networks that block UDP. It needs a public address (or one that all its users
reach) and carries no file data. It also answers STUN binding requests.

Several ports (4277 443 53 123) help people whose network lets few out, and let
clients measure their NAT. On a machine with several addresses, --address says
which one users are told, or answers leave from another.

--config FILE has lines "KEY = VALUE", each KEY a flag without its dashes, and
"ports = 4277 443"; what is said on the command line counts instead. SIGHUP
reads the file and the secrets again: limits and secrets change at once, the
rest with the next start. A private helper stays one: only a start opens it to
everybody. SIGTERM drains: nobody is let into a new room, and the helper ends
when all have gone or --drain is over. A second SIGTERM, or Ctrl-C, ends it at
once; its users come to it, or to another one, again by themselves.

/metrics (Prometheus) and /healthz are at --metrics, which everybody who can
reach it may read. The log never has a phrase, since none is ever sent, and no
address of a user unless asked for.

--secret-file makes a private helper: a line for each secret that is let in, of
16 characters or more. Users need one (--helper-secret-file, QFT_HELPER_SECRET).

--nats has several helpers behind one name or address share their rooms: people
meet who came to different ones, and when one is lost its users go on at the
others. NATS passes notes and sees rooms, as a helper does: keep it private. A
password in its URL belongs in the file, as others can see the command line.

--proxy-from names load balancers that put a PROXY protocol header of version 2
before each datagram. Nobody else's headers are believed, and from them nothing
without one.

Limits: a source is an IPv4 address or an IPv6 /64. docs/scaling.md says what
which size of helper takes.`

func helperCommand(t *terminal) *cobra.Command {
	var path string
	said := make(map[string]string)
	cmd := &cobra.Command{
		Use:   "helper PORT...",
		Short: "run a helper that introduces machines to each other",
		Long:  aboutHelper,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				said["ports"] = strings.Join(args, " ")
			}
			p, err := planHelper(path, said)
			if err != nil {
				return err
			}
			return p.run(cmd.Context(), t.err, func() (*helperPlan, error) { return planHelper(path, said) })
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.StringVar(&path, "config", "", "read settings from `FILE`")
	for _, s := range helperSettings {
		if s.key == "ports" {
			continue // the arguments
		}
		say := func(v string) error {
			said[s.key] = v
			return nil
		}
		if s.flag {
			f.BoolFuncP(s.key, s.short, s.usage, say)
			continue
		}
		f.Func(s.key, s.usage, say)
		if !strings.Contains(s.usage, "`FILE`") {
			completeFlags(cmd, s.key)
		}
	}
	return cmd
}

// run runs the helper, and obeys signals.
func (p *helperPlan) run(ctx context.Context, log io.Writer, again func() (*helperPlan, error)) error {
	// Memory bounds how many can wait, and little of what a helper holds is
	// short-lived: the collector may run before it has doubled.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
	p.cfg.Log = p.logger(log)
	p.cfg.Control = new(qft.HelperControl)
	// The context of the program ends with the first SIGTERM already.
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	ended := make(chan struct{})
	defer func() { <-ended }()
	go func() {
		defer close(ended)
		p.obey(ctx, signals, again, end)
	}()
	defer end()
	return qft.Helper(ctx, p.cfg)
}

// obey handles signals until the context ends.
func (p *helperPlan) obey(ctx context.Context, signals <-chan os.Signal, again func() (*helperPlan, error), end func()) {
	draining := false
	for {
		var s os.Signal
		select {
		case s = <-signals:
		case <-ctx.Done():
			return
		}
		switch {
		case s == syscall.SIGHUP:
			p.reload(again)
		case s == syscall.SIGTERM && !draining:
			draining = true
			p.cfg.Control.Drain()
		default:
			end()
			return
		}
	}
}

// reload takes up what may change while the helper runs.
func (p *helperPlan) reload(again func() (*helperPlan, error)) {
	log := p.cfg.Log
	next, err := again()
	if err != nil {
		log.Error("nothing is reloaded: " + err.Error())
		return
	}
	for _, s := range helperSettings {
		if !s.reload && p.said[s.key] != next.said[s.key] {
			log.Warn("a setting takes effect at the next start only", "setting", s.key)
		}
	}
	p.private = p.private || len(p.cfg.Rules.Secrets)+len(next.cfg.Rules.Secrets) > 0
	if p.private && len(next.cfg.Rules.Secrets) == 0 {
		// Most likely a file that was being written.
		log.Error("nothing is reloaded: the helper is private, and the settings name no secret-file any more. To serve everybody, start it anew")
		return
	}
	p.cfg.Control.Reload(next.cfg.Rules) // which says so once it is done
}

func (p *helperPlan) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if p.verbose {
		o.Level = slog.LevelDebug
	}
	if p.json {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// duplicate returns what is twice in a list, or 0.
func duplicate(ports []uint16) uint16 {
	seen := make(map[uint16]bool)
	for _, p := range ports {
		if seen[p] {
			return p
		}
		seen[p] = true
	}
	return 0
}

// parsePorts reads a list of ports.
func parsePorts(text string) (all []uint16, err error) {
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		p, err := parsePort(s)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	switch p := duplicate(all); {
	case len(all) == 0:
		return nil, fmt.Errorf("no port is given: qft helper 4277")
	case len(all) > mostPorts:
		return nil, fmt.Errorf("%d ports are more than %d", len(all), mostPorts)
	case p != 0:
		return nil, fmt.Errorf("port %d is given twice", p)
	}
	return all, nil
}

// mostPorts is as many as a client is told of.
const mostPorts = 7
