package e2e

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// inode tells files that are one from others.
func inode(info fs.FileInfo) (id, links uint64) {
	st := info.Sys().(*syscall.Stat_t)
	return st.Ino, uint64(st.Nlink)
}

// grow makes a forest in the world and returns its folder and portrait.
func (w *world) grow(seed uint64, size int64) (dir string, want map[string]string) {
	w.t.Helper()
	dir = filepath.Join(w.dir, "from", "forest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := forest(dir, seed, size); err != nil {
		w.t.Fatal(err)
	}
	want, err := portrait(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return dir, want
}

// wantForest wants a tree that is the one sent, and nothing beside it.
func (w *world) wantForest(into string, want map[string]string) {
	w.t.Helper()
	got, err := portrait(filepath.Join(into, "forest"))
	if err != nil {
		w.t.Fatal(err)
	}
	if d := differences(want, got); d != "" {
		w.t.Fatalf("what arrived is not what was sent:\n%s", d)
	}
	list, err := os.ReadDir(into)
	if err != nil || len(list) != 1 {
		w.t.Errorf("%v, %v is there, want only what was sent", list, err)
	}
}

// TestForestArrives: everything that people have on their disks, with one pair
// of commands, through two NATs.
func TestForestArrives(t *testing.T) {
	t.Parallel()
	w := newHomes(t, "")
	w.helper.startHelper()
	dir, want := w.grow(1, 40<<20)
	into := w.folder()
	s := w.a.qft("send", dir, "--helper", helperAddr4)
	r := w.b.qft("receive", w.learn(s), "-o", into+"/", "--helper", helperAddr4)
	r.wantEnd(bigTime, 0)
	s.wantEnd(patience, 0)
	w.wantForest(into, want)
}

// crashes is how often TestCrash kills, QFT_CRASH or few, and how large its
// forests are.
func crashes(t *testing.T) (n int, size int64) {
	n, err := strconv.Atoi(os.Getenv("QFT_CRASH"))
	if err != nil {
		return 8, 60 << 20
	}
	t.Logf("%d crashes", n)
	return n, 500 << 20
}

// perRound is how often one transfer is killed at most.
const perRound = 12

// TestCrash kills the sender, the receiver or both at points that a seed
// decides, starts them again, and again, until a forest has arrived; and that
// as often as it takes for all the crashes. At no time may there be anything
// under the final name but the whole, and in the end it is what was sent.
func TestCrash(t *testing.T) {
	t.Parallel()
	left, size := crashes(t)
	for round := uint64(0); left > 0; round++ {
		most := min(left, perRound)
		left -= most
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			w := newPair(t)
			w.racing = false
			w.a.limit("eth0", "400mbit")
			w.a.startHelper()
			dir, want := w.grow(round, size)
			w.crashRound(round, dir, size, want, most)
		})
	}
}

// crashRound brings a forest across through so many crashes at most.
func (w *pair) crashRound(round uint64, dir string, size int64, want map[string]string, most int) {
	w.t.Helper()
	rng := rand.New(rand.NewPCG(round, 12))
	into := w.folder()
	defer os.RemoveAll(into)
	final := filepath.Join(into, "forest")
	secret := fmt.Sprintf("crash number %d of many", round)
	w.secrets = append(w.secrets, secret)
	start := func(who string) *proc {
		if who == "sender" {
			return w.a.launch(launch{args: []string{"send", dir, "--helper", pairHelper}, env: []string{"QFT_PHRASE=" + secret}})
		}
		return w.b.launch(launch{args: []string{"receive", "-o", into + "/", "--helper", pairHelper}, env: []string{"QFT_PHRASE=" + secret}})
	}
	run := map[string]*proc{"sender": start("sender"), "receiver": start("receiver")}
	crashed := 0
	for ; crashed < most; crashed++ {
		goal := w.b.traffic("eth0").in + rng.Int64N(size/int64(most)*2+1)
		done := false
		eventually(w.t, bigTime, "enough of the forest", func() bool {
			done = !run["receiver"].running()
			return done || w.b.traffic("eth0").in >= goal
		})
		if done {
			break
		}
		if _, err := os.Lstat(final); err == nil && run["receiver"].running() {
			// It may just be ending: then it is whole.
			if got, err := portrait(final); err != nil || differences(want, got) != "" {
				w.t.Fatalf("half a forest is under its final name: %v", err)
			}
			break // who is killed now, and starts again, has nobody to meet
		}
		for _, who := range [][]string{{"sender"}, {"receiver"}, {"sender", "receiver"}}[rng.IntN(3)] {
			run[who].signal(syscall.SIGKILL)
			<-run[who].done
			run[who] = start(who)
		}
	}
	run["receiver"].wantEnd(bigTime, 0)
	if s := run["sender"]; strings.Contains(s.err.text(), "the other side is there") {
		s.wantEnd(patience, 0)
	} else { // the one before it was killed when the receiver had all: nobody comes
		s.signal(syscall.SIGKILL)
		<-s.done
	}
	w.wantForest(into, want)
	w.t.Logf("CRASH: %d times, and it has arrived", crashed)
}
