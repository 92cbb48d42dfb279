package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"qft"
	"qft/internal/settings"
)

// helperPlan is a helper as its operator wants it.
type helperPlan struct {
	cfg     qft.HelperConfig
	verbose bool
	json    bool              // the log
	private bool              // it has had secrets since its start
	said    map[string]string // by key
}

// helperSetting is what can be said by a flag --KEY or a line "KEY = VALUE".
type helperSetting struct {
	key, usage string
	short      string // the flag's letter, if it has one
	flag       bool   // yes or no
	reload     bool   // takes effect on SIGHUP
	set        func(p *helperPlan, value string) error
}

// helperSettings are all there are, in the order of the flags.
var helperSettings = []helperSetting{
	{key: "ports", set: func(p *helperPlan, v string) (err error) {
		p.cfg.Ports, err = parsePorts(v)
		return err
	}},
	{key: "address", usage: "answer at these own `ADDRESSES` only, one of IPv4 and one of IPv6 at most (default all)", set: func(p *helperPlan, v string) (err error) {
		p.cfg.Addresses, err = parseAddresses(v)
		return err
	}},
	{key: "tcp", flag: true, usage: "listen on TCP too, on the same ports (default yes; --tcp=no)", set: func(p *helperPlan, v string) error {
		on, err := settings.ParseYes(v)
		p.cfg.NoTCP = !on
		return err
	}},
	{key: "secret-file", usage: "let in only who knows a secret of `FILE`", reload: true, set: func(p *helperPlan, v string) (err error) {
		p.cfg.Rules.Secrets, err = settings.ReadSecrets(v)
		return err
	}},
	{key: "lifetime", usage: "let nobody wait for longer than `TIME` for somebody to come (default 1h)", reload: true, set: duration(
		time.Minute, 30*24*time.Hour, func(p *helperPlan) *time.Duration { return &p.cfg.Rules.Lifetime })},
	{key: "drain", usage: "after SIGTERM, wait for up to `TIME` for those who are there (default 30s)", set: duration(
		time.Millisecond, time.Hour, func(p *helperPlan) *time.Duration { return &p.cfg.Drain })},
	{key: "proxy-from", usage: "believe PROXY headers of these `PREFIXES`, such as 10.0.0.0/24,fd00::1", set: func(p *helperPlan, v string) (err error) {
		p.cfg.ProxyFrom, err = parsePrefixes(v)
		return err
	}},
	{key: "nats", usage: "share rooms with the other helpers at these NATS `URLS`, so that their users meet", set: func(p *helperPlan, v string) error {
		p.cfg.NATS = v
		return nil
	}},
	{key: "nats-credentials", usage: "show NATS the credentials of `FILE`", set: func(p *helperPlan, v string) error {
		p.cfg.NATSCredentials = v
		return nil
	}},
	{key: "metrics", usage: "serve /metrics and /healthz at `HOST:PORT`, or off (default " + metricsAddress + ")", set: func(p *helperPlan, v string) error {
		if v == "off" {
			p.cfg.Metrics = ""
			return nil
		}
		p.cfg.Metrics = v
		_, _, err := net.SplitHostPort(v)
		return err
	}},
	{key: "log-format", usage: "log as `FORMAT`: text or json (default text)", set: func(p *helperPlan, v string) error {
		if p.json = v == "json"; v != "json" && v != "text" {
			return fmt.Errorf("%q is neither text nor json", v)
		}
		return nil
	}},
	{key: "log-addresses", flag: true, usage: "log the addresses of users as well (default no)", set: func(p *helperPlan, v string) (err error) {
		p.cfg.LogAddresses, err = settings.ParseYes(v)
		return err
	}},
	{key: "verbose", short: "v", flag: true, usage: "log every member that comes and goes", set: func(p *helperPlan, v string) (err error) {
		p.verbose, err = settings.ParseYes(v)
		return err
	}},
	countLimit("members", "`N` members at a time, about 400 bytes each (default 65536)", func(r *qft.HelperRules) *int { return &r.Members }),
	countLimit("joins", "`N` new members per second (default 1000)", func(r *qft.HelperRules) *int { return &r.Joins }),
	countLimit("lookups", "`N` receivers per second that come to a number which nobody holds (default 100)", func(r *qft.HelperRules) *int { return &r.Lookups }),
	countLimit("source-members", "`N` members of one source (default 256)", func(r *qft.HelperRules) *int { return &r.SourceMembers }),
	countLimit("source-joins", "`N` new members of one source per minute (default 60)", func(r *qft.HelperRules) *int { return &r.SourceJoins }),
	countLimit("source-packets", "`N` packets of one source per second (default 512)", func(r *qft.HelperRules) *int { return &r.SourcePackets }),
	bytesLimit("source-notes", "notes of one source of `SIZE` per minute (default 480KiB)", func(r *qft.HelperRules) *int { return &r.SourceNotes }),
	bytesLimit("note-memory", "notes of `SIZE` that wait for their readers (default 64MiB)", func(r *qft.HelperRules) *int { return &r.NoteMemory }),
}

