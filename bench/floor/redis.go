package floor

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
)

// store is one connection to Redis, without a library.
type store struct {
	conn    net.Conn
	replies *bufio.Reader
	out     []byte
	sent    int // commands in out
}

func dial(addr string) (*store, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &store{conn: conn, replies: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// do has ops done in one round trip: a look at what is there, one write of the fence, a SET or a PEXPIRE for each lease and
// one DEL. lockd looks at the same, and its script does the same to it.
func (s *store) do(ops []operation) error {
	s.out, s.sent = s.out[:0], 0
	keys, released := 0, 0
	for i := range ops {
		switch ops[i].kind {
		case acquire:
			keys += 2
		case renew:
			keys++
		case release:
			keys += 2
			released++
		}
	}
	s.command("MGET", 2+keys)
	s.text("floor:fence")
	s.text("floor:watched")
	for i := range ops {
		s.key("lock:", ops[i].name)
		if ops[i].kind != renew {
			s.key("line:", ops[i].name)
		}
	}
	fenced := false
	for i := range ops {
		switch ops[i].kind {
		case acquire:
			if !fenced {
				s.command("SET", 2)
				s.text("floor:fence")
				s.text("1763740000000000")
				fenced = true
			}
			s.command("SET", 4)
			s.key("lock:", ops[i].name)
			s.bytes("", ops[i].leaseID, "|1|0123456789abcdef|1763740000000000|8000|8800|1763740000000000|"+owner)
			s.text("PX")
			s.text("8800")
		case renew:
			s.command("PEXPIRE", 2)
			s.key("lock:", ops[i].name)
			s.text("8800")
		}
	}
	if released > 0 {
		s.command("DEL", released)
		for i := range ops {
			if ops[i].kind == release {
				s.key("lock:", ops[i].name)
			}
		}
	}
	if _, err := s.conn.Write(s.out); err != nil {
		return err
	}
	for range s.sent {
		if err := s.skip(); err != nil {
			return err
		}
	}
	return nil
}

// command begins a command with so many arguments.
func (s *store) command(name string, arguments int) {
	s.out = append(strconv.AppendInt(append(s.out, '*'), int64(arguments)+1, 10), "\r\n"...)
	s.text(name)
	s.sent++
}

func (s *store) text(text string) { s.bytes(text, nil, "") }

func (s *store) key(kind string, name []byte) { s.bytes("floor:{0}:"+kind, name, "") }

// bytes appends an argument in three parts.
func (s *store) bytes(before string, b []byte, after string) {
	s.out = append(strconv.AppendInt(append(s.out, '$'), int64(len(before)+len(b)+len(after)), 10), "\r\n"...)
	s.out = append(append(append(append(s.out, before...), b...), after...), "\r\n"...)
}

// skip reads over a reply; an error that Redis answers is one.
func (s *store) skip() error {
	line, err := s.replies.ReadSlice('\n')
	if err != nil {
		return err
	}
	switch line[0] {
	case '-':
		return fmt.Errorf("redis says: %s", line)
	case '$', '*':
		n, err := strconv.Atoi(string(line[1 : len(line)-2]))
		if err != nil || n < 0 {
			return err
		}
		if line[0] == '$' {
			_, err = io.CopyN(io.Discard, s.replies, int64(n)+2)
			return err
		}
		for range n {
			if err := s.skip(); err != nil {
				return err
			}
		}
	}
	return nil
}
