package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"qft"
)

func TestSizesReadAsPeopleWriteThem(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.00 kB", 9994: "9.99 kB", 9996: "10.0 kB", 99940: "99.9 kB",
		123456: "123 kB", 999600: "1.00 MB", 5 << 30: "5.37 GB", 1 << 62: "5 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestProgressLineFits(t *testing.T) {
	full := qft.Progress{Done: 1_050_000_000, Size: 2_500_000_000, Rate: 11.2e6, Left: 130 * time.Second,
		Bottleneck: qft.BottleneckNetwork, RTT: 52 * time.Millisecond, Loss: 0.012, PathRate: 11.9e6}
	disk := full
	disk.Bottleneck, disk.RTT, disk.Loss, disk.PathRate = qft.BottleneckPeerDisk, 1100*time.Millisecond, 0, 0
	full.Counted, disk.Counted = true, true
	v := &view{path: "punched"}
	for _, c := range []struct {
		p       qft.Progress
		columns int
		want    string
	}{
		{full, 200, " 42 %  1.05 GB of 2.50 GB  11.2 MB/s  2:10 left  bottleneck: network  punched  RTT 52ms  loss 1.2 %  path 11.9 MB/s"},
		{full, 120, " 42 %  1.05 GB of 2.50 GB  11.2 MB/s  2:10 left  bottleneck: network  punched  RTT 52ms  loss 1.2 %  path 11.9 MB/s"},
		{full, 80, " 42 %  1.05 GB of 2.50 GB  11.2 MB/s  2:10 left  network  punched  RTT 52ms"},
		{full, 79, " 42 %  1.05 GB of 2.50 GB  11.2 MB/s  2:10 left  network  punched  RTT 52ms"},
		{full, 40, " 42 %  11.2 MB/s  2:10 left  network"},
		{full, 24, " 42 %  11.2 MB/s"},
		{full, 4, " 42 "},
		{disk, 120, " 42 %  1.05 GB of 2.50 GB  11.2 MB/s  2:10 left  bottleneck: peer's disk  punched  RTT 1.1s"},
		{disk, 80, " 42 %  1.05 GB of 2.50 GB  11.2 MB/s  2:10 left  peer's disk  punched  RTT 1.1s"},
		{disk, 40, " 42 %  11.2 MB/s  2:10 left  peer's disk"},
		{qft.Progress{Counted: true}, 80, "100 %  0 B of 0 B  punched"},
		{qft.Progress{Done: 5e6, Size: 1e9, Rate: 1e6, Left: time.Hour, Files: 300, FilesDone: 7}, 80,
			"  0 %  5.00 MB of 1.00 GB or more  1.00 MB/s  7 of 300 files  punched"},
	} {
		v.progress = c.p
		got := v.summary(c.columns)
		if got != c.want {
			t.Errorf("in %d columns:\n%q, want\n%q", c.columns, got, c.want)
		}
	}
	v.lost, v.progress = true, full
	if got := v.summary(40); got != " 42 %  1.05 GB of 2.50 GB  no contact" {
		t.Errorf("without contact: %q", got)
	}
	v.lost, v.number = false, 12
	for columns := range 200 {
		for b := range qft.BottleneckLimit + 1 {
			v.progress.Bottleneck = b
			if n := len([]rune(v.summary(columns))); n > columns {
				t.Errorf("%d columns in %d", n, columns)
			}
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0:00", 59 * time.Second: "0:59", 61 * time.Second: "1:01", 3725 * time.Second: "1:02:05"} {
		if got := clock(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestForeignTextCannotMoveTheCursor(t *testing.T) {
	var out bytes.Buffer
	tm := newTerminal(nil, &out, &out)
	tm.event(qft.Offer{Name: "\x1b[2Jevil\r\n\u202etxt.exe\u0085", Size: 1})
	tm.event(qft.Connected{Path: "LAN\x07"})
	tm.event(qft.Proposal{Files: 2, Items: 7, Names: []string{"\x1b]0;evil\x07", "b\u202e"}})
	tm.event(qft.FileFailed{Path: "\x1b[31m", Why: "\r"})
	tm.event(qft.Session{Number: 2, Event: qft.Interrupted{Err: errors.New("\x1b[0m\u2066")}})
	tm.event(qft.HelperRefuses{Reason: "\x1b"})
	tm.finish("received", qft.Result{Text: "one\ttwo\r\n\x1b[2Jthree\u202e\rfour\n", Failed: []qft.Failure{{Path: "\x1b", Why: "\x07"}}, FailedCount: 1}, nil)
	if s := out.String(); strings.ContainsAny(s, "\x1b\r\x07\u202e\u0085\u2066") {
		t.Errorf("printed %q", s)
	}
	if !strings.Contains(out.String(), "one\ttwo\n?[2Jthree??four\n") {
		t.Errorf("the text is not what was sent: %q", out.String())
	}
}

func TestEveryKindHasItsExitCode(t *testing.T) {
	seen := make(map[int]qft.Kind)
	doc, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for k := qft.KindInternal; k <= qft.KindCanceled; k++ {
		code := exitCode(&qft.Error{Kind: k, Err: errors.New("x")})
		if other, taken := seen[code]; taken {
			t.Errorf("kinds %d and %d share exit code %d", other, k, code)
		}
		seen[code] = k
		if !strings.Contains(exitCodes(), fmt.Sprintf("\n%5d  ", code)) {
			t.Errorf("exit code %d is not documented", code)
		}
		if !strings.Contains(string(doc), fmt.Sprintf("\n| `%v` | %d |", k, code)) {
			t.Errorf("docs/events.md does not say that %v is exit code %d", k, code)
		}
	}
	if code := exitCode(usageError{errors.New("x")}); code != 2 {
		t.Errorf("a usage error exits with %d", code)
	}
}

// endless never answers.
type endless struct{}

func (endless) Read([]byte) (int, error) { select {} }

func TestInterruptEndsAPrompt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	tm := newTerminal(endless{}, &out, &out)
	if _, err := tm.ask(ctx, "Code: "); qft.KindOf(err) != qft.KindCanceled {
		t.Errorf("an interrupted prompt returned %v", err)
	}
}

func TestQRIsSquareEnough(t *testing.T) {
	lines := qrLines("7-acid-robot-zebra", true)
	if len(lines) < 12 || widest(lines) > 2*len(lines) || widest(lines) < 2*len(lines)-1 {
		t.Fatalf("%d columns, %d lines", widest(lines), len(lines))
	}
	for _, l := range lines {
		if !strings.HasSuffix(l, "\x1b[0m") {
			t.Errorf("a line leaves the terminal coloured: %q", l)
		}
	}
}

// TestNoRateWhereNothingTravelled: what was there already has no speed.
func TestNoRateWhereNothingTravelled(t *testing.T) {
	v := &view{offer: qft.Offer{Name: "photos"}}
	if got, want := v.doneText("received", qft.Result{Size: 3e6, Resumed: 3e6, Files: 2}), "nothing of photos, 2 files, 3.00 MB, had to travel: it is here already"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := v.doneText("received", qft.Result{Size: 3e6, Resumed: 1e6}); !strings.Contains(got, "/s), verified") {
		t.Errorf("%q has no rate", got)
	}
}

// TestRowsFit: whatever the width, no line is longer, and the bar shows the share.
func TestRowsFit(t *testing.T) {
	p := qft.Progress{Done: 1_050_000_000, Size: 2_500_000_000, Rate: 11.2e6, Left: 130 * time.Second, Counted: true, Files: 300, FilesDone: 12,
		File: "photos/summer/a very long name of a picture.jpg", Bottleneck: qft.BottleneckPeerDisk, RTT: 52 * time.Millisecond, Loss: 0.012}
	for _, v := range []*view{{path: "punched", progress: p}, {path: "IPv6", progress: qft.Progress{Size: 10}}, {lost: true, progress: p},
		{pause: qft.Paused{Here: true, There: true}, progress: p}} {
		for columns := 4; columns < 200; columns++ {
			for _, fine := range []bool{true, false} {
				rows := v.rows(columns, fine)
				if want := 1 + min(columns/tallWidth, 1); len(rows) != want {
					t.Fatalf("%d rows in %d columns", len(rows), columns)
				}
				for _, r := range rows {
					if n := utf8.RuneCountInString(r); n > columns {
						t.Fatalf("%d columns in %d: %q", n, columns, r)
					}
				}
			}
		}
	}
	v := &view{path: "punched", progress: p}
	want := " 42 %  ████████████▌░░░░░░░░░░░░░░░░░  1.05 GB of 2.50 GB  11.2 MB/s  2:10 left\n" +
		"       …a picture.jpg  12/300 files  punched  RTT 52ms  loss 1.2 %  peer's disk"
	if got := strings.Join(v.rows(79, true), "\n"); got != want {
		t.Errorf("drawn is\n%s\nwant\n%s", got, want)
	}
	if got := v.rows(120, true)[1]; !strings.Contains(got, "name of a picture.jpg  12/300 files") {
		t.Errorf("the second row is %q", got)
	}
}

func TestBarsShowTheShare(t *testing.T) {
	for share, want := range map[float64]string{0: "░░░░", 0.5: "██░░", 1: "████", 0.3: "█▏░░", 2: "████", -1: "░░░░"} {
		if got := bar(share, 4, true); got != want {
			t.Errorf("%v is %q, want %q", share, got, want)
		}
	}
	if got := bar(0.5, 4, false); got != "[##..]" {
		t.Errorf("%q", got)
	}
}

func TestTextIsWrappedBetweenWords(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"one two three four", 9, "one two\n  three\n  four"},
		{"one two", 80, "one two"},
		{"in 12s (1.50 MB/s), verified", 14, "in 12s\n  (1.50 MB/s),\n  verified"},
		{"averyveryverylongword is here", 8, "averyveryverylongword\n  is\n  here"},
		{"a b\nc d", 80, "a b\nc d"},
		{"  indented text stays", 80, "  indented text stays"},
	} {
		if got := wrap(c.text, c.columns, "  "); got != c.want {
			t.Errorf("%q in %d columns is %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}
