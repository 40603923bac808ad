package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"
)

// Changing the contexts takes a moment; whoever has the lock for longer than lockWithin is stuck.
const (
	lockWithin = 5 * time.Second
	lockAgain  = 5 * time.Millisecond
)

const contextsComment = "Contexts of lockctl; see lockctl context --help. It is changed by lockctl context set, use and rm, too."

// changeContexts reads the file, changes it and puts it back whole: nobody reads half of it, and of two that
// change it at once neither undoes what the other did. The file is readable by its owner alone.
func (s *server) changeContexts(ctx context.Context, change func(*contexts) error) error {
	path := s.configPath()
	if path == "" {
		return usagef("neither HOME nor XDG_CONFIG_HOME is set; want one of them, or --config")
	}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		path, err = linked(path)
	}
	if err != nil {
		return fmt.Errorf("the contexts: %w", err)
	}
	unlock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	file, err := readForChange(path)
	if err != nil {
		return err
	}
	if err := change(file); err != nil {
		return err
	}
	text, err := file.encode()
	if err != nil {
		return fmt.Errorf("the contexts: %w", err)
	}
	if err := replaceFile(path, text); err != nil {
		return fmt.Errorf("the contexts: %w", err)
	}
	return nil
}

// linked is where path leads: a link is left in place, as people keep such files elsewhere.
func linked(path string) (string, error) {
	there, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return there, err
	}
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("%s is a link to nothing; want a file, or a path where there is nothing", path)
	}
	return path, nil
}

func readForChange(path string) (*contexts, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return parseContexts(path, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("the contexts: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, usagef("%s is no regular file; want one", path)
	}
	return loadContexts(path, file)
}

// lockFile takes a lock that ends with this process, if nothing else. The file stays: who removed it could
// take it from under somebody who waits.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the contexts: %w", err)
	}
	again := time.NewTicker(lockAgain)
	defer again.Stop()
	for late := time.After(lockWithin); ; {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
			select {
			case <-again.C:
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			case <-late:
				err = fmt.Errorf("another lockctl has had %s for %s", path, lockWithin)
			}
		}
		file.Close()
		return nil, fmt.Errorf("the contexts: %w", err)
	}
}

// replaceFile writes beside the file first, so that it is never seen half written, not even after a crash.
func replaceFile(path string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// encode is the document as it stands now, if it would be read back.
func (c *contexts) encode() ([]byte, error) {
	var text bytes.Buffer
	out := yaml.NewEncoder(&text)
	out.SetIndent(2)
	if err := errors.Join(out.Encode(c.text), out.Close()); err != nil {
		return nil, err
	}
	_, err := parseContexts(c.path, text.Bytes())
	return text.Bytes(), err
}

// set gives a context settings, and makes one if there is none of that name.
func (c *contexts) set(name string, values map[string]string) {
	all := below(c.text.Content[0], keyContexts)
	if len(all.Content) == 0 && c.text.HeadComment == "" && c.text.Content[0].HeadComment == "" {
		c.text.HeadComment = contextsComment
	}
	one := below(all, name)
	for _, key := range settings { // in this order
		if value, ok := values[key]; ok {
			setValue(one, key, value)
		}
	}
}

// use makes a context the current one; "" is none.
func (c *contexts) use(name string) {
	if all := c.text.Content[0]; name != "" || find(all, keyCurrent) >= 0 { // the line stays, and what was written above it
		setValue(all, keyCurrent, name)
	}
}

// rm removes a context, which is not the current one then.
func (c *contexts) rm(name string) {
	remove(below(c.text.Content[0], keyContexts), name)
	if c.current == name {
		c.use("")
	}
}

// find is the place of a key in a mapping, -1 if it is not there.
func find(mapping *yaml.Node, key string) int {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// below is the mapping that a key of a mapping has for its value, made if need be.
func below(mapping *yaml.Node, key string) *yaml.Node {
	i := find(mapping, key)
	if i < 0 {
		mapping.Content = append(mapping.Content, word(key), &yaml.Node{Kind: yaml.MappingNode})
		i = len(mapping.Content) - 2
	}
	if value := mapping.Content[i+1]; value.Kind != yaml.MappingNode { // null: it was parsed
		*value = yaml.Node{Kind: yaml.MappingNode, HeadComment: value.HeadComment, LineComment: value.LineComment, FootComment: value.FootComment}
	}
	if value := mapping.Content[i+1]; len(value.Content) == 0 {
		value.Style = 0 // not {}
	}
	return mapping.Content[i+1]
}

func setValue(mapping *yaml.Node, key, value string) {
	node := word(value)
	if i := find(mapping, key); i >= 0 {
		node.LineComment = mapping.Content[i+1].LineComment
		mapping.Content[i+1] = node
		return
	}
	mapping.Content = append(mapping.Content, word(key), node)
}

func remove(mapping *yaml.Node, key string) {
	if i := find(mapping, key); i >= 0 {
		mapping.Content = slices.Delete(mapping.Content, i, i+2)
	}
}

// word is a string that is read back as one, whatever it looks like, but for true and false.
func word(text string) *yaml.Node {
	if text == "true" || text == "false" {
		return &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	}
	node := new(yaml.Node)
	node.SetString(text)
	return node
}
