package transfer

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/zeebo/blake3"

	"qft/internal/digest"
	"qft/internal/journal"
	"qft/internal/manifest"
	"qft/internal/plant"
)

const (
	// judgeBatch is how many entries one work judges.
	judgeBatch = 256
	// maxPaths is how many items are remembered by their paths.
	maxPaths = 1000
	// replyRuns is how many runs of verdicts one message has at most.
	replyRuns = 4096
)

// judgement is what is to be done about one entry.
type judgement struct {
	place   plant.Place
	verdict verdict
	id      journal.ID
	runs    []journal.Run // HAVE, PART: what is here
	claim   digest.Sum
	stale   bool          // the journal holds something that is not true any more
	fail    func() *Error // the end of everything; made in the loop
}

// judges is the receiver's state of judging.
type judges struct {
	busy    bool
	replies []*reply // verdicts to be told, in order
	waiting string   // a conflict that a person decides; "": none
	answer  *answer  // to the conflict at which judging stopped
}

// answer is what a person says about a conflict.
type answer struct {
	what plant.Existing
	all  bool
}

// reply is the verdict on one entry as it has to be told.
type reply struct {
	it    *item
	runs  []journal.Run // still to be told
	claim *digest.Sum
}

// judge starts to judge the next entries.
func (r *Receiver) judge() {
	j := &r.judges
	if j.busy || j.waiting != "" || !r.opened || r.line.judge == len(r.line.items) || len(j.replies) > window {
		return
	}
	batch := r.line.items[r.line.judge:min(r.line.judge+judgeBatch, len(r.line.items))]
	a := j.answer
	j.answer = nil
	j.busy = true
	var done []judgement
	r.run(func() { done = r.judgeAll(batch, a) }, func() {
		j.busy = false
		r.judged(batch, done)
	})
}

// judgeAll is work. It ends early at an error, and at a conflict that has to
// be decided; then the last judgement has the verdict that stands for none.
func (r *Receiver) judgeAll(batch []*item, a *answer) (done []judgement) {
	for _, it := range batch {
		d := r.judgeOne(it, a)
		a = nil
		done = append(done, d)
		if d.fail != nil || d.verdict == verdicts {
			return done
		}
	}
	return done
}

// judgeOne looks for what is here of an entry.
func (r *Receiver) judgeOne(it *item, a *answer) judgement {
	if r.bed == nil && it.empty() {
		return judgement{verdict: verdictMade}
	}
	if r.bed == nil {
		return judgement{verdict: verdictWant}
	}
	if r.skip > 0 {
		return r.judgeSkip(it)
	}
	var d judgement
	var err error
	if a == nil {
		d.place, err = r.bed.Place(it.dir, it.e)
	} else {
		d.place, err = r.bed.Resolve(a.what, a.all)
	}
	if err != nil {
		d.fail = func() *Error { return r.diskError("make", it.path(), err) }
		return d
	}
	// By the path here: with another one it is not the same file in the bed.
	d.id = manifest.Key(d.place.Path, &it.e)
	switch d.place.What {
	case plant.Fresh:
		d.verdict = verdictWant
		d.stale = r.journal.Holds(d.id)
	case plant.Kept, plant.Part:
		r.judgeOld(it, &d)
	case plant.Same:
		d.verdict = verdictSame
	case plant.Claim:
		d.stale = r.journal.Holds(d.id)
		r.judgeClaim(it, &d)
	case plant.Exists:
		d.verdict = verdicts
		if r.place.Existing != plant.Ask {
			d.fail = func() *Error { return &Error{Kind: Exists, Path: r.finalPath(d.place.Path)} }
		}
	case plant.Skipped:
		d.verdict = verdictSkip
	case plant.Refused:
		d.verdict = verdictRefused
	case plant.Made:
		d.verdict = verdictMade
	}
	if it.empty() && d.verdict == verdictWant {
		d.verdict = verdictMade
	}
	return d
}

// judgeOld asks the journal about a file that an earlier run left.
func (r *Receiver) judgeOld(it *item, d *judgement) {
	d.verdict = verdictWant
	if it.e.Kind != manifest.File {
		return
	}
	runs, err := r.journal.Find(d.id)
	if err != nil || len(runs) == 0 || it.slabs() == 0 && runs[len(runs)-1].First != 0 {
		d.stale = err != nil
		return // as if nothing were here: it is received again
	}
	if it.slabs() == 0 {
		if d.place.What == plant.Kept {
			d.verdict = verdictHave
			d.runs = []journal.Run{{ID: d.id, Sums: runs[len(runs)-1].Sums[:1]}}
		}
		d.stale = d.verdict == verdictWant
		return
	}
	d.runs = runs
	d.verdict = verdictPart
}

