package main

const about = `lockd grants leases with fencing tokens over gRPC.

A lease alone cannot stop a process that was paused past its deadline; the
token can, if what you protect refuses a smaller one. Without --redis, leases
are kept in memory and end with the process.

Every setting can be a flag, LOCKD_... in the environment (its name is in
brackets) or a key of the file, named like the flag; the first of these counts,
then the default. A key that is unknown is an error in the file and ignored in
the environment. A password may be in the environment or a file, never in a
flag's value.

SIGTERM and SIGINT drain: health says NOT_SERVING, waits end with DRAINING,
calls under way are finished (at most 5 s), leases stay. A second one ends
lockd at once.`

const examples = `  lockd
  lockd --redis redis://localhost:6379 --listen 0.0.0.0:7420 --insecure
  LOCKD_REDIS=redis://:secret@redis:6379 lockd --config /etc/lockd.yaml`

const helpTemplate = `{{.Long}}

Usage:
  lockd [flags]

Flags:
{{.Flags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}

Exit codes:
   0  drained after SIGTERM or SIGINT
   1  anything else, such as a port that is taken
  64  wrong usage or configuration
  69  the store cannot be reached
  78  the store must not be used as it is set up: eviction, role, version, layout

Examples:
{{.Example}}
`
