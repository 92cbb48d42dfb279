package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBenchBesideOthers moves a gigabyte from memory to memory over one cable
// (MTU 1500) by qft, scp and nc in turns, and prints medians. What is compared
// was measured in the same minute: the machine's speed varies by a factor of
// two between hours. Only that every copy is intact decides the test.
func TestBenchBesideOthers(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: make bench")
	}
	needTools(t, "scp", "sshd", "ssh-keygen", "nc")
	const rounds = 3
	w := newPair(t)
	w.racing = false
	w.a.startHelper()
	f := w.big()
	w.startSSH()
	tools := []struct {
		name string
		run  func(f file, target string) time.Duration
	}{{"qft", w.copyQft}, {"scp", w.copyScp}, {"nc", w.copyNc}}
	took := make(map[string][]time.Duration)
	for range rounds {
		for _, tool := range tools {
			x := &transfer{t: t, file: f, target: filepath.Join(w.folder(), "big")}
			took[tool.name] = append(took[tool.name], tool.run(f, x.target))
			if sum, err := checksum(x.target); err != nil || sum != f.sum {
				t.Fatalf("%s: what arrived is not what was sent: %v", tool.name, err)
			}
			if err := os.Remove(x.target); err != nil {
				t.Fatal(err)
			}
		}
	}
	median := make(map[string]float64) // Mbit/s
	t.Logf("%-5s %10s   %s", "tool", "Mbit/s", "rounds")
	for _, tool := range tools {
		var all []string
		for _, d := range took[tool.name] {
			all = append(all, fmt.Sprintf("%.2f s", d.Seconds()))
		}
		slices.Sort(took[tool.name])
		median[tool.name] = float64(f.size) * 8 / took[tool.name][rounds/2].Seconds() / 1e6
		t.Logf("%-5s %10.0f   %s", tool.name, median[tool.name], strings.Join(all, ", "))
	}
	verdict := "PASS"
	if median["qft"] < median["scp"] {
		verdict = "FALLS SHORT"
	}
	t.Logf("GOODPUT veth, 1 GiB, tmpfs to tmpfs: qft/scp %.2f, qft/nc %.2f", median["qft"]/median["scp"], median["qft"]/median["nc"])
	t.Logf("%s: at least as fast as scp", verdict)
}

// copyQft takes the time from starting the receiver to its end: meeting,
// verification and sync to disk included.
func (w *pair) copyQft(f file, target string) time.Duration {
	x := w.bySend(w.a, w.b, pairHelper, f)
	x.wantDelivered(bigTime)
	if err := os.Rename(x.target, target); err != nil {
		w.t.Fatal(err)
	}
	return x.receiver.ended.Sub(x.receiver.began)
}

func (w *pair) copyScp(f file, target string) time.Duration {
	p := w.a.start("scp", []string{"scp", "-q", "-P", "2222", "-i", w.dir + "/key", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f.path, "root@192.0.2.2:" + target}, nil)
	p.large = true
	p.wantEnd(bigTime, 0)
	return p.ended.Sub(p.began)
}

func (w *pair) copyNc(f file, target string) time.Duration {
	into := w.b.start("nc listening", []string{"sh", "-c", `exec nc -l -p 5000 >"$0"`, target}, nil)
	eventually(w.t, 5*time.Second, "nc listens", func() bool {
		return strings.Contains(w.b.must("ip", "netns", "exec", w.b.ns, "cat", "/proc/net/tcp"), ":1388 ")
	})
	from := w.a.start("nc", []string{"sh", "-c", `exec nc -N 192.0.2.2 5000 <"$0"`, f.path}, nil)
	from.wantEnd(bigTime, 0)
	into.wantEnd(bigTime, 0)
	return into.ended.Sub(from.began)
}

// startSSH runs a server on b that takes one key made for this test.
func (w *pair) startSSH() {
	w.t.Helper()
	sshd, err := exec.LookPath("sshd") // it insists on an absolute path
	if err != nil {
		w.t.Fatal(err)
	}
	for _, key := range []string{"hostkey", "key"} {
		w.b.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(w.dir, key))
	}
	config := fmt.Sprintf(`Port 2222
ListenAddress 192.0.2.2
HostKey %[1]s/hostkey
AuthorizedKeysFile %[1]s/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
`, w.dir)
	path := filepath.Join(w.dir, "sshd_config")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where it gives up its rights
		w.t.Fatal(err)
	}
	p := w.b.start("sshd", []string{sshd, "-D", "-e", "-f", path}, nil)
	p.wantSay(10*time.Second, "listening")
	w.t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		<-p.done
	})
}
