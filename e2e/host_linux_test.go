package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// world is the machines of one test. They and all that runs on them are gone
// when it ends, however it ends.
type world struct {
	t       *testing.T
	name    string // begins the names of its namespaces
	dir     string // scratch, removed at the end
	hosts   []*host
	secrets []string // must appear in no helper's log

	// racing has this world run the program with the race detector, when the
	// tests themselves run with it. Such programs are slow and large, so
	// speed and memory are measured without.
	racing bool
}

// worlds numbers the worlds of this process.
var worlds atomic.Int32

func newWorld(t *testing.T) *world {
	t.Helper()
	needNamespaces(t)
	w := &world{t: t, name: fmt.Sprintf("%s-%d", kit.name, worlds.Add(1))}
	w.dir = filepath.Join(kit.dir, filepath.Base(w.name))
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, h := range w.hosts {
			h.remove()
		}
		if err := os.RemoveAll(w.dir); err != nil {
			t.Errorf("scratch directory: %v", err)
		}
	})
	return w
}

// needNamespaces skips a test that cannot make its world, naming what it misses.
func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	needTools(t, "ip", "nft", "tc")
	if err := namespaces(); err != nil {
		t.Skipf("needs network namespaces: %v", err)
	}
}

// namespaces tries once whether they can be made: in a container root may not.
var namespaces = sync.OnceValue(func() error {
	name := kit.name + "-probe"
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		return fmt.Errorf("ip netns add: %w: %s", err, out)
	}
	return exec.Command("ip", "netns", "del", name).Run()
})

func needTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s (see scripts/tools)", tool)
		}
	}
}

// host is one machine: a network namespace.
type host struct {
	w    *world
	role string
	ns   string
}

// host makes a machine with nothing but loopback.
func (w *world) host(role string) *host {
	w.t.Helper()
	h := &host{w: w, role: role, ns: w.name + "-" + role}
	w.hosts = append(w.hosts, h) // first: half a namespace must go too
	h.must("ip", "netns", "add", h.ns)
	h.settle()
	return h
}

// adopt takes over a namespace that somebody else made and will remove.
func (w *world) adopt(role, ns string) *host { return &host{w: w, role: role, ns: ns} }

// settle stops IPv6 from taking its time: addresses are usable at once.
func (h *host) settle() {
	h.w.t.Helper()
	for _, conf := range []string{"all", "default"} {
		h.sysctl("net/ipv6/conf/"+conf+"/accept_dad", "0")
		h.sysctl("net/ipv6/conf/"+conf+"/accept_ra", "0")
	}
	h.ip("link set lo up")
}

