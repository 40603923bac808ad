package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// prefix of every variable of ours. Others begin like it too: Kubernetes sets LOCKD_PORT and
// LOCKD_SERVICE_HOST for a service named lockd, and lockctl gives LOCKD_TOKEN to its children. So no
// setting has such a name, and what is unknown in the environment is not ours.
const prefix = "LOCKD_"

// notSettings are the flags that neither environment nor file can set; the file's own name is in
// the environment alone.
var notSettings = []string{"config", "check-config", "version", "help"}

func variable(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// layer sets every flag that the command line left alone to what the environment says, or else the
// file.
func layer(flags *pflag.FlagSet, environ []string) error {
	settings := settingsOf(flags)
	values := koanf.New(".")
	path := flags.Lookup("config").Value.String()
	if value, ok := lookup(environ, variable("config")); ok && !flags.Changed("config") {
		path = value
	}
	if path != "" {
		if err := loadFile(values, path, settings); err != nil {
			return err
		}
	}
	source := map[string]string{}
	for _, key := range values.Keys() {
		source[key] = fmt.Sprintf("%s in %s", key, path)
	}
	provider := env.Provider(".", env.Opt{
		Prefix:      prefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			i := slices.IndexFunc(settings, func(s string) bool { return variable(s) == name })
			if i < 0 {
				return "", nil
			}
			source[settings[i]] = name
			return settings[i], value
		},
	})
	if err := values.Load(provider, nil); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	for _, key := range values.Keys() {
		if flags.Changed(key) {
			continue
		}
		// Set on the value, since Set on the flag would make it look as if it was on the command line.
		if err := flags.Lookup(key).Value.Set(values.String(key)); err != nil {
			return fmt.Errorf("%s is %q; want %s", source[key], values.String(key), wanted(flags.Lookup(key)))
		}
	}
	return nil
}

// loadFile reads settings from a YAML file, which must know what it says.
func loadFile(values *koanf.Koanf, path string, settings []string) error {
	if err := values.Load(file.Provider(path), yaml.Parser()); err != nil {
		return fmt.Errorf("config file %s: %w", path, err)
	}
	for _, key := range values.Keys() {
		if !slices.Contains(settings, key) {
			return fmt.Errorf("config file %s: there is no setting %q; did you mean %q?", path, key, nearest(key, settings))
		}
		switch values.Get(key).(type) {
		case string, bool, int, float64:
		default:
			return fmt.Errorf("config file %s: %s has no single value; want one, such as \"\"", path, key)
		}
	}
	return nil
}

// settingsOf answers the names of all settings.
func settingsOf(flags *pflag.FlagSet) (settings []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(notSettings, f.Name) {
			settings = append(settings, f.Name)
		}
	})
	return settings
}

func lookup(environ []string, name string) (value string, ok bool) {
	for _, entry := range environ {
		if key, v, _ := strings.Cut(entry, "="); key == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// wanted says what a flag's value must look like. Strings take everything.
func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	}
	return "a duration with a unit, such as 30s or 5m"
}

// nearest answers the one of names that takes the fewest edits to become key.
func nearest(key string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int { return edits(key, a) - edits(key, b) })
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
