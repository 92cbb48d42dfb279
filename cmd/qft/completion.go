package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"qft"
	"qft/internal/settings"
)

const aboutCompletion = `Prints a script for a shell. With it, Tab completes commands, flags, the words
of a code, settings, topics, and what "qft resume" can continue. Packages bring
the scripts along; without one, once:

bash:

    mkdir -p ~/.local/share/bash-completion/completions
    qft completion bash >~/.local/share/bash-completion/completions/qft

zsh, whose .zshrc has "autoload -U compinit; compinit":

    qft completion zsh >"${fpath[1]}/_qft"

fish:

    qft completion fish >~/.config/fish/completions/qft.fish

PowerShell:

    qft completion powershell >>$PROFILE

New shells have it then. For the running one alone:

    source <(qft completion bash)          also in zsh, with its name
    qft completion fish | source
    qft completion powershell | Out-String | Invoke-Expression`

// bashAlone stands for what the completion script takes of the package
// bash-completion, where that is not installed: the words up to the cursor.
const bashAlone = `
if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
        cur=${words[cword]} prev=${words[cword-1]}
    }
fi
`

func completionCommand(t *terminal) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "have Tab complete in " + strings.Join(shells, ", "),
		Long:      aboutCompletion,
		Args:      exactly(1, 1, "one of "+strings.Join(shells, ", ")),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				if err := root.GenBashCompletionV2(t.out, true); err != nil {
					return err
				}
				_, err := io.WriteString(t.out, bashAlone)
				return err
			case "zsh":
				return root.GenZshCompletion(t.out)
			case "fish":
				return root.GenFishCompletion(t.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(t.out)
			}
			return usageError{fmt.Errorf("there is no completion for %q, but for %s", args[0], strings.Join(shells, ", "))}
		},
	}
}

// completeCode completes the words of the one code that receive takes.
func completeCode(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return qft.CompleteCode(typed), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// completeUnfinished completes the numbers of the list of resume, and then the
// code that a receiver needs.
func completeUnfinished(cmd *cobra.Command, args []string, typed string) (all []string, _ cobra.ShellCompDirective) {
	list, err := qft.Unfinished(settings.StatePath(), ".")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if len(args) == 0 {
		for i := range list {
			all = append(all, strconv.Itoa(i+1)+"\t"+unfinishedText(&list[i]))
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
	if n, err := strconv.Atoi(args[0]); err != nil || n < 1 || n > len(list) || list[n-1].Role != "receive" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeCode(cmd, args[1:], typed)
}

// completeFile completes a file as one argument, the others not at all.
func completeFile(at int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == at {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

func completeFolders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeKey completes a setting, and its value where that is one of a few or
// a path.
func completeKey(cmd *cobra.Command, args []string, typed string) (all []string, _ cobra.ShellCompDirective) {
	for _, k := range settings.Keys() {
		switch {
		case len(args) == 0:
			all = append(all, k.Name+"\t"+k.Usage)
		case len(args) == 1 && args[0] == k.Name:
			return completeValue(k)(cmd, args, typed)
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeValue completes the value of a setting.
func completeValue(k settings.Key) cobra.CompletionFunc {
	switch k.Place {
	case settings.AFile:
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		}
	case settings.AFolder:
		return completeFolders
	}
	return cobra.FixedCompletions(k.Choices, cobra.ShellCompDirectiveNoFileComp)
}

// completeFlags says which flags of a command take no file, and are completed by
// nothing.
func completeFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions); err != nil {
			panic(err) // the flag is ours
		}
	}
}
