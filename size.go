package qft

import (
	"fmt"
	"strconv"
	"strings"
)

// sizeUnits are bytes; a letter alone means powers of 1000, as with rates.
var sizeUnits = map[string]float64{
	"": 1, "b": 1,
	"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// mostSize is more than any transfer has.
const mostSize = 1e18

// ParseSize reads a number of bytes as people write it: digits, perhaps with a
// decimal point, and a unit: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB,
// TiB (powers of 1024), or k, M, G, T as short for kB, MB, GB, TB. Case does
// not matter, and without a unit it is bytes. It is at least 1 and at most
// 10^18.
func ParseSize(text string) (int64, error) {
	s := strings.TrimSpace(text)
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	number, unit := s, ""
	if end >= 0 {
		number, unit = s[:end], strings.ToLower(strings.TrimSpace(s[end:]))
	}
	n, err := strconv.ParseFloat(number, 64)
	scale, known := sizeUnits[unit]
	if err != nil || !known || strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
		return 0, fmt.Errorf("the size %q is not understood: type 500MB, 2GiB or 1000000, for instance", text)
	}
	if n *= scale; n < 1 || n > mostSize {
		return 0, fmt.Errorf("the size %q is not between 1 byte and 1000000 TB", text)
	}
	return int64(n), nil
}
