package qft

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

// sentFS sends an FS, and receives it into a directory.
type sentFS struct {
	t       *testing.T
	cfg     Config
	code    chan string
	result  Result
	err     error
	sending sync.WaitGroup
}

func sendFS(ctx context.Context, t *testing.T, src Source) *sentFS {
	s := &sentFS{t: t, code: make(chan string, 1), cfg: Config{Helper: startHelper(t), NoPortMapping: true, NoNearby: true}}
	cfg := s.cfg
	cfg.State = t.TempDir()
	cfg.Events = func(e Event) {
		if c, ok := e.(Code); ok {
			s.code <- c.Code
		}
	}
	s.sending.Go(func() { s.result, s.err = Send(ctx, src, cfg) })
	s.cfg.Phrase = next(t, "a code", s.code)
	t.Cleanup(func() {
		if records, err := os.ReadDir(filepath.Join(cfg.State, "transfers")); err == nil && len(records) > 0 {
			t.Errorf("%v is remembered of what cannot be named again", records)
		}
		if _, err := os.Stat(filepath.Join(cfg.State, "hashes")); err == nil {
			t.Error("hashes are kept of what has no inodes")
		}
	})
	return s
}

// noise is a file of bytes that do not shrink.
func noise(n int) *fstest.MapFile {
	b := make([]byte, n)
	rand.Read(b)
	return &fstest.MapFile{Data: b, ModTime: time.Unix(1_700_000_000, 0)}
}

