package main

const about = `lockd grants leases with fencing tokens over gRPC.

A lease alone cannot stop a process that was paused past its deadline; the
token can, if what you protect refuses a smaller one. Without --redis and
--redlock, leases are kept in memory and end with the process.

Every setting can be a flag, LOCKD_... in the environment (its name is in
brackets) or a key of the file, named like the flag; the first of these counts,
then the default. A key that is unknown is an error in the file and ignored in
the environment. A password may be in the environment or a file, never in a
flag's value. "lockd config print" shows every setting and where it comes from.

SIGHUP has the file read again, and those of passwords and certificates: these,
log-level and all limits (…-ttl, max-…, tenant-…) change at once; of others that
have changed, and of max-ttl with --redlock, the log says that they take a
restart. If anything is wrong, nothing changes.

SIGTERM and SIGINT drain: health says NOT_SERVING, waits end with DRAINING,
calls under way are finished (at most 5 s), leases stay. A second one ends
lockd at once.`

const examples = `  lockd
  lockd --redis redis://localhost:6379 --listen 0.0.0.0:7420 --insecure
  lockd --redlock redis://a,redis://b,redis://c,redis://d,redis://e --redis-password-file /run/secrets/redis
  LOCKD_REDIS=redis://:secret@redis:6379 lockd --config /etc/lockd.yaml`

const aboutPrint = `lockd config print writes every setting that lockd would start with, and where
it comes from: a flag, a variable, a line of the file, or its default. What it
writes is YAML for --config; passwords are hidden, and have to be put back. It
asks nobody. If the configuration is not valid it says why and exits with 64.`

const printExamples = `  lockd config print --config /etc/lockd.yaml
  LOCKD_MAX_TTL=10m lockd config print | grep ttl`

const aboutHealthcheck = `lockd healthcheck asks a running lockd, by gRPC's health service, whether work
should be sent to it, and exits with 0 if so, else with 1, and says which. It
looks where lockd was told to listen, by --listen, LOCKD_LISTEN or the file;
where that is every interface, on loopback. A lockd that asks callers who they
are is asked by its /readyz, which answers everybody.`

const healthcheckExamples = `  lockd healthcheck
  lockd healthcheck --listen 10.0.0.5:7420 --timeout 500ms`

const aboutRedlock = `lockd redlock changes which servers are the nodes of a quorum, where lockd does not
by itself: it makes a group of new nodes when all are empty, and takes a node back
in that it has seen before, but a node that is new looks like one that has lost
its data. "replace" takes nodes in, "init" begins anew. Both talk to all nodes that
--redlock lists, say what these are and will be, and ask.`

const aboutReplace = `lockd redlock replace takes those nodes in that are new, or have lost their data,
while a majority of those listed is the group that it was. New ones vote when all
leases of before have ended, at the latest after the longest ttl and its grace; the
others go on. Nodes that are not listed never vote again. A larger --max-ttl than
the group has raises that; without --max-ttl it stays.

A running lockd follows; each has to be given the new list. What was not finished,
since a node died meanwhile, is finished by running it again.`

const aboutInit = `lockd redlock init makes the nodes a new group, whatever they were: for when a
majority has lost its data. Unless all are empty no lease is granted until all
leases of before have ended, at the latest after the longest ttl and its grace.
Each lockd on these nodes has to be started again.`

const redlockExamples = `  lockd redlock replace --redlock redis://a,redis://b,redis://new --redis-password-file /run/secrets/redis
  lockd redlock init --yes --config /etc/lockd.yaml`

const helpTemplate = `{{.Long}}

Usage:
  {{.UseLine}}{{if not .HasParent}}
  lockd config print [flags]
  lockd healthcheck [flags]
  lockd redlock replace [flags]
  lockd redlock init [flags]{{end}}{{if .HasAvailableFlags}}

Flags:
{{.Flags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}{{end}}{{if not .HasParent}}

Exit codes:
   0  drained after SIGTERM or SIGINT
   1  anything else, such as a port that is taken
  64  wrong usage or configuration
  69  the store cannot be reached
  78  the store must not be used as it is set up, or refuses lockd:
      password, rights, certificate, eviction, role, version, layout, key prefix{{end}}

Examples:
{{.Example}}
`
