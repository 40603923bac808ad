package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// logTime is local time with its offset: for people and for machines.
const logTime = "2006-01-02T15:04:05.000Z07:00"

// newLogger answers a logger that writes to w what level lets through at the time. format has been checked.
func newLogger(format string, level zapcore.LevelEnabler, w io.Writer) *zap.Logger {
	var encoder zapcore.Encoder = newKeyValue()
	if format == "json" {
		encoder = zapcore.NewJSONEncoder(zapcore.EncoderConfig{
			TimeKey: "time", LevelKey: "level", MessageKey: "msg", LineEnding: "\n",
			EncodeTime: zapcore.TimeEncoderOfLayout(logTime), EncodeLevel: zapcore.LowercaseLevelEncoder,
			EncodeDuration: zapcore.StringDurationEncoder,
		})
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level))
}

// logLevels are the levels, from the one that logs most.
var logLevels = []string{"debug", "info", "warn", "error"}

// levelOf answers the level that is named so; the name has been checked.
func levelOf(name string) zapcore.Level {
	level := zapcore.InfoLevel
	_ = level.Set(name)
	return level
}

// keyValue writes a line as key=value pairs: time, level, msg, then the fields in their order. A
// value is quoted, in Go's way, if it would be ambiguous without.
type keyValue struct {
	*zapcore.MapObjectEncoder // takes what zap's With adds
}

var lines = buffer.NewPool()

func newKeyValue() keyValue { return keyValue{zapcore.NewMapObjectEncoder()} }

// Clone implements zapcore.Encoder.
func (e keyValue) Clone() zapcore.Encoder {
	c := newKeyValue()
	for key, value := range e.Fields {
		c.Fields[key] = value
	}
	return c
}

// EncodeEntry implements zapcore.Encoder.
func (e keyValue) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line := lines.Get()
	pair(line, "time", entry.Time.Format(logTime))
	pair(line, "level", entry.Level.String())
	pair(line, "msg", entry.Message)
	pairs(line, e.Fields)
	for _, field := range fields {
		one := zapcore.NewMapObjectEncoder() // one at a time: a map of all would lose their order
		field.AddTo(one)
		pairs(line, one.Fields)
	}
	line.AppendByte('\n')
	return line, nil
}

// pairs appends fields by their keys' order: they are the several that one field stands for.
func pairs(line *buffer.Buffer, fields map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		pair(line, key, fmt.Sprint(fields[key]))
	}
}

func pair(line *buffer.Buffer, key, value string) {
	if line.Len() > 0 {
		line.AppendByte(' ')
	}
	line.AppendString(key)
	line.AppendByte('=')
	ambiguous := func(r rune) bool {
		return r <= ' ' || r == '"' || r == '=' || r == utf8.RuneError || !unicode.IsPrint(r)
	}
	if value == "" || strings.ContainsFunc(value, ambiguous) {
		value = strconv.Quote(value)
	}
	line.AppendString(value)
}
