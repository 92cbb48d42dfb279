package qft

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"qft/internal/lab"
)

// prospect is what may be expected of a cell.
type prospect byte

const (
	certain    prospect = iota // a path exists that no port has to be guessed for
	guessed                    // one exists if a port is guessed: 95 % within 20 s
	lucky                      // more would have to be guessed than is: a path, or an honest failure
	impossible                 // there is none: an honest failure within 30 s
	apart                      // there is no address family in common: the same within 10 s
)

// ports is what others can know of a NAT's outside ports.
type ports byte

const (
	fixed       ports = iota // the one that everybody has seen
	predictable              // another for each destination, which can be told before
	random                   // another for each destination
)

// outlook is one side's IPv4 as it is seen from outside.
type outlook struct {
	open   bool // an endpoint is known by which everybody gets in
	ports  ports
	filter lab.Behavior
}

// outlook says what the RFC 4787 behaviours of all NATs of the network come to.
// maps: its router opens a port.
func (n *network) outlook(maps bool) outlook {
	if n.nat == nil {
		return outlook{open: true}
	}
	o := outlook{filter: n.nat.Filtering}
	switch {
	case n.nat.Mapping == independent, n.nat.Overload:
		// Overloaded ports are shared by hosts, and there is one host.
	case n.nat.PortPreserve, n.nat.Ports == lab.SequentialPorts:
		o.ports = predictable
	default:
		o.ports = random
	}
	if maps && o.ports == fixed && n.nat.Mapping == independent {
		o.filter = independent // the port that is opened is the one that everybody has seen
	}
	if n.carrier != nil {
		// The opened port is inside the carrier's network, where nobody is. The
		// carrier maps each port of the home's router to one of its own.
		o.filter = max(o.filter, n.carrier.Filtering)
		if o.ports != fixed {
			o.ports = random
		}
		return o
	}
	o.open = maps || o.ports == fixed && o.filter == independent
	return o
}

// expect is what may be expected between a sender's and a receiver's network.
func expect(a, b *network, maps bool) prospect {
	switch {
	case a.v6 && b.v6:
		return certain // firewalls open for who is written to, and no port changes
	case !a.v4 || !b.v4:
		return apart
	}
	x, y := a.outlook(maps), b.outlook(false)
	if a.blocked || b.blocked {
		return betweenLines(x, y)
	}
	return between(x, y)
}

func between(x, y outlook) prospect {
	if x.ports < y.ports {
		x, y = y, x // x is the harder one
	}
	switch {
	case x.open || y.open:
		return certain // the other one comes in by it, and is answered
	case x.ports == fixed:
		return certain // both write to where the other one is seen
	case y.ports == fixed && y.filter != byPort:
		return certain // y writes to x's address, and then takes packets from any of its ports
	case x.ports == predictable:
		return certain // y's is fixed or predictable
	case y.ports == fixed:
		return guessed // y has to write to the port that x is given for it
	case y.ports == predictable:
		return lucky
	}
	return impossible
}

// betweenLines is between where one of the two has TCP only: for that no ports are
// told before, nor guessed.
func betweenLines(x, y outlook) prospect {
	if x.ports < y.ports {
		x, y = y, x
	}
	switch {
	case x.open || y.open, x.ports == fixed, y.ports == fixed && y.filter != byPort:
		return certain
	case y.ports == fixed:
		return lucky
	}
	return impossible
}

