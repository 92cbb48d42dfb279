package qft

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// EventsVersion is the version of what EncodeEvent makes. Fields and events may
// be added without a new version; what there is keeps its meaning.
const EventsVersion = 1

// EncodeEvent makes one line of JSON, without the newline, of an event that
// happened at a time: for programs, as docs/events.md describes it. Texts in it
// are as they came: who shows them has to make them safe.
func EncodeEvent(at time.Time, e Event) []byte {
	head := eventHead{V: EventsVersion, Time: at.UTC().Format("2006-01-02T15:04:05.000Z")}
	if s, ok := e.(Session); ok {
		head.Session, e = s.Number, s.Event
	}
	var body any
	head.Event, body = eventBody(e)
	line := mustMarshal(head)
	if b := mustMarshal(body); len(b) > 2 {
		line = append(line[:len(line)-1], ',')
		line = append(line, b[1:]...)
	}
	return line
}

type eventHead struct {
	V       int    `json:"v"`
	Time    string `json:"time"`
	Event   string `json:"event"`
	Session int    `json:"session,omitempty"`
}

// mustMarshal encodes structs of this file, in which nothing can fail.
func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("qft: encoding an event: " + err.Error())
	}
	return b
}

// eventBody is the name of an event, and its fields.
func eventBody(e Event) (name string, body any) {
	switch e := e.(type) {
	case Code:
		return "code", codeBody(e)
	case WeakPhrase:
		return "weak_phrase", reasonBody(e)
	case Waiting:
		return "waiting", waitingBody(e)
	case Alone:
		return "alone", aloneBody{e.Helper, e.Host, e.Nearby, e.After.Seconds()}
	case Token:
		return "token", tokenBody(e)
	case TokenWanted:
		return "token_wanted", noBody{}
	case TokenRefused:
		return "token_refused", reasonBody(e)
	case HelperSilent:
		return "helper_silent", noBody{}
	case HelperBack:
		return "helper_back", noBody{}
	case HelperPorts:
		return "helper_ports", portsBody{list(e.Blocked), list(e.Open), list(e.TCP)}
	case HelperRefuses:
		return "helper_refuses", reasonBody(e)
	case WrongPhrase:
		return "wrong_phrase", wrongBody(e)
	case Queued:
		return "queued", noBody{}
	case Met:
		return "met", noBody{}
	case Connected:
		return "connected", connectedBody{e.Path, e.Remote.String(), millis(e.RTT)}
	case Paused:
		return "paused", pausedBody(e)
	case ContactLost:
		return "contact_lost", sinceBody{e.Since.UTC().Format(time.RFC3339)}
	case ContactBack:
		return "contact_back", afterBody{e.After.Seconds()}
	case Replaced:
		return "replaced", noBody{}
	case Hint:
		return "hint", hintBody(e)
	}
	return transferBody(e)
}

// list has JSON write an empty list rather than null.
func list(ports []uint16) []uint16 {
	if ports == nil {
		return []uint16{}
	}
	return ports
}

// transferBody is for the events of a transfer.
func transferBody(e Event) (name string, body any) {
	switch e := e.(type) {
	case Proposal:
		e.Names = append([]string{}, e.Names...) // never null
		return "proposal", proposalBody(e)
	case Offer:
		return "offer", offerBody(e)
	case Progress:
		return "progress", progressOf(e)
	case FileFailed:
		return "file_failed", failureBody(e)
	case FileSkipped:
		return "file_skipped", failureBody(e)
	case FileRenamed:
		return "file_renamed", renamedBody(e)
	case Interrupted:
		return "interrupted", interruptedBody{errorOf(e.Err)}
	case Finished:
		return "finished", finishedOf(e)
	}
	panic(fmt.Sprintf("qft: an event of type %T", e))
}