// metricsAddress is on this machine only. Where it is taken, by another helper
// most likely, there is a warning.
const metricsAddress = "127.0.0.1:9464"

// countLimit is a setting that is a number.
func countLimit(key, usage string, of func(*qft.HelperRules) *int) helperSetting {
	return helperSetting{key: key, usage: usage, reload: key != "members", set: func(p *helperPlan, v string) error {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no number from 1 to %d", v, 1<<31-1)
		}
		*of(&p.cfg.Rules) = int(n)
		return nil
	}}
}

// bytesLimit is a setting that is a number of bytes.
func bytesLimit(key, usage string, of func(*qft.HelperRules) *int) helperSetting {
	return helperSetting{key: key, usage: usage, reload: true, set: func(p *helperPlan, v string) error {
		n, err := qft.ParseSize(v)
		if err != nil {
			return err
		}
		if n < 1<<10 || n > 1<<40 {
			return fmt.Errorf("%q is less than 1 KiB or more than 1 TiB", v)
		}
		*of(&p.cfg.Rules) = int(min(n, 1<<31-1))
		return nil
	}}
}

func duration(low, high time.Duration, of func(*helperPlan) *time.Duration) func(*helperPlan, string) error {
	return func(p *helperPlan, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil {
			return fmt.Errorf("%q is no time such as 90s, 30m or 2h", v)
		}
		if d < low || d > high {
			return fmt.Errorf("%q is less than %v or more than %v", v, low, high)
		}
		*of(p) = d
		return nil
	}
}

// planHelper joins what the command line has said with a file, if there is one.
func planHelper(path string, said map[string]string) (*helperPlan, error) {
	p := &helperPlan{said: make(map[string]string)}
	p.cfg.Metrics = metricsAddress
	if path != "" {
		if err := p.read(path, said); err != nil {
			return nil, err
		}
	}
	for key, value := range said {
		if err := p.say(key, value); err != nil {
			if key == "ports" {
				return nil, usageError{err}
			}
			return nil, usageError{fmt.Errorf("--%s: %w", key, err)}
		}
	}
	if len(p.cfg.Ports) == 0 {
		return nil, usageError{errors.New("qft helper takes the UDP ports to listen on: qft helper 4277")}
	}
	return p, nil
}

// read takes the settings of a file that were not said otherwise.
func (p *helperPlan) read(path string, said map[string]string) error {
	if err := settings.Read(path, p.line(said)); err != nil {
		return usageError{err}
	}
	return nil
}

// line takes a line of a file.
func (p *helperPlan) line(said map[string]string) func(key, value string) error {
	return func(key, value string) error {
		if _, twice := p.said[key]; twice {
			return fmt.Errorf("%s is set twice", key)
		}
		if _, otherwise := said[key]; otherwise && known(key) {
			return nil
		}
		if err := p.say(key, value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	}
}

func known(key string) bool {
	return slices.ContainsFunc(helperSettings, func(s helperSetting) bool { return s.key == key })
}

func (p *helperPlan) say(key, value string) error {
	i := slices.IndexFunc(helperSettings, func(s helperSetting) bool { return s.key == key })
	if i < 0 {
		var all []string
		for _, s := range helperSettings {
			all = append(all, s.key)
		}
		return fmt.Errorf("this is no setting of a helper. They are KEY = VALUE, with KEY one of %s", strings.Join(all, " "))
	}
	p.said[key] = value
	return helperSettings[i].set(p, value)
}

// parseAddresses reads addresses of this machine, one of each family at most.
func parseAddresses(text string) (all []netip.Addr, err error) {
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		a, err := netip.ParseAddr(s)
		if err != nil || a.IsUnspecified() {
			return nil, fmt.Errorf("%q is no address of this machine", s)
		}
		if slices.ContainsFunc(all, func(b netip.Addr) bool { return a.Unmap().Is4() == b.Is4() }) {
			return nil, errors.New("that is more than one address of IPv4 and one of IPv6: run a helper for each")
		}
		all = append(all, a.Unmap())
	}
	if len(all) == 0 {
		return nil, errors.New("no address is given")
	}
	return all, nil
}

// parsePrefixes reads addresses and prefixes.
func parsePrefixes(text string) (all []netip.Prefix, err error) {
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		p, err := netip.ParsePrefix(s)
		if a, single := netip.ParseAddr(s); single == nil {
			p, err = netip.PrefixFrom(a.WithZone(""), a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a prefix such as 10.0.0.0/24", s)
		}
		all = append(all, p.Masked())
	}
	if len(all) == 0 {
		return nil, errors.New("no address is given")
	}
	return all, nil
}