func TestExpectations(t *testing.T) {
	for _, c := range []struct {
		a, b string
		maps bool
		want prospect
	}{
		{"none", "symmetric, random", false, certain},
		{"full cone", "symmetric, random", false, certain},
		{"address-restricted", "CGNAT over symmetric", false, certain},
		{"port-restricted", "port-restricted", false, certain},
		{"port-restricted", "symmetric, random", false, guessed},
		{"port-restricted", "CGNAT over symmetric", false, guessed},
		{"IPv4 only", "symmetric, random", false, guessed},
		{"CGNAT over cone", "symmetric, random", false, guessed},
		{"CGNAT over cone", "symmetric, random", true, certain},
		{"symmetric, sequential", "symmetric, port-preserving", false, certain},
		{"symmetric, sequential", "port-restricted", false, certain},
		{"symmetric, sequential", "symmetric, random", false, lucky},
		{"symmetric, random", "symmetric, random", false, impossible},
		{"symmetric, random", "symmetric, random", true, certain},
		{"CGNAT over symmetric", "symmetric, random", true, impossible},
		{"dual stack, v4 symmetric", "symmetric, random", false, impossible},
		{"dual stack, v4 symmetric", "IPv6 only", false, certain},
		{"dual stack, v4 symmetric", "dual stack, v4 symmetric", false, certain},
		{"IPv4 only", "IPv6 only", false, apart},
		{"none", "IPv6 only", false, certain},
		{"none", "UDP blocked", false, certain},
		{"UDP blocked", "UDP blocked", false, certain},
		{"CGNAT over cone", "UDP blocked", false, certain},
		{"symmetric, random", "UDP blocked", false, lucky},
		{"symmetric, sequential", "UDP blocked", false, lucky},
		{"symmetric, sequential", "UDP blocked", true, certain},
		{"IPv6 only", "UDP blocked", false, certain},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if c.maps && pair[0] != c.a {
				continue
			}
			if got := expect(networkOf(t, pair[0]), networkOf(t, pair[1]), c.maps); got != c.want {
				t.Errorf("%s x %s, maps %v: %d, want %d", pair[0], pair[1], c.maps, got, c.want)
			}
		}
	}
}

func networkOf(t *testing.T, name string) *network {
	i := slices.IndexFunc(networks, func(n network) bool { return n.name == name })
	if i < 0 {
		t.Fatalf("no network %q", name)
	}
	return &networks[i]
}

// cell is a place in the matrix: all trials of two networks under a condition.
type cell struct {
	condition
	a, b   *network
	trials []trial
}

func (c *cell) String() string {
	s := fmt.Sprintf("%s x %s, loss %v", c.a.name, c.b.name, c.loss)
	if c.maps {
		s += ", the sender's router opens ports"
	}
	return s
}

// seed is that of a cell's trial: all differ.
func (c *cell) seed(i int) uint64 {
	place := uint64(slices.IndexFunc(networks, func(n network) bool { return n.name == c.a.name }))
	place = place<<8 | uint64(slices.IndexFunc(networks, func(n network) bool { return n.name == c.b.name }))
	return place<<32 | uint64(i)
}

// times are how long trials of a fate took, sorted.
func (c *cell) times(f fate) (all []time.Duration) {
	for _, r := range c.trials {
		if r.fate == f {
			all = append(all, r.took)
		}
	}
	slices.Sort(all)
	return all
}

// quantile returns the time that a share of sorted times does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

const (
	honestly  = 30 * time.Second // failures are told by then
	guessTime = 20 * time.Second // paths that need a guess are found by then
)

// guesses is how trials went that have to guess a port.
type guesses struct {
	where      string
	all, right int
}

// guessing counts them: for each cell if it has many, else for all together.
func guessing(cells []*cell) []guesses {
	sum := guesses{where: "all cells"}
	var each []guesses
	for _, c := range cells {
		if expect(c.a, c.b, c.maps) != guessed {
			continue
		}
		g := guesses{where: c.String(), all: len(c.trials)}
		for _, d := range c.times(gotThrough) {
			if d <= guessTime {
				g.right++
			}
		}
		sum.all, sum.right = sum.all+g.all, sum.right+g.right
		if g.all >= 100 {
			each = append(each, g)
		}
	}
	return append(each, sum)
}

