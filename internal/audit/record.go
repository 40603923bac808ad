package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// Record is something that was done or refused. What is "" or 0 is left out.
type Record struct {
	At      time.Time
	What    string // "acquire"
	Outcome string // "granted"; of what was refused, the reason on the wire: "LEASE_HELD"
	Who     string // the principal
	Owner   string // as the lease's holder calls itself
	Peer    fmt.Stringer
	Name    string
	Token   int64
	// Lease is a lease id, which is a secret: a hash of it is written, the same each time.
	Lease string
	By    string // who ended another's lease, as they call themselves
	Why   string // in their words
}

// maxText bounds each text, in bytes. All that comes from clients is shorter, or was refused.
const maxText = 1024

// appendTo appends r as a line of JSON.
func (r *Record) appendTo(line []byte) []byte {
	line = append(line, `{"at":"`...)
	line = r.At.UTC().AppendFormat(line, "2006-01-02T15:04:05.000000Z07:00")
	line = append(line, '"')
	line = appendField(line, "what", r.What)
	line = appendField(line, "outcome", r.Outcome)
	line = appendField(line, "who", r.Who)
	line = appendField(line, "owner", r.Owner)
	if r.Peer != nil {
		line = appendField(line, "peer", r.Peer.String())
	}
	line = appendField(line, "name", r.Name)
	if r.Token != 0 { // a string, as in all JSON of ours: it can be more than others can count to
		line = appendField(line, "token", strconv.FormatInt(r.Token, 10))
	}
	if r.Lease != "" {
		line = appendField(line, "lease", hashed(r.Lease))
	}
	line = appendField(line, "by", r.By)
	line = appendField(line, "why", r.Why)
	return append(line, '}', '\n')
}

// hashed names a lease id without telling it: with 128 random bits in it, nobody finds it by trying.
func hashed(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

func appendField(line []byte, key, text string) []byte {
	if text == "" {
		return line
	}
	line = append(line, ',', '"')
	line = append(line, key...)
	line = append(line, '"', ':', '"')
	line = appendText(line, text)
	return append(line, '"')
}

// appendText escapes text for JSON and for whoever shows the file on a terminal: nothing in it ends a line, moves a
// cursor or turns what follows around. encoding/json leaves C1 controls and bidirectional marks as they are.
func appendText(line []byte, text string) []byte {
	for i, r := range text {
		switch {
		case i >= maxText:
			return append(line, "…"...)
		case r == '"' || r == '\\':
			line = append(line, '\\', byte(r))
		case r == utf8.RuneError:
			line = append(line, `\ufffd`...)
		case unicode.IsPrint(r):
			line = utf8.AppendRune(line, r)
		case r > 0xffff: // a pair, as JSON wants it
			r -= 0x10000
			line = fmt.Appendf(line, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			line = fmt.Appendf(line, `\u%04x`, r)
		}
	}
	return line
}
