package journal

import (
	"fmt"
	"math"
)

// Append records runs whose blocks are durable, and returns when the records
// are durable as well. After an error the journal is as it was; only if the
// file could not be synced, then what AppendLazily wrote since the last Append
// is lost too. A run of more than 1,024 digests is recorded as several, one
// without digests is not. Without runs it makes durable what was lazy.
func (j *Journal) Append(runs []Run) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.write(runs); err != nil {
		return err
	}
	if j.durable == j.end {
		return nil
	}
	if err := j.f.Sync(); err != nil {
		// The system forgets what it could not write, and would not say so
		// again: nothing since the last good sync can be relied on.
		j.goBack(j.durable)
		return fmt.Errorf("syncing the journal: %w", err)
	}
	j.durable = j.end
	return nil
}

// AppendLazily is Append without the sync, for owners to whom the loss of the
// latest runs in a power cut is no harm.
func (j *Journal) AppendLazily(runs []Run) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.write(runs)
}

// write writes runs behind the last record.
func (j *Journal) write(runs []Run) error {
	for i := range runs {
		if r := &runs[i]; r.First < 0 || r.First > math.MaxInt64-int64(len(r.Sums)) {
			return fmt.Errorf("appending to the journal: %d blocks from %d on", len(r.Sums), r.First)
		}
	}
	if j.torn {
		if err := j.cut(); err != nil {
			return fmt.Errorf("cutting the journal: %w", err)
		}
	}
	w := writer{b: append([]byte(nil), j.end.seal[:]...), at: j.end.at - checkSize}
	for i := range runs {
		w.run(&runs[i])
	}
	w.close()
	b := w.b[checkSize:]
	if len(b) == 0 {
		return nil
	}
	j.reserve(int64(len(b)))
	if _, err := j.f.WriteAt(b, j.end.at); err != nil {
		j.goBack(j.end)
		return fmt.Errorf("writing the journal: %w", err)
	}
	j.end.at += int64(len(b))
	copy(j.end.seal[:], b[len(b)-checkSize:])
	j.room = max(j.room, j.end.at)
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range w.index {
		j.index.add(e)
	}
	return nil
}

// goBack forgets what was written behind m.
func (j *Journal) goBack(m mark) {
	j.end = m
	j.torn = j.cut() != nil
	j.mu.Lock()
	defer j.mu.Unlock()
	j.index.cut(m.at)
}

// cut makes the file end behind the last record: the remains of what failed
// would become valid if just the same records were written before them.
func (j *Journal) cut() error {
	if err := j.f.Truncate(j.end.at); err != nil {
		return err
	}
	j.torn = false
	j.room = j.end.at
	j.reserve(0) // at once, before something else takes the space
	return nil
}

// reserve writes zeros ahead, so that the journal can still say what is safe
// when the data has filled the disk. Failing is harmless.
func (j *Journal) reserve(n int64) {
	j.spare = max(j.spare, n)
	need := j.end.at + n + j.spare - j.room
	if need <= 0 {
		return
	}
	zeros := make([]byte, (need+growth-1)/growth*growth)
	if _, err := j.f.WriteAt(zeros, j.room); err == nil {
		j.room += int64(len(zeros))
	}
}
