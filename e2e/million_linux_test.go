package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBenchMillion moves a million small files and prints how long that takes
// and how much memory either side needs. Only that all of them arrive as they
// are, in no more memory than was asked for, decides the test.
func TestBenchMillion(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: make bench")
	}
	const dirs, each, limit = 1000, 1000, 250 << 20
	w := newPair(t)
	w.racing = false
	w.a.startHelper()
	from := filepath.Join(w.dir, "from", "million")
	content := func(d, i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%d %d\n", d, i), 8) }
	for d := range dirs {
		dir := filepath.Join(from, fmt.Sprint(d/100), fmt.Sprint(d))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range each {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), content(d, i), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	into := w.folder()
	s := w.a.launch(launch{wrap: ahead, args: []string{"send", from, "--helper", pairHelper}})
	r := w.b.launch(launch{wrap: ahead, args: []string{"receive", w.learn(s), "-o", into + "/", "--helper", pairHelper}})
	s.large, r.large = true, true
	r.wantEnd(10*time.Minute, 0)
	s.wantEnd(time.Minute, 0)
	peaks := []int64{s.peak.Load(), r.peak.Load()}
	t.Logf("MILLION %.1f s, sender %d MiB, receiver %d MiB", r.ended.Sub(r.began).Seconds(), peaks[0]>>20, peaks[1]>>20)
	for _, n := range peaks {
		if n > limit {
			t.Errorf("%d MiB are more than %d", n>>20, limit>>20)
		}
	}
	for d := range dirs {
		for i := range each {
			path := filepath.Join(into, "million", fmt.Sprint(d/100), fmt.Sprint(d), fmt.Sprint(i))
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content(d, i)) {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
}

// TestBenchCompression sends a log and noise under a limit of 20 Mbit/s, with
// compression and without, and prints how long each takes.
func TestBenchCompression(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: make bench")
	}
	const size = 30_000_000
	w := newPair(t)
	w.racing = false
	w.a.startHelper()
	noisy := w.file("noise", size)
	log := filepath.Join(w.dir, "from", "access.log")
	if err := os.WriteFile(log, accessLog(size), 0o644); err != nil {
		t.Fatal(err)
	}
	took := make(map[string]time.Duration)
	for _, path := range []string{log, noisy.path} {
		for _, option := range []string{"--no-compress=false", "--no-compress"} {
			into := w.folder()
			s := w.a.launch(launch{args: []string{"send", path, option, "--limit", "20mbit", "--helper", pairHelper}})
			r := w.b.launch(launch{args: []string{"receive", w.learn(s), "-o", into + "/", "--helper", pairHelper}})
			r.wantSay(patience, "connected")
			began := time.Now()
			r.wantEnd(bigTime, 0)
			s.wantEnd(patience, 0)
			name := filepath.Base(path) + " " + option
			took[name] = r.ended.Sub(began)
			t.Logf("COMPRESSION %-32s %5.1f s, %.2f MB/s", name, took[name].Seconds(), size/1e6/took[name].Seconds())
			want, err := checksum(path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := checksum(filepath.Join(into, filepath.Base(path))); err != nil || got != want {
				t.Fatalf("%s did not arrive as it is: %v", name, err)
			}
		}
		base := filepath.Base(path)
		t.Logf("COMPRESSION %s: %.2f times as fast", base,
			took[base+" --no-compress"].Seconds()/took[base+" --no-compress=false"].Seconds())
	}
}

// accessLog is what a web server writes, made up.
func accessLog(size int) []byte {
	var b bytes.Buffer
	paths := []string{"/", "/index.html", "/api/v1/items/%d", "/static/app.%x.js", "/images/%d.png", "/login"}
	for i := uint64(1); b.Len() < size; i++ {
		x := i * 0x9e3779b97f4a7c15 >> 20
		path := paths[x%uint64(len(paths))]
		if bytes.ContainsRune([]byte(path), '%') {
			path = fmt.Sprintf(path, x%(1<<20))
		}
		fmt.Fprintf(&b, "10.%d.%d.%d - - [26/Nov/2026:%02d:%02d:%02d +0000] \"GET %s HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64) Firefox/1%d.0\"\n",
			x%7, x%61, x%251, i/36000%24, i/600%60, i/10%60, path, x%90_000, x%30)
	}
	return b.Bytes()[:size]
}
