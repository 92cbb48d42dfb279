package qft

import "testing"

func TestSizesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "1000": 1000, "500MB": 500e6, "2GiB": 2 << 30, "1.5 k": 1500, " 3 tb ": 3e12, "10kib": 10240, "7B": 7, "1T": 1e12,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "MB", "-1", "1.", ".5MB", "5 parsec", "1e3", "0.5", "9999999999TB", "1 2"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("500MB")
	f.Add("1.5 KiB")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := ParseSize(text); err == nil && (n < 1 || n > mostSize) {
			t.Errorf("%q is %d", text, n)
		}
	})
}
