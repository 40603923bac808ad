package proxy

import (
	"bufio"
	"net"
	"strconv"
)

// newRedisConn reads RESP. Redis answers in order, so the n-th reply is the n-th request's; pushes
// (RESP3) belong to no request.
func newRedisConn(client, server net.Conn) *conn {
	c := newConn(client, server)
	requests, replies := bufio.NewReader(client), bufio.NewReader(server)
	var sent, answered uint32
	c.request = func() (message, error) {
		b, err := readValue(requests, nil)
		sent++
		return message{bytes: b, id: sent, text: b}, err
	}
	c.reply = func() (message, error) {
		b, err := readValue(replies, nil)
		if err != nil || b[0] == '>' {
			return message{bytes: b}, err
		}
		answered++
		return message{bytes: b, id: answered}, nil
	}
	return c
}

// readValue appends one whole RESP value to buf, as it is on the wire.
func readValue(r *bufio.Reader, buf []byte) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return buf, err
	}
	if len(line) < len("+\r\n") {
		return buf, errProtocol
	}
	kind, rest := line[0], string(line[1:len(line)-2])
	buf = append(buf, line...)
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(': // all in its line
		return buf, nil
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return buf, errProtocol
	}
	if n < 0 { // null
		return buf, nil
	}
	switch kind {
	case '$', '=', '!': // so many bytes and CR LF
		return readFull(r, buf, n+2)
	case '*', '~', '>': // so many values
		return readValues(r, buf, n)
	case '%': // so many pairs
		return readValues(r, buf, 2*n)
	}
	return buf, errProtocol
}

func readValues(r *bufio.Reader, buf []byte, n int) ([]byte, error) {
	var err error
	for range n {
		if buf, err = readValue(r, buf); err != nil {
			return buf, err
		}
	}
	return buf, nil
}
