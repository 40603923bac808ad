package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// completeWithin is how long somebody who has pressed a key waits for names.
	completeWithin = 800 * time.Millisecond
	// completePages is how many pages of leases are looked at, completeMost how many names are offered.
	completePages = 10
	completeMost  = 100
)

// completeName offers the names that are held.
func (s *server) completeName(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	names := s.held(cmd.Context(), typed)
	if len(names) > completeMost {
		return s.segments(names, typed)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completePrefix offers what begins names that are held, up to the next "/".
func (s *server) completePrefix(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return s.segments(s.held(cmd.Context(), typed), typed)
}

// segments is names up to the "/" that follows what is typed. Who has chosen one of these goes on.
func (s *server) segments(names []string, typed string) ([]string, cobra.ShellCompDirective) {
	then := cobra.ShellCompDirectiveNoFileComp
	parts := make([]string, 0, len(names))
	for _, name := range names {
		if i := strings.IndexByte(name[len(typed):], '/'); i >= 0 {
			name = name[:len(typed)+i+1]
			then |= cobra.ShellCompDirectiveNoSpace
		}
		parts = append(parts, name)
	}
	parts = slices.Compact(parts) // sorted they are
	return parts[:min(len(parts), completeMost)], then
}

// held are the names, in order, that are held and begin with what is typed: those that can be found in a
// moment, none if nobody answers.
func (s *server) held(ctx context.Context, typed string) []string {
	var names []string
	s.look(ctx, func(ctx context.Context, leases lockdv1.LeaseServiceClient) {
		// Prefixes are whole segments.
		req := &lockdv1.ListRequest{PageSize: listPage, Prefix: typed[:max(0, strings.LastIndexByte(typed, '/'))]}
		for range completePages {
			page, err := leases.List(ctx, req)
			if err != nil {
				return
			}
			for _, lease := range page.GetLeases() {
				if lease.GetClosedFor() == nil && strings.HasPrefix(lease.GetName(), typed) && typeable(lease.GetName()) {
					names = append(names, lease.GetName())
				}
			}
			if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
				return
			}
		}
	})
	slices.SortFunc(names, cmp.Compare)
	return slices.Compact(names)
}

// completeToken offers the token in force on the name.
func (s *server) completeToken(cmd *cobra.Command, args []string, _ string) (tokens []string, _ cobra.ShellCompDirective) {
	if len(args) == 1 {
		s.look(cmd.Context(), func(ctx context.Context, leases lockdv1.LeaseServiceClient) {
			resp, err := leases.Get(ctx, &lockdv1.GetRequest{Name: args[0]})
			if err == nil && resp.GetHeld() {
				tokens = append(tokens, strconv.FormatInt(resp.GetLease().GetToken(), 10))
			}
		})
	}
	return tokens, cobra.ShellCompDirectiveNoFileComp
}

// look has ask ask a server, for a moment, and whatever goes wrong is not said: nobody could read it.
func (s *server) look(ctx context.Context, ask func(context.Context, lockdv1.LeaseServiceClient)) {
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	client, err := s.dial()
	if err != nil {
		return
	}
	defer client.Close()
	ask(ctx, lockdv1.NewLeaseServiceClient(client.Conn()))
}
