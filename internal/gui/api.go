package gui

import "qft"

// What page and program tell each other, in JSON. web/src/api.ts has the same
// for the page, and a test holds the two together. Times are milliseconds since
// 1970, durations milliseconds, sizes bytes, rates bytes per second of content
// unless said otherwise.

// State is all that a page shows. GET /api/state returns it, and the stream
// of GET /api/events begins with it.
type State struct {
	Version     string       `json:"version"`
	Machine     string       `json:"machine"` // this machine's name
	Helper      string       `json:"helper"`  // that is in force; empty: none
	Folder      string       `json:"folder"`  // where received things go, if nothing else is chosen
	Places      []Place      `json:"places"`
	Transfers   []Transfer   `json:"transfers"`  // queued, running and ended in this run of the program, in the order of asking
	Unfinished  []Unfinished `json:"unfinished"` // interrupted ones of which a record is kept
	History     []Past       `json:"history"`    // the latest first
	Settings    []Setting    `json:"settings"`
	Doctor      Doctor       `json:"doctor"`
	Pages       int          `json:"pages"`       // that are open
	Directories bool         `json:"directories"` // the system can show a folder in its own file manager
}

// Place is where the file dialog may begin; it never leads out of one.
type Place struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Phase says where a transfer stands.
type Phase string

const (
	// PhaseQueued: it begins when all before it have ended.
	PhaseQueued Phase = "queued"
	// PhaseStarting: the helper is asked, or the network.
	PhaseStarting Phase = "starting"
	// PhaseWaiting: the other side is waited for.
	PhaseWaiting Phase = "waiting"
	// PhaseMeeting: it is there; a direct path is looked for.
	PhaseMeeting Phase = "meeting"
	// PhaseAsking: a person has to answer Transfer.Ask.
	PhaseAsking Phase = "asking"
	// PhaseMoving: bytes flow, or could.
	PhaseMoving Phase = "moving"
	// PhaseDone: everything arrived.
	PhaseDone Phase = "done"
	// PhaseFailed: it ended otherwise; see Transfer.Outcome.
	PhaseFailed Phase = "failed"
	// PhaseStopped: a person here stopped it.
	PhaseStopped Phase = "stopped"
)

// Transfer is one send or receive.
type Transfer struct {
	ID        int       `json:"id"`
	Kind      string    `json:"kind"` // "send" or "receive"
	Phase     Phase     `json:"phase"`
	Began     int64     `json:"began"`
	Ended     int64     `json:"ended"`     // 0: not yet
	Name      string    `json:"name"`      // what it is, for people; empty while nobody knows
	Invite    Invite    `json:"invite"`    // what the other side has to be told
	Notes     []string  `json:"notes"`     // what happened that a person should know, the latest last, at most 20
	Sessions  []Session `json:"sessions"`  // one, or one for each receiver
	Receivers int       `json:"receivers"` // wanted; -1: any number
	Complete  int       `json:"complete"`  // receivers that have it all
	Ask       *Ask      `json:"ask"`       // a question that waits for POST /api/transfers/ID/answer
	Folder    string    `json:"folder"`    // receive: where it goes
	Dropped   bool      `json:"dropped"`   // its files are read through a page, which has to stay open
	Steering  Steering  `json:"steering"`
	Outcome   Outcome   `json:"outcome"` // of one that has ended
}

// Invite is what people pass each other.
type Invite struct {
	Code    string `json:"code"`    // of a send
	Command string `json:"command"` // to be typed there
	Helper  string `json:"helper"`  // to be set there, if it is not; empty: none
	Token   string `json:"token"`   // with STUN: to be given to the other side, whose own Ask wants
}

// Steering is what a person can change while it runs.
type Steering struct {
	Paused     bool    `json:"paused"`
	Background bool    `json:"background"`
	Limit      float64 `json:"limit"` // bytes per second on the wire; 0: none
}

