package transfer

import (
	"bytes"
	"reflect"
	"testing"

	"qft/internal/digest"
	"qft/internal/manifest"
)

// parsers are all that reads what a peer sends. Each returns what it read,
// encoded again, or nil for what it refuses.
var parsers = map[byte]func(b []byte) []byte{
	msgOffer: func(b []byte) []byte {
		o, err := parseOffer(b)
		return again(err, func() []byte { return appendOffer(nil, o) })
	},
	msgAccept: func(b []byte) []byte {
		f, err := parseAccept(b)
		return again(err, func() []byte { return appendAccept(nil, f) })
	},
	msgEntries: func(b []byte) []byte {
		var out []byte
		err := parseEntries(b, func(n int64, e manifest.Entry, raw []byte) error {
			if out == nil {
				out = appendNumber(nil, n)
			}
			out = append(out, raw...)
			return nil
		})
		return again(err, func() []byte { return out })
	},
	msgCount: func(b []byte) []byte {
		c, err := parseCount(b)
		return again(err, func() []byte { return appendCount(nil, c) })
	},
	msgVerdicts: func(b []byte) []byte {
		first, runs, err := parseVerdicts(b)
		return again(err, func() []byte { return appendVerdicts(nil, first, runs) })
	},
	msgHave: func(b []byte) []byte {
		h, err := parseHave(b)
		return again(err, func() []byte { return appendHave(nil, h) })
	},
	msgClaim: func(b []byte) []byte {
		n, sum, err := parseClaim(b)
		return again(err, func() []byte { return appendClaim(nil, n, sum) })
	},
	msgBlock: func(b []byte) []byte {
		a, err := parseBlock(b)
		return again(err, func() []byte { return appendBlock(nil, a) })
	},
	msgHole: func(b []byte) []byte {
		h, err := parseHole(b)
		return again(err, func() []byte { return appendHole(nil, h) })
	},
	msgResend: func(b []byte) []byte {
		n, err := parseNumber(b)
		return again(err, func() []byte { return appendNumber(nil, n) })
	},
	msgSafe: func(b []byte) []byte {
		x, y, err := parsePair(b)
		return again(err, func() []byte { return appendNumber(appendNumber(nil, x), y) })
	},
	msgEnd: func(b []byte) []byte {
		e, err := parseEnd(b)
		return again(err, func() []byte { return appendEnd(nil, e) })
	},
	msgDone: func(b []byte) []byte {
		o, err := parseDone(b)
		return again(err, func() []byte { return appendDone(nil, o) })
	},
}

func again(err error, encode func() []byte) []byte {
	if err != nil {
		return nil
	}
	return encode()
}

// messages is one good message of each type.
func messages() map[byte][]byte {
	sum := digest.File([]byte("x"))
	entry := manifest.Entry{Kind: manifest.File, Name: "a", Mode: 0o644, Sec: -5, Nsec: 7, Size: 9}
	return map[byte][]byte{
		msgOffer: appendOffer(nil, offer{flags: offersText, count: count{3, 1 << 40, true}, skip: 7,
			label: [16]byte{1, 2}, items: 5, names: []string{"a", "b\xff"}, text: "hello"}),
		msgAccept:   appendAccept(nil, acceptsZstd),
		msgEntries:  manifest.Append(manifest.Append(appendNumber(nil, 9), &entry), &entry),
		msgCount:    appendCount(nil, count{1, 2, true}),
		msgVerdicts: appendVerdicts(nil, 77, []verdictRun{{verdictWant, 5}, {verdictMade, 1}}),
		msgHave:     appendHave(nil, have{1, 2, []digest.Sum{sum, {}}}),
		msgClaim:    appendClaim(nil, 5, sum),
		msgBlock: appendBlock(nil, announcement{index: 3, payload: 10, flags: blockZstd | blockAgain, sum: sum,
			extents: []extent{{1, 0, 20}, {4, 0, 30}}}),
		msgHole:   appendHole(nil, hole{1, 2, 3}),
		msgResend: appendNumber(nil, 1<<45),
		msgSafe:   appendNumber(appendNumber(nil, 1), 2),
		msgEnd:    appendEnd(nil, ending{5, 6, sum}),
		msgDone:   appendDone(nil, outcome{1, 2, 3}),
	}
}

func TestMessagesReadAsWritten(t *testing.T) {
	for typ, b := range messages() {
		if got := parsers[typ](b); !bytes.Equal(got, b) {
			t.Errorf("message %#x: %x read as %x", typ, b, got)
		}
		for n := range len(b) - 1 {
			if got := parsers[typ](b[:n]); got != nil && !bytes.Equal(got, b[:n]) {
				t.Errorf("message %#x cut to %d bytes was taken for another", typ, n)
			}
		}
		// A text may grow, and entries, verdicts and digests may be more.
		if got := parsers[typ](append(bytes.Clone(b), 0)); got != nil {
			t.Errorf("message %#x with a byte behind it was taken", typ)
		}
	}
}

func TestReasonIsReadInEveryVersion(t *testing.T) {
	b := appendVerdict(nil, reason{NoSpace, "no room\x1b[31m"})
	b[0] = 99
	got, err := parseVerdict(b)
	if want := (reason{NoSpace, "no room\ufffd[31m"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzMessages: what is taken is encoded again to the same bytes, so that
// nothing has two meanings.
func FuzzMessages(f *testing.F) {
	for typ, b := range messages() {
		f.Add(typ, b)
	}
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		parse := parsers[typ]
		if parse == nil || len(b) > maxBody {
			return
		}
		if got := parse(b); got != nil && !bytes.Equal(got, b) {
			t.Errorf("message %#x: %x read as %x", typ, b, got)
		}
	})
}
