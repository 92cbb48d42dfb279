package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// cost is what one copy took.
type cost struct {
	wall   time.Duration // from the start of the end that starts last
	moving time.Duration // of it, from when both are connected; 0: not known
	cpu    time.Duration // both ends, user and system
	peak   [2]int64      // memory of sender and receiver, bytes; 0: not known
}

// ahead has what is measured run before the machine's other work.
var ahead = []string{"nice", "-n", "-15"}

// paid is the processor time of programs that have ended, and of children that
// they have waited for.
func paid(all ...*proc) (d time.Duration) {
	for _, p := range all {
		d += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	}
	return d
}

func between(from, to *proc) cost {
	return cost{cpu: paid(from, to), peak: [2]int64{from.peak.Load(), to.peak.Load()}}
}

// copyQft takes the time from starting the receiver to its end: meeting,
// verification and sync to disk included.
func (w *pair) copyQft(to *host, f file, target string, how launch) cost {
	w.t.Helper()
	dir := w.folder()
	x := &transfer{t: w.t, file: f}
	how.wrap = append(how.wrap, ahead...)
	how.args = []string{"send", f.path, "--helper", pairHelper}
	x.sender = w.a.launch(how)
	how.args = []string{"receive", w.learn(x.sender), "-o", dir, "--helper", pairHelper}
	x.receiver = to.launch(how)
	x.receiver.wantEnd(bigTime, 0)
	x.sender.wantEnd(bigTime, 0)
	if err := os.Rename(filepath.Join(dir, filepath.Base(f.path)), target); err != nil {
		w.t.Fatal(err)
	}
	c := between(x.sender, x.receiver)
	c.wall = x.receiver.ended.Sub(x.receiver.began)
	return c
}

func (w *pair) copyFloor(f file, target string) cost {
	w.t.Helper()
	bin, err := kit.floor()
	if err != nil {
		w.t.Fatal(err)
	}
	to := w.b.start("floor receive", append(ahead, bin, "receive", "5002", target, fmt.Sprint(f.size)), nil)
	if !to.out.wait(to.done, 10*time.Second, func(s string) bool { return s != "" }) {
		w.t.Fatalf("floor does not listen: %s", to.err.text())
	}
	from := w.a.start("floor send", append(ahead, bin, "send", "192.0.2.2:5002", f.path), nil)
	to.wantEnd(bigTime, 0) // it fails when a byte is missing
	from.wantEnd(bigTime, 0)
	c := between(from, to)
	c.wall = to.ended.Sub(from.began)
	return c
}

func (w *pair) copyNc(f file, target string) cost {
	into := w.b.start("nc listening", append(ahead, "sh", "-c", `exec nc -l -p 5000 >"$0"`, target), nil)
	w.wantListening(5000)
	from := w.a.start("nc", append(ahead, "sh", "-c", `exec nc -N 192.0.2.2 5000 <"$0"`, f.path), nil)
	from.wantEnd(bigTime, 0)
	into.wantEnd(bigTime, 0)
	c := between(from, into)
	c.wall = into.ended.Sub(from.began)
	return c
}

func (w *pair) wantListening(port int) {
	w.t.Helper()
	eventually(w.t, 5*time.Second, "the server listens", func() bool {
		return strings.Contains(w.b.must("ip", "netns", "exec", w.b.ns, "cat", "/proc/net/tcp"), fmt.Sprintf(":%04X ", port))
	})
}

func (w *pair) copyScp(f file, target string, options ...string) cost {
	client := append([]string{"scp", "-q", "-P", "2222", "-i", w.dir + "/key", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"}, options...)
	return w.copyTo(w.sshd(), append(client, f.path, "root@192.0.2.2:"+target))
}

func (w *pair) copyRsync(f file, target string, options ...string) cost {
	config := filepath.Join(w.dir, "rsyncd.conf")
	text := fmt.Sprintf("use chroot = no\nuid = 0\ngid = 0\n[to]\npath = %s\nread only = no\n", filepath.Dir(target))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	server := w.b.start("rsync daemon", append(ahead, "rsync", "--daemon", "--no-detach", "--port=8730", "--config="+config), nil)
	w.wantListening(8730)
	return w.copyTo(server, append(append([]string{"rsync", "--port=8730"}, options...), f.path, "192.0.2.2::to/"+filepath.Base(target)))
}

// copyTo runs a client against a server, and ends the server, so that both
// tell what they have taken.
func (w *pair) copyTo(server *proc, client []string) cost {
	w.t.Helper()
	server.large = true
	from := w.a.start(client[0], append(ahead, client...), nil)
	from.large = true
	from.wantEnd(bigTime, 0)
	pid := server.cmd.Process.Pid
	eventually(w.t, 10*time.Second, "the server is done with it", func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		return err != nil || len(children) == 0
	})
	server.signal(syscall.SIGTERM)
	<-server.done
	c := between(from, server)
	c.wall, c.peak = from.ended.Sub(from.began), [2]int64{}
	return c
}

// sshd starts a server on b that takes one key made for this test.
func (w *pair) sshd() *proc { return w.sshdAt("192.0.2.2") }

func (w *pair) sshdAt(address string) *proc {
	w.t.Helper()
	bin, err := exec.LookPath("sshd") // it insists on an absolute path
	if err != nil {
		w.t.Fatal(err)
	}
	for _, key := range []string{"hostkey", "key"} {
		path := filepath.Join(w.dir, key)
		if _, err := os.Stat(path); err != nil {
			w.b.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
		}
	}
	config := fmt.Sprintf(`Port 2222
ListenAddress %[2]s
HostKey %[1]s/hostkey
AuthorizedKeysFile %[1]s/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
`, w.dir, address)
	path := filepath.Join(w.dir, "sshd_config")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where it gives up its rights
		w.t.Fatal(err)
	}
	p := w.b.start("sshd", append(ahead, bin, "-D", "-e", "-f", path), nil)
	p.wantSay(patience, "listening")
	return p
}