// judge holds one trial against what is expected, and says what is wrong.
func (c *cell) judge(r trial) string {
	if r.fate == astray {
		return r.text
	}
	var ok bool
	switch expect(c.a, c.b, c.maps) {
	case certain:
		ok = r.fate == gotThrough
	case guessed, lucky:
		ok = r.fate == gotThrough || r.fate == noPath && r.took <= honestly
	case impossible:
		ok = r.fate == noPath && r.took <= honestly
	case apart:
		ok = r.fate == noPath && r.took <= honestly/3
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("%v after %v", [fates]string{"connected", "no path", "astray"}[r.fate], r.took)
}

// TestConnectivity has every kind of network meet every other: QFT_MATRIX
// times, from trial QFT_FIRST on, in the cells whose names contain QFT_CELL.
// QFT_MATRIX_FILE names a file into which the table is written.
func TestConnectivity(t *testing.T) {
	seeds, first := 1, 0
	if s := os.Getenv("QFT_MATRIX"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("QFT_FIRST"); s != "" {
		first, _ = strconv.Atoi(s)
	}
	cells := matrix(os.Getenv("QFT_CELL"))
	if testing.Short() {
		cells = slices.DeleteFunc(cells, func(c *cell) bool { return c.maps || c.loss > 0 })
	}
	fill(cells, seeds, first)
	var quick []time.Duration
	for _, c := range cells {
		for i, r := range c.trials {
			if wrong := c.judge(r); wrong != "" {
				t.Errorf("%v, trial %d: %s", c, first+i, wrong)
			}
		}
		if expect(c.a, c.b, c.maps) == certain && c.loss == 0 {
			quick = append(quick, c.times(gotThrough)...)
		}
	}
	for _, guesses := range guessing(cells) {
		if guesses.right*100 < guesses.all*95 {
			t.Errorf("%s: of %d trials that have to guess a port, %d were connected within %v", guesses.where, guesses.all, guesses.right, guessTime)
		}
	}
	slices.Sort(quick)
	if median := quantile(quick, 0.5); median > 400*time.Millisecond {
		t.Errorf("the median time to connected is %v where nothing is lost", median)
	}
	if file := os.Getenv("QFT_MATRIX_FILE"); file != "" {
		if err := write(file, cells, seeds); err != nil {
			t.Error(err)
		}
	}
	if testing.Verbose() {
		t.Log("\n" + tables(cells))
	}
}

// TestEncountersThatFailed runs trials that have shown bugs.
func TestEncountersThatFailed(t *testing.T) {
	for _, f := range []struct {
		a, b  string
		loss  float64
		trial int
		bug   string
	}{
		{"address-restricted", "dual stack, v4 symmetric", 0.1, 1,
			"an address that was learned between the receiver's answer and the confirmation was never told"},
		{"symmetric, random", "UDP blocked", 0.1, 27,
			"half a minute was counted from when the helper had been found"},
	} {
		c := &cell{condition: condition{loss: f.loss}, a: networkOf(t, f.a), b: networkOf(t, f.b)}
		if wrong := c.judge(c.run(c.a, c.b, c.seed(f.trial))); wrong != "" {
			t.Errorf("%v, trial %d (%s): %s", c, f.trial, f.bug, wrong)
		}
	}
}

// matrix returns the cells whose names contain a word.
func matrix(word string) (cells []*cell) {
	for _, maps := range []bool{false, true} {
		for _, loss := range []float64{0, 0.1} {
			for i := range networks {
				for j := range networks {
					c := &cell{condition: condition{maps, loss}, a: &networks[i], b: &networks[j]}
					if strings.Contains(c.String(), word) {
						cells = append(cells, c)
					}
				}
			}
		}
	}
	return cells
}

// fill runs the trials of all cells, on all cores.
func fill(cells []*cell, seeds, first int) {
	type job struct {
		c *cell
		i int
	}
	jobs := make(chan job)
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for j := range jobs {
				j.c.trials[j.i] = j.c.run(j.c.a, j.c.b, j.c.seed(first+j.i))
			}
		})
	}
	for _, c := range cells {
		c.trials = make([]trial, seeds)
		for i := range seeds {
			jobs <- job{c, i}
		}
	}
	close(jobs)
	all.Wait()
}

