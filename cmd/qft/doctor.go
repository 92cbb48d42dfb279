package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"qft"
	"qft/internal/settings"
)

const aboutDoctor = `Measures what this network allows: what the NAT does to ports, what the firewall
lets in, which UDP ports get out, whether IPv6 works, whether the router opens
ports, how large packets may be, how long an idle connection is kept, and what
this machine's buffers are. The last lines say in plain words with whom
transfers will work, and what would help.

It asks the servers that are named, each HOST:PORT of a helper or of any STUN
server, or HOST of a helper at port 4277; with none, the helper of the settings.
Two tell more than one, as does a helper on two ports. It takes some 25 seconds,
most of them waiting to see how long an idle connection is kept; --long waits
for up to a minute.

To see whether the router opens ports, one is opened and closed again, unless
--no-portmap says not to.

The exit code is 0 where a server has answered and nothing makes transfers hard,
16 where they are hard, and 17 where no server has answered, or none was named.

    qft doctor
    qft doctor helper.example:4277 stun.example:3478`

func doctorCommand(t *terminal) *cobra.Command {
	flags := make(said)
	var asJSON bool
	var cfg qft.DoctorConfig
	cmd := &cobra.Command{
		Use:   "doctor [HOST[:PORT]...]",
		Short: "measure what this network allows, and say what would help",
		Long:  aboutDoctor,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Servers = args
			set, _, err := t.config(flags, "")
			if err != nil {
				return err
			}
			cfg.NoPortMapping = set.NoPortMapping
			if len(args) == 0 && set.Helper != "" {
				cfg.Servers = []string{set.Helper}
			}
			if t.redraws {
				fmt.Fprintln(t.err, "Asking …")
				cfg.Waiting = func(rest time.Duration) {
					fmt.Fprintf(t.err, "Waiting to see how long an idle connection is kept: %d s more\n", int(rest.Seconds()+0.5))
				}
			}
			d, err := qft.Doctor(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(t.out).Encode(d); err != nil {
					return err
				}
				return judged(d)
			}
			printDiagnosis(t.out, d)
			return judged(d)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	registerKeys(cmd, flags, settings.Helper, settings.Portmap)
	f.BoolVar(&cfg.Long, "long", false, "measure for up to a minute how long an idle connection is kept")
	f.BoolVar(&asJSON, "json", false, "print a line of JSON for programs instead (docs/doctor.md)")
	return cmd
}

// printDiagnosis shows what was found, a line each, and then the verdict.
func printDiagnosis(w io.Writer, d qft.Diagnosis) {
	line := func(name, text string) {
		fmt.Fprintf(w, "%-9s%s\n", name, strings.ReplaceAll(wrap(clean(text), 70, ""), "\n", "\n         "))
	}
	for _, s := range d.Servers {
		line("server", serverLine(s))
	}
	line("IPv4", ipLine(d.IPv4))
	line("IPv6", ipLine(d.IPv6))
	if d.IPv4.NAT == qft.Yes {
		line("NAT", natLine(d))
	}
	if d.IPv4.Outside != "" || d.IPv6.Outside != "" {
		line("filter", filterLine(d))
	}
	if text := livesLine(d); text != "" {
		line("idle", text)
	}
	line("router", routerLine(d))
	if text := sizeLine(d); text != "" {
		line("packets", text)
	}
	m := d.Machine
	line("buffers", fmt.Sprintf("receive %d KiB, send %d KiB", m.ReceiveBuffer>>10, m.SendBuffer>>10))
	line("offload", fmt.Sprintf("send (GSO) %s, receive (GRO) %s", onOff(m.SendOffload), onOff(m.ReceiveOffload)))
	line("clock", map[qft.Tri]string{qft.Yes: "synchronised", qft.No: "not synchronised", qft.Unknown: "not known"}[m.Clock])
	fmt.Fprintf(w, "\n%s\n", wrap(clean(d.Verdict.Text), 78, ""))
	for _, a := range d.Verdict.Advice {
		fmt.Fprintf(w, "- %s\n", strings.ReplaceAll(wrap(clean(a), 76, ""), "\n", "\n  "))
	}
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func serverLine(s qft.ServerCheck) string {
	name := s.Name
	if s.Error != "" {
		return name + ": " + s.Error
	}
	if s.Address != name {
		name += " (" + s.Address + ")"
	}
	var answered, silent, tcp []string
	for _, p := range s.UDP {
		if p.Answered {
			answered = append(answered, fmt.Sprint(p.Port))
		} else {
			silent = append(silent, fmt.Sprint(p.Port))
		}
	}
	for _, p := range s.TCP {
		if p.State == "connected" {
			tcp = append(tcp, fmt.Sprint(p.Port))
		}
	}
	says := []string{"no answer over UDP"}
	if len(answered) > 0 {
		says = []string{fmt.Sprintf("%s, %s away", kindOf(s), roundTrip(s.RTTMS)), "UDP answers at " + strings.Join(answered, ", ")}
		if len(silent) > 0 {
			says = append(says, "not at "+strings.Join(silent, ", "))
		}
	}
	if len(tcp) > 0 {
		says = append(says, "TCP at "+strings.Join(tcp, ", "))
	}
	return name + ": " + strings.Join(says, "; ")
}

func kindOf(s qft.ServerCheck) string {
	if s.Helper {
		return "a helper"
	}
	return "a STUN server"
}

func roundTrip(ms float64) string {
	if ms < 1 {
		return "less than 1 ms"
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func ipLine(c qft.IPCheck) string {
	here := strings.Join(c.Local, ", ")
	switch {
	case len(c.Local) == 0 && c.Outside == "":
		return "none"
	case !c.Asked:
		return here + "; no server with such an address was asked"
	case len(c.Local) == 0:
		here = "no address"
		fallthrough
	case c.Outside == "":
		return here + "; no server has answered"
	case c.NAT == qft.No:
		return c.Outside + ", no NAT"
	}
	return fmt.Sprintf("%s seen from outside, %s here: behind a NAT", c.Outside, here)
}

func natLine(d qft.Diagnosis) string {
	text := map[string]string{
		"independent": "the same port for every destination",
		"preserving":  "another port for each destination, the inside one where it is free",
		"sequential":  "another port for each destination, one after the other",
		"random":      "another port for each destination, at random",
		"unknown":     "not known what it does: only one destination has answered",
	}[d.NAT.Mapping]
	if d.NAT.Mapping == "independent" && d.NAT.KeepsPort == qft.Yes {
		text += ", the inside one"
	}
	switch d.NAT.Hairpin {
	case qft.Yes:
		text += "; hairpin works"
	case qft.No:
		text += "; no hairpin"
	}
	return text
}

func filterLine(d qft.Diagnosis) string {
	var all []string
	for _, c := range []struct {
		name string
		is   qft.IPCheck
	}{{"IPv4", d.IPv4}, {"IPv6", d.IPv6}} {
		if c.is.Outside == "" {
			continue
		}
		all = append(all, c.name+": "+map[qft.Tri]string{
			qft.Yes:     "lets in other ports than those written to",
			qft.No:      "lets in answers only",
			qft.Unknown: "not known, that takes a helper on two ports",
		}[c.is.OtherPorts])
	}
	return strings.Join(all, "; ")
}

func livesLine(d qft.Diagnosis) string {
	n := d.NAT
	switch {
	case d.IPv4.NAT != qft.Yes && d.IPv4.OtherPorts == qft.Yes:
		return "" // nothing that could forget
	case n.LivesS > 0 && n.LivesLessS > 0:
		return fmt.Sprintf("a connection is kept for %g to %g s without traffic", n.LivesS, n.LivesLessS)
	case n.LivesS > 0:
		return fmt.Sprintf("a connection is kept for %g s or longer without traffic", n.LivesS)
	case n.LivesLessS > 0:
		return fmt.Sprintf("a connection is kept for less than %g s without traffic", n.LivesLessS)
	}
	return ""
}

func routerLine(d qft.Diagnosis) string {
	switch {
	case !d.RoutersAsked:
		return "not asked"
	case len(d.Routers) == 0:
		return "none"
	}
	var says []string
	for _, r := range d.Routers {
		switch {
		case len(r.Opened) > 0:
			says = append(says, fmt.Sprintf("opens ports by %s (%s)", r.Protocol, strings.Join(r.Opened, ", ")))
		case r.Said != "":
			says = append(says, fmt.Sprintf("%s: %s", r.Protocol, r.Said))
		case r.Speaks:
			says = append(says, "speaks "+r.Protocol)
		}
	}
	if len(says) == 0 {
		return "does not open ports (no PCP, NAT-PMP, UPnP)"
	}
	return strings.Join(says, "; ")
}

func sizeLine(d qft.Diagnosis) string {
	var all []string
	for _, c := range []struct {
		name string
		is   qft.IPCheck
	}{{"IPv4", d.IPv4}, {"IPv6", d.IPv6}} {
		switch {
		case c.is.Outside == "":
		case c.is.MTU == 0:
			all = append(all, c.name+": nothing of 1228 bytes got through")
		case c.is.MTUMost:
			all = append(all, fmt.Sprintf("%s: %d bytes get through", c.name, c.is.MTU))
		default:
			all = append(all, fmt.Sprintf("%s: up to %d bytes get through", c.name, c.is.MTU))
		}
	}
	return strings.Join(all, "; ")
}
