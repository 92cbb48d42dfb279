package settings

import "strings"

// Invited takes apart what is typed or pasted where a code is asked for: a code,
// or all of the command that Invite makes, with the helper that it names.
func Invited(text string) (code, helper string) {
	command, is := strings.CutPrefix(strings.TrimSpace(text), "qft receive ")
	if !is {
		return text, ""
	}
	code, helper, _ = strings.Cut(command, " --helper ")
	return strings.TrimSpace(code), strings.Trim(strings.TrimSpace(helper), "'")
}
