package child

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// Role is what a child does: it prepares as order says, awaits its window, works, and returns what it saw,
// which is written when all is over, so that nothing is written while something is measured.
type Role func(order []byte, awaits Await) (result any, err error)

// Await says that all is prepared and returns the window when the program tells it.
type Await func() (Window, error)

// Main does a child's work if this process is one, and reports whether it was. main calls it first.
func Main(roles map[string]Role) bool {
	text := os.Getenv(variable)
	if text == "" {
		return false
	}
	if err := run(roles, []byte(text)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func run(roles map[string]Role, text []byte) error {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	role, ok := roles[m.Role]
	if !ok {
		return fmt.Errorf("no such role: %q", m.Role)
	}
	result, err := role(m.Order, await)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func await() (w Window, err error) {
	fmt.Println("ready")
	line, err := bufio.NewReader(os.Stdin).ReadBytes('\n')
	if err != nil {
		return w, err
	}
	return w, json.Unmarshal(line, &w)
}
