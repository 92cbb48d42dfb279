package settings

import "strings"

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
