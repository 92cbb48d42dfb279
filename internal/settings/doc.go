// Package settings says what is set, and where that was said; for front ends
// only.
//
// A setting can be said by a flag --KEY, by QFT_KEY in the environment, and by
// a line "KEY = VALUE" of the configuration file; the first of these that says
// something counts. What is on or off has the flags --KEY and --no-KEY.
//
// The file is $XDG_CONFIG_HOME/qft/config, and its equals on other systems:
// lines of KEY = VALUE, with # for comments. Set changes one line of it, and
// leaves all others as they are.
package settings
