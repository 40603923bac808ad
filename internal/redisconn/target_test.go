package redisconn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct{ url, says string }{
		{"redis://localhost:6379", ""},
		{"redis://user:pw@[::1]:6379/3", ""},
		{"unix:///run/redis.sock?db=2", ""},
		{"unix://:pw@/run/redis.sock", ""},
		{"", "scheme"},
		{"localhost:6379", "scheme"},
		{"http://localhost", "scheme"},
		{"rediss://localhost", ""},
		{"redis://a,b:26380?master=m", ""},
		{"rediss://user:pw@[::1],c/2?master=m", ""},
		{"redis://", "names no host"},
		{"redis://a,?master=m", "names no host"},
		{"redis://a,b", ""},
		{"rediss://u:p@a,b/0", ""},
		{"redis://a?cluster=true", ""},
		{"redis://a,b/1", "a cluster has no other than 0"},
		{"redis://a?cluster=no", "want cluster=true"},
		{"redis://a?cluster=true&master=m", "no master beside it"},
		{"redis://user@localhost", `the user "user", but there is no password`},
		{"redis://localhost/x", "database"},
		{"redis://localhost/-1", "database"},
		{"redis://localhost?max_retries=3", "want none but db"},
		{"unix:///run/redis.sock?master=m", "names no socket"},
		{"unix://", "names no socket"},
		{"unix://run/redis.sock", "names no socket"},
		{"redis://u:se cret@localhost:port", "cannot be read"},
		{"redis://u:12#34se cret@localhost:6379", "cannot be read"},
		{"redis://u:12?34se%20cret@localhost:6379", "cannot be read"},
		{"redis://u:12/34se%20cret@localhost:6379", "cannot be read"},
	} {
		_, err := Parse(test.url, nil)
		switch {
		case test.says == "" && err != nil:
			t.Errorf("Parse(%q) = %v, want nil", test.url, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("Parse(%q) = %v, want an error with %q", test.url, err, test.says)
		case err != nil && strings.Contains(err.Error(), "se cret"):
			t.Errorf("Parse(%q) = %v, which gives the password away", test.url, err)
		}
	}
}

// What go-redis would do by default with a lost reply, a slow Redis or a cancelled call is ours to decide.
func TestOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("fromfile\r\nand a comment\n")
	secrets, err := ReadSecrets(SecretFiles{Password: file})
	if err != nil {
		t.Fatal(err)
	}
	at, err := Parse("redis://user:fromurl@localhost:1234/3", secrets)
	if err != nil {
		t.Fatal(err)
	}
	o := at.Options(10)
	if o.MaxRetries != -1 || !o.ContextTimeoutEnabled || o.DialerRetries != 1 || !o.DisableIdentity {
		t.Errorf("options = %+v, want no retries and context deadlines", o)
	}
	username, password := o.CredentialsProvider()
	if len(o.Addrs) != 1 || o.Addrs[0] != "localhost:1234" || o.DB != 3 || username != "user" || password != "fromfile" {
		t.Errorf("options lead to %s/%d as %s:%s", o.Addrs, o.DB, username, password)
	}
	write("")
	if _, err := secrets.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "want the password") {
		t.Errorf("Prepare with an empty file = %v, want what is wrong", err)
	}
	write("next\n")
	commit, err := secrets.Prepare(t.Context())
	if _, password := at.Login(); err != nil || password != "fromfile" {
		t.Errorf("Prepare = %v, and the password %q, want the one before", err, password)
	}
	commit()
	if _, password := at.Login(); password != "next" {
		t.Errorf("the password after the commit is %q, want next", password)
	}
}
