package transfer

import "time"

// ratePeriod is over how long a rate is measured.
const ratePeriod = 200 * time.Millisecond

// pathRate is how many bytes per second the path carries, as far as that can be
// seen from how fast queued bytes leave. While the queue runs empty they leave
// as fast as they are read, which says only that the path is not slower.
type pathRate struct {
	perSecond float64 // 0: not known yet
	since     time.Time
	sent      int64 // at that time
	dry       bool  // the queue was empty since then
}

// measure takes what was sent in all, and what is queued.
func (r *pathRate) measure(now time.Time, sent, unsent int64) {
	r.dry = r.dry || unsent == 0
	if r.since.IsZero() {
		r.restart(now, sent, unsent)
		return
	}
	d := now.Sub(r.since)
	if d < ratePeriod {
		return
	}
	rate := float64(sent-r.sent) / d.Seconds()
	switch {
	case r.dry:
		r.perSecond = max(r.perSecond, rate)
	case r.perSecond == 0:
		r.perSecond = rate
	default:
		r.perSecond += (rate - r.perSecond) / 2
	}
	r.restart(now, sent, unsent)
}

func (r *pathRate) restart(now time.Time, sent, unsent int64) {
	r.since, r.sent, r.dry = now, sent, unsent == 0
}
