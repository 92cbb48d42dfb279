package qft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"qft/internal/udp"
)

// errLookup is what a resolver says of a name that there is not.
var errLookup = fmt.Errorf("looking up nowhere.invalid: %w",
	&net.DNSError{Err: "no such host", Name: "nowhere.invalid", Server: "192.0.2.53:53", IsNotFound: true})

// TestErrorsAreExplained: in words, without calls of the system and addresses.
func TestErrorsAreExplained(t *testing.T) {
	listen := &net.OpError{Op: "listen", Net: "udp", Addr: &net.UDPAddr{Port: 4277}, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	_, _, noPort := net.SplitHostPort("helper-host")
	for _, c := range []struct {
		err       error
		what, why string
	}{
		{nil, "", ""},
		{errors.New("the text is empty"), "the text is empty", ""},
		{&fs.PathError{Op: "open", Path: "film", Err: fs.ErrPermission}, "film: permission denied", ""},
		{&Error{Kind: KindUsage, Err: fmt.Errorf("reading the helper's address: %w", noPort)},
			`reading the helper's address: "helper-host": the port is missing`, ""},
		{&Error{Kind: KindHelper, Err: errLookup}, "the two machines cannot be brought together",
			"looking up nowhere.invalid: there is no machine of that name"},
		{&Error{Kind: KindHelper, Err: &net.DNSError{Err: "i/o timeout", Name: "helper-host", Server: "192.0.2.53:53", IsTimeout: true}},
			"the two machines cannot be brought together", "nobody here knows that name: is this machine online?"},
		{&Error{Kind: KindPort, Err: fmt.Errorf("listening: %w", listen)}, "the port cannot be used", "listening: another program uses it"},
		{&Error{Kind: KindDisk, Err: &os.LinkError{Op: "rename", Old: "film.part", New: "film", Err: fs.ErrPermission}},
			"what comes cannot be written", "film: permission denied"},
		{&Error{Kind: KindDisk, Err: fmt.Errorf("writing: %w", errors.Join(&fs.PathError{Op: "write", Path: "a", Err: fs.ErrClosed},
			&fs.PathError{Op: "close", Path: "b", Err: fs.ErrClosed}))}, "what comes cannot be written",
			"writing: a: file already closed\nb: file already closed"},
		{&Error{Op: "receive", Kind: KindFile, Err: errors.New("its name is too long")}, "that cannot be received here", "its name is too long"},
		{&Error{Kind: KindNoPath, Err: fmt.Errorf("meeting: %w", context.DeadlineExceeded)},
			"the other side is there, but no way leads to it", "meeting: it took too long"},
		{&Error{Kind: KindCanceled, Err: context.Canceled}, "stopped", ""},
		{&Error{Kind: KindRefused, Err: errors.New("refused")}, "refused, as you said", ""},
	} {
		if what, why := Explain(c.err); what != c.what || why != c.why {
			t.Errorf("%v is\n%q, %q, want\n%q, %q", c.err, what, why, c.what, c.why)
		}
	}
	for k := KindInternal; k <= KindCanceled; k++ {
		if what, _ := Explain(&Error{Kind: k, Err: errors.New("x")}); what == "" || strings.Contains(what, "nothing") {
			t.Errorf("kind %v has no words: %q", k, what)
		}
	}
}

// TestMessagesAreInPlainWords: programs show them to people.
func TestMessagesAreInPlainWords(t *testing.T) {
	for want, err := range map[string]error{
		"looking up nowhere.invalid: there is no machine of that name": &Error{Kind: KindHelper, Err: errLookup},
		"stopped": &Error{Kind: KindCanceled, Err: context.Canceled},
	} {
		var line struct {
			Error struct{ Message string }
		}
		if err := json.Unmarshal(EncodeEvent(time.Unix(0, 0), Finished{Err: err}), &line); err != nil {
			t.Fatal(err)
		}
		if line.Error.Message != want {
			t.Errorf("the message is %q, want %q", line.Error.Message, want)
		}
	}
}

// TestTakenPortIsNamedOnce: an error of a port does not say twice that it was
// to be opened.
func TestTakenPortIsNamedOnce(t *testing.T) {
	taken, err := net.ListenUDP("udp", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.LocalAddr().(*net.UDPAddr).Port
	_, err = listen("send", udp.Config{Port: uint16(port)})
	what, why := Explain(err)
	if what != "the port cannot be used" || why != fmt.Sprintf("opening UDP port %d: port in use: another program uses it", port) || KindOf(err) != KindPort {
		t.Errorf("it is %q, %q", what, why)
	}
}
