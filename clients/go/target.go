package lockd

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
)

const defaultPort = "7420"

// target is where to connect to.
type target struct {
	grpc      string             // for grpc.NewClient
	addresses []resolver.Address // of a list of servers; nil for a gRPC target
	remote    string             // an address beyond loopback and unix sockets; "" if there is none
}

// parseTarget reads a list of addresses or a gRPC target.
func parseTarget(text string) (target, error) {
	if scheme, rest, ok := strings.Cut(text, ":"); ok && isScheme(scheme, rest) {
		if resolver.Get(scheme) == nil {
			return target{}, fmt.Errorf("%w: target %q: gRPC knows no scheme %q; want host:port, unix:///path or dns:///host:port", ErrInvalid, text, scheme)
		}
		return target{grpc: text, remote: remoteTarget(scheme, rest)}, nil
	}
	t := target{grpc: listScheme + ":///" + listScheme}
	for address := range strings.SplitSeq(text, ",") {
		host, port, err := splitAddress(strings.TrimSpace(address))
		if err != nil {
			return target{}, fmt.Errorf("%w: target %q: %w", ErrInvalid, text, err)
		}
		address := net.JoinHostPort(host, port)
		t.addresses = append(t.addresses, resolver.Address{Addr: address, Attributes: hostOf(address)})
		if !isLoopback(host) {
			t.remote = address
		}
	}
	return t, nil
}

// isScheme tells "dns:///host:1" from "host:1".
func isScheme(scheme, rest string) bool {
	switch scheme {
	case "unix", "unix-abstract", "dns", "passthrough":
		_, err := strconv.Atoi(rest)
		return err != nil // a host may be called dns
	}
	return strings.HasPrefix(rest, "//")
}

// remoteTarget returns what of a gRPC target is beyond loopback and unix sockets, "" if nothing. Of a
// scheme that this package does not know it assumes the worst.
func remoteTarget(scheme, rest string) string {
	switch scheme {
	case "unix", "unix-abstract":
		return ""
	case "dns", "passthrough":
		address := rest[strings.LastIndex(rest, "/")+1:]
		if host, _, err := splitAddress(address); err == nil && isLoopback(host) {
			return ""
		}
		return address
	}
	return scheme + ":" + rest
}

// splitAddress reads host, host:port, [v6]:port or a bare v6 address; port is the default if none is
// given.
func splitAddress(address string) (host, port string, err error) {
	if address == "" {
		return "", "", fmt.Errorf("an address is empty; want host:port")
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if _, err := netip.ParseAddr(bare); err == nil || !strings.Contains(address, ":") {
		return bare, defaultPort, nil
	}
	host, port, err = net.SplitHostPort(address)
	if err != nil {
		return "", "", fmt.Errorf("%q is no address; want host:port", address)
	}
	if host == "" {
		host = "localhost"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q has the port %q; want 1 to 65535", address, port)
	}
	return host, port, nil
}

func isLoopback(host string) bool {
	if host == "localhost" { // x.localhost is looked up by Go as any other name
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// options returns what grpc.NewClient needs to find t.
func (t target) options() []grpc.DialOption {
	if t.addresses == nil {
		return nil
	}
	return []grpc.DialOption{
		grpc.WithResolvers(serverList(t.addresses)),
		grpc.WithAuthority(t.addresses[0].Addr),
	}
}

// listScheme names serverList among gRPC's resolvers.
const listScheme = "lockd"

// serverList is a gRPC resolver that knows its addresses. Host names in it are looked up with every
// attempt to connect.
type serverList []resolver.Address

// Scheme implements resolver.Builder.
func (serverList) Scheme() string { return listScheme }

// Build implements resolver.Builder.
func (l serverList) Build(_ resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	return l, cc.UpdateState(resolver.State{Addresses: l})
}

// ResolveNow implements resolver.Resolver: there is nothing new to find.
func (serverList) ResolveNow(resolver.ResolveNowOptions) {}

// Close implements resolver.Resolver.
func (serverList) Close() {}
