package gui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"qft"
)

// dead is a folder whose disk does not answer until it is back.
type dead struct {
	path  string
	back  chan struct{} // closed when it answers
	stuck atomic.Int64  // calls that have not returned
}

func (d *dead) wait(path string) {
	if !isIn(d.path, path) {
		return
	}
	d.stuck.Add(1)
	defer d.stuck.Add(-1)
	<-d.back
}

// hang has a disk not answer for what is in a folder.
func hang(to *system, folder string) *dead {
	d, was := &dead{path: folder, back: make(chan struct{})}, *to
	to.resolve = func(path string) (string, error) { d.wait(path); return was.resolve(path) }
	to.stat = func(path string) (fs.FileInfo, error) { d.wait(path); return was.stat(path) }
	to.read = func(path string) ([]fs.DirEntry, error) { d.wait(path); return was.read(path) }
	return d
}

// wantSilent expects the words for a disk that does not answer.
func wantSilent(t *testing.T, what string, err error) {
	t.Helper()
	var no *refusal
	if !errors.As(err, &no) || no.status != http.StatusGatewayTimeout || !strings.Contains(no.problem.What, "does not answer") || no.problem.Advice == "" {
		t.Errorf("%s: %v", what, err)
	}
}

// diskHub is a hub with places: an alive one, and one whose disk may hang.
func diskHub(t *testing.T) (h *hub, alive, slow string) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	alive, slow = filepath.Join(top, "alive"), filepath.Join(top, "slow")
	for _, dir := range []string{alive, slow} {
		if err := os.MkdirAll(filepath.Join(dir, "folder"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h = bareHub()
	h.state, h.more = filepath.Join(top, "state"), []string{slow, alive}
	h.disks = newDisks(h.lookAgain)
	return h, alive, slow
}

func (h *hub) sees(path string) bool {
	return slices.ContainsFunc(h.places().all, func(p Place) bool { return p.Path == path })
}

// TestDeadPlaceIsLeftOut: nobody waits for it but the first, and not for long;
// when it answers, pages are told.
func TestDeadPlaceIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alive, slow := diskHub(t)
		d := hang(&h.disks.system, slow)
		began := time.Now()
		h.look()
		if took := time.Since(began); took > lookTime {
			t.Errorf("the first look takes %s", took)
		}
		if h.sees(slow) || !h.sees(alive) {
			t.Errorf("the places are %+v", h.places().all)
		}
		p, _ := h.enter(testPage)
		began = time.Now()
		for range 100 {
			h.look()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("later ones take %s", took)
		}
		if n := d.stuck.Load(); n != 1 {
			t.Errorf("%d calls are stuck", n)
		}
		time.Sleep(time.Hour)
		close(d.back)
		synctest.Wait()
		if !h.sees(slow) {
			t.Errorf("the places are %+v", h.places().all)
		}
		select {
		case m := <-p.messages:
			if m.State == nil || !slices.ContainsFunc(m.State.Places, func(p Place) bool { return p.Path == slow }) {
				t.Errorf("the page is told %+v", m)
			}
		default:
			t.Error("the page is told nothing")
		}
	})
}

// TestSlowPlaceIsFound: it only takes longer than anybody waits for it.
func TestSlowPlaceIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, slow := diskHub(t)
		stat := h.disks.stat
		h.disks.stat = func(path string) (fs.FileInfo, error) {
			if isIn(slow, path) {
				time.Sleep(2 * lookTime)
			}
			return stat(path)
		}
		h.look()
		if h.sees(slow) {
			t.Error("it was waited for")
		}
		time.Sleep(5 * lookTime)
		if !h.sees(slow) {
			t.Errorf("the places are %+v", h.places().all)
		}
	})
}

// TestDeadFolder: who lists or chooses it, or something in it, hears that it does
// not answer, and so does who asks again. All else goes on.
func TestDeadFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alive, slow := diskHub(t)
		h.look()
		p := h.places()
		d := hang(&h.disks.system, filepath.Join(slow, "folder"))
		began := time.Now()
		took := func(what string, atMost time.Duration) {
			t.Helper()
			if got := time.Since(began); got > atMost {
				t.Errorf("%s takes %s", what, got)
			}
			began = time.Now()
		}
		for _, path := range []string{d.path, d.path, filepath.Join(d.path, "below")} {
			_, err := p.list(path, false)
			wantSilent(t, "listing "+path, err)
		}
		took("listing it three times", answerTime)
		_, err := p.makeFolder(filepath.Join(d.path, "new"))
		wantSilent(t, "making a folder", err)
		_, err = h.planOf(NewTransfer{Kind: "receive", Code: "7-zebra-zebra-zebra", Folder: d.path})
		wantSilent(t, "receiving into it", err)
		_, err = h.planOf(NewTransfer{Kind: "send", Paths: []string{alive, filepath.Join(d.path, "below")}})
		wantSilent(t, "sending from it", err)
		l, err := p.list(slow, false)
		if err != nil || len(l.Entries) != 1 || l.Entries[0].Name != "folder" || !l.Entries[0].Folder {
			t.Errorf("the folder around it: %+v, %v", l, err)
		}
		if _, err := p.list(alive, false); err != nil {
			t.Error(err)
		}
		took("all else", 0)
		if n := d.stuck.Load(); n != 1 {
			t.Errorf("%d calls are stuck", n)
		}
		close(d.back)
		synctest.Wait()
		if _, err := p.list(d.path, false); err != nil {
			t.Errorf("when it is back: %v", err)
		}
	})
}

