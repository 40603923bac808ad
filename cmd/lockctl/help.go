package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootIntro = `lockctl takes, shows and breaks leases on names, and runs commands under them.

A lease alone cannot stop a process that was paused past its deadline. Its token can, if what you
protect refuses a smaller one: the command finds it in LOCKD_TOKEN.`

// An entry explains a word: an exit code, a variable, a file.
type entry struct{ word, text string }

var exitCodes = []entry{
	{"0", "done"},
	{"64", "wrong usage or configuration: a flag, an argument, a name, a context"},
	{"69", "no lockd or its store could be reached"},
	{"70", `the lease was lost: before the command ended, or before "renew", "release" or "force-release"`},
	{"75", "not acquired: somebody else holds the name (-E sets another code)"},
	{"77", "denied"},
	{"78", `"doctor": something was found`},
	{"1", "anything else"},
	{"126", `"run": the command cannot be started`},
	{"127", `"run": the command was not found`},
	{"128+n", `interrupted by signal n ("watch", begun: 0); "run": the command was ended by it`},
}

const exitCodesEnd = `Otherwise "run" passes the command's own code on.`

var environment = []entry{
	{serverVariable, "where lockd is, if neither --server nor --context says so"},
	{"LOCKCTL_TLS, LOCKCTL_CA, LOCKCTL_CERT, LOCKCTL_KEY, LOCKCTL_SERVER_NAME, LOCKCTL_TOKEN_FILE", "as --tls, --ca, --cert, --key, --server-name, --token-file, for " + serverVariable},
	{variableOf(settingInsecure), "true: plaintext is allowed to " + serverVariable},
	{variableOf(settingUnavailableFor), "as --unavailable-for"},
	{contextVariable, "the context to use, if nothing before it names a server"},
	{configVariable, "the file with the contexts, unless --config names it"},
	{"XDG_CONFIG_HOME", "where the file with the contexts is otherwise"},
	{"NO_COLOR, TERM", "no colour if NO_COLOR is set or TERM is dumb, unless --color says otherwise"},
	{variableID + ", " + variableName, `the lease that "renew" and "release" mean, without --lease-file; "run" gives them to its command`},
}

var files = []entry{
	{"$XDG_CONFIG_HOME/lockd/lockctl.yaml", `the contexts; ~/.config/lockd/lockctl.yaml if XDG_CONFIG_HOME is not set (see "lockctl context")`},
}

// rootHelp is all of it.
func rootHelp() string {
	return rootIntro + "\n\nExit codes:\n" + listed(exitCodes) + "  " + exitCodesEnd +
		"\n\nEnvironment:\n" + listed(environment) + "\nFiles:\n" + strings.TrimSuffix(listed(files), "\n")
}

// listed is a line for each entry, two where its word is long.
func listed(entries []entry) string {
	width := 0
	for _, e := range entries {
		if len(e.word) <= 26 {
			width = max(width, len(e.word))
		}
	}
	var text strings.Builder
	for _, e := range entries {
		if len(e.word) > width {
			fmt.Fprintf(&text, "  %s\n  %-*s  %s\n", e.word, width, "", e.text)
			continue
		}
		fmt.Fprintf(&text, "  %-*s  %s\n", width, e.word, e.text)
	}
	return text.String()
}

// onlyCommands has a command that is there for those below it show its help, or point out which of
// them may have been meant.
func onlyCommands(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(cmd, args[0])
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// unknownCommand says which command below cmd may have been meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			names = append(append(names, below.Name()), below.Aliases...)
		}
	}
	return fmt.Errorf("unknown command %q for %q%s", name, cmd.CommandPath(), meant(name, names))
}

var unknownFlag = regexp.MustCompile(`^unknown flag: --(.*)$`)

// flagError points out which flag may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	found := unknownFlag.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) })
	return errors.New(err.Error() + meant("--"+found[1], names))
}

// newHelp is cobra's "help" that fails for a command that is not there.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]…",
		Short:   "Show what a command does, and its flags",
		Long:    `Help shows what "lockctl COMMAND --help" shows.`,
		Example: "  lockctl help run\n  lockctl help context set",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownCommand(about, rest[0])
			}
			about.InitDefaultHelpFlag() // shown, too
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) (found []cobra.Completion, _ cobra.ShellCompDirective) {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) == 0 {
				for _, below := range about.Commands() {
					if below.IsAvailableCommand() && strings.HasPrefix(below.Name(), typed) {
						found = append(found, cobra.CompletionWithDesc(below.Name(), below.Short))
					}
				}
			}
			return found, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// usageTemplate is cobra's without the second line of usage that a command has which is there for others.
const usageTemplate = `Usage:
  {{.UseLine}}{{if .Aliases}}

Aliases:
  {{.NameAndAliases}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" says more about a command.{{end}}
`

// eachCommand visits cmd and what is below it, as far as help shows it.
func eachCommand(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			eachCommand(below, visit)
		}
	}
}
