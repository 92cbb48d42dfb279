package main

import (
	"embed"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

//go:embed topics
var topicTexts embed.FS

// topicNames are in the order in which they are told.
func topicNames() []string {
	return []string{"topics", "how", "helpers", "connect", "security", "files", "scripts", "running"}
}

// topicText is one screen on something; its first line says on what.
func topicText(name string) (title, text string) {
	b, err := topicTexts.ReadFile("topics/" + name + ".txt")
	if err != nil {
		panic(err) // the names are ours
	}
	title, text, _ = strings.Cut(string(b), "\n")
	text = strings.Trim(text, "\n")
	if name == "scripts" {
		text += "\n\nExit codes\n\n" + exitCodes()
	}
	return title, text
}

// helpCommand is help on commands and on topics.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "explain a command or a topic: qft help topics",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				for _, name := range topicNames() {
					if name == args[0] {
						title, text := topicText(name)
						cmd.Printf("%s\n\n%s\n", title, text)
						return nil
					}
				}
			}
			about, _, err := root.Find(args)
			if err != nil || about == root && len(args) > 0 {
				what := fmt.Errorf("there is no command and no topic %q", strings.Join(args, " "))
				root.SuggestionsMinimumDistance = 2 // letters
				if like := root.SuggestionsFor(args[0]); len(like) > 0 {
					what = fmt.Errorf("%w; perhaps qft help %s", what, like[0])
				}
				return usageError{advised{what, "qft help lists the commands, qft help topics what else is explained."}}
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var all []string
			if len(args) == 0 {
				for _, c := range root.Commands() {
					if c.IsAvailableCommand() {
						all = append(all, c.Name()+"\t"+c.Short)
					}
				}
				for _, name := range topicNames() {
					title, _ := topicText(name)
					all = append(all, name+"\t"+title)
				}
			}
			return all, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
