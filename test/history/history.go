// Package history keeps what clients saw of their leases, as JSON lines, and says whether it was right:
// never two holders, tokens in order, the line in order and never standing still.
//
// Every process writes its own file, a line at a time, so that a kill loses nothing that was seen. All times
// are nanoseconds of one clock that the processes of a machine share (see Now). The checks judge only
// what was seen: two holders that nobody saw are not found, and nothing is reported that was not so.
package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// Kind is what a record tells.
type Kind string

// What clients, and who runs them, have to tell.
const (
	Asked    Kind = "asked"    // an acquisition begins: Call
	Granted  Kind = "granted"  // it has a lease: Call, Return, Token, Until
	Refused  Kind = "refused"  // it ended without one: Call, Return, Error
	Holding  Kind = "holding"  // the holder looked, and the lease stood: Call, Token, Until
	Released Kind = "released" // the lease stands, and its release is called now: Call, Token
	Kept     Kind = "kept"     // a release failed: Call, Return, Token, Error
	Lost     Kind = "lost"     // the holder was told, or saw, that the lease has ended: Call, Token, Error
	Forced   Kind = "forced"   // an operator ended a lease: Call, Return, Token
	Killed   Kind = "killed"   // a client process has ended: it did nothing more after Call
	Down     Kind = "down"     // the store was away, from Call to Return
)

// Record is one line.
type Record struct {
	Kind   Kind   `json:"kind"`
	Client string `json:"client,omitempty"` // the process
	Worker int    `json:"worker,omitempty"` // within it
	Name   string `json:"name,omitempty"`
	Call   int64  `json:"call"`
	Return int64  `json:"return,omitempty"`
	Token  int64  `json:"token,omitempty"`
	Until  int64  `json:"until,omitempty"` // the safe deadline, as it was then
	Error  string `json:"error,omitempty"`
}

// Writer writes records. Safe for concurrent use.
type Writer struct {
	mu  sync.Mutex
	to  io.Writer
	err error
}

// NewWriter returns a Writer to w, each record with one Write.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// Add writes r. What fails is told by Err.
func (w *Writer) Add(r Record) {
	line, err := json.Marshal(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		_, err = w.to.Write(append(line, '\n'))
	}
	if w.err == nil {
		w.err = err
	}
}

// Err is the first failure.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Read returns the records of r. A last line that a kill cut short is left out.
func Read(r io.Reader) ([]Record, error) {
	var all []Record
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, err
		}
		var one Record
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(all)+1, err)
		}
		all = append(all, one)
	}
}

// ReadFiles returns the records of several files.
func ReadFiles(paths ...string) ([]Record, error) {
	var all []Record
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		some, err := Read(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, some...)
	}
	return all, nil
}
