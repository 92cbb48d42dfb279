package settings

import "testing"

func TestInvite(t *testing.T) {
	for helper, want := range map[string]string{
		"":                   "qft receive 7-acid-robot-zebra",
		"helper-host:4277":   "qft receive 7-acid-robot-zebra --helper helper-host:4277",
		"[2001:db8::1]:4277": "qft receive 7-acid-robot-zebra --helper '[2001:db8::1]:4277'",
	} {
		if got := Invite("7-acid-robot-zebra", helper); got != want {
			t.Errorf("with the helper %q: %s", helper, got)
		}
	}
}
