package qft

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

func TestCutStreamsPassEverythingOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("all of it ", 100_000)
		for _, r := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
			c := newCutReader(r)
			got, err := io.ReadAll(c)
			if err != nil || string(got) != text {
				t.Errorf("%d of %d bytes, %v", len(got), len(text), err)
			}
			c.stop()
		}
		var out bytes.Buffer
		w := newCutWriter(&out)
		if n, err := io.Copy(w, strings.NewReader(text)); err != nil || n != int64(len(text)) || out.String() != text {
			t.Errorf("%d bytes, %v", n, err)
		}
		w.stop()
		w.stop()
	})
}

func TestCutStreamsReportErrors(t *testing.T) {
	bad := errors.New("bad")
	c := newCutReader(io.MultiReader(strings.NewReader("some"), iotest.ErrReader(bad)))
	if got, err := io.ReadAll(c); err != bad || string(got) != "some" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := c.Read(make([]byte, 1)); err != bad {
		t.Errorf("and then %v", err)
	}
	r, pw := io.Pipe()
	r.CloseWithError(bad)
	w := newCutWriter(pw)
	defer w.stop()
	if _, err := w.Write([]byte("x")); err != bad {
		t.Error(err)
	}
}

// TestCutEndsWhatBlocks: in the bubble, a goroutine that is left behind in the
// pipe would be a deadlock; the pipes' other ends are let go at the end.
func TestCutEndsWhatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		qr, qw := io.Pipe()
		r, w := newCutReader(pr), newCutWriter(qw)
		ended := make(chan error, 2)
		go func() { _, err := r.Read(make([]byte, 1)); ended <- err }()
		go func() { _, err := w.Write([]byte("x")); ended <- err }()
		synctest.Wait()
		r.stop()
		w.stop()
		for range 2 {
			if err := <-ended; err != errCut {
				t.Error(err)
			}
		}
		if _, err := w.Write([]byte("y")); err != errCut {
			t.Error(err)
		}
		pw.Close()
		qr.Close()
	})
}