// sameTree compares what has arrived.
func sameTree(t *testing.T, m fstest.MapFS, dir string) {
	t.Helper()
	for name, f := range m {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if f.Mode.IsDir() {
			if st, err := os.Stat(filepath.Join(dir, name)); err != nil || !st.IsDir() {
				t.Errorf("%s is no directory: %v", name, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(b, f.Data) {
			t.Fatalf("%s has %d bytes of %d, %v", name, len(b), len(f.Data), err)
		}
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || !f.ModTime.IsZero() && !st.ModTime().Equal(f.ModTime) {
			t.Errorf("%s is of %v, %v", name, st.ModTime(), err)
		}
	}
}

func TestSendAnFS(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	m := fstest.MapFS{"large": noise(5<<20 + 7), "dir/small": noise(5), "dir/empty": noise(0), "dir/none": {Mode: fs.ModeDir | 0o755}}
	files := 2_000
	if testing.Short() {
		files = 200
	}
	for i := range files {
		m[fmt.Sprintf("many/%d/%d", i%7, i)] = noise(i % 100)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := sendFS(ctx, t, Source{FS: m})
	to := t.TempDir()
	r, err := Receive(ctx, Target{Dir: to}, s.cfg)
	s.sending.Wait()
	if err != nil || s.err != nil || r.Files != int64(files+3) || s.result.Files != r.Files || len(r.Paths) != 3 || s.result.Path != "" {
		t.Fatalf("%+v, %v; %+v, %v", r, err, s.result, s.err)
	}
	sameTree(t, m, to)
}

// slowFS blocks where the test has it.
type slowFS struct {
	fs.FS
	read func(name string, off int64) error
}

func (s slowFS) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return slowFile{f, name, s}, nil
}

type slowFile struct {
	fs.File
	name string
	fs   slowFS
}

func (f slowFile) ReadDir(n int) ([]fs.DirEntry, error) { return f.File.(fs.ReadDirFile).ReadDir(n) }

func (f slowFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.read(f.name, off); err != nil {
		return 0, err
	}
	return f.File.(io.ReaderAt).ReadAt(p, off)
}

// TestAnFSForAReceiverThatComesAgain: it goes on, and is read in parallel.
func TestAnFSForAReceiverThatComesAgain(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	m := fstest.MapFS{"large": noise(24 << 20)}
	var reads atomic.Int32
	second := make(chan struct{})
	src := Source{FS: slowFS{m, func(string, int64) error {
		switch reads.Add(1) {
		case 1:
			select { // a slow one does not hold the others up
			case <-second:
			case <-time.After(20 * time.Second):
				t.Error("there is only one read at a time")
			}
		case 2:
			close(second)
		}
		return nil
	}}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := sendFS(ctx, t, src)
	to := t.TempDir()
	first, stop := context.WithCancel(ctx)
	cfg := s.cfg
	cfg.Limit = 10e6
	cfg.Events = func(e Event) {
		if p, ok := e.(Progress); ok && p.Done > 4<<20 {
			stop()
		}
	}
	if _, err := Receive(first, Target{Dir: to}, cfg); KindOf(err) != KindCanceled {
		t.Fatal(err)
	}
	r, err := Receive(ctx, Target{Dir: to}, s.cfg)
	s.sending.Wait()
	if err != nil || s.err != nil || r.Resumed == 0 {
		t.Errorf("%+v, %v; %v", r, err, s.err)
	}
	sameTree(t, m, to)
}

// TestAnFSThatBlocksDoesNotKeepSend: it returns when its context ends, whatever
// the FS does, and nothing of it is told as failed.
func TestAnFSThatBlocksDoesNotKeepSend(t *testing.T) {
	wait := make(chan struct{})
	defer close(wait)
	asked := make(chan struct{}, 64)
	block := func(string, int64) error {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-wait
		return errors.New("long gone")
	}
	s, ctx := (*sentFS)(nil), context.Background()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	sending, end := context.WithCancel(ctx)
	s = sendFS(sending, t, Source{FS: slowFS{fstest.MapFS{"a": noise(3 << 20), "b": noise(10)}, block}})
	var receiving sync.WaitGroup
	receiving.Go(func() { Receive(ctx, Target{Dir: t.TempDir()}, s.cfg) })
	next(t, "a read", asked)
	end()
	s.sending.Wait()
	if KindOf(s.err) != KindCanceled {
		t.Errorf("send: %v", s.err)
	}
	receiving.Wait()
}

// TestFilesOfAnFSFailAlone: one that reads wrongly does not keep the others.
func TestFilesOfAnFSFailAlone(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	m := fstest.MapFS{"bad": noise(2 << 20), "worse": noise(10), "good": noise(10)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := sendFS(ctx, t, Source{FS: slowFS{m, func(name string, _ int64) error {
		if name != "good" {
			return errors.New("the page that holds the files was closed")
		}
		return nil
	}}})
	to := t.TempDir()
	_, err := Receive(ctx, Target{Dir: to}, s.cfg)
	s.sending.Wait()
	if KindOf(err) != KindIncomplete || KindOf(s.err) != KindIncomplete || s.result.FailedCount != 2 || !strings.Contains(s.result.Failed[0].Why, "was closed") {
		t.Errorf("%v; %+v, %v", err, s.result, s.err)
	}
	sameTree(t, fstest.MapFS{"good": m["good"]}, to)
}

// TestAnFSThatBlocksWhileNobodyComes: directories are gone through before there
// is a receiver, and Send returns all the same.
func TestAnFSThatBlocksWhileNobodyComes(t *testing.T) {
	wait := make(chan struct{})
	defer close(wait)
	asked := make(chan struct{})
	ctx, end := context.WithCancel(t.Context())
	s := sendFS(ctx, t, Source{FS: blockedFS{fstest.MapFS{"dir/file": noise(1)}, func(name string) {
		if name == "dir" {
			close(asked)
			<-wait
		}
	}}})
	next(t, "a read", asked)
	end()
	s.sending.Wait()
	if KindOf(s.err) != KindCanceled {
		t.Error(s.err)
	}
}

// blockedFS blocks where a file or directory is opened.
type blockedFS struct {
	fstest.MapFS
	open func(name string)
}

func (b blockedFS) Open(name string) (fs.File, error) {
	b.open(name)
	return b.MapFS.Open(name)
}