// Outcome is what a transfer came to.
type Outcome struct {
	Problem    *Problem  `json:"problem"` // nil: all is well
	Paths      []string  `json:"paths"`   // what was received is here
	Text       string    `json:"text"`    // that was received
	Failed     []Failure `json:"failed"`  // files that did not arrive
	FailedMore int64     `json:"failedMore"`
}

// Session is the connection to one other side.
type Session struct {
	Number    int     `json:"number"` // from 1; 0: there is only one
	Link      Link    `json:"link"`
	Size      int64   `json:"size"`
	Done      int64   `json:"done"`
	Resumed   int64   `json:"resumed"`
	Files     int64   `json:"files"`
	FilesDone int64   `json:"filesDone"`
	Counted   bool    `json:"counted"` // Size and Files are final
	File      string  `json:"file"`
	Rate      float64 `json:"rate"`
	Left      int64   `json:"left"` // 0: not known
	Ended     bool    `json:"ended"`
	Problem   string  `json:"problem"` // how it ended, if not well
	// Samples are rates, one a second, the latest last, at most 600; only in a
	// State. A page goes on by itself.
	Samples []float64 `json:"samples"`
}

// Link is the path of a session.
type Link struct {
	Path       string  `json:"path"` // its kind, such as "punched"; empty: none yet
	Remote     string  `json:"remote"`
	RTT        float64 `json:"rtt"`
	Loss       float64 `json:"loss"` // 0 to 1
	PathRate   float64 `json:"pathRate"`
	Bottleneck string  `json:"bottleneck"`
	LostSince  int64   `json:"lostSince"` // no contact since; 0: there is
	Paused     bool    `json:"paused"`    // by the other side
}

// Ask is a question to the person here.
type Ask struct {
	Number   int       `json:"number"` // of the question, from 1: the Answer has to name it
	Kind     string    `json:"kind"`   // "accept", "conflict", "token"
	Proposal *Proposal `json:"proposal"`
	Path     string    `json:"path"` // conflict: what exists
}

// Proposal is what the other side offers.
type Proposal struct {
	Files   int64    `json:"files"`
	Bytes   int64    `json:"bytes"`
	Counted bool     `json:"counted"`
	Items   int      `json:"items"`
	Names   []string `json:"names"`
	Text    bool     `json:"text"`
	Stream  bool     `json:"stream"`
	Room    int64    `json:"room"` // free bytes where it is to go; 0: not known
}

// Problem is an error as a person should see it.
type Problem struct {
	Kind   string `json:"kind"`   // as in docs/events.md
	What   string `json:"what"`   // what happened
	Advice string `json:"advice"` // what to do; may be empty
}

// Failure is a file that did not arrive.
type Failure struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Unfinished is a transfer that can be continued.
type Unfinished struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Where  string `json:"where"` // folder, or first path
	Size   int64  `json:"size"`
	Done   int64  `json:"done"`
	Seen   int64  `json:"seen"`
	Phrase bool   `json:"phrase"` // it had a phrase of its own, which is asked for
}

