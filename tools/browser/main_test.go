package browser

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds each thing that a test waits for. It is for what hangs.
const patience = 60 * time.Second

// kit is what all tests share: one scratch directory, the program, a helper and
// a browser. Only TestMain writes it.
var kit struct {
	dir     string
	qft     func() (string, error)
	helper  func() (string, error) // its address
	browser func() (context.Context, error)
	axe     func() string // the engine that knows the rules of accessibility, if it is there
	ends    []func()
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "qft-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser: making a scratch directory:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	kit.dir = dir
	kit.qft = sync.OnceValues(build)
	kit.helper = sync.OnceValues(startHelper)
	kit.browser = sync.OnceValues(startBrowser)
	kit.axe = sync.OnceValue(readAxe)
	defer func() {
		for _, end := range kit.ends {
			end()
		}
	}()
	return m.Run()
}

func build() (string, error) {
	bin := filepath.Join(kit.dir, "qft")
	cmd := exec.Command("go", "build", "-trimpath", "-o", bin, "./cmd/qft")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building qft: %w\n%s", err, out)
	}
	return bin, nil
}

// startHelper takes a port that was free a moment ago. If it is somebody else's
// by then, it takes another one.
func startHelper() (address string, err error) {
	for range 10 {
		if address, err = helperAt(); err == nil {
			break
		}
	}
	return address, err
}

func helperAt() (string, error) {
	bin, err := kit.qft()
	if err != nil {
		return "", err
	}
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.LocalAddr().String())
	l.Close()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(bin, "helper", port)
	says, err := cmd.StderrPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting the helper: %w", err)
	}
	kit.ends = append(kit.ends, func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(says)
	for said := ""; ; said += lines.Text() + "\n" {
		if !lines.Scan() {
			return "", fmt.Errorf("the helper has ended: %s", said)
		}
		if strings.Contains(lines.Text(), "helper is listening") {
			break
		}
	}
	go io.Copy(io.Discard, says)
	return "127.0.0.1:" + port, nil
}

// startBrowser starts Chromium, which asks nobody for anything by itself.
func startBrowser() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("lang", "en-GB"),
		chromedp.UserDataDir(filepath.Join(kit.dir, "chromium")),
		chromedp.WindowSize(1280, 900),
	)
	alloc, end := chromedp.NewExecAllocator(context.Background(), options...)
	kit.ends = append(kit.ends, end)
	ctx, cancel := chromedp.NewContext(alloc)
	kit.ends = append(kit.ends, cancel)
	if err := chromedp.Do(ctx); err != nil {
		return nil, fmt.Errorf("starting Chromium: %w", err)
	}
	return ctx, nil
}

func readAxe() string {
	text, _ := os.ReadFile(filepath.Join("..", "..", "internal", "gui", "web", "node_modules", "axe-core", "axe.min.js"))
	return string(text)
}

// needs skips where the tests cannot run.
func needs(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("needs chromium (package chromium)")
	}
	if testing.Short() {
		t.Skip("starts a browser")
	}
}

// person is somebody with a home of their own.
type person struct {
	t    *testing.T
	home string
}

func newPerson(t *testing.T) *person {
	needs(t)
	return personAt(t, t.TempDir())
}

func personAt(t *testing.T, home string) *person {
	p := &person{t, home}
	if err := os.MkdirAll(p.downloads(), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *person) downloads() string { return filepath.Join(p.home, "Downloads") }

// gui is a running qft gui.
type gui struct {
	cmd  *exec.Cmd
	url  string // with the key of its first page
	done chan struct{}
	mu   sync.Mutex
	said bytes.Buffer
}

// address is what the program prints for who has no browser.
var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/#[A-Z2-7]+`)

// start starts the program in the person's home. Before it may stand a command
// that runs it.
func (p *person) start(before ...string) *gui {
	p.t.Helper()
	helper, err := kit.helper()
	if err != nil {
		p.t.Fatal(err)
	}
	bin, _ := kit.qft()
	args := append(before, bin, "gui", "--no-browser", "--helper", helper)
	g := &gui{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	g.cmd.Dir = p.home
	g.cmd.Env = p.environ()
	out, err := g.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	found := make(chan string, 1)
	go g.listen(out, found)
	p.t.Cleanup(func() {
		g.stop()
		if p.t.Failed() {
			p.t.Logf("qft gui said:\n%s", g.text())
		}
	})
	select {
	case g.url = <-found:
	case <-g.done:
		p.t.Fatalf("qft gui ended: %s", g.text())
	case <-time.After(patience):
		p.t.Fatalf("qft gui does not say where its page is: %s", g.text())
	}
	return g
}

func (p *person) environ() []string {
	return []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "QFT_LAN=no", "QFT_PORTMAP=no"}
}

func (g *gui) listen(out io.Reader, found chan<- string) {
	defer close(g.done)
	defer g.cmd.Wait()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		g.mu.Lock()
		g.said.WriteString(lines.Text() + "\n")
		g.mu.Unlock()
		if url := address.FindString(lines.Text()); url != "" {
			select {
			case found <- url:
			default:
			}
		}
	}
}

func (g *gui) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.TrimSpace(g.said.String())
}

// stop ends the program in good order, kill without any.
func (g *gui) stop() {
	g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.done:
	case <-time.After(20 * time.Second):
		g.kill()
	}
}

func (g *gui) kill() {
	g.cmd.Process.Kill()
	<-g.done
}
