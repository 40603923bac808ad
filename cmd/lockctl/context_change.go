package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	lockd "github.com/lockd/lockd/clients/go"
)

// change changes the contexts for a command. What says which context to use says nothing here.
func (s *server) change(cmd *cobra.Command, change func(*contexts) error) error {
	if s.flags.Changed("context") {
		return usagef("--context says which server to use, and none is used here; want NAME")
	}
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	return s.changeContexts(ctx, change)
}

func newContextSet(to *server) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME [--server ADDR] [--ca FILE] [--cert FILE --key FILE] [--token-file FILE] [--insecure] [--unavailable-for D]",
		Short: "Make a context, or change one",
		Long: `Set writes the flags that are given into the context, and leaves its other settings alone. A new one needs
--server. No server is asked whether it is there.`,
		Example: `  lockctl context set prod --server lockd-1:7420,lockd-2:7420 --ca ca.crt --cert me.crt --key me.key
  lockctl context set prod --unavailable-for 1m`,
		DisableFlagsInUseLine: true,
		Args:                  oneName,
		RunE: action(func(cmd *cobra.Command, args []string) error {
			name, values := args[0], make(map[string]string)
			for _, key := range settings {
				if flag := to.flags.Lookup(key); flag.Changed {
					values[key] = absolute(key, flag.Value.String())
				}
			}
			if len(values) == 0 {
				return usagef("there is nothing to set; want one of --%s", strings.Join(settings, ", --"))
			}
			if err := checkContextName(name); err != nil {
				return usagef("%w", err)
			}
			return to.change(cmd, func(file *contexts) error {
				if err := wouldFit(file.named[name], values); err != nil {
					return err
				}
				file.set(name, values)
				return nil
			})
		}),
	}
}

// wouldFit refuses a context that no command could use.
func wouldFit(old, values map[string]string) error {
	all := make(map[string]string)
	for _, key := range settings {
		value, isNew := values[key]
		old, isOld := old[key]
		switch {
		case isNew:
			if err := checkSetting(key, value); err != nil {
				return usagef("--%s is %q; want %w", key, value, err)
			}
			all[key] = value
		case isOld:
			all[key] = old
		}
	}
	if all[settingServer] == "" {
		return usagef("there is no such context yet, and --server is missing; want --server host:port[,host:port…]")
	}
	v := viewOf("", all)
	try := server{
		target: v.Server, insecure: v.Insecure, unavailableFor: lockd.DefaultUnavailableFor, origin: map[string]string{},
		tls: tlsSettings{v.TLS, lockd.TLSFiles{CA: v.CA, Cert: v.Cert, Key: v.Key, ServerName: v.ServerName}}, tokenFile: v.TokenFile,
	}
	client, err := try.dial() // which asks nobody
	if err != nil {
		return err
	}
	return client.Close()
}

func newContextUse(to *server) *cobra.Command {
	var none bool
	cmd := &cobra.Command{
		Use:   "use NAME",
		Short: "Make a context the current one",
		Long:  "Use makes the context NAME the current one: what commands use that are told of no server and no context.",
		Example: `  lockctl context use prod
  lockctl context use --none`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case none && len(args) == 0:
				return nil
			case none:
				return errors.New("NAME and --none exclude each other")
			}
			return oneName(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&none, "none", false, "have no current context any more")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		return to.change(cmd, func(file *contexts) error {
			if none {
				file.use("")
				return nil
			}
			if err := file.has(args[0]); err != nil {
				return usagef("%w", err)
			}
			file.use(args[0])
			return nil
		})
	})
	return cmd
}

func newContextRemove(to *server) *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME…",
		Aliases: []string{"remove"},
		Short:   "Remove contexts",
		Long:    "Rm removes the contexts that are named, or none if one of them is not there. If the current one goes, none is current.",
		Example: `  lockctl context rm staging
  lockctl context ls -o jsonl | jq -r .name | xargs lockctl context rm`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("want at least one NAME, got none")
			}
			return nil
		},
		RunE: action(func(cmd *cobra.Command, args []string) error {
			return to.change(cmd, func(file *contexts) error {
				for _, name := range args {
					if err := file.has(name); err != nil {
						return usagef("%w", err)
					}
				}
				for _, name := range args {
					file.rm(name)
				}
				return nil
			})
		}),
	}
}