// TestDeadFolderInAnother: a folder that holds it is listed nevertheless.
func TestDeadFolderInAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, slow := diskHub(t)
		h.look()
		for i := range 2 * mostVisits {
			if err := os.Mkdir(filepath.Join(slow, fmt.Sprint("dead ", i)), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		var all []*dead
		for i := range 2 * mostVisits {
			all = append(all, hang(&h.disks.system, filepath.Join(slow, fmt.Sprint("dead ", i))))
		}
		began := time.Now()
		l, err := h.places().list(slow, false)
		if took := time.Since(began); err != nil || len(l.Entries) != 2*mostVisits+1 || took > 2*entryTime {
			t.Errorf("%d entries, %v, after %s", len(l.Entries), err, took)
		}
		for _, d := range all {
			close(d.back)
		}
	})
}

// TestDeadFolderThatManyAskFor: one call is stuck for a path, however many wait, and
// a bounded number for all.
func TestDeadFolderThatManyAskFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alive, slow := diskHub(t)
		h.look()
		p := h.places()
		d := hang(&h.disks.system, slow)
		answers := make(chan error)
		ask := func(path string) {
			_, err := p.list(path, false)
			answers <- cmp.Or(err, errors.New("it was listed"))
		}
		for range 100 {
			go ask(filepath.Join(slow, "folder"))
		}
		synctest.Wait()
		if n := d.stuck.Load(); n != 1 {
			t.Errorf("%d calls are stuck", n)
		}
		for range 100 {
			wantSilent(t, "one of many", <-answers)
		}
		for i := range 3 * mostOverdue { // one after the other, as a person would
			go ask(filepath.Join(slow, fmt.Sprint("other ", i)))
			wantSilent(t, "another folder", <-answers)
		}
		if n := d.stuck.Load(); n != mostOverdue {
			t.Errorf("%d calls are stuck, want %d", n, mostOverdue)
		}
		if _, err := p.list(alive, false); err == nil {
			t.Error("beyond all bounds a disk is asked")
		}
		close(d.back)
		synctest.Wait()
		if _, err := p.list(alive, false); err != nil {
			t.Error(err)
		}
	})
}

// TestVisitThatReturnsLate: its answer is nobody's, and the next one counts.
func TestVisitThatReturnsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisks(func() {})
		back := make(chan struct{})
		began := time.Now()
		_, err := visitDisk(d, "/dead", lookTime, func() (int, error) {
			<-back
			return 1, nil
		})
		wantSilent(t, "a call", err)
		if took := time.Since(began); took != lookTime {
			t.Errorf("it was waited for %s", took)
		}
		close(back)
		synctest.Wait()
		if n, err := visitDisk(d, "/dead", lookTime, func() (int, error) { return 2, nil }); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// TestRoomIsToldWithTheQuestion, where the disk answers; else it is not known, and
// the question comes all the same.
func TestRoomIsToldWithTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alive, slow := diskHub(t)
		h.look()
		d := hang(&h.disks.system, slow)
		if _, err := h.places().list(slow, false); err == nil {
			t.Error("a disk that hangs has answered")
		}
		for dir, known := range map[string]bool{alive: true, slow: false} {
			x := newTransfer(plan{target: qft.Target{Dir: dir}})
			x.hub = h
			ctx, cancel := context.WithCancel(t.Context())
			go x.askProposal(ctx, qft.Proposal{Names: []string{"letter"}})
			synctest.Wait()
			h.mu.Lock()
			ask := x.shown.Ask
			h.mu.Unlock()
			if ask == nil || ask.Kind != "accept" || ask.Proposal.Names[0] != "letter" || (ask.Proposal.Room > 0) != known {
				t.Errorf("known: %v, asked is %+v", known, ask)
			}
			cancel()
			synctest.Wait()
		}
		close(d.back)
		synctest.Wait()
	})
}
