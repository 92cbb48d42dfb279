package settings

import (
	"testing"

	"qft"

	"rsc.io/qr"
)

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

// TestQRText: what a QR of a code says is that code for a receiver, in fewer
// modules; what is no code is not changed.
func TestQRText(t *testing.T) {
	for code, sizes := range map[string][2]int{ // modules a side: as it is written, and as it is drawn
		"7-bunt-gawk-pueblo":                {25, 21},
		"7-rearview-lapdog-decency":         {25, 21}, // as long as half of all are
		"56-rearview-lapdog-decency":        {25, 25},
		"201674-gleaming-turbofan-spinning": {29, 25}, // as long as they get
	} {
		text := QRText(code)
		if back, err := qft.CheckCode(text); err != nil || back != code {
			t.Errorf("%s is drawn as %s, which is %s, %v", code, text, back, err)
		}
		for i, s := range []string{code, text} {
			if c, err := qr.Encode(s, qr.L); err != nil || c.Size != sizes[i] {
				t.Errorf("%s has %d modules a side, %v; want %d", s, c.Size, err, sizes[i])
			}
		}
	}
	for _, text := range []string{"", "a phrase of my own", "7-acid-robot-zebra@host", "7 acid robot zebra", "https://example.org/a"} {
		if got := QRText(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
