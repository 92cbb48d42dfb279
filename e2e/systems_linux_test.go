package e2e

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// system is another one than this machine's.
type system struct {
	build []string // what has the program built for it
	needs string   // what runs it here; "": the processor does
	rare  bool     // its build takes more than its runs tell: QFT_SYSTEMS=all
}

var windows = system{build: []string{"GOOS=windows", "GOARCH=amd64"}, needs: "wine"}

// TestOtherSystems: the program of another system as helper, sender and
// receiver, with the one of this system at the other end.
func TestOtherSystems(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]system{
		"linux-arm64":   {build: []string{"GOOS=linux", "GOARCH=arm64"}, needs: "qemu-aarch64-static"},
		"linux-armv6":   {build: []string{"GOOS=linux", "GOARCH=arm", "GOARM=6"}, needs: "qemu-arm-static"},
		"linux-riscv64": {build: []string{"GOOS=linux", "GOARCH=riscv64"}, needs: "qemu-riscv64-static", rare: true},
		"linux-386":     {build: []string{"GOOS=linux", "GOARCH=386"}, rare: true},
		"windows-amd64": windows,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMixed(t, name, s)
			m.startHelper()
			m.exchange()
			m.comesBack("receiver")
			m.comesBack("sender")
			m.helps()
		})
	}
}

// slowStart is for a program that is translated while it runs.
const slowStart = 60 * time.Second

// mixed is one machine on which programs of two systems run.
type mixed struct {
	*host
	t     *testing.T
	start []string // begins the other system's command lines
	env   []string
	wine  bool
}

func newMixed(t *testing.T, name string, s system) *mixed {
	t.Helper()
	if s.rare && os.Getenv("QFT_SYSTEMS") != "all" {
		t.Skip("needs QFT_SYSTEMS=all: its build takes half a minute")
	}
	m := &mixed{t: t, wine: s.needs == "wine"}
	if s.needs != "" {
		needTools(t, s.needs)
		m.start = append(m.start, s.needs)
	}
	m.host = newWorld(t).host("one")
	bin := filepath.Join(m.w.dir, "qft-"+name)
	flags := []string{"build", "-trimpath", "-o", bin}
	if m.wine {
		bin += ".exe"
		flags = []string{"build", "-trimpath", "-overlay", overlay(t), "-o", bin}
	}
	build := exec.Command("go", append(flags, "qft/cmd/qft")...)
	build.Env = append(os.Environ(), append(s.build, "CGO_ENABLED=0")...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building for %s: %v\n%s", name, err, out)
	}
	if m.wine {
		m.bottle()
	}
	m.start = append(m.start, bin)
	return m
}

// ours are the flags that all transfers here have.
func ours(args ...string) []string {
	return append(args, "--helper", "127.0.0.1:"+helperPort, "--no-lan", "--no-portmap")
}

// here runs this system's program, there the other's.
func (m *mixed) here(args ...string) *proc {
	m.t.Helper()
	return m.launch(launch{args: args, env: []string{"QFT_PHRASE=" + phrase}})
}

func (m *mixed) there(args ...string) *proc {
	m.t.Helper()
	p := m.host.start(args[0]+" of the other system", append(m.start, args...), append(m.env, "QFT_PHRASE="+phrase))
	p.large = true
	return p
}

