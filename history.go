package qft

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"qft/internal/plant"
	"qft/internal/transfer"
)

// Record is a transfer that has begun and is not finished, as Config.State
// keeps it: what, where, with which options, and when. It never holds a phrase
// or a code. In the directory it is one small file of JSON in "transfers",
// readable by its owner only.
type Record struct {
	Version int       `json:"version"` // of this form, 1
	Role    string    `json:"role"`    // "send" or "receive"
	Began   time.Time `json:"began"`   // the latest time it was
	Seen    time.Time `json:"seen"`    // when it was last under way
	Process int       `json:"process"` // that ran it
	Helper  string    `json:"helper"`
	Own     bool      `json:"own_phrase"` // the phrase was not a code

	What  string   `json:"what"` // for people, as Offer.Name: safe to print
	Names []string `json:"names,omitempty"`
	Size  int64    `json:"size"`
	Done  int64    `json:"done"`
	Files int64    `json:"files"`

	Paths      []string `json:"paths,omitempty"` // send: absolute
	Name       string   `json:"name,omitempty"`  // as in Source and Target
	Exclude    []string `json:"exclude,omitempty"`
	GitIgnore  bool     `json:"gitignore,omitempty"`
	NoCompress bool     `json:"no_compress,omitempty"`
	Receivers  int      `json:"receivers,omitempty"`
	Archive    bool     `json:"archive,omitempty"`
	Checksum   bool     `json:"checksum,omitempty"`

	Dir      string   `json:"dir,omitempty"` // receive: absolute
	Existing Existing `json:"existing,omitempty"`
	MaxBytes int64    `json:"max_bytes,omitempty"`
	MaxFiles int64    `json:"max_files,omitempty"`

	file string // of the record; empty: only what lies in Dir is known
	bed  string // that; empty: only the record is known
}

const recordVersion = 1

// Source is what to send again.
func (r *Record) Source() Source {
	return Source{Paths: r.Paths, Name: r.Name, Exclude: r.Exclude, GitIgnore: r.GitIgnore, Archive: r.Archive,
		NoCompress: r.NoCompress, Checksum: r.Checksum, Receivers: r.Receivers}
}

// Target is where to receive again.
func (r *Record) Target() Target {
	return Target{Dir: r.Dir, Name: r.Name, Existing: r.Existing, Archive: r.Archive, Checksum: r.Checksum,
		MaxBytes: r.MaxBytes, MaxFiles: r.MaxFiles}
}

func sendRecord(src Source) Record {
	r := Record{Role: "send", Name: src.Name, Exclude: src.Exclude, GitIgnore: src.GitIgnore,
		NoCompress: src.NoCompress, Receivers: src.Receivers, Archive: src.Archive, Checksum: src.Checksum}
	if src.FS != nil {
		return r // nobody could name it again
	}
	for _, p := range src.Paths {
		r.Paths = append(r.Paths, absolute(p))
	}
	return r
}

func receiveRecord(to Target) Record {
	r := Record{Role: "receive", Name: to.Name, Existing: to.Existing, MaxBytes: to.MaxBytes, MaxFiles: to.MaxFiles,
		Archive: to.Archive, Checksum: to.Checksum}
	if to.Stream == nil {
		r.Dir = absolute(to.Dir)
	}
	return r
}

// absolute is a path that holds in another directory too. A slash at the end
// says something and stays.
func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path // the current directory is gone: nothing better is known
	}
	if path != "" && os.IsPathSeparator(path[len(path)-1]) && !strings.HasSuffix(abs, string(filepath.Separator)) {
		abs += string(filepath.Separator)
	}
	return abs
}

// id is the same for the same transfer, so that it has one record however
// often it is begun.
func (r *Record) id() string {
	key, _ := json.Marshal([]any{r.Role, r.Paths, r.Dir, r.Name, r.What}) // strings: cannot fail
	h := sha256.Sum256(key)
	return hex.EncodeToString(h[:8])
}

