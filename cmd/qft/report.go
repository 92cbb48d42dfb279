package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"qft"
	"qft/internal/settings"
)

// report prints an error for a person: what happened, why as far as it is
// known, and what to do, each on lines of its own. A command line that makes no
// sense has no why: that it is wrong says it. The name is the one the program
// was called by, and the command what was typed of it.
func report(t *terminal, name, command string, err error) {
	what, why, do := explain(t.terms, command, err)
	t.tellProblem("1;31", name+":", what)
	if why != "" {
		t.tellProblem("2", "  Why:", why)
	}
	if do != "" {
		t.tellProblem("1", "  To do:", do)
	}
}

// tellProblem prints a part of an error, behind what it is.
func (t *terminal) tellProblem(codes, head, text string) {
	text = head + " " + cleanLines(text)
	if t.redraws {
		text = wrap(text, width(t.err)-1, "    ")
	}
	fmt.Fprintln(t.err, t.style(codes, head)+strings.TrimPrefix(text, head))
}

// explain takes an error apart. What is said of a command line is enough to see
// why; what to do is what the error knows, or where it is explained.
func explain(terms qft.Terms, command string, err error) (what, why, do string) {
	what, why = qft.Explain(err)
	var usage usageError
	if errors.As(err, &usage) {
		what, why = inWords(err), ""
	}
	var e *qft.Error
	var told advised
	var set *settings.Error
	switch {
	case errors.As(err, &told):
		do = told.do
	case errors.As(err, &set) && settingAdvice(set.From) != "":
		do = settingAdvice(set.From)
	case errors.As(err, &e):
		do = terms.Hint(err)
	}
	if do == "" && usage.err != nil {
		do = usageAdvice(command)
	}
	return what, why, do
}

// inWords is an error in one line: why, as far as that is known.
func inWords(err error) string {
	what, why := qft.Explain(err)
	return cmp.Or(why, what)
}

// usageAdvice is for whatever nothing better is known of.
func usageAdvice(command string) string {
	if command != mainName {
		return command + " --help shows what it takes."
	}
	return "qft --help shows the commands, qft help COMMAND what one takes."
}

// settingAdvice is what to do about a setting that makes no sense, by where it
// was said: a flag, a variable, the file, or qft config.
func settingAdvice(from string) string {
	path := settings.Path()
	if line, is := strings.CutPrefix(from, path); is {
		key, value := strings.CutPrefix(line, ": ")
		switch {
		case value:
			return fmt.Sprintf("qft config %s VALUE changes that line of the file, qft config --unset %s takes it out.", key, key)
		case line == "":
			return "check that this file belongs to you and can be read."
		}
		return "correct that line of the file, or remove it: qft config --help shows what may be there."
	}
	if from == helperArgument {
		return "a helper is given as HOST or HOST:PORT, or as none: qft help helpers says what it is."
	}
	for _, k := range settings.Keys() {
		if from != "--"+k.Name && from != k.Variable() && from != k.Name {
			continue
		}
		switch {
		case k.Name == settings.Helper:
			return "a helper is given as HOST or HOST:PORT, or as none: qft help helpers says what it is."
		case k.Name == settings.Limit:
			return "qft send --help shows how a rate is written."
		case from == k.Name:
			return "qft config lists the settings, qft config --help shows how they are changed."
		}
	}
	return ""
}

// style sets a piece of text off on terminals that can.
func (t *terminal) style(codes, text string) string {
	if !t.styled {
		return text
	}
	return "\x1b[" + codes + "m" + text + "\x1b[0m"
}