// remove ends what still runs on the host, which is an error, and deletes it.
func (h *host) remove() {
	if _, err := os.Stat("/run/netns/" + h.ns); err != nil {
		return
	}
	for _, pid := range pids(h.ns) {
		h.w.t.Errorf("process %d was left behind on %s", pid, h.role)
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if out, err := exec.Command("ip", "netns", "del", h.ns).CombinedOutput(); err != nil {
		h.w.t.Errorf("removing %s: %v: %s", h.ns, err, out)
	}
}

// pids are the processes in a namespace.
func pids(ns string) []int {
	out, err := exec.Command("ip", "netns", "pids", ns).Output()
	if err != nil {
		return nil
	}
	var all []int
	for f := range strings.FieldsSeq(string(out)) {
		var pid int
		if _, err := fmt.Sscan(f, &pid); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// sweep removes what a killed run of these tests left behind.
func sweep() {
	spaces, _ := filepath.Glob("/run/netns/" + prefix + "*")
	for _, path := range spaces {
		ns := filepath.Base(path)
		if alive(ns) {
			continue
		}
		for _, pid := range pids(ns) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		exec.Command("ip", "netns", "del", ns).Run()
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if _, after, ok := strings.Cut(f[1], "/"+prefix); ok && !alive(prefix+after) {
			unix.Unmount(f[1], unix.MNT_DETACH)
		}
	}
	for _, root := range []string{"/dev/shm", os.TempDir()} {
		dirs, _ := filepath.Glob(filepath.Join(root, prefix+"*"))
		for _, d := range dirs {
			if !alive(filepath.Base(d)) {
				os.RemoveAll(d)
			}
		}
	}
}

// must runs a command of the test bed, which always works.
func (h *host) must(args ...string) string {
	h.w.t.Helper()
	return h.feed("", args...)
}

// feed does so with text on standard input.
func (h *host) feed(stdin string, args ...string) string {
	h.w.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		h.w.t.Fatalf("%s: %v: %s\n%s", strings.Join(args, " "), err, errs.String(), stdin)
	}
	return out.String()
}

// ip runs lines of ip(8) on the host.
func (h *host) ip(lines ...string) {
	h.w.t.Helper()
	h.feed(strings.Join(lines, "\n")+"\n", "ip", "-n", h.ns, "-batch", "-")
}

// nft loads rules into the host's firewall.
func (h *host) nft(rules string) {
	h.w.t.Helper()
	h.feed(rules, "ip", "netns", "exec", h.ns, "nft", "-f", "-")
}

func (h *host) sysctl(key, value string) {
	h.w.t.Helper()
	err := h.inside(func() error { return os.WriteFile("/proc/sys/"+key, []byte(value), 0) })
	if err != nil {
		h.w.t.Fatalf("sysctl on %s: %v", h.role, err)
	}
}

// inside runs f on the host: sockets that it opens belong to the host.
func (h *host) inside(f func() error) error {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(home)
	there, err := unix.Open("/run/netns/"+h.ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering %s: %w", h.ns, err)
	}
	defer func() {
		// A thread that cannot return stays locked and ends with its goroutine.
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// udp opens a plain socket on the host, closed at the end of the test.
func (h *host) udp(addr string) *net.UDPConn {
	h.w.t.Helper()
	var c *net.UDPConn
	err := h.inside(func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
		return err
	})
	if err != nil {
		h.w.t.Fatalf("socket on %s: %v", h.role, err)
	}
	h.w.t.Cleanup(func() { c.Close() })
	return c
}

// limit bounds what the host sends through dev, as a home's uplink does: to
// rate, with a queue of 100 ms.
func (h *host) limit(dev, rate string) {
	h.w.t.Helper()
	args := []string{"-n", h.ns, "qdisc", "replace", "dev", dev, "root", "tbf",
		"rate", rate, "burst", "64kb", "latency", "100ms"}
	if out, err := exec.Command("tc", args...).CombinedOutput(); err != nil {
		h.w.t.Skipf("needs tbf in the kernel: tc %s: %s", strings.Join(args, " "), out)
	}
}

// traffic is what an interface has seen: bytes, and packets received.
type traffic struct{ in, out, packets int64 }

func (h *host) traffic(dev string) traffic {
	h.w.t.Helper()
	var links []struct {
		Stats struct {
			RX, TX struct{ Bytes, Packets int64 }
		} `json:"stats64"`
	}
	text := h.must("ip", "-n", h.ns, "-j", "-s", "link", "show", "dev", dev)
	if err := json.Unmarshal([]byte(text), &links); err != nil || len(links) != 1 {
		h.w.t.Fatalf("counters of %s on %s: %v: %s", dev, h.role, err, text)
	}
	seen := links[0].Stats
	return traffic{seen.RX.Bytes, seen.TX.Bytes, seen.RX.Packets}
}

// eventually waits for something that can only be looked at, and fails the
// test when it takes longer than within. It returns how long it took.
func eventually(t *testing.T, within time.Duration, what string, there func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !there() {
		if time.Since(began) > within {
			t.Fatalf("%s: not within %v", what, within)
		}
		<-tick.C
	}
	return time.Since(began)
}

// soonEnough is eventually for what has to be there within a time, if the machine
// has time for it.
func soonEnough(t *testing.T, within time.Duration, what string, there func() bool) time.Duration {
	t.Helper()
	late := watchLateness(t)
	took := eventually(t, within+patience, what, there)
	if took > within && late() < lateTime {
		t.Errorf("%s: after %v, want at most %v", what, took, within)
	}
	return took
}

func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}
