package main

import (
	"cmp"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	lockd "github.com/lockd/lockd/clients/go"
)

// The settings that say where lockd is and how it is spoken to. Each is a flag, a variable LOCKCTL_… and a
// key in a context.
const (
	settingServer         = "server"
	settingTLS            = "tls"
	settingCA             = "ca"
	settingCert           = "cert"
	settingKey            = "key"
	settingServerName     = "server-name"
	settingTokenFile      = "token-file"
	settingInsecure       = "insecure"
	settingUnavailableFor = "unavailable-for"

	defaultServer = "localhost:7420"
)

var settings = []string{
	settingServer, settingTLS, settingCA, settingCert, settingKey, settingServerName, settingTokenFile, settingInsecure, settingUnavailableFor,
}

// paths are the settings that name files.
var paths = []string{settingCA, settingCert, settingKey, settingTokenFile}

// The variables that are not a setting's own.
const (
	serverVariable  = "LOCKCTL_SERVER" // as variableOf says
	contextVariable = "LOCKCTL_CONTEXT"
	configVariable  = "LOCKCTL_CONFIG"
)

// variableOf is the variable of a flag.
func variableOf(flag string) string {
	return "LOCKCTL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (s *server) register(flags *pflag.FlagSet) {
	s.flags = flags
	flags.StringVar(&s.target, settingServer, "", "lockd, as host:port[,host:port…] or a gRPC target (default "+defaultServer+")")
	flags.BoolVar(&s.tls.on, settingTLS, false, "encrypt, and trust whom the system trusts; each of the next four encrypts as well")
	flags.StringVar(&s.tls.CA, settingCA, "", "PEM `FILE` of who may have signed lockd's certificate")
	flags.StringVar(&s.tls.Cert, settingCert, "", "PEM `FILE` of the certificate that says who you are")
	flags.StringVar(&s.tls.Key, settingKey, "", "PEM `FILE` of its private key")
	flags.StringVar(&s.tls.ServerName, settingServerName, "", "`NAME` that lockd's certificate must be for (default the host)")
	flags.StringVar(&s.tokenFile, settingTokenFile, "", "`FILE` whose first line is the bearer token that says who you are")
	flags.BoolVar(&s.insecure, settingInsecure, false, "allow plaintext beyond loopback and unix sockets: lease ids are secrets and travel unprotected")
	durationVar(flags, &s.unavailableFor, settingUnavailableFor, "", lockd.DefaultUnavailableFor,
		"give up when nobody has served for so long (a longer --wait goes on unless this is given); at once if every address refuses the first connection")
	flags.StringVar(&s.context, "context", "", `the context to use, by name (see "lockctl context")`)
	flags.StringVar(&s.config, "config", "", "the file with the contexts (default $XDG_CONFIG_HOME/lockd/lockctl.yaml)")
}

// resolve fills in what the command line leaves open: flag, environment, context, default, each setting by
// itself. Nothing that was meant for one server counts for another: a context counts only if nothing that
// goes before it names a server, and how the server is spoken to is asked where it was named.
func (s *server) resolve() error {
	if s.origin != nil {
		return nil
	}
	place, err := s.place()
	if err != nil {
		return err
	}
	origin := make(map[string]string)
	for _, key := range settings {
		if origin[key], err = s.settle(key, place); err != nil {
			return err
		}
	}
	s.target = cmp.Or(s.target, defaultServer)
	s.inUse, s.origin = place.name, origin
	return nil
}

// place is where the server was named: the command line, a context or the environment.
type place struct {
	name    string            // of a context, else ""
	context map[string]string // its settings
	byFlag  bool              // on the command line
}

func (s *server) place() (p place, err error) {
	serverSet, contextSet := s.flags.Changed(settingServer), s.flags.Changed("context")
	switch {
	case serverSet && contextSet:
		return p, usagef("--server and --context both say where lockd is; want one of them")
	case serverSet && s.target == "":
		return p, usagef("--server is empty; want host:port[,host:port…] or a gRPC target")
	case serverSet:
		return place{byFlag: true}, nil
	case contextSet:
		p.byFlag = true
		p.name, p.context, err = s.pick(s.context, "--context")
	case os.Getenv(serverVariable) != "":
	case os.Getenv(contextVariable) != "":
		p.name, p.context, err = s.pick(os.Getenv(contextVariable), contextVariable)
	default:
		p.name, p.context, err = s.pick("", "")
	}
	return p, err
}

// pick returns a context's settings: that of the name, which source gives, or the current one if there is no
// source, or none.
func (s *server) pick(name, source string) (string, map[string]string, error) {
	file, err := s.readContexts()
	if err != nil {
		return "", nil, err
	}
	if source == "" {
		name = file.current
		return name, file.named[name], nil
	}
	if err := file.has(name); err != nil {
		return "", nil, usagef("%s: %w", source, err)
	}
	return name, file.named[name], nil
}

// settle gives a setting the value that counts, and says where that is from.
func (s *server) settle(key string, p place) (origin string, err error) {
	flag, variable := s.flags.Lookup(key), variableOf(key)
	value := os.Getenv(variable)
	if key != settingUnavailableFor && (p.byFlag || p.name != "") {
		value = "" // what the environment says is said of another server
	}
	fromContext, inContext := p.context[key]
	switch {
	case flag.Changed:
		return "--" + key, nil
	case value != "":
		if err := checkSetting(key, value); err != nil {
			return "", usagef("%s is %q; want %s", variable, value, err)
		}
		origin = variable
	case inContext:
		value, origin = fromContext, "context "+p.name // checked when it was read
	default:
		return "default", nil
	}
	// Not Set on the flag, which would make it look as if it was on the command line.
	return origin, flag.Value.Set(value)
}

// checkSetting says what a value would have to be, nil if it is that.
func checkSetting(key, value string) error {
	switch key {
	case settingInsecure, settingTLS:
		if _, err := strconv.ParseBool(value); err != nil {
			return errors.New("true or false")
		}
	case settingUnavailableFor:
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			return errors.New("a duration of more than 0 with a unit, such as 500ms, 30s or 5m")
		}
	case settingServerName:
		if value == "" {
			return errors.New("the name in lockd's certificate")
		}
	case settingCA, settingCert, settingKey, settingTokenFile:
		if value == "" {
			return errors.New("the path of a file")
		}
	default:
		if value == "" {
			return errors.New("host:port[,host:port…] or a gRPC target")
		}
	}
	return nil
}

// patient reports whether somebody has said for how long to put up with lockd's absence.
func (s *server) patient() bool { return s.origin[settingUnavailableFor] != "default" }
