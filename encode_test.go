package qft

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// everyEvent has one of each kind.
var everyEvent = []Event{
	Code{"7-acid-robot-zebra"}, WeakPhrase{"short"}, Waiting{Again: true, Helper: true, Host: true, Nearby: true, Port: 4277}, Alone{Helper: true, After: time.Second}, Token{"qft-sender:AA."}, TokenWanted{}, TokenRefused{"torn"}, HelperSilent{}, HelperBack{}, HelperPorts{[]uint16{4000}, nil, []uint16{443}}, HelperRefuses{"busy"},
	WrongPhrase{4}, Queued{}, Met{}, Connected{"LAN", netip.MustParseAddrPort("192.0.2.1:5000"), 1500 * time.Microsecond},
	Proposal{Names: []string{"a"}}, Offer{Name: "a"}, Progress{Left: 1500 * time.Millisecond, Counters: Counters{1, 2, 3, 4}},
	FileFailed{"a", "gone"}, FileSkipped{"b", "is a pipe"}, FileRenamed{"a:b", "a%3Ab"}, Paused{true, false}, ContactLost{time.Unix(0, 0)}, ContactBack{time.Second},
	Interrupted{&Error{Kind: KindPeer, Err: errors.New("x")}}, Replaced{}, Hint{"h"},
	Finished{Result{Paths: []string{"a"}, Failed: []Failure{{"b", "c"}}}, &Error{Kind: KindDisk, Err: errors.New("x"), Hint: "y"}},
}

// documented reads the headings of docs/events.md with the fields below them.
func documented(t *testing.T) map[string][]string {
	text, err := os.ReadFile("docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	fields := make(map[string][]string)
	heading := ""
	row := regexp.MustCompile("^\\| `([a-z_]+)` \\|")
	for line := range strings.Lines(string(text)) {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = strings.TrimSpace(h)
			fields[heading] = nil
		}
		if m := row.FindStringSubmatch(line); m != nil {
			fields[heading] = append(fields[heading], m[1])
		}
	}
	return fields
}

// keys are the names of an object's fields, in order.
func keys(t *testing.T, line []byte) (all []string) {
	d := json.NewDecoder(strings.NewReader(string(line)))
	depth := 0
	for name := true; d.More() || depth > 0; {
		tok, err := d.Token()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch x := tok.(type) {
		case json.Delim:
			if x == '{' || x == '[' {
				depth++
			} else {
				depth--
			}
			name = true
		case string:
			if depth == 1 && name {
				all = append(all, x)
				name = false
				continue
			}
			name = true
		default:
			name = true
		}
	}
	return all
}

func TestEventsAreEncodedAsDocumented(t *testing.T) {
	doc := documented(t)
	at := time.Date(2026, 11, 26, 17, 4, 5, 123e6, time.UTC)
	all := doc["every event"]
	described := []string{"every event", "Kinds of errors"}
	for _, e := range everyEvent {
		line := EncodeEvent(at, Session{3, e})
		var v struct {
			V, Session  int
			Time, Event string
		}
		if err := json.Unmarshal(line, &v); err != nil || v.V != 1 || v.Session != 3 || v.Time != "2026-11-26T17:04:05.123Z" {
			t.Errorf("%s: %v", line, err)
		}
		want, ok := doc[v.Event]
		if !ok {
			t.Errorf("docs/events.md does not describe %s", v.Event)
			continue
		}
		described = append(described, v.Event)
		if got := keys(t, line); !slices.Equal(got, slices.Concat(all, want)) {
			t.Errorf("%s has the fields\n%v, documented are\n%v", v.Event, got, slices.Concat(all, want))
		}
		if strings.Contains(string(line), "\n") {
			t.Errorf("%s is more than a line", v.Event)
		}
		if alone := EncodeEvent(at, e); strings.Contains(string(alone), `"session"`) {
			t.Errorf("%s", alone)
		}
	}
	for h := range doc {
		if !slices.Contains(described, h) {
			t.Errorf("docs/events.md describes %q, which there is not", h)
		}
	}
}

// TestEveryEventIsEncoded: a struct that is added to event.go has to be added
// here as well.
func TestEveryEventIsEncoded(t *testing.T) {
	src, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{"Session": true}
	for _, e := range everyEvent {
		tested[reflect.TypeOf(e).Name()] = true
	}
	for _, m := range regexp.MustCompile(`func \((\w+)\) event\(\)`).FindAllStringSubmatch(string(src), -1) {
		if !tested[m[1]] {
			t.Errorf("%s is not tested", m[1])
		}
	}
}

func TestKindsHaveDocumentedNames(t *testing.T) {
	names := documented(t)["Kinds of errors"]
	var have []string
	for k := KindInternal; k <= KindCanceled; k++ {
		have = append(have, k.String())
	}
	slices.Sort(names)
	slices.Sort(have)
	if !slices.Equal(names, have) {
		t.Errorf("documented are\n%v, there are\n%v", names, have)
	}
	if Kind(-1).String() != "internal" || Kind(99).String() != "internal" {
		t.Error("an unknown kind has a name")
	}
}

func TestErrorsAreEncodedInside(t *testing.T) {
	line := string(EncodeEvent(time.Unix(0, 0), everyEvent[len(everyEvent)-1]))
	for _, want := range []string{`"error":{"kind":"disk","message":"x","hint":"y"}`, `"failed":[{"path":"b","why":"c"}]`} {
		if !strings.Contains(line, want) {
			t.Errorf("%s lacks %s", line, want)
		}
	}
	if line = string(EncodeEvent(time.Unix(0, 0), Finished{})); !strings.Contains(line, `"error":null,"paths":[],`) {
		t.Error(line)
	}
}

// TestListsAreNeverNull: whoever goes through the names of a proposal may do so
// of a text, too, which has none.
func TestListsAreNeverNull(t *testing.T) {
	if line := EncodeEvent(time.Time{}, Proposal{Text: true}); bytes.Contains(line, []byte("null")) {
		t.Errorf("it is %s", line)
	}
}
