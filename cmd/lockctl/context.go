package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	lockd "github.com/lockd/lockd/clients/go"
)

const contextHelp = `A context is a server with a name: where lockd is and how it is spoken to. Contexts are in a file of yours,
$XDG_CONFIG_HOME/lockd/lockctl.yaml (or ~/.config/lockd/lockctl.yaml, or what --config or LOCKCTL_CONFIG
says), mode 0600:

  current: prod
  contexts:
    prod:
      server: lockd-1:7420,lockd-2:7420
      ca: /etc/lockd/ca.crt
      cert: /home/ada/ada.crt
      key: /home/ada/ada.key
      unavailable-for: 30s

The keys of a context are the names of flags; one that lockctl does not know is an error.

The server is, in this order: --server or --context; LOCKCTL_SERVER; LOCKCTL_CONTEXT; the current context;
` + defaultServer + `. Each setting is the flag, the variable, what the context says, or the default, but nothing
that was said of one server counts for another: where the command line or LOCKCTL_SERVER names the server no
other context counts, and LOCKCTL_INSECURE, LOCKCTL_CA and the like count for LOCKCTL_SERVER and the default only.
"lockctl context show" says what counts here, and why.`

// contextView is a context as it is printed.
type contextView struct {
	Name           string            `json:"name"` // "" if none is used
	Current        bool              `json:"current"`
	Server         string            `json:"server"`
	TLS            bool              `json:"tls,omitempty"`
	CA             string            `json:"ca,omitempty"`
	Cert           string            `json:"cert,omitempty"`
	Key            string            `json:"key,omitempty"`
	ServerName     string            `json:"serverName,omitempty"`
	TokenFile      string            `json:"tokenFile,omitempty"`
	Insecure       bool              `json:"insecure"`
	UnavailableFor string            `json:"unavailableFor"`
	Origin         map[string]string `json:"origin,omitempty"`

	patience time.Duration // UnavailableFor, for people
}

func newContext(to *server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context COMMAND",
		Short: "Name servers, and choose between them",
		Long:  contextHelp,
		Example: `  lockctl context set prod --server lockd-1:7420,lockd-2:7420 --ca ca.crt --cert me.crt --key me.key
  lockctl context use prod
  lockctl --context staging ls`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(newContextList(to), newContextShow(to), newContextSet(to), newContextUse(to), newContextRemove(to))
	return cmd
}

func newContextList(to *server) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the contexts",
		Long:    "Ls lists the contexts of the file, by name; * marks the current one.",
		Example: `  lockctl context ls
  lockctl context ls -o jsonl | jq -r .name`,
		Args: cobra.NoArgs,
	}
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	out.registerHeaders(cmd)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		file, err := to.readContexts()
		if err != nil {
			return err
		}
		return out.print(cmd, file.view())
	})
	return cmd
}

// view has a context on each line.
func (c *contexts) view() view {
	all := make([]contextView, 0, len(c.named))
	lines := []any{}
	rows := [][]cell{}
	for _, name := range c.names() {
		one := viewOf(name, c.named[name])
		one.Current = name == c.current
		all, lines = append(all, one), append(lines, one)
		mark := cell{}
		if one.Current {
			mark = cell{text: "*", style: good}
		}
		rows = append(rows, []cell{mark, {text: one.Name}, {text: plain(one.Server)}, {text: strconv.FormatBool(one.Insecure)}, {text: one.patience.String()}})
	}
	return view{value: map[string]any{"contexts": all}, lines: lines, table: func(s *screen) error {
		return s.table([]column{{title: " "}, {title: "NAME"}, {title: "SERVER", least: 20}, {title: "INSECURE"}, {title: "UNAVAILABLE-FOR"}}, rows)
	}}
}

// viewOf is a context as the file has it, with the defaults of what it leaves out.
func viewOf(name string, values map[string]string) contextView {
	v := contextView{Name: name, Server: values[settingServer], patience: lockd.DefaultUnavailableFor}
	v.Insecure, _ = strconv.ParseBool(values[settingInsecure]) // it has been checked
	v.TLS, _ = strconv.ParseBool(values[settingTLS])
	v.CA, v.Cert, v.Key = values[settingCA], values[settingCert], values[settingKey]
	v.ServerName, v.TokenFile = values[settingServerName], values[settingTokenFile]
	if d, err := time.ParseDuration(values[settingUnavailableFor]); err == nil {
		v.patience = d
	}
	v.UnavailableFor = seconds(v.patience)
	return v
}

func newContextShow(to *server) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show which server is used, and why",
		Long: `Show shows the settings that count for the other commands as they would be called here, each with where it
is from; with NAME, as if --context NAME were given.`,
		Example: `  lockctl context show
  lockctl context show prod -o json | jq -r .server`,
		Args: cobra.MaximumNArgs(1),
	}
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			if to.flags.Changed("context") {
				return usagef("NAME and --context both name a context; want one of them")
			}
			if err := to.flags.Set("context", args[0]); err != nil {
				return err
			}
		}
		if err := to.resolve(); err != nil {
			return err
		}
		file, err := to.readContexts()
		if err != nil {
			return err
		}
		return out.print(cmd, to.view(file))
	})
	return cmd
}

// view is what counts, and why.
func (s *server) view(file *contexts) view {
	v := contextView{
		Name: s.inUse, Current: s.inUse != "" && s.inUse == file.current, Server: s.target, Insecure: s.insecure,
		UnavailableFor: seconds(s.unavailableFor),
		TLS:            s.tls.on, CA: s.tls.CA, Cert: s.tls.Cert, Key: s.tls.Key, ServerName: s.tls.ServerName, TokenFile: s.tokenFile,
		Origin: map[string]string{
			"server": s.origin[settingServer], "insecure": s.origin[settingInsecure], "unavailableFor": s.origin[settingUnavailableFor],
		},
	}
	names := map[string]string{settingTLS: "tls", settingCA: "ca", settingCert: "cert", settingKey: "key", settingServerName: "serverName", settingTokenFile: "tokenFile"}
	for key, name := range names {
		if s.origin[key] != "default" {
			v.Origin[name] = s.origin[key]
		}
	}
	return view{value: v, table: func(out *screen) error {
		from := func(value, key string) cell { return cell{text: fmt.Sprintf("%s (%s)", plain(value), s.origin[key])} }
		rows := [][2]cell{
			{{text: "context"}, {text: plain(v.Name)}},
			{{text: "server"}, from(v.Server, settingServer)},
		}
		for _, key := range settings[1:] {
			if _, rare := names[key]; rare && s.origin[key] != "default" {
				rows = append(rows, [2]cell{{text: key}, from(s.flags.Lookup(key).Value.String(), key)})
			}
		}
		return out.pairs(append(rows, [][2]cell{
			{{text: "insecure"}, from(strconv.FormatBool(v.Insecure), settingInsecure)},
			{{text: "unavailable-for"}, from(s.unavailableFor.String(), settingUnavailableFor)},
			{{text: "file"}, {text: plain(file.path)}},
		}...))
	}}
}
