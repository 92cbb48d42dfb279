package e2e

import (
	"path/filepath"
	"testing"
)

// TestOffloadCanBeForcedOff counts what crosses the cable: the kernel passes a
// train along as one packet.
func TestOffloadCanBeForcedOff(t *testing.T) {
	w := newPair(t)
	w.a.startHelper()
	const size = 20_000_000
	f := w.file("film", size)
	for _, c := range []struct {
		env      []string
		onebyone bool
	}{{nil, false}, {[]string{"QFT_NO_OFFLOAD=1"}, true}} {
		dir := w.folder()
		before := w.b.traffic("eth0").packets
		x := &transfer{t: t, file: f, target: filepath.Join(dir, "film")}
		x.sender = w.a.launch(launch{args: []string{"send", f.path, "--helper", pairHelper}, env: c.env})
		x.receiver = w.b.launch(launch{args: []string{"receive", w.learn(x.sender), "-o", dir, "--helper", pairHelper}, env: c.env})
		x.wantDelivered(bigTime)
		packets := w.b.traffic("eth0").packets - before
		t.Logf("%v: %d packets", c.env, packets)
		if least := int64(size / 1472); c.onebyone != (packets >= least) {
			t.Errorf("%v: %d packets crossed the cable; one by one they are %d at least", c.env, packets, least)
		}
	}
}