// Past is a transfer that has ended.
type Past struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Where  string `json:"where"`
	Size   int64  `json:"size"`
	Files  int64  `json:"files"`
	Ended  int64  `json:"ended"`
	Took   int64  `json:"took"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // the path, or what went wrong
}

// Setting is one line of the configuration.
type Setting struct {
	Key     string   `json:"key"`
	Value   string   `json:"value"`
	From    string   `json:"from"`  // where it was said: a file, a variable, a flag; empty: nowhere
	Fixed   bool     `json:"fixed"` // said by a flag or variable: the file would not count
	Default string   `json:"default"`
	Usage   string   `json:"usage"`
	Choices []string `json:"choices"` // if there are only these
}

// Doctor is the diagnosis, if one was asked for.
type Doctor struct {
	Running   bool           `json:"running"`
	Rest      int64          `json:"rest"` // about how long it still takes
	Diagnosis *qft.Diagnosis `json:"diagnosis"`
	Error     *Problem       `json:"error"`
}

// Message is one event of the stream; just one of its parts is set.
type Message struct {
	State    *State    `json:"state,omitempty"`
	Transfer *Transfer `json:"transfer,omitempty"` // a changed or new one, without samples
	Read     *Read     `json:"read,omitempty"`
	Bye      bool      `json:"bye,omitempty"` // the program ends
}

// Read asks the page that dropped the files of a transfer for parts of them;
// POST /api/reads/ID has them as its body, one behind the other, or
// ?error=TEXT&advice=TEXT.
type Read struct {
	ID    int64  `json:"id"`
	Drop  string `json:"drop"` // as the page named it
	Parts []Part `json:"parts"`
}

// Part is one of a file.
type Part struct {
	File   int   `json:"file"` // index in the list
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// NewTransfer is the body of POST /api/transfers, which returns the Transfer.
type NewTransfer struct {
	Kind string `json:"kind"`

	// send: one of these
	Paths []string `json:"paths"`
	Text  string   `json:"text"`
	Drop  *Drop    `json:"drop"`

	Receivers int      `json:"receivers"` // 0: one; -1: any number
	Name      string   `json:"name"`
	Exclude   []string `json:"exclude"`
	GitIgnore bool     `json:"gitignore"`

	// receive
	Code     string `json:"code"`     // or CODE@HOST[:PORT]
	Folder   string `json:"folder"`   // empty: State.Folder
	Existing string `json:"existing"` // "ask" (or empty), "overwrite", "rename", "skip", "fail"

	// both
	Helper     string   `json:"helper"` // empty: as set; "none"
	Phrase     string   `json:"phrase"` // of the user's own; empty: a code
	Stun       []string `json:"stun"`
	Limit      string   `json:"limit"` // as qft.ParseRate reads it
	Background bool     `json:"background"`
	Archive    bool     `json:"archive"`
	Queue      bool     `json:"queue"` // after all that run now
}

// Drop is files that only a page can read.
type Drop struct {
	ID    string        `json:"id"`   // the page's own choice, 16 or more characters
	Page  string        `json:"page"` // as GET /api/events?page= named it
	Files []DroppedFile `json:"files"`
}

// DroppedFile is one of them.
type DroppedFile struct {
	Path     string `json:"path"` // with slashes; a directory that is empty ends with one
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"`
}

// Change is the body of POST /api/transfers/ID/change; what is nil stays.
type Change struct {
	Paused     *bool    `json:"paused"`
	Limit      *float64 `json:"limit"`
	Background *bool    `json:"background"`
}

// Answer is the body of POST /api/transfers/ID/answer.
type Answer struct {
	Number   int    `json:"number"` // of the Ask
	Accept   bool   `json:"accept"`
	Existing string `json:"existing"` // to a conflict, as in NewTransfer, "fail" to end it
	All      bool   `json:"all"`
	Token    string `json:"token"` // to a question for the other side's token
}

// CodeCheck is what POST /api/code returns for {"text": ...}.
type CodeCheck struct {
	Code     string   `json:"code"` // as it is understood; empty: it is none yet
	Host     string   `json:"host"`
	Repaired []string `json:"repaired"` // "zebar → zebra"
	Problem  string   `json:"problem"`
	Complete []string `json:"complete"` // what the beginning may go on as, at most 20
}

// Listing is what GET /api/folder?path= returns.
type Listing struct {
	Path    string  `json:"path"`
	Parent  string  `json:"parent"`  // empty: nothing above may be seen
	Entries []Entry `json:"entries"` // folders first, by name
	More    int     `json:"more"`    // that were left out: at most 5,000 are told
	Write   bool    `json:"write"`   // things can be put here
}

// Entry is a file or folder.
type Entry struct {
	Name     string `json:"name"`
	Folder   bool   `json:"folder"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"`
	Hidden   bool   `json:"hidden"`
}
