package main

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/audit"
	"github.com/lockd/lockd/internal/auth"
)

// openAudit opens the audit log, nil if none is wanted.
func openAudit(c config, log *zap.Logger) (*audit.Log, error) {
	if c.AuditLog == "" {
		return nil, nil
	}
	return audit.Open(c.AuditLog, func(err error) { log.Error("the record has a gap, or will have one", zap.Error(err)) })
}

// itself is who does what nobody asked for over the network: whoever may change its files, or signal it.
const itself = "lockd"

// recordReload keeps a record of the settings that were changed.
func recordReload(to *audit.Log, changed []change) {
	for _, c := range changed {
		to.Note(audit.Record{What: "setting", Outcome: "changed", Who: itself, Name: c.setting, Why: fmt.Sprintf("from %q to %q, by %s", c.from, c.to, c.origin)})
	}
}

// recordFiles keeps a record of the files of access that hold something else now, and in short what.
func recordFiles(to *audit.Log, changed []auth.Change) {
	for _, c := range changed {
		to.Note(audit.Record{What: c.Setting, Outcome: "replaced", Who: itself, Why: c.Now})
	}
}

// recordRefusal keeps a record of a reload that changed nothing, and why.
func recordRefusal(to *audit.Log, problem string) {
	to.Note(audit.Record{What: "reload", Outcome: "refused", Who: itself, Why: problem})
}