// path is how the other system calls a path of this one.
func (m *mixed) path(path string) string {
	if !m.wine {
		return path
	}
	return "Z:" + strings.ReplaceAll(path, "/", `\`)
}

// tree is what is sent to the other system, its portrait, and the names that
// something cannot have there.
func (m *mixed) tree() (dir string, want map[string]string, other map[string]string) {
	m.t.Helper()
	if !m.wine {
		dir, want = m.w.grow(6, 6<<20)
		return dir, want, nil
	}
	dir = filepath.Join(m.w.dir, "from", "forest")
	g := grower{rng: rand.New(rand.NewPCG(6, 78)), dir: dir}
	g.mkdir("empty folder/another")
	g.file("empty file", 0)
	g.file("large.bin", 4<<20)
	for i := range 200 {
		g.file(fmt.Sprintf("notes/%d/%d.txt", i%7, i), g.rng.Int64N(16<<10))
	}
	g.file("schön ☃", 100)
	other = make(map[string]string)
	for from, to := range map[string]string{
		"con.txt": "con_.txt", "NUL": "NUL_", "Com1.tar.gz": "Com1_.tar.gz", "what? a:b": "what%3F a%3Ab", "large.bin::$DATA": "large.bin%3A%3A$DATA",
		`..\up`: "..%5Cup", `\\server\share`: "%5C%5Cserver%5Cshare", `\\?\C:\x`: "%5C%5C%3F%5CC%3A%5Cx", "C:": "C%3A", "dot.": "dot%2E", "space ": "space%20",
	} {
		g.file(from, 100)
		other[from] = to
	}
	g.sparse("disk image.raw", 16<<20)
	g.do(g.finish())
	g.do(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !d.IsDir() {
			g.do(os.Chmod(p, 0o644)) // as everything is there
		}
		return os.Chtimes(p, time.Time{}, info.ModTime().Truncate(100*time.Nanosecond))
	}))
	want, err := portrait(dir)
	g.do(err)
	if g.err != nil {
		m.t.Fatal(g.err)
	}
	return dir, want, other
}

// exchange sends a tree to the other system, and what has arrived there back.
func (m *mixed) exchange() {
	m.t.Helper()
	dir, want, other := m.tree()
	there, back := m.w.folder(), m.w.folder()
	s := m.here(ours("send", dir)...)
	r := m.there(ours("receive", "-o", m.path(there))...)
	r.wantEnd(bigTime, 0)
	s.wantEnd(patience, 0)
	for from, to := range other {
		want[to] = want[from]
		delete(want, from)
		r.wantSaid(to)
	}
	m.w.wantForest(there, want)
	s = m.there(ours("send", m.path(filepath.Join(there, filepath.Base(dir))))...)
	r = m.here(ours("receive", "-o", back)...)
	r.wantEnd(bigTime, 0)
	s.wantEnd(patience, 0)
	m.w.wantForest(back, want)
}

// comesBack kills the other system's side in the middle, and wants the same
// command to go on from there.
func (m *mixed) comesBack(who string) {
	m.t.Helper()
	f := m.w.file(who+".bin", 12<<20)
	into := m.w.folder()
	send, receive := m.here, m.there
	from, to := f.path, m.path(into)
	if who == "sender" {
		send, receive = m.there, m.here
		from, to = m.path(f.path), into
	}
	sending := ours("send", from, "--limit", "1MB/s", "--no-compress")
	receiving := ours("receive", "-o", to)
	s := send(sending...)
	r := receive(receiving...)
	untilVouched(m.t, into, 2)
	if who == "sender" {
		s.signal(syscall.SIGKILL)
		<-s.done
		s = send(sending...)
	} else {
		r.signal(syscall.SIGKILL)
		<-r.done
		r = receive(receiving...)
	}
	r.wantEnd(bigTime, 0)
	s.wantEnd(patience, 0)
	if !regexp.MustCompile(`[0-9.]+ MB of it were there already`).MatchString(r.err.text()) {
		m.t.Errorf("%s began anew", r.title)
	}
	if sum, err := checksum(filepath.Join(into, filepath.Base(f.path))); err != nil || sum != f.sum {
		m.t.Fatalf("sha256 of what arrived is %x, %v, want %x", sum, err, f.sum)
	}
}

// helps has the other system's helper introduce one of each, for a file whose
// name is taken there.
func (m *mixed) helps() {
	m.t.Helper()
	const port = "4299"
	h := m.there("helper", port)
	h.wantSay(slowStart, "listening")
	f := m.w.file("small.bin", 1<<20)
	into := m.w.folder()
	s := m.here("send", f.path, "--helper", "127.0.0.1:"+port, "--no-lan")
	if err := os.WriteFile(filepath.Join(into, "small.bin"), []byte("another"), 0o644); err != nil {
		m.t.Fatal(err)
	}
	r := m.there("receive", "--helper", "127.0.0.1:"+port, "--no-lan", "--rename", "-o", m.path(into)+"/")
	r.wantEnd(bigTime, 0)
	s.wantEnd(patience, 0)
	if sum, err := checksum(filepath.Join(into, "small (2).bin")); err != nil || sum != f.sum {
		m.t.Fatalf("sha256 of what arrived is %x, %v, want %x", sum, err, f.sum)
	}
	if !m.wine { // which has no signals to pass on
		stopHelper(h)
	}
}