// tables are the cells as text, a table to each condition.
func tables(cells []*cell) string {
	var b strings.Builder
	for len(cells) > 0 {
		of := cells[0].condition
		n := slices.IndexFunc(cells, func(c *cell) bool { return c.condition != of })
		if n < 0 {
			n = len(cells)
		}
		table(&b, cells[:n])
		cells = cells[n:]
	}
	return b.String()
}

// summary says what the trials of a table come to, by what was expected.
func summary(b *strings.Builder, cells []*cell) {
	for p, what := range [...]string{
		certain: "a path is certain", guessed: "a port has to be guessed", lucky: "more would have to be guessed",
		impossible: "there is no path", apart: "there is no address family in common",
	} {
		var through, told []time.Duration
		for _, c := range cells {
			if expect(c.a, c.b, c.maps) == prospect(p) {
				through = append(through, c.times(gotThrough)...)
				told = append(told, c.times(noPath)...)
			}
		}
		if len(through)+len(told) == 0 {
			continue
		}
		fmt.Fprintf(b, "- Where %s: %d of %d connected", what, len(through), len(through)+len(told))
		if slices.Sort(through); len(through) > 0 {
			fmt.Fprintf(b, ", half of them within %.2f s, 95 %% within %.2f s, all within %.1f s",
				quantile(through, 0.5).Seconds(), quantile(through, 0.95).Seconds(), quantile(through, 1).Seconds())
		}
		if slices.Sort(told); len(told) > 0 {
			fmt.Fprintf(b, "; the others were told by %.1f s", quantile(told, 1).Seconds())
		}
		b.WriteString(".\n")
	}
	b.WriteByte('\n')
}

func table(b *strings.Builder, cells []*cell) {
	router := "no router opens ports"
	if cells[0].maps {
		router = "the sender's router opens ports"
	}
	fmt.Fprintf(b, "### Loss %.0f %%, %s\n\n", 100*cells[0].loss, router)
	summary(b, cells)
	var columns []string
	for _, c := range cells {
		if c.a == cells[0].a {
			columns = append(columns, c.b.name)
		}
	}
	fmt.Fprintf(b, "| sender ╲ receiver | %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)+1))
	for i, c := range cells {
		if i == 0 || c.a != cells[i-1].a {
			fmt.Fprintf(b, "| %s |", c.a.name)
		}
		fmt.Fprintf(b, " %s |", c.entry())
		if i == len(cells)-1 || c.a != cells[i+1].a {
			b.WriteByte('\n')
		}
	}
	b.WriteByte('\n')
}

// entry is a cell in few words: the share that connected, if it is not all of
// them, and the median and 95th percentile of the seconds that it took.
func (c *cell) entry() string {
	times, s := c.times(gotThrough), ""
	switch {
	case len(times) == 0:
		return "no path"
	case len(times) < len(c.trials):
		s = fmt.Sprintf("%.0f %%: ", 100*float64(len(times))/float64(len(c.trials)))
	}
	return fmt.Sprintf("%s%.2f, %.2f", s, quantile(times, 0.5).Seconds(), quantile(times, 0.95).Seconds())
}

// The table stands between these lines of the file.
const (
	tableBegins = "<!-- the matrix begins: make matrix writes it -->\n"
	tableEnds   = "<!-- the matrix ends -->\n"
)

func write(file string, cells []*cell, seeds int) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(b), tableBegins)
	_, tail, ends := strings.Cut(rest, tableEnds)
	if !ok || !ends {
		return fmt.Errorf("%s has no place for the matrix", file)
	}
	text := head + tableBegins + fmt.Sprintf("\n%d trials a cell.\n\n", seeds) + tables(cells) + tableEnds + tail
	return os.WriteFile(file, []byte(text), 0o644)
}
