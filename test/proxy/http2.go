package proxy

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const frameHeader = 9 // length (3), type, flags, stream (4)

// http2Requests follows the client's side of a connection.
type http2Requests struct {
	r       *bufio.Reader
	preface bool // has been read
	decoder *hpack.Decoder
	path    string            // of the headers being decoded
	text    map[uint32][]byte // of each stream, as a Match sees it
}

// newHTTP2Conn reads frames. A request is a stream; its reply begins with the server's first HEADERS
// frame on that stream.
func newHTTP2Conn(client, server net.Conn) *conn {
	c := newConn(client, server)
	requests := &http2Requests{r: bufio.NewReader(client), text: make(map[uint32][]byte)}
	requests.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == ":path" {
			requests.path = f.Value
		}
	})
	c.request = requests.next
	replies := bufio.NewReader(server)
	c.reply = func() (message, error) {
		b, err := readFrame(replies)
		if err != nil || frameType(b) != http2.FrameHeaders {
			return message{bytes: b}, err
		}
		return message{bytes: b, id: streamID(b)}, nil
	}
	return c
}

// next reads a frame. Only a DATA frame shows a text: the path, and the stream's bytes until then.
func (q *http2Requests) next() (message, error) {
	if !q.preface {
		q.preface = true
		b, err := readFull(q.r, nil, len(http2.ClientPreface))
		return message{bytes: b}, err
	}
	b, err := readFrame(q.r)
	if err != nil {
		return message{}, err
	}
	id := streamID(b)
	switch frameType(b) {
	case http2.FrameHeaders, http2.FrameContinuation:
		err = q.headers(id, b)
	case http2.FrameData: // grpc-go pads nothing
		text := append(q.text[id], b[frameHeader:]...)
		q.text[id] = text
		if http2.Flags(b[4]).Has(http2.FlagDataEndStream) {
			delete(q.text, id)
		}
		return message{bytes: b, id: id, text: text}, nil
	}
	return message{bytes: b}, err
}

// headers decodes every header block, which keeps the table in step, and notes the path.
func (q *http2Requests) headers(id uint32, b []byte) error {
	block := b[frameHeader:]
	flags := http2.Flags(b[4])
	if flags.Has(http2.FlagHeadersPadded) || flags.Has(http2.FlagHeadersPriority) {
		return errProtocol // grpc-go sends neither
	}
	if _, err := q.decoder.Write(block); err != nil {
		return err
	}
	if flags.Has(http2.FlagHeadersEndHeaders) {
		q.text[id] = append([]byte(q.path), '\n')
	}
	return nil
}

// readFrame reads one whole frame.
func readFrame(r io.Reader) ([]byte, error) {
	b, err := readFull(r, nil, frameHeader)
	if err != nil {
		return b, err
	}
	return readFull(r, b, int(b[0])<<16|int(b[1])<<8|int(b[2]))
}

func frameType(frame []byte) http2.FrameType { return http2.FrameType(frame[3]) }

func streamID(frame []byte) uint32 { return binary.BigEndian.Uint32(frame[5:]) & (1<<31 - 1) }
