package qft

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRecordOfAnInterruptedTransfer(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	src := Source{Paths: []string{filepath.Join(dir, "photos") + "/"}, Exclude: []string{"*.tmp"}, Archive: true, Receivers: 3}
	const phrase = "our own secret phrase"
	var passed []Event
	k := startRecord(Config{State: state, Helper: "h:1", Phrase: phrase}, sendRecord(src))
	tell := k.watch(func(e Event) { passed = append(passed, e) })
	tell(Waiting{})
	if list := unfinished(t, state, dir); len(list) != 0 {
		t.Errorf("who has met nobody is listed: %+v", list)
	}
	tell(Session{1, Offer{Name: "photos", Size: 1000, Files: 7}})
	tell(Session{1, Progress{Done: 100, Size: 1000, Files: 7}})
	tell(Session{2, Progress{Done: 50, Size: 1000, Files: 7}})
	if list := unfinished(t, state, dir); len(list) != 0 {
		t.Errorf("a running transfer is listed: %+v", list)
	}
	k.finish(&Error{Kind: KindCanceled, Err: errors.New("x")})
	list := unfinished(t, state, dir)
	if len(list) != 1 || len(passed) != 4 {
		t.Fatalf("%d are listed, %d events were passed on", len(list), len(passed))
	}
	r := list[0]
	got := r.Source()
	if r.What != "photos" || r.Done != 100 || r.Size != 1000 || r.Files != 7 || r.Helper != "h:1" || !r.Own {
		t.Errorf("recorded is %+v", r)
	}
	if got.Paths[0] != src.Paths[0] || got.Exclude[0] != "*.tmp" || !got.Archive || got.Receivers != 3 {
		t.Errorf("to be sent again is %+v", got)
	}
	text, err := os.ReadFile(r.file)
	if err != nil || strings.Contains(string(text), phrase) {
		t.Errorf("%v in %s", err, text)
	}
	if st, err := os.Stat(r.file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}

	t.Log("# the same again has the same record, and none once it is done")
	k = startRecord(Config{State: state, Helper: "h:1", Phrase: "7-acid-robot-zebra"}, sendRecord(got))
	k.watch(nil)(Offer{Name: "photos", Size: 1000})
	k.finish(nil)
	if files, _ := filepath.Glob(filepath.Join(state, "transfers", "*")); len(files) != 0 || k.record.Own {
		t.Errorf("there are %v", files)
	}
}

func unfinished(t *testing.T, state, dir string) []Record {
	t.Helper()
	list, err := Unfinished(state, dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRecordIsYoung: of a process that was killed the list says how far it was a
// few seconds before.
func TestRecordIsYoung(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	k := startRecord(Config{State: state}, sendRecord(Source{Paths: []string{filepath.Join(dir, "photos")}}))
	tell := k.watch(nil)
	tell(Offer{Name: "photos", Size: 1000})
	k.record.Seen = k.record.Seen.Add(-3 * time.Second) // a while passes
	tell(Progress{Done: 400, Size: 1000})
	text, err := os.ReadFile(k.path)
	if err != nil || !strings.Contains(string(text), `"done": 400`) {
		t.Errorf("%v in %s", err, text)
	}
}

func TestRecordOfAProcessThatIsGone(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		r    Record
		runs bool
	}{
		{Record{Began: now, Seen: now, Process: os.Getpid()}, true},
		{Record{Began: now, Seen: now.Add(-time.Hour), Process: os.Getpid()}, false}, // the number was given out again
		{Record{Began: now.Add(-time.Hour), Seen: now, Process: os.Getpid()}, false}, // to this one
		{Record{Began: now, Seen: now, Process: 0}, false},
		{Record{Began: now, Seen: now, Process: -5}, false},
		{Record{Began: now, Seen: now, Process: 1 << 30}, false},
	} {
		if got := c.r.running(now); got != c.runs {
			t.Errorf("process %d, seen %v: runs %v", c.r.Process, now.Sub(c.r.Seen), got)
		}
	}
}

func TestWhatLiesInAFolderIsListedOnce(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver")
	state, dir := t.TempDir(), m.folder("to")
	interrupt := func(to Target, name string) {
		s := m.keepSending(h[0], "", m.file(name, someMegabytes), 1)
		r := m.keepReceiving(h[1], s.code(), to)
		m.until(time.Minute, "some of it", r.moved(2<<20))
		r.interrupt()
		m.until(10*time.Second, "the receiver's end", r.Done)
		s.interrupt()
		m.until(10*time.Second, "the sender's end", s.Done)
	}
	for _, to := range []Target{{Dir: dir}, {Dir: dir, Name: "mine"}} {
		interrupt(to, "film.mkv")
		k := startRecord(Config{State: state}, receiveRecord(to))
		tell := k.watch(nil)
		tell(Proposal{Names: []string{"film.mkv"}})
		tell(Offer{Name: "film.mkv", Size: 10})
		tell(Progress{Done: 1, Size: 10})
		k.finish(errors.New("x"))
	}
	interrupt(Target{Dir: dir}, "song.ogg")
	m.file("to/plain", 1)

	list := unfinished(t, state, dir)
	if len(list) != 3 || list[2].What != "song.ogg" || list[2].Done < 1<<20 || list[2].Dir != dir {
		t.Fatalf("listed are %+v", list)
	}
	for i := range list {
		if err := list[i].Discard(); err != nil {
			t.Error(err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if list = unfinished(t, state, dir); len(list) != 0 || len(left) != 0 {
		t.Errorf("after discarding all there are %v and %v", list, left)
	}
	if _, err := os.Stat(filepath.Join(dir, "plain")); err != nil {
		t.Error(err)
	}
}

func TestTextsAndStreamsAreNotRecorded(t *testing.T) {
	state := t.TempDir()
	for _, r := range []Record{
		sendRecord(Source{Text: "secret"}), sendRecord(Source{Stream: strings.NewReader("x")}),
		receiveRecord(Target{Stream: &strings.Builder{}}),
	} {
		k := startRecord(Config{State: state}, r)
		if k.watch(nil) != nil {
			t.Errorf("%+v is recorded", r)
		}
		k.finish(nil)
	}
	if all, _ := os.ReadDir(state); len(all) != 0 {
		t.Errorf("there is %v", all)
	}
}

func TestForeignRecordsAreLeftAlone(t *testing.T) {
	state := filepath.Join(t.TempDir(), "a[b]*c")
	dir := filepath.Join(state, "transfers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"later.json": `{"version":2}`, "broken.json": `{"ver`, "good.json": `{"version":1,"what":"x"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if list := unfinished(t, state, t.TempDir()); len(list) != 1 || list[0].What != "x" {
		t.Errorf("listed are %+v", list)
	}
}
