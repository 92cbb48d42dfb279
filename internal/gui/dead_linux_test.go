package gui

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestDeadMount: a mount whose server never answers, as of the kernel, holds up
// neither the start of the program, nor a page, nor a transfer, nor the end. It
// runs in a process that nobody else shares mounts with.
func TestDeadMount(t *testing.T) {
	const inside = "QFT_TEST_DEAD_MOUNT"
	if os.Getenv(inside) != "" {
		deadMount(t)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: it mounts something")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("needs /dev/fuse")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDeadMount$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// TestWhatAnswersLateIsTold: what was interrupted could not be listed in time, and
// pages hear of it when it is.
func TestWhatAnswersLateIsTold(t *testing.T) {
	h, _, _ := diskHub(t)
	h.log = slog.New(slog.DiscardHandler)
	record, slow := filepath.Join(h.state, "transfers", "1.json"), filepath.Join(h.state, "slow")
	write(t, record, []byte(`{"version": 1, "role": "send", "what": "letter", "paths": ["/letter"]}`))
	if err := os.Rename(record, slow); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(record, 0o600); err != nil { // nobody can read it yet
		t.Fatal(err)
	}
	p, _ := h.enter(testPage)
	h.look()
	if n := len(h.State().Unfinished); n != 0 {
		t.Fatalf("%d are listed that cannot have been read", n)
	}
	f, err := os.OpenFile(record, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(slow, record); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for late := time.After(patience); ; {
		select {
		case m := <-p.messages:
			if m.State != nil && len(m.State.Unfinished) == 1 && m.State.Unfinished[0].Name == "letter" {
				return
			}
		case <-late:
			t.Fatal("the page is not told")
		}
	}
}

// mountDead mounts what answers nothing until it is brought back, which has every
// call fail.
func mountDead(t *testing.T, dir string) (back func()) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fuse, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("dead", dir, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse)); err != nil {
		t.Skip("nothing can be mounted here: ", err)
	}
	return func() { syscall.Close(fuse) }
}

func deadMount(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	place, dead := filepath.Join(top, "place"), filepath.Join(top, "place", "dead")
	write(t, filepath.Join(place, "letter"), []byte("hello"))
	back := mountDead(t, dead)
	helper := helper(t)
	send := start(t, helper, t.TempDir(), dead, place)
	b := send.open("page-of-the-person-1").has(place)
	began := time.Now()
	places := b.places()
	if slices.ContainsFunc(places, func(p Place) bool { return p.Path == dead }) || !slices.ContainsFunc(places, func(p Place) bool { return p.Path == place }) {
		t.Errorf("the places are %+v", places)
	}
	var l Listing
	if reply := b.do("GET", "/api/folder?path="+escape(place), nil, &l); reply.StatusCode != http.StatusOK || len(l.Entries) != 2 {
		t.Errorf("the folder around it: %s, %+v", reply.Status, l)
	}
	var p Problem
	if reply := b.do("GET", "/api/folder?path="+escape(dead), nil, &p); reply.StatusCode != http.StatusGatewayTimeout || p.Advice == "" {
		t.Errorf("listing it: %s, %+v", reply.Status, p)
	}
	b.refused("/api/transfers", NewTransfer{Kind: "receive", Code: "7-zebra-zebra-zebra", Folder: dead})
	b.refused("/api/transfers", NewTransfer{Kind: "send", Paths: []string{filepath.Join(dead, "x")}})
	t.Logf("all that was asked of it took %s", time.Since(began))

	var sent, got Transfer
	b.must("/api/transfers", NewTransfer{Kind: "send", Paths: []string{filepath.Join(place, "letter")}}, &sent)
	receive := start(t, helper, t.TempDir(), dead, top)
	other := receive.open("page-of-the-person-2").has(top)
	other.must("/api/transfers", NewTransfer{Kind: "receive", Code: b.code(sent.ID), Folder: top}, &got)
	other.until("it is asked", func(s *State) bool { return len(s.Transfers) == 1 && s.Transfers[0].Ask != nil })
	other.must(idPath(got.ID, "answer"), Answer{Number: other.state.Transfers[0].Ask.Number, Accept: true}, nil)
	b.phase(sent.ID, PhaseDone)
	other.phase(got.ID, PhaseDone)
	if text, err := os.ReadFile(filepath.Join(top, "letter")); string(text) != "hello" {
		t.Errorf("%q came, %v", text, err)
	}

	// One that meets it on its way is stopped nevertheless.
	b.must("/api/transfers", NewTransfer{Kind: "send", Paths: []string{place}}, &sent)
	other.must("/api/transfers", NewTransfer{Kind: "receive", Code: b.code(sent.ID), Folder: top}, &got)
	other.until("it is asked", func(s *State) bool { return len(s.Transfers) == 2 && s.Transfers[1].Ask != nil })
	b.must(idPath(sent.ID, "stop"), struct{}{}, nil)
	b.phase(sent.ID, PhaseStopped)
	other.must(idPath(got.ID, "stop"), struct{}{}, nil)
	other.phase(got.ID, PhaseStopped, PhaseFailed)
	send.stop()
	send.wait()
	back()
	receive.stop()
	receive.wait()
	if err := syscall.Unmount(dead, syscall.MNT_DETACH); err != nil {
		t.Error(err)
	}
}
