package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const completionHelp = `Completion prints a script by which a shell completes lockctl's command lines: commands, flags and their values,
contexts, and the names that are held just now, which it asks the server for. It waits for that no longer
than a second, and offers none when the server is away.

  bash        lockctl completion bash > ~/.local/share/bash-completion/completions/lockctl
              or, without the package bash-completion, in ~/.bashrc: source <(lockctl completion bash)
  zsh         lockctl completion zsh > "${fpath[1]}/_lockctl"
              after autoload -U compinit; compinit in ~/.zshrc
  fish        lockctl completion fish > ~/.config/fish/completions/lockctl.fish
  powershell  lockctl completion powershell | Out-String | Invoke-Expression, in $PROFILE`

var shells = []string{"bash", "zsh", "fish", "powershell"}

// withoutPackage ends the script for bash: it works without the package bash-completion, too, which images and
// macOS do not have.
//
//go:embed completion.bash
var withoutPackage string

func newCompletion() *cobra.Command {
	var plainly bool
	cmd := &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script by which a shell completes command lines",
		Long:  completionHelp,
		Example: `  source <(lockctl completion bash)
  lockctl completion fish | source`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("want one SHELL of %s, got %d arguments", strings.Join(shells, ", "), len(args))
			}
			if !slices.Contains(shells, args[0]) {
				return fmt.Errorf("SHELL is %q; want one of %s%s", args[0], strings.Join(shells, ", "), meant(args[0], shells))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&plainly, "no-descriptions", false, "offer words without saying what they are for")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		return printCompletion(cmd.OutOrStdout(), cmd.Root(), args[0], !plainly)
	})
	return cmd
}

func printCompletion(w io.Writer, root *cobra.Command, shell string, described bool) error {
	switch {
	case shell == "bash":
		if err := root.GenBashCompletionV2(w, described); err != nil {
			return err
		}
		_, err := io.WriteString(w, withoutPackage)
		return err
	case shell == "zsh" && described:
		return root.GenZshCompletion(w)
	case shell == "zsh":
		return root.GenZshCompletionNoDesc(w)
	case shell == "fish":
		return root.GenFishCompletion(w, described)
	case described:
		return root.GenPowerShellCompletionWithDesc(w)
	}
	return root.GenPowerShellCompletion(w)
}

// completer says what a command line may go on with, for one kind of word.
type completer func(cmd *cobra.Command, args []string, typed string) (words []string, then cobra.ShellCompDirective)

// complete has a shell that completes a command line offer names where one is meant, and files where a file is
// meant: for --lease-file and --config, and in the command that "run" runs.
func complete(root *cobra.Command, to *server) {
	firstOf := func(names completer) completer {
		return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return names(cmd, args, typed)
		}
	}
	byCommand := map[string]completer{
		"lockctl acquire": firstOf(to.completeName), "lockctl get": firstOf(to.completeName), "lockctl force-release": firstOf(to.completeName), "lockctl request-release": firstOf(to.completeName),
		"lockctl run": thenFiles(to.completeName),
		"lockctl ls":  firstOf(to.completePrefix), "lockctl watch": firstOf(to.completePrefix), "lockctl top": firstOf(to.completePrefix),
		"lockctl renew": firstOf(completeOwn), "lockctl release": firstOf(completeOwn),
		"lockctl completion":  firstOf(fixed(shells)),
		"lockctl context use": firstOf(to.completeContext), "lockctl context show": firstOf(to.completeContext),
		"lockctl context set": firstOf(to.completeContext), "lockctl context rm": to.completeContext,
	}
	byFlag := map[string]completer{
		"context": to.completeContext, "server": to.completeServer, "token": to.completeToken, "lease-file": anyFile, "config": anyFile,
	}
	eachCommand(root, func(cmd *cobra.Command) {
		if !cmd.HasSubCommands() {
			cmd.ValidArgsFunction = offering(byCommand[cmd.CommandPath()])
		}
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			// It fails for a flag that has something to offer already.
			_ = cmd.RegisterFlagCompletionFunc(flag.Name, offering(byFlag[flag.Name]))
		})
	})
}

// offering is a completer for cobra; nil offers nothing, and no files either.
func offering(words completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if words == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, then := words(cmd, args, typed)
		return slices.DeleteFunc(found, func(word string) bool { return !strings.HasPrefix(word, typed) }), then
	}
}

// typeable reports whether a word means itself on the command line of every shell. A name, which others
// have chosen, is offered only then: one that must be quoted could be run instead where a script forgets to.
func typeable(word string) bool {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._:+@-", r)
	}
	return word != "" && word[0] != '-' && word[0] != '@' && strings.IndexFunc(word, odd) < 0
}

func fixed(words []string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return slices.Clone(words), cobra.ShellCompDirectiveNoFileComp
	}
}

func anyFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// thenFiles is for a command line that goes on with somebody else's.
func thenFiles(first completer) completer {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return first(cmd, args, typed)
	}
}

// completeOwn offers the name of the lease that the environment or a --lease-file holds.
func completeOwn(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	name := os.Getenv(variableName)
	if path := cmd.Flag("lease-file").Value.String(); path != "" {
		variables, _ := readLeaseFile(path) // a completion has no way to say what is wrong
		name = variables[variableName]
	}
	if !typeable(name) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{name}, cobra.ShellCompDirectiveNoFileComp
}

func (s *server) completeContext(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	file, err := s.readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := slices.DeleteFunc(file.names(), func(name string) bool { return slices.Contains(args, name) })
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (s *server) completeServer(*cobra.Command, []string, string) (servers []string, _ cobra.ShellCompDirective) {
	file, err := s.readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, name := range file.names() {
		servers = append(servers, file.named[name][settingServer])
	}
	return servers, cobra.ShellCompDirectiveNoFileComp
}
