package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestTheConsoleFormatIsKeyValueInOrder(t *testing.T) {
	var out bytes.Buffer
	log := newLogger("console", zap.DebugLevel, &out).With(zap.String("z", "with"), zap.Int("a", 1))
	log.Info("serving", zap.String("grpc", "127.0.0.1:7420"), zap.String("http", "[::1]:7421"), zap.Duration("took", time.Second),
		zap.Error(errors.New("two words")), zap.String("none", ""), zap.String("line", "a\nb"), zap.String("eq", "a=b"),
		zap.String("quote", `a"b`), zap.String("bytes", "a\xff"), zap.String("word", "größe"))
	stamp, rest, _ := strings.Cut(out.String(), " ")
	const want = `level=info msg=serving a=1 z=with grpc=127.0.0.1:7420 http=[::1]:7421 took=1s error="two words" none="" line="a\nb" eq="a=b" ` +
		`quote="a\"b" bytes="a\xff" word=größe` + "\n"
	if rest != want {
		t.Errorf("line is\n%swant\n%s", rest, want)
	}
	if !regexp.MustCompile(`^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$`).MatchString(stamp) {
		t.Errorf("line begins with %q, want the time with milliseconds and offset", stamp)
	}
}

func TestWithAddsToItsOwnLoggerOnly(t *testing.T) {
	var out bytes.Buffer
	log := newLogger("console", zap.InfoLevel, &out)
	log.With(zap.String("own", "1"))
	log.Info("plain")
	if strings.Contains(out.String(), "own") {
		t.Errorf("line is %q, want nothing of another logger", out.String())
	}
}

func TestTheLevelKeepsLowerLinesOut(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		var out bytes.Buffer
		log := newLogger(format, zap.WarnLevel, &out)
		log.Info("low")
		log.Warn("high")
		if strings.Contains(out.String(), "low") || !strings.Contains(out.String(), "high") {
			t.Errorf("%s at warn writes %q, want the warning alone", format, out.String())
		}
	}
}

func TestTheJSONFormatHasTheSameKeys(t *testing.T) {
	var out bytes.Buffer
	newLogger("json", zap.InfoLevel, &out).Info("serving", zap.String("grpc", "127.0.0.1:7420"), zap.Duration("took", time.Second))
	got := map[string]any{}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%q is no JSON: %v", out.String(), err)
	}
	if got["msg"] != "serving" || got["grpc"] != "127.0.0.1:7420" || got["level"] != "info" || got["took"] != "1s" || got["time"] == nil {
		t.Errorf("line is %v, want time, level, msg, grpc and took", got)
	}
}
