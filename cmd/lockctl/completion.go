package main

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// offerNoFiles has a shell that completes a command line offer files where a file is meant, and only there:
// for --lease-file, and in the command that "run" runs.
func offerNoFiles(root *cobra.Command) {
	for _, cmd := range slices.Concat(root.Commands(), []*cobra.Command{root}) {
		flags := func(flag *pflag.Flag) {
			if flag.Name != "lease-file" {
				// It fails for a flag that has something to offer.
				_ = cmd.RegisterFlagCompletionFunc(flag.Name, cobra.NoFileCompletions)
			}
		}
		cmd.LocalFlags().VisitAll(flags)
		if cmd != root {
			cmd.ValidArgsFunction = completeArgs
		}
	}
}

func completeArgs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if cmd.Name() == "run" && len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
