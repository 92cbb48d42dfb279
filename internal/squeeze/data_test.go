package squeeze

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// noise is n bytes that look random.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b) // never fails
	return b
}

// logText is n bytes of log files, with lines as a web server and a system log
// have them.
func logText(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for i := int64(0); len(b) < n; i++ {
		at := time.Unix(1_780_000_000+i/7, 0).UTC()
		if i/5000%2 == 0 {
			b = appendWebLine(b, r, at)
		} else {
			b = appendSystemLine(b, r, at)
		}
	}
	return b[:n]
}

func address(r *rand.Rand) string {
	return fmt.Sprintf("%d.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256))
}

func appendWebLine(b []byte, r *rand.Rand, at time.Time) []byte {
	paths := []string{"/", "/index.html", "/api/v1/users/#", "/static/app.#.js", "/images/#.png", "/search?q=#"}
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
		"curl/8.5.0",
	}
	path := strings.Replace(paths[r.IntN(len(paths))], "#", fmt.Sprint(r.IntN(100_000)), 1)
	return fmt.Appendf(b, "%s - - [%s] %q %d %d %q %q\n", address(r), at.Format("02/Jan/2006:15:04:05 -0700"),
		"GET "+path+" HTTP/1.1", []int{200, 200, 304, 404}[r.IntN(4)], r.IntN(50_000),
		"https://example.org"+paths[r.IntN(2)], agents[r.IntN(len(agents))])
}

func appendSystemLine(b []byte, r *rand.Rand, at time.Time) []byte {
	b = fmt.Appendf(b, "%s host%02d ", at.Format(time.Stamp), r.IntN(20))
	switch r.IntN(3) {
	case 0:
		return fmt.Appendf(b, "sshd[%d]: Failed password for invalid user admin from %s port %d ssh2\n", r.IntN(65536), address(r), r.IntN(65536))
	case 1:
		return fmt.Appendf(b, "systemd[1]: Started Session %d of user root.\n", r.IntN(100_000))
	}
	return fmt.Appendf(b, "postfix/smtpd[%d]: connect from unknown[%s]\n", r.IntN(65536), address(r))
}

// gzipped is n bytes of a gzip file.
func gzipped(n int) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(bytes.Repeat(encoded(n), 2)) // to a buffer
	z.Close()
	return out.Bytes()[:n]
}

func encoded(n int) []byte { return []byte(base64.StdEncoding.EncodeToString(noise(n)))[:n] }

// clock is a time that goes on by step each time it is asked for.
type clock struct {
	at   time.Time
	step time.Duration
}

func (c *clock) now() time.Time {
	c.at = c.at.Add(c.step)
	return c.at
}

// atSpeed is an encoder that finds that samples are compressed at so many
// bytes/s.
func atSpeed(speed float64) *Encoder {
	const sampled = sampleParts * partSize
	c := &clock{step: time.Duration(sampled / speed * 1e9)}
	return NewEncoder(c.now)
}

// blockOf compresses src and fails if that does not pay.
func blockOf(t *testing.T, e *Encoder, src []byte, rate float64) []byte {
	t.Helper()
	out, ok := e.Block(make([]byte, 0, len(src)), src, rate)
	if !ok {
		t.Fatalf("%d bytes were not compressed", len(src))
	}
	return out
}