type (
	noBody   struct{}
	codeBody struct {
		Code string `json:"code"`
	}
	portsBody struct {
		Blocked []uint16 `json:"blocked"`
		Open    []uint16 `json:"open"`
		TCP     []uint16 `json:"tcp"`
	}
	tokenBody struct {
		Text string `json:"text"`
	}
	waitingBody struct {
		Again  bool   `json:"again"`
		Helper bool   `json:"helper"`
		Host   bool   `json:"host"`
		Nearby bool   `json:"nearby"`
		Port   uint16 `json:"port"`
	}
	aloneBody struct {
		Helper bool    `json:"helper"`
		Host   bool    `json:"host"`
		Nearby bool    `json:"nearby"`
		After  float64 `json:"after_s"`
	}
	reasonBody struct {
		Reason string `json:"reason"`
	}
	wrongBody struct {
		Left int `json:"left"`
	}
	connectedBody struct {
		Path   string  `json:"path"`
		Remote string  `json:"remote"`
		RTT    float64 `json:"rtt_ms"`
	}
	pausedBody struct {
		Here  bool `json:"here"`
		There bool `json:"there"`
	}
	sinceBody struct {
		Since string `json:"since"`
	}
	afterBody struct {
		After float64 `json:"after_s"`
	}
	hintBody struct {
		Text string `json:"text"`
	}
	proposalBody struct {
		Files   int64    `json:"files"`
		Bytes   int64    `json:"bytes"`
		Counted bool     `json:"counted"`
		Items   int      `json:"items"`
		Names   []string `json:"names"`
		Text    bool     `json:"text"`
		Stream  bool     `json:"stream"`
	}
	offerBody struct {
		Name    string `json:"name"`
		Size    int64  `json:"size"`
		Files   int64  `json:"files"`
		Resumed int64  `json:"resumed"`
		Counted bool   `json:"counted"`
	}
	progressBody struct {
		Done       int64   `json:"done"`
		Size       int64   `json:"size"`
		FilesDone  int64   `json:"files_done"`
		Files      int64   `json:"files"`
		Counted    bool    `json:"counted"`
		File       string  `json:"file"`
		Rate       float64 `json:"rate"`
		Left       float64 `json:"left_s"`
		Bottleneck string  `json:"bottleneck"`
		RTT        float64 `json:"rtt_ms"`
		Loss       float64 `json:"loss"`
		PathRate   float64 `json:"path_rate"`
		countersBody
	}
	countersBody struct {
		Reused int64 `json:"reused"`
		Hashed int64 `json:"hashed"`
		Sent   int64 `json:"sent"`
		Resent int64 `json:"resent"`
	}
	renamedBody struct {
		Path string `json:"path"`
		Name string `json:"name"`
	}
	failureBody struct {
		Path string `json:"path"`
		Why  string `json:"why"`
	}
	interruptedBody struct {
		Error *errorBody `json:"error"`
	}
	errorBody struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	}
	finishedBody struct {
		Error       *errorBody    `json:"error"`
		Paths       []string      `json:"paths"`
		Size        int64         `json:"size"`
		Files       int64         `json:"files"`
		Resumed     int64         `json:"resumed"`
		Text        string        `json:"text"`
		Failed      []failureBody `json:"failed"`
		FailedCount int64         `json:"failed_count"`
		Receivers   int           `json:"receivers"`
		Root        string        `json:"root"`
		Checksum    string        `json:"checksum"`
		countersBody
	}
)

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func progressOf(p Progress) progressBody {
	return progressBody{
		Done: p.Done, Size: p.Size, FilesDone: p.FilesDone, Files: p.Files, Counted: p.Counted, File: p.File,
		Rate: p.Rate, Left: p.Left.Seconds(), Bottleneck: p.Bottleneck.String(), RTT: millis(p.RTT), Loss: p.Loss,
		PathRate: p.PathRate, countersBody: countersBody(p.Counters),
	}
}

func finishedOf(f Finished) finishedBody {
	r := f.Result
	b := finishedBody{
		Error: errorOf(f.Err), Paths: append([]string{}, r.Paths...), Size: r.Size, Files: r.Files, Resumed: r.Resumed,
		Text: r.Text, Failed: []failureBody{}, FailedCount: r.FailedCount, Receivers: r.Receivers, Root: r.Root,
		Checksum: r.Checksum, countersBody: countersBody(r.Counters),
	}
	for _, x := range r.Failed {
		b.Failed = append(b.Failed, failureBody(x))
	}
	return b
}

func errorOf(err error) *errorBody {
	if err == nil {
		return nil
	}
	b := &errorBody{Kind: KindOf(err).String(), Message: shortly(err)}
	var e *Error
	if errors.As(err, &e) {
		b.Hint = e.Hint
	}
	return b
}