// judgeClaim hashes what is under the final name: it may be the sender's.
func (r *Receiver) judgeClaim(it *item, d *judgement) {
	f, err := r.bed.OpenFinal(d.place.Path)
	if err == nil {
		h := blake3.New()
		_, err = io.Copy(h, whileWanted{r.ctx, io.NewSectionReader(f, 0, it.e.Size)})
		h.Sum(d.claim[:0])
		f.Close()
	}
	if err != nil {
		d.fail = func() *Error { return r.diskError("read", d.place.Path, err) }
		return
	}
	d.verdict = verdictClaim
}

// whileWanted is a reader that fails when the result is not wanted any more.
type whileWanted struct {
	ctx context.Context
	r   io.Reader
}

func (w whileWanted) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

// judged takes the judgements of the first entries of a batch.
func (r *Receiver) judged(batch []*item, done []judgement) {
	if r.phase >= Telling || r.phase == Stopping {
		return
	}
	for k := range done {
		it, d := batch[k], &done[k]
		if d.fail != nil {
			r.fail(d.fail())
			return
		}
		if d.verdict == verdicts {
			r.judges.waiting = r.finalPath(d.place.Path)
			return
		}
		it.judged, it.verdict, it.place, it.id, it.stale = true, d.verdict, d.place, d.id, d.stale
		r.line.judge++
		rep := &reply{it: it}
		switch it.verdict {
		case verdictClaim:
			rep.claim = &d.claim
		case verdictHave, verdictPart:
			rep.runs = r.takeOver(it, d.runs)
		}
		r.judges.replies = append(r.judges.replies, rep)
		r.sentence(it)
	}
	r.line.settle()
	r.checkSpace()
}

// takeOver takes what the journal holds of an entry for verified, and returns
// it as it is to be told.
func (r *Receiver) takeOver(it *item, runs []journal.Run) []journal.Run {
	n := it.slabs()
	if n == 0 {
		it.sum = runs[0].Sums[0]
		r.safe.bytes += it.e.Size
		r.safe.resumed += it.e.Size
		return runs
	}
	it.set = digest.NewSet(n)
	var fresh []journal.Run
	for _, run := range slices.Backward(runs) { // the latest is what is on disk
		if run.First == forgotten {
			break
		}
		for k, sum := range run.Sums {
			i := run.First + int64(k)
			if i < 0 || i >= n || it.set.Has(i) {
				continue
			}
			it.set.Put(i, sum)
			got := it.slabBytes(i, 1)
			it.got += got
			r.safe.bytes += got
			r.safe.resumed += got
			fresh = extend(fresh, it.id, i, sum)
		}
	}
	if it.set.Complete() {
		it.verdict = verdictHave
	}
	return fresh
}

// forgotten is the number of a run that takes back what stands before it in the
// journal of the same file.
const forgotten = 1 << 60

func forget(id journal.ID) journal.Run {
	return journal.Run{ID: id, First: forgotten, Sums: make([]digest.Sum, 1)}
}

// extend adds a slab to runs, to the last of them if it follows that.
func extend(runs []journal.Run, id journal.ID, i int64, sum digest.Sum) []journal.Run {
	if k := len(runs) - 1; k >= 0 && runs[k].ID == id && runs[k].First+int64(len(runs[k].Sums)) == i {
		runs[k].Sums = append(runs[k].Sums, sum)
		return runs
	}
	return append(runs, journal.Run{ID: id, First: i, Sums: []digest.Sum{sum}})
}

// slabBytes is how many bytes so many slabs have.
func (it *item) slabBytes(first, count int64) int64 {
	return min((first+count)*blockSize, it.e.Size) - first*blockSize
}

// noteName notes that an entry has another name here, unless a person chose it.
func (r *Receiver) noteName(it *item) {
	name := path.Base(it.place.Path)
	if r.bed == nil || it.verdict == verdictRefused || it.place.Path == "" || name == it.e.Name ||
		it.n == 0 && r.place.Name != "" || len(r.renamed) == maxFailures {
		return
	}
	r.renamed = append(r.renamed, Renaming{printable(it.path(), 4*maxName), printable(name, maxName)})
}

