package qft

import (
	"math"
	"strings"
	"testing"
)

func TestRatesAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]float64{
		"20mbit": 2.5e6, "20Mbit/s": 2.5e6, "500kbit": 62500, "2.5MB/s": 2.5e6, "500kB/s": 500e3, "800k": 800e3,
		"1gbit": 125e6, "1GBIT/s": 125e6, "8000bit": 1000, "1000B": 1000, "1.5M": 1.5e6, "2G": 2e9,
		"1KiB": 1024, "1.5MiB/s": 1.5 * (1 << 20), "1GiB": 1 << 30, "64KB": 64e3, "3mB": 3e6,
		" 20 mbit ": 2.5e6, "none": 0, "None": 0,
	} {
		if got, err := ParseRate(text); err != nil || math.Abs(got-want) > 1e-6 {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
}

func TestRatesThatAreRefused(t *testing.T) {
	for text, hint := range map[string]string{
		"":             "20mbit",
		"20":           "type 20mbit",
		"0":            "type none",
		"fast":         "20mbit",
		".5M":          "20mbit",
		"5.M":          "20mbit",
		"1.2.3M":       "20mbit",
		"-5M":          "20mbit",
		"20Mb":         "type 20mbit or 20MB",
		"20mb/s":       "type 20mbit or 20MB",
		"20Mbps":       "type 20mbit or 20MB",
		"20kb":         "type 20kbit or 20KB",
		"9000b":        "unit",
		"20 parsec":    "unit",
		"20mib":        "unit",
		"20m/s/s":      "unit",
		"20mbit/h":     "unit",
		"0mbit":        "type none",
		"7kbit":        "lowest",
		"0.9kB":        "lowest",
		"2000GB":       "type none",
		"1e5kB":        "unit",
		"0x10kB":       "none",
		"infM":         "20mbit",
		"1\u00a0k\x00": "unit",
	} {
		got, err := ParseRate(text)
		if err == nil {
			t.Errorf("%q is %v", text, got)
			continue
		}
		if !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v; want a word of %q", text, err, hint)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"20mbit", "2.5MB/s", "1 KiB", "none", "20", "20Mb", "9e9G", "k", "/s", "1/s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rate, err := ParseRate(text)
		if err != nil {
			if rate != 0 || err.Error() == "" {
				t.Errorf("%q: %v with %v", text, rate, err)
			}
			return
		}
		if rate != 0 && (rate < leastRate || rate > mostRate || math.IsNaN(rate)) {
			t.Errorf("%q is %v", text, rate)
		}
		if again, err := ParseRate(" " + text + " "); err != nil || again != rate {
			t.Errorf("%q with spaces is %v, %v", text, again, err)
		}
	})
}
