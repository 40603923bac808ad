// Package redlock keeps leases in a quorum of independent Redis servers.
package redlock
