package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// box is a scratch root in which a package is installed.
type box struct {
	t    *testing.T
	root string
	deb  string
}

// testDeb installs the package in a scratch root, runs the program from there,
// and removes it again.
func testDeb(t *testing.T, r *release) {
	for _, tool := range []string{"dpkg", "chroot", "ldd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to install in a root of its own")
	}
	b := &box{t: t, root: t.TempDir(), deb: filepath.Join(r.out, "qft_"+r.version+"-1_amd64.deb")}
	b.furnish()
	b.dpkg("-i", b.deb)
	if said := b.run("qft", "version"); !strings.HasPrefix(said, "qft "+r.version+",") {
		t.Errorf("qft version says %q", said)
	}
	for _, name := range []string{"qfts", "qftr"} {
		if said := b.run(name, "--help"); !strings.Contains(said, name+" PHRASE FILE") {
			t.Errorf("%s --help says %q", name, said)
		}
	}
	b.wantFiles()
	b.transfer()
	b.dpkg("-r", "qft")
	if _, err := os.Stat(filepath.Join(b.root, "etc/qft/helper.conf")); err != nil {
		t.Errorf("removing took the settings along, which is for purging: %v", err)
	}
	b.dpkg("-P", "qft")
	if left := b.list("qft"); len(left) > 0 {
		t.Errorf("purged, and still there: %v", left)
	}
}

// furnish puts a shell into the root, for the package's scripts, and a database
// for dpkg.
func (b *box) furnish() {
	b.t.Helper()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "tmp", "dev", "bin"} {
		b.must(os.MkdirAll(filepath.Join(b.root, dir), 0o755))
	}
	b.must(os.WriteFile(filepath.Join(b.root, "var/lib/dpkg/status"), nil, 0o644))
	b.must(os.WriteFile(filepath.Join(b.root, "dev/null"), nil, 0o666))
	need := []string{"/bin/sh"}
	out, err := exec.Command("ldd", "/bin/sh").Output()
	b.must(err)
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			need = append(need, word)
		}
	}
	for _, name := range need {
		data, err := os.ReadFile(name)
		b.must(err)
		to := filepath.Join(b.root, name)
		b.must(os.MkdirAll(filepath.Dir(to), 0o755))
		b.must(os.WriteFile(to, data, 0o755))
	}
}

func (b *box) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) dpkg(args ...string) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "dpkg", append([]string{"--root=" + b.root, "--force-not-root", "--log=" + filepath.Join(b.root, "dpkg.log")}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("dpkg %v: %v\n%s", args, err, out)
	}
}

