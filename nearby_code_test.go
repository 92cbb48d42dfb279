package qft

import "testing"

func TestCodeMayNameTheSendersHost(t *testing.T) {
	for _, c := range []struct{ text, code, host string }{
		{"7-acid-robot-zebra", "7-acid-robot-zebra", ""},
		{" 7-Acid-robot-zebra@example.org ", "7-acid-robot-zebra", "example.org:4277"},
		{"7-acid-robot-zebr@192.0.2.1:5000", "7-acid-robot-zebra", "192.0.2.1:5000"},
		{"7-acid-robot-zebra@2001:db8::1", "7-acid-robot-zebra", "[2001:db8::1]:4277"},
		{"7-acid-robot-zebra@[2001:db8::1]", "7-acid-robot-zebra", "[2001:db8::1]:4277"},
		{"7-acid-robot-zebra@[fe80::1%eth0]:5000", "7-acid-robot-zebra", "[fe80::1%eth0]:5000"},
		{"@192.0.2.1", "", "192.0.2.1:4277"},
	} {
		code, host, err := SplitCode(c.text)
		if err != nil || code != c.code || host != c.host {
			t.Errorf("%q is %q at %q, %v; want %q at %q", c.text, code, host, err, c.code, c.host)
		}
	}
	for _, text := range []string{"", "7-acid-robot", "7-acid-robot-zebra@", "7-acid-robot-zebra@:4277", "7-acid-robot-zebra@a:0",
		"7-acid-robot-zebra@a:b", "7-acid-robot-zebra@a@b:1:2"} {
		if code, host, err := SplitCode(text); err == nil {
			t.Errorf("%q is %q at %q", text, code, host)
		}
	}
}
