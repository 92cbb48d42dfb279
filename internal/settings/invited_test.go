package settings

import "testing"

func TestInvitedIsWhatInviteMakes(t *testing.T) {
	for _, helper := range []string{"", "helper.example", "[2001:db8::1]:443"} {
		text := Invite("7-acid-robot-zebra", helper)
		if code, at := Invited("  " + text + "\n"); code != "7-acid-robot-zebra" || at != helper {
			t.Errorf("%q is %q at %q", text, code, at)
		}
	}
	for _, text := range []string{"", "7 acid robot zebra", "7-acid", "qft"} {
		if code, helper := Invited(text); code != text || helper != "" {
			t.Errorf("%q is %q at %q", text, code, helper)
		}
	}
}
