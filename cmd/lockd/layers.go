package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// prefix of every variable of ours. Others begin like it too: Kubernetes sets LOCKD_PORT and
// LOCKD_SERVICE_HOST for a service named lockd, and lockctl gives LOCKD_TOKEN to its children. So no
// setting has such a name, and what is unknown in the environment is not ours.
const prefix = "LOCKD_"

// byDefault is the origin of what nobody has set.
const byDefault = "default"

// notSettings are the flags that neither environment nor file can set; the file's own name is in
// the environment alone.
var notSettings = []string{"config", "check-config", "version", "help"}

// value is what a setting is set to.
type value struct {
	text   string // in the form of its type: 1m0s, not 60s
	origin string // --flag, VARIABLE, file:line or byDefault
}

// sources are where settings come from: the command line, the environment, and the file that one of
// them names. The first that has a setting counts.
type sources struct {
	line    *pflag.FlagSet // the command line, parsed; it is only read
	environ []string
}

// load reads all sources anew and checks the whole, asking nobody. Its error says all that is wrong, a line
// each in the order of --help, and shows no secret.
func (s sources) load() (config, error) {
	c := config{values: make(map[string]value)}
	var wrong problems
	flags := c.flags()
	c.File = s.file()
	inFile, err := readSettings(c.File, settingsOf(flags), &wrong)
	if err != nil {
		return c, err // what it would have set is missing everywhere, and not worth saying
	}
	for _, name := range settingsOf(flags) {
		flag := flags.Lookup(name)
		set := s.value(flag, inFile)
		if err := flag.Value.Set(set.text); err != nil {
			wrong.add(name, set.origin, fmt.Errorf("%s is %q; want %s", name, set.text, wanted(flag)))
			_ = flag.Value.Set(flag.DefValue) // rather than what the flag makes of it, which may be wrong in other ways
		}
		c.values[name] = value{flag.Value.String(), set.origin}
	}
	c.check(&wrong)
	return c, wrong.orNil()
}

// reload is load for the second time and later: the file must be one that can be read again. What came
// through a pipe would be empty now, which is every setting's default.
func (s sources) reload() (config, error) {
	if path := s.file(); path != "" {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return config{}, fmt.Errorf("config file %s is no regular file and cannot be read a second time; want one that is, and a restart", plain(path))
		}
	}
	return s.load()
}

// value answers what flag is to be set to, by the first source that says so.
func (s sources) value(flag *pflag.Flag, inFile map[string]value) value {
	if s.line.Changed(flag.Name) {
		return value{s.line.Lookup(flag.Name).Value.String(), "--" + flag.Name}
	}
	if text, ok := lookup(s.environ, variable(flag.Name)); ok {
		return value{text, variable(flag.Name)}
	}
	if set, ok := inFile[flag.Name]; ok {
		return set
	}
	return value{flag.DefValue, byDefault}
}

// file answers the path of the file with settings, "" if there is none.
func (s sources) file() string {
	if path, ok := lookup(s.environ, variable("config")); ok && !s.line.Changed("config") {
		return path
	}
	return s.line.Lookup("config").Value.String()
}

func variable(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// lookup answers what environ has for name: the last, if there are several.
func lookup(environ []string, name string) (text string, ok bool) {
	for _, entry := range environ {
		if key, v, found := strings.Cut(entry, "="); found && key == name {
			text, ok = v, true
		}
	}
	return text, ok
}

// settingsOf answers the names of all settings, in the order of their definition.
func settingsOf(flags *pflag.FlagSet) (settings []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(notSettings, f.Name) {
			settings = append(settings, f.Name)
		}
	})
	return settings
}

// wanted says what a flag's value must look like. Strings take everything.
func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "duration":
		return "a duration with a unit, such as 30s or 5m"
	}
	return "a whole number"
}
