package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"qft"
)

// helpWidth is how wide help is at most, on a terminal of the usual width.
const helpWidth = 80

// screenful is what somebody sees who types the program's name alone: as much as
// fits on the smallest usual terminal, of 24 rows with the prompt, so that the
// first lines, which are all that most people need, do not scroll away.
func screenful(root *cobra.Command) error {
	var b strings.Builder
	b.WriteString(root.Long + "\n\n")
	groups := root.Groups()
	writeGroups(&b, root, groups[:len(groups)-1])
	fmt.Fprintf(&b, "\nAll commands: %s --help. More on each: %s COMMAND --help\n", root.CommandPath(), root.CommandPath())
	_, err := root.OutOrStdout().Write([]byte(b.String()))
	return err
}

// writeGroups lists the commands of groups.
func writeGroups(b *strings.Builder, c *cobra.Command, groups []*cobra.Group) {
	for i, g := range groups {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "%s\n", g.Title)
		for _, sub := range c.Commands() {
			if sub.GroupID == g.ID && !sub.Hidden {
				fmt.Fprintf(b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
}

// usage prints how a command is called: what all help ends with.
func usage(c *cobra.Command) error {
	var b strings.Builder
	if c.HasParent() || !c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "Usage:\n  %s\n", c.UseLine())
	}
	writeGroups(&b, c, c.Groups())
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nMore on each: %s COMMAND --help\n", c.CommandPath())
	} else if c.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", c.LocalFlags().FlagUsagesWrapped(helpWidth))
	}
	_, err := c.OutOrStderr().Write([]byte(b.String()))
	return err
}

// unknown is what is told of a command that there is not, with what may have
// been meant.
func unknown(root *cobra.Command, name string) error {
	root.SuggestionsMinimumDistance = 2 // letters
	if like := root.SuggestionsFor(name); len(like) > 0 {
		return usageError{fmt.Errorf("there is no command %q; perhaps qft %s", name, like[0])}
	}
	do := ""
	if code, _, err := qft.SplitCode(name); err == nil && code != "" {
		do = "to receive with a code: qft receive " + clean(name)
	} else if _, err := os.Stat(name); err == nil {
		do = "to send that: qft send " + clean(name)
	}
	err := fmt.Errorf("there is no command %q", name)
	if do == "" {
		return usageError{err}
	}
	return usageError{advised{err, do}}
}

// flagError says what is wrong with a flag, and which one may have been meant.
func flagError(c *cobra.Command, err error) error {
	var none *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var odd *pflag.InvalidValueError
	switch {
	case errors.As(err, &none) && none.GetSpecifiedShortnames() == "":
		err = fmt.Errorf("%s has no flag --%s", c.CommandPath(), none.GetSpecifiedName())
		if like := likeFlag(c, none.GetSpecifiedName()); like != "" {
			err = fmt.Errorf("%w; perhaps --%s", err, like)
		}
	case errors.As(err, &none):
		err = fmt.Errorf("%s has no flag -%s", c.CommandPath(), none.GetSpecifiedName())
	case errors.As(err, &bare):
		err = fmt.Errorf("--%s takes a value, which is missing", bare.GetFlag().Name)
	case errors.As(err, &odd) && strings.HasPrefix(odd.GetFlag().Value.Type(), "int"):
		err = fmt.Errorf("--%s: %q is no whole number", odd.GetFlag().Name, odd.GetValue())
	case errors.As(err, &odd) && odd.GetFlag().Value.Type() == "bool":
		err = fmt.Errorf("--%s: %q is neither true nor false", odd.GetFlag().Name, odd.GetValue())
	}
	return usageError{err}
}

// likeFlag is the flag of a command that a name may be a slip of, if there is one.
func likeFlag(c *cobra.Command, name string) (like string) {
	near := &cobra.Command{SuggestionsMinimumDistance: 2} // letters
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			near.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	if all := near.SuggestionsFor(name); len(all) > 0 {
		like = all[0]
	}
	return like
}
