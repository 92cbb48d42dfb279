package qft

import (
	"net"
	"strconv"
	"testing"
)

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

// TestAHostNeedsNoPort: of a helper and a STUN server, in any spelling.
func TestAHostNeedsNoPort(t *testing.T) {
	for text, want := range map[string]string{
		"helper.example": "helper.example:1", "192.0.2.1": "192.0.2.1:1", "2001:db8::1": "[2001:db8::1]:1", "[2001:db8::1]": "[2001:db8::1]:1",
		"fe80::1%eth0": "[fe80::1%eth0]:1", "[2001:db8::1]:443": "[2001:db8::1]:443", "192.0.2.1:443": "192.0.2.1:443",
		"my_box": "my_box:1", "bücher.example:443": "bücher.example:443",
	} {
		host, port, err := splitHost(text, 1)
		if got := net.JoinHostPort(host, strconv.Itoa(int(port))); err != nil || got != want {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
		if err := CheckHelper(text); err != nil {
			t.Errorf("a helper %q: %v", text, err)
		}
		if err := CheckStun(text); err != nil {
			t.Errorf("a STUN server %q: %v", text, err)
		}
	}
	for _, text := range []string{"", "a phrase of ours", "a phrase:443", "https://helper.example/", "helper:", "helper:0", "helper:65536", ":443",
		"[2001:db8::1", "2001:db8::1]:443", "a@b", "[]", "[helper.example]", "a:b:c"} {
		if host, port, err := splitHost(text, 1); err == nil {
			t.Errorf("%q is %q, port %d", text, host, port)
		}
		if CheckHelper(text) == nil || CheckStun(text) == nil {
			t.Errorf("%q passes", text)
		}
	}
}