// running reports whether the process that wrote the record still works on it.
// Its number may be another process's by now; but most of these did not run yet
// when the transfer began, and none of them writes the record.
func (r *Record) running(now time.Time) bool {
	return now.Sub(r.Seen) < 6*recordEvery && alive(r.Process, r.Began)
}

// Unfinished lists what can be continued: the transfers of which the state
// directory has a record and that do not run now, the latest first, and what
// else lies in dir of some that were to be received there.
func Unfinished(state, dir string) ([]Record, error) {
	all, err := readRecords(state)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var list []Record
	for _, r := range all {
		if !r.running(now) {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b Record) int { return b.Seen.Compare(a.Seen) })
	dir = absolute(dir)
	partials, err := plant.List(dir)
	if err != nil {
		return nil, &Error{Op: "resume", Kind: KindDisk, Err: fmt.Errorf("looking for what was interrupted in %s: %w", dir, err)}
	}
	for _, p := range partials {
		if !p.Busy && !slices.ContainsFunc(all, func(r Record) bool { return r.owns(dir, p) }) {
			list = append(list, recordOf(dir, p))
		}
	}
	return list, nil
}

// bedSuffix ends the name of what lies beside a target, ".NAME.qft-part".
const bedSuffix = ".qft-part"

// recordOf makes a record of what lies in dir. Where it has another name than the
// sender has for it, it was to be received under that.
func recordOf(dir string, p plant.Partial) Record {
	names := transfer.ItemNames(p.Head)
	if names == nil {
		names = p.Items
	}
	r := Record{Role: "receive", What: title(names), Names: names, Dir: dir, Done: p.Size, Seen: p.Time, bed: p.Name}
	const cut = 200 // a longer name does not stand there as a whole
	name := strings.TrimSuffix(strings.TrimPrefix(p.Name, "."), bedSuffix)
	if len(names) == 1 && name != names[0] && len(name) < cut {
		r.Name = name
	}
	return r
}

// title is what a list of names is called.
func title(names []string) string {
	switch len(names) {
	case 0:
		return "something"
	case 1:
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}

// owns reports whether a record is of what lies in dir. If in doubt it is not:
// then that is listed by itself, and nothing is removed that should stay.
func (r *Record) owns(dir string, p plant.Partial) bool {
	if r.Role != "receive" || filepath.Clean(r.Dir) != filepath.Clean(dir) {
		return false
	}
	if r.bed != "" {
		return p.Name == r.bed
	}
	if r.Name != "" {
		return p.Name == "."+r.Name+bedSuffix
	}
	names := transfer.ItemNames(p.Head)
	return len(names) > 0 && len(r.Names) > 0 && names[0] == r.Names[0] && strings.HasPrefix(p.Name, "."+names[0])
}

// Discard removes the record, and what had been received, from the disk.
func (r *Record) Discard() error {
	fail := func(err error) error {
		return &Error{Op: "resume", Kind: KindDisk, Err: fmt.Errorf("discarding %s: %w", r.What, err)}
	}
	if r.Role == "receive" {
		partials, err := plant.List(r.Dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(err)
		}
		for _, p := range partials {
			if !r.owns(r.Dir, p) {
				continue
			}
			if err := plant.Discard(r.Dir, p); err != nil {
				return fail(err)
			}
		}
	}
	if r.file == "" {
		return nil
	}
	if err := os.Remove(r.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	return nil
}

func readRecords(state string) ([]Record, error) {
	if state == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(globQuote(state), "transfers", "*.json"))
	if err != nil {
		return nil, &Error{Op: "resume", Kind: KindDisk, Err: fmt.Errorf("reading the history: %w", err)}
	}
	var all []Record
	for _, f := range files {
		var r Record
		b, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if err != nil || r.Version != recordVersion {
			continue // of another version, or removed just now
		}
		r.file = f
		all = append(all, r)
	}
	return all, nil
}

// globQuote keeps a directory's name from being taken for a pattern.
func globQuote(dir string) string {
	if filepath.Separator == '\\' {
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
