package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how wide help is at most, on a terminal of the usual width.
const helpWidth = 80

// usage prints how a command is called: what all help ends with.
func usage(c *cobra.Command) error {
	var b strings.Builder
	if c.HasParent() || !c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "Usage:\n  %s\n", c.UseLine())
	}
	for i, g := range c.Groups() {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s\n", g.Title)
		for _, sub := range c.Commands() {
			if sub.GroupID == g.ID && !sub.Hidden {
				fmt.Fprintf(&b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
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
	return usageError{fmt.Errorf("there is no command %q", name)}
}