// sentence does what a verdict means for the entry here.
func (r *Receiver) sentence(it *item) {
	r.noteName(it)
	if it.e.Depth == 0 && it.verdict != verdictRefused && r.bed != nil && len(r.paths) < maxPaths {
		r.paths = append(r.paths, r.bed.Final(it.place.Path))
	}
	switch it.verdict {
	case verdictWant, verdictClaim:
		if it.slabs() > 0 && it.e.Kind == manifest.File {
			it.set = digest.NewSet(it.slabs())
		}
		// How much of a sparse one is holes is not known, and for what an
		// earlier run has begun there is room already.
		if fresh := it.place.What == plant.Fresh || it.place.What == plant.Claim; fresh && !it.e.Sparse {
			r.expect(it, it.e.Size)
		}
	case verdictPart:
	case verdictHave:
		r.line.placed++
		r.line.sent += it.e.Size
		if it.place.What == plant.Part {
			it.told = true
			r.finishLarge(it) // all bytes are here, and its metadata may not be
			return
		}
		it.settled = true
	default:
		if it.verdict == verdictRefused {
			r.refuse(it, it.place.Why)
		}
		if it.e.Kind == manifest.File {
			r.safe.kept += it.e.Size
			if it.verdict == verdictMade || it.verdict == verdictSame {
				r.line.placed++
			}
		}
		it.settled = true
	}
}

// refuse notes an entry that will not be here.
func (r *Receiver) refuse(it *item, why string) {
	r.line.failed++
	r.failures.add(it.path(), why)
}

// reply tells verdicts, with what goes before them.
func (r *Receiver) reply() {
	j := &r.judges
	var runs []verdictRun
	var first int64
	flush := func() {
		if len(runs) > 0 {
			told := runs
			r.ctl.send(msgVerdicts, func(m []byte) []byte { return appendVerdicts(m, first, told) })
			runs = nil
		}
	}
	for len(j.replies) > 0 && !r.ctl.busy() {
		rep := j.replies[0]
		if len(rep.runs) > 0 || rep.claim != nil || len(runs) == replyRuns {
			flush() // these belong behind the verdicts before them
		}
		if !r.tellHaves(rep) {
			break
		}
		if rep.claim != nil {
			r.ctl.send(msgClaim, func(m []byte) []byte { return appendClaim(m, rep.it.n, *rep.claim) })
		}
		j.replies = j.replies[1:]
		v := rep.it.verdict
		switch {
		case len(runs) == 0:
			first = rep.it.n
			runs = append(runs, verdictRun{v, 1})
		case runs[len(runs)-1].verdict == v:
			runs[len(runs)-1].count++
		default:
			runs = append(runs, verdictRun{v, 1})
		}
	}
	flush()
}

// tellHaves tells what is here of an entry, and reports false when there is no
// room for all of it.
func (r *Receiver) tellHaves(rep *reply) bool {
	for len(rep.runs) > 0 {
		if r.ctl.busy() {
			return false
		}
		run := &rep.runs[0]
		n := min(len(run.Sums), maxSums)
		h := have{rep.it.n, run.First, run.Sums[:n]}
		r.ctl.send(msgHave, func(m []byte) []byte { return appendHave(m, h) })
		run.First, run.Sums = run.First+int64(n), run.Sums[n:]
		if len(run.Sums) == 0 {
			rep.runs = rep.runs[1:]
		}
	}
	return true
}

// Conflict is the path of something that exists and differs, if the answer to
// it is waited for.
func (r *Receiver) Conflict() (path string, waits bool) {
	return r.judges.waiting, r.judges.waiting != ""
}

// Resolve answers a conflict, or all that may come. Call Step next.
func (r *Receiver) Resolve(what plant.Existing, all bool) {
	if r.judges.waiting == "" {
		return
	}
	path := r.judges.waiting
	r.judges.waiting = ""
	if what == plant.Ask || what == plant.Fail {
		r.fail(&Error{Kind: Exists, Path: path})
		return
	}
	r.judges.answer = &answer{what, all}
}

// checkSpace ends the transfer early if what has to come cannot fit.
func (r *Receiver) checkSpace() {
	// What an earlier run has left of other versions goes when they are opened.
	if r.bed == nil || r.owed == 0 || r.phase != Moving || r.bed.Resumed() {
		return
	}
	free, known := r.bed.Free()
	if known && free < r.owed {
		r.fail(r.noSpace(r.owed, free))
	}
}

func (r *Receiver) noSpace(needed, free int64) *Error {
	return &Error{Kind: NoSpace, Path: r.place.Dir, Err: fmt.Errorf("not enough space: %s are needed and %s are free, so %s are missing",
		manifest.SizeText(needed), manifest.SizeText(free), manifest.SizeText(needed-free))}
}
