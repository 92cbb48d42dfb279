package e2e

import (
	"strings"
	"testing"
)

// TestStunClientsOfOthers asks the helper where they are seen, from behind a
// NAT: coturn's client (RFC 5389), and one that still speaks RFC 3489.
func TestStunClientsOfOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, tool string
		world      func(t *testing.T) *homes
		args       []string
		says       string
	}{
		{"coturn", "turnutils_stunclient", func(t *testing.T) *homes { return newHomes(t, keepsPort) },
			[]string{"-p", helperPort, "203.0.113.10"}, "reflexive addr: 203.0.113.22:"},
		{"coturn by IPv6", "turnutils_stunclient", newHomes6,
			[]string{"-p", helperPort, "2001:db8::10"}, "2001:db8:2::2"},
		{"stun-client", "stun", func(t *testing.T) *homes { return newHomes(t, keepsPort) },
			[]string{helperAddr4, "1", "-v"}, "MappedAddress = 203.0.113.22:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			needTools(t, c.tool)
			w := c.world(t)
			w.racing = true
			w.helper.startHelper()
			p := w.b.start(c.tool, append([]string{c.tool}, c.args...), nil)
			p.wantEnd(patience, 0)
			if said := p.out.text() + p.err.text(); !strings.Contains(said, c.says) {
				t.Errorf("%s did not say %q, but\n%s", c.tool, c.says, said)
			}
		})
	}
}