// run runs a program of the package, within the root.
func (b *box) run(args ...string) string {
	b.t.Helper()
	out, err := b.command(b.t.Context(), args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (b *box) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "chroot", append([]string{b.root}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/tmp"}
	return cmd
}

// list are the files in the root whose path has a word in it.
func (b *box) list(word string) (found []string) {
	b.t.Helper()
	b.must(filepath.WalkDir(b.root, func(p string, _ os.DirEntry, err error) error {
		rel := strings.TrimPrefix(p, b.root)
		if strings.Contains(rel, word) && !strings.HasPrefix(rel, "/var/lib/dpkg") && !strings.HasPrefix(rel, "/tmp") {
			found = append(found, rel)
		}
		return err
	}))
	return found
}

// wantFiles looks for what others look for in its place.
func (b *box) wantFiles() {
	b.t.Helper()
	for name, holds := range map[string]string{
		"usr/lib/systemd/system/qft-helper.service":     "ExecStart=/usr/bin/qft helper",
		"usr/lib/sysusers.d/qft-helper.conf":            "qft-helper",
		"usr/lib/sysctl.d/60-qft-helper.conf":           "rmem_max",
		"etc/qft/helper.conf":                           "ports",
		"usr/share/bash-completion/completions/qft":     "__start_qft",
		"usr/share/zsh/vendor-completions/_qft":         "#compdef qft",
		"usr/share/fish/vendor_completions.d/qft.fish":  "complete -c qft",
		"usr/share/applications/qft.desktop":            "Exec=qft gui",
		"usr/share/icons/hicolor/scalable/apps/qft.svg": "<svg",
		"usr/share/doc/qft/copyright":                   "Copyright",
		"usr/share/doc/qft/THIRD-PARTY.txt":             "github.com/zeebo/blake3",
		"usr/share/doc/qft/docs/events.md":              "Events for programs",
	} {
		text, err := os.ReadFile(filepath.Join(b.root, name))
		if err != nil || !strings.Contains(string(text), holds) {
			b.t.Errorf("%s has no %q: %v", name, holds, err)
		}
	}
	for _, name := range []string{"qft.1.gz", "qfts.1.gz", "qftr.1.gz"} {
		if info, err := os.Stat(filepath.Join(b.root, "usr/share/man/man1", name)); err != nil || info.Size() < 200 {
			b.t.Errorf("no manual page %s: %v", name, err)
		}
	}
	if enabled := b.list("qft-helper.service"); !slices.Equal(enabled, []string{"/usr/lib/systemd/system/qft-helper.service"}) {
		b.t.Errorf("the helper is enabled: %v", enabled)
	}
}

// transfer has the installed program be helper, sender and receiver.
func (b *box) transfer() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	content := bytes.Repeat([]byte("a file of many lines\n"), 1<<16)
	b.must(os.WriteFile(filepath.Join(b.root, "tmp/file"), content, 0o644))
	b.must(os.Mkdir(filepath.Join(b.root, "tmp/to"), 0o755))
	port := freePort(b.t)
	helper := b.command(ctx, "qft", "helper", port, "--metrics", "off")
	firstLine(b.t, helper, helper.StderrPipe)
	at := []string{"--helper", "127.0.0.1:" + port, "--no-lan", "--no-portmap"}
	sender := b.command(ctx, append([]string{"qft", "send", "/tmp/file"}, at...)...)
	code := firstLine(b.t, sender, sender.StdoutPipe)
	b.run(append([]string{"qft", "receive", code, "-o", "/tmp/to"}, at...)...)
	if err := sender.Wait(); err != nil {
		b.t.Errorf("qft send: %v", err)
	}
	helper.Process.Signal(os.Interrupt)
	if err := helper.Wait(); err != nil {
		b.t.Errorf("qft helper: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(b.root, "tmp/to/file")); err != nil || !bytes.Equal(got, content) {
		b.t.Errorf("what arrived is not what was sent: %d bytes, %v", len(got), err)
	}
}

// firstLine starts a program and returns the first line that it writes.
func firstLine(t *testing.T, cmd *exec.Cmd, pipe func() (io.ReadCloser, error)) string {
	t.Helper()
	from, err := pipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(from)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("%v wrote %q: %v", cmd.Args, line, err)
	}
	go io.Copy(io.Discard, r) // until the program ends
	return strings.TrimSpace(line)
}

// freePort is none of those that a system gives to programs that ask for any, or
// it might be somebody's a moment later.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.IntN(5_000))
		if c, err := net.ListenPacket("udp", ":"+port); err == nil {
			c.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// testRPM asks rpm what it sees in the package, and unpacks it.
func testRPM(t *testing.T, r *release) {
	name, err := filepath.Abs(filepath.Join(r.out, "qft-"+r.version+"-1.x86_64.rpm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("needs rpm (see scripts/tools)")
	}
	query := func(args ...string) string {
		out, err := exec.Command("rpm", append([]string{"-qp", "--nosignature"}, append(args, name)...)...).Output()
		if err != nil {
			t.Fatalf("rpm %v: %v", args, err)
		}
		return string(out)
	}
	if got := query("--qf", "%{NAME} %{VERSION}-%{RELEASE} %{ARCH} %{LICENSE}"); got != "qft "+r.version+"-1 x86_64 MIT" {
		t.Errorf("it is %q", got)
	}
	if got := query("-c"); got != "/etc/qft/helper.conf\n" {
		t.Errorf("its settings are %q", got)
	}
	for _, file := range []string{"/usr/bin/qft\n", "/usr/bin/qfts\n", "/usr/bin/qftr\n", "/usr/share/zsh/site-functions/_qft\n"} {
		if !strings.Contains(query("-l"), file) {
			t.Errorf("%q is not in it", file)
		}
	}
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("needs cpio, to unpack it (see scripts/tools)")
	}
	cmd := exec.Command("sh", "-c", `rpm2cpio "$1" | cpio -id --quiet --no-absolute-filenames`, "sh", name)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("unpacking: %v\n%s", err, out)
	}
	out, err := exec.Command(filepath.Join(cmd.Dir, "usr/bin/qft"), "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "qft "+r.version+",") {
		t.Errorf("its program says %q, %v", out, err)
	}
}
