package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"qft"
	"qft/internal/settings"
)

func TestSettingsOfHelper(t *testing.T) {
	path := filepath.Join(t.TempDir(), "helper.conf")
	const text = `
		ports = 4277, 443 53   # three
		tcp = no
		address = 192.0.2.1, 2001:db8::1
		metrics = off
		lifetime = 90m
		drain = 5s
		proxy-from = 10.1.2.3/8 2001:db8::1
		joins = 20000
		note-memory = 1GiB
		log-format = json
	`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := planHelper(path, map[string]string{"joins": "7", "ports": "4000"})
	if err != nil {
		t.Fatal(err)
	}
	c := p.cfg
	if !slices.Equal(c.Ports, []uint16{4000}) || !c.NoTCP || c.Metrics != "" || c.Drain != 5*time.Second || !p.json {
		t.Errorf("%+v", p)
	}
	if r := c.Rules; r.Lifetime != 90*time.Minute || r.Joins != 7 || r.NoteMemory != 1<<30 || r.Members != 0 {
		t.Errorf("%+v", r)
	}
	if got := fmt.Sprint(c.Addresses); got != "[192.0.2.1 2001:db8::1]" {
		t.Errorf("addresses are %s", got)
	}
	if got := fmt.Sprint(c.ProxyFrom); got != "[10.0.0.0/8 2001:db8::1/128]" {
		t.Errorf("proxies are %s", got)
	}
	if p, err = planHelper(path, nil); err != nil || !slices.Equal(p.cfg.Ports, []uint16{4277, 443, 53}) || p.cfg.Rules.Joins != 20000 {
		t.Errorf("%+v, %v", p, err)
	}
}

// FuzzSettingsOfHelper: whatever is in the file, it is taken, or the error names
// its line.
func FuzzSettingsOfHelper(f *testing.F) {
	f.Add("ports = 4277\nmembers = 10 # few\n")
	f.Add("proxy-from = 10.0.0.0/24,fe80::1%eth0\nsource-notes = 480KiB\n= \n")
	f.Add("tcp\nlog-format = xml")
	for _, s := range helperSettings {
		f.Add(s.key + " = 1")
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file") || strings.Contains(text, "credentials") {
			t.Skip("would read files")
		}
		p := &helperPlan{said: make(map[string]string)}
		err := settings.Parse(strings.NewReader(text), "helper.conf", p.line(nil))
		var usage *settings.Error
		if err != nil && (!errors.As(err, &usage) || !strings.Contains(err.Error(), "helper.conf")) {
			t.Fatalf("%q: %v", text, err)
		}
		for _, port := range p.cfg.Ports {
			if port == 0 {
				t.Fatalf("%q: port 0", text)
			}
		}
		if r := p.cfg.Rules; r.Members < 0 || r.Joins < 0 || r.NoteMemory < 0 || r.Lifetime < 0 || p.cfg.Drain < 0 {
			t.Fatalf("%q: %+v", text, p.cfg)
		}
	})
}

// TestAPrivateHelperStaysPrivate: a file that is being written, or has lost its
// line, does not open the helper to everybody.
func TestAPrivateHelperStaysPrivate(t *testing.T) {
	dir := t.TempDir()
	secret, path := filepath.Join(dir, "secret"), filepath.Join(dir, "helper.conf")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "a secret of some length\n")
	said := map[string]string{"ports": "4277"}
	again := func() (*helperPlan, error) { return planHelper(path, said) }
	write(path, "")
	p, err := again()
	if err != nil {
		t.Fatal(err)
	}
	log := make(logLines, 100)
	p.cfg.Log, p.cfg.Control = p.logger(log), new(qft.HelperControl)
	runs := p.cfg
	runs.Ports, runs.NoTCP, runs.Metrics = nil, true, ""
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- qft.Helper(ctx, runs) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	log.want(t, "listening")
	for _, c := range []struct{ text, want string }{
		{"joins = 5\n", "secrets=0"},
		{"secret-file = " + secret + "\n", "secrets=1"},
		{"", "the helper is private"},
		{"joins = none\n", "nothing is reloaded"},
		{"secret-file = " + secret + ".gone\n", "nothing is reloaded"},
		{"secret-file = " + secret + "\n", "secrets=1"},
	} {
		write(path, c.text)
		p.reload(again)
		log.want(t, c.want)
	}
}

// logLines is a log, line by line.
type logLines chan string

func (l logLines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// want waits for a line that has a text.
func (l logLines) want(t *testing.T, text string) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case line := <-l:
			if strings.Contains(line, text) {
				return
			}
			t.Log(line)
		case <-late:
			t.Fatalf("the log does not say %q", text)
		}
	}
}

// TestLettersOfHelperFlagsAreTaken: setting a flag's letter once it is defined
// shows it in the help and no more.
func TestLettersOfHelperFlagsAreTaken(t *testing.T) {
	cmd := helperCommand(new(terminal))
	if err := cmd.ParseFlags([]string{"-v"}); err != nil {
		t.Error(err)
	}
}
