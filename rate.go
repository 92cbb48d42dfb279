package qft

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	leastRate = 1e3  // bytes per second
	mostRate  = 1e12 // more is no limit
)

// rateUnits are bytes per second. Prefixes are the decimal ones of networks;
// the binary ones say so. A letter alone means bytes, as with curl and rsync.
var rateUnits = map[string]float64{
	"bit": 1. / 8, "kbit": 1e3 / 8, "mbit": 1e6 / 8, "gbit": 1e9 / 8,
	"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	"k": 1e3, "M": 1e6, "G": 1e9,
}

// ParseRate reads a rate as people write it, and returns bytes per second:
//
//	rate   = number unit [ "/s" ] | "none"
//	number = digits [ "." digits ]
//	unit   = "bit" | "kbit" | "mbit" | "gbit"               bits, case does not matter
//	       | "B" | "kB" | "MB" | "GB"                       bytes, powers of 1000
//	       | "KiB" | "MiB" | "GiB"                          bytes, powers of 1024
//	       | "k" | "M" | "G"                                the same as kB, MB, GB
//
// Prefixes may be in either case, but B must be large: a small b would leave
// open whether bits or bytes are meant. There may be spaces before the unit.
// The lowest rate is 1 kB/s. "none" is 0, no limit.
func ParseRate(text string) (float64, error) {
	s := strings.TrimSpace(text)
	if strings.EqualFold(s, "none") {
		return 0, nil
	}
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	number, unit := s, ""
	if end >= 0 {
		number, unit = s[:end], strings.TrimSpace(s[end:])
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
		return 0, fmt.Errorf("the rate %q is no number with a unit: type 20mbit or 2.5MB/s, for instance, or none", text)
	}
	if n == 0 {
		return 0, fmt.Errorf("the rate %q would never end: type none for no limit", text)
	}
	unit = strings.TrimSuffix(unit, "/s")
	scale, err := rateUnit(number, unit)
	if err != nil {
		return 0, fmt.Errorf("the rate %q %w", text, err)
	}
	switch n *= scale; {
	case n < leastRate:
		return 0, fmt.Errorf("the rate %q is below 1kB/s, the lowest (8kbit); type none for no limit", text)
	case n > mostRate:
		return 0, fmt.Errorf("the rate %q is above 1000GB/s; type none for no limit", text)
	}
	return n, nil
}

func rateUnit(number, unit string) (float64, error) {
	if unit == "" {
		return 0, fmt.Errorf("lacks its unit: type %smbit for megabits per second, or %sMB for megabytes", number, number)
	}
	if f, ok := rateUnits[strings.ToLower(unit)]; ok && len(unit) >= 3 { // kbit
		return f, nil
	}
	first := strings.ToUpper(unit[:1])
	if first == "K" && unit[1:] != "iB" {
		first = "k"
	}
	if f, ok := rateUnits[first+unit[1:]]; ok && unit != "b" {
		return f, nil
	}
	p, rest := strings.ToLower(unit[:1]), strings.TrimSuffix(strings.ToLower(unit[1:]), "ps")
	if strings.Contains("kmg", p) && rest == "b" {
		return 0, fmt.Errorf("could mean bits or bytes: type %s%sbit or %s%sB", number, p, number, strings.ToUpper(p))
	}
	return 0, errors.New("has no unit that is known: there are bit, kbit, mbit, gbit; B, kB, MB, GB; KiB, MiB, GiB, and /s behind them")
}
