package settings

import (
	"strings"

	"qft"
)

// Invite returns the command that receives what a code is for, on a machine
// where nothing is set. An address in brackets is quoted, as shells take them
// for a pattern.
func Invite(code, helper string) string {
	command := "qft receive " + code
	if helper == "" {
		return command
	}
	if strings.ContainsAny(helper, "[]") {
		helper = "'" + helper + "'"
	}
	return command + " --helper " + helper
}

// QRText is what the QR of a code says: capitals, which take fewer dots, since a
// code is read in either case. Whatever is no code stays as it is.
func QRText(text string) string {
	if code, err := qft.CheckCode(text); err != nil || code != text {
		return text
	}
	return strings.ToUpper(text)
}
