package main

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/audit"
)

// openAudit opens the audit log, nil if none is wanted.
func openAudit(c config, log *zap.Logger) (*audit.Log, error) {
	if c.AuditLog == "" {
		return nil, nil
	}
	return audit.Open(c.AuditLog, func(err error) { log.Error("the record has a gap, or will have one", zap.Error(err)) })
}

// recordReload keeps a record of the settings that were changed.
func recordReload(to *audit.Log, changed []change) {
	for _, c := range changed {
		to.Note(audit.Record{What: "setting", Outcome: "changed", Name: c.setting, Why: fmt.Sprintf("from %q to %q, by %s", c.from, c.to, c.origin)})
	}
}
