package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what the linker was told (-X main.version=…).
var version string

// versionText is version, or else what the Go tool knows of the build.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// build is what "version" prints.
type build struct {
	Version  string `json:"version"`
	Platform string `json:"platform"`
	Go       string `json:"go"`
}

func newVersion() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of lockctl",
		Long:  "Print the version of lockctl. That of the server is in \"lockctl status\".",
		Example: `  lockctl version
  lockctl version -o json | jq -r .version`,
		Args: cobra.NoArgs,
	}
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		b := build{Version: versionText(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
		return out.print(cmd, view{value: b, table: func(s *screen) error {
			return s.printf("lockctl %s %s %s\n", b.Version, b.Platform, b.Go)
		}})
	})
	return cmd
}
