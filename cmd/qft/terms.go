package main

import "qft"

// commandTerms are how the commands with flags do what advice is about.
var commandTerms = qft.Terms{
	Code:      "code",
	Again:     "run the same command again on both sides to continue",
	Name:      "choose another name with -o NAME",
	Existing:  "move it away, choose another name with -o NAME, or say --overwrite, --rename or --skip-existing",
	Folder:    "choose a folder where you may write, with -o DIR",
	Most:      "allow more with --max-size or --max-files",
	Stream:    "send what comes out of it as a stream: qft send - <IT",
	Discard:   "discard what has arrived of it with qft resume --discard",
	NoHelper:  "On one network, --helper none does without it.",
	Helper:    " (qft config helper)",
	Secret:    " (--helper-secret-file, QFT_HELPER_SECRET)",
	Elsewhere: "From elsewhere: --helper on both sides, or CODE@HOST",
	Forever:   "--wait none waits for ever",
}

// historicalTerms are the same for the historical commands, which have no flags
// and no codes: there are arguments, and for a setting its variable. Those that
// are called by a name of their own have no argument for the helper either.
func historicalTerms(command string) qft.Terms {
	t := qft.Terms{
		Code:      "phrase",
		Again:     commandTerms.Again,
		Name:      "name another FILE",
		Existing:  "move it away, or name another FILE; qft receive can overwrite, rename and skip",
		Folder:    "choose a folder where you may write: name a FILE there",
		Most:      "allow more with QFT_MAX_SIZE or QFT_MAX_FILES",
		Stream:    "send what comes out of it as a stream: - in the place of FILE, and <IT at the end",
		Discard:   commandTerms.Discard,
		NoHelper:  "On one network, none in the place of HELPER does without it.",
		Secret:    " (QFT_HELPER_SECRET_FILE, QFT_HELPER_SECRET)",
		Elsewhere: "From elsewhere: a HELPER on both sides",
		Forever:   "QFT_WAIT=none waits for ever",
	}
	if command == senderName || command == receiverName {
		t.NoHelper, t.Helper = "On one network, QFT_HELPER=none does without it.", commandTerms.Helper
		t.Elsewhere = "From elsewhere: QFT_HELPER on both sides"
	}
	return t
}
