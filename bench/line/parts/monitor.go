package parts

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// monitor is told every command that Redis executes.
type monitor struct {
	conn  net.Conn
	lines *bufio.Reader
}

// recordWithin bounds how long a command may take to be told.
const recordWithin = 5 * time.Second

func watch(addr string) (*monitor, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	m := &monitor{conn, bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(recordWithin)); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		return nil, err
	}
	if line, err := m.lines.ReadString('\n'); err != nil || line != "+OK\r\n" {
		return nil, fmt.Errorf("MONITOR answered %q, %w", line, err)
	}
	return m, nil
}

func (m *monitor) close() { m.conn.Close() }

// argument is one as MONITOR quotes it, which Go unquotes alike.
var argument = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// command returns the first command with this name that a client, not a script, sent with an argument arg.
func (m *monitor) command(name, arg string) ([]any, error) {
	client := regexp.MustCompile(`^\+[0-9.]+ \[\d+ [^l]`) // a script's have "lua" for an address
	for {
		line, err := m.lines.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("no %s was seen: %w", name, err)
		}
		if !client.MatchString(line) {
			continue
		}
		var verb string // in the client's own case
		var words []any
		for _, quoted := range argument.FindAllString(line, -1) {
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("MONITOR told %s: %w", quoted, err)
			}
			if len(words) == 0 {
				verb = word
			}
			words = append(words, word)
		}
		if strings.EqualFold(verb, name) && slices.Contains(words, any(arg)) {
			return words, nil
		}
	}
}
