package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0:00", 59 * time.Second: "0:59", 61 * time.Second: "1:01", 3725 * time.Second: "1:02:05"} {
		if got := clock(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestForeignTextCannotMoveTheCursor(t *testing.T) {
	var out bytes.Buffer
	tm := &terminal{err: &out, out: &out}
	tm.event(qft.Offer{Name: "\x1b[2Jevil\r\n\u202etxt.exe\u0085", Size: 1})
	tm.event(qft.Connected{Path: "LAN\x07"})
	if s := out.String(); strings.ContainsAny(s, "\x1b\r\x07\u202e\u0085") {
		t.Errorf("printed %q", s)
	}
}

func TestEveryKindHasItsExitCode(t *testing.T) {
	seen := make(map[int]qft.Kind)
	for k := qft.KindInternal; k <= qft.KindCanceled; k++ {
		code := exitCode(&qft.Error{Kind: k, Err: errors.New("x")})
		if other, taken := seen[code]; taken {
			t.Errorf("kinds %d and %d share exit code %d", other, k, code)
		}
		seen[code] = k
		if !strings.Contains(exitCodes, fmt.Sprintf("\n%5d  ", code)) {
			t.Errorf("exit code %d is not documented", code)
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
	tm := &terminal{in: endless{}, err: &out, out: &out}
	if _, err := tm.ask(ctx, "Code: "); qft.KindOf(err) != qft.KindCanceled {
		t.Errorf("an interrupted prompt returned %v", err)
	}
}

func TestQRIsSquareEnough(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(qrText("7-acid-robot-zebra")), "\n")
	if len(lines) < 12 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		if !strings.HasSuffix(l, "\x1b[0m") {
			t.Errorf("a line leaves the terminal coloured: %q", l)
		}
	}
}
