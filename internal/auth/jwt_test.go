package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signer signs JWTs.
type signer struct {
	key    crypto.Signer
	method jwt.SigningMethod
	jwk    map[string]string
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func signers(t *testing.T) (es, ed, rs signer) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	point, err := ec.PublicKey.Bytes()
	must(err)
	es = signer{ec, jwt.SigningMethodES256, map[string]string{"kty": "EC", "crv": "P-256", "kid": "es", "x": b64(point[1:33]), "y": b64(point[33:])}}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	ed = signer{private, jwt.SigningMethodEdDSA, map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(public)}}
	rk, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	rs = signer{rk, jwt.SigningMethodRS256, map[string]string{"kty": "RSA", "kid": "rs", "alg": "RS256", "n": b64(rk.N.Bytes()), "e": b64(big.NewInt(int64(rk.E)).Bytes())}}
	return es, ed, rs
}

func jwks(t *testing.T, keys ...signer) string {
	t.Helper()
	var all []map[string]string
	for _, k := range keys {
		all = append(all, k.jwk)
	}
	text, err := json.Marshal(map[string]any{"keys": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type claims = jwt.MapClaims

// good are claims that are.
func good() claims {
	return claims{"sub": "ci", "iss": "https://issuer", "aud": "lockd", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
}

func with(name string, value any) claims {
	c := good()
	if c[name] = value; value == nil {
		delete(c, name)
	}
	return c
}

func (s signer) sign(t *testing.T, c claims, kid any) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, c)
	if kid != nil {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func jwtSettings(t *testing.T, keys string) Settings {
	return Settings{JWTKeys: put(t, "keys", keys), Issuer: "https://issuer", Audience: "lockd", Policy: put(t, "policy", everything)}
}

// A JWT is its subject's if one of the keys has signed it, by the algorithm of that key, for us and for now.
func TestJWTs(t *testing.T) {
	es, ed, rs := signers(t)
	g := open(t, jwtSettings(t, jwks(t, es, ed, rs)))
	for _, s := range []signer{es, ed, rs} {
		wantWho(t, g, bearer(s.sign(t, good(), s.jwk["kid"])), "jwt:ci")
	}
	stranger, _, _ := signers(t)
	now := time.Now()
	for want, text := range map[string]string{
		"no key that is trusted here":               es.sign(t, good(), "none"),
		"its kid and algorithm":                     es.sign(t, good(), "rs"),
		"no key that is trusted here has its kid":   es.sign(t, good(), nil),
		"its signature is wrong":                    stranger.sign(t, good(), "es"),
		"it has expired (exp)":                      es.sign(t, with("exp", now.Add(-time.Minute).Unix()), "es"),
		"it does not say when it expires":           es.sign(t, with("exp", nil), "es"),
		"not valid yet (nbf); do the clocks agree?": es.sign(t, with("nbf", now.Add(time.Minute).Unix()), "es"),
		"in the future (iat); do the clocks agree?": es.sign(t, with("iat", now.Add(time.Minute).Unix()), "es"),
		"it is for somebody else (aud)":             es.sign(t, with("aud", "other"), "es"),
		"somebody else has issued it (iss)":         es.sign(t, with("iss", "https://other"), "es"),
		"it has no subject":                         es.sign(t, with("sub", nil), "es"),
		"can be printed, without spaces":            es.sign(t, with("sub", "a\nb"), "es"),
		"the bearer token is not known here":        "a.b",
		"it is malformed":                           "a.b.c",
		"its algorithm is not one of those":         none(t, good()),
	} {
		wantNobody(t, g, bearer(text), want)
	}
	for want, text := range map[string]string{
		"it has no subject":      es.sign(t, replaced("sub", "Sub", "ci"), "es"), // which an issuer may let people choose
		"for whom or by whom":    es.sign(t, with("aud", nil), "es"),
		"by whom (exp, aud, iss": es.sign(t, with("iss", nil), "es"),
		"for somebody else":      es.sign(t, with("aud", []string{"other", "lockd2"}), "es"),
		"no key that is trusted": es.sign(t, good(), 7),
		"it cannot be verified":  es.sign(t, with("exp", "never"), "es"),
		"extensions (crit)":      critical(t, es),
	} {
		wantNobody(t, g, bearer(text), want)
	}
	wantWho(t, g, bearer(es.sign(t, with("aud", []string{"other", "lockd"}), "es")), "jwt:ci")
	// Clocks may differ by a little.
	wantWho(t, g, bearer(es.sign(t, with("exp", now.Add(-5*time.Second).Unix()), "es")), "jwt:ci")
	wantWho(t, g, bearer(es.sign(t, with("iat", now.Add(5*time.Second).Unix()), "es")), "jwt:ci")
	// A public key is no secret that somebody could sign with.
	hs := jwt.NewWithClaims(jwt.SigningMethodHS256, good())
	hs.Header["kid"] = "rs"
	text, err := hs.SignedString([]byte(rs.jwk["n"]))
	if err != nil {
		t.Fatal(err)
	}
	wantNobody(t, g, bearer(text), "its algorithm is not one of those")
}

// replaced are good claims with another name for one.
func replaced(name, by string, value any) claims {
	c := with(name, nil)
	c[by] = value
	return c
}

func critical(t *testing.T, s signer) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, good())
	token.Header["kid"], token.Header["crit"] = s.jwk["kid"], []string{"b64"}
	text, err := token.SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func none(t *testing.T, c claims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodNone, c)
	token.Header["kid"] = "es"
	text, err := token.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// It runs out for streams that stand, and so does the key that signed it.
func TestAJWTRunsOut(t *testing.T) {
	es, ed, _ := signers(t)
	s := jwtSettings(t, jwks(t, es))
	g := open(t, s)
	c, now := g.Caller(bearer(es.sign(t, good(), nil))), time.Now() // the only key needs no name
	if _, err := c.May(Force, "a", now); err != nil {
		t.Fatal(err)
	}
	if _, err := c.May(Force, "a", now.Add(time.Hour+leeway+time.Second)); err == nil || !strings.Contains(err.Error(), "was good until") {
		t.Errorf("after its time: %v, want nobody", err)
	}
	if _, err := c.Check(now); err != nil {
		t.Fatal(err)
	}
	if err := rewrite(t, g, s.JWTKeys, jwks(t, ed)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(now); err == nil {
		t.Error("its key was taken away, and it is still good")
	}
}

// Keys that could sign, that are weak, or are none, are refused.
func TestJWTKeysAreChecked(t *testing.T) {
	es, ed, rs := signers(t)
	edit := func(s signer, key, value string) string {
		jwk := map[string]string{}
		for k, v := range s.jwk {
			jwk[k] = v
		}
		jwk[key] = value
		return jwks(t, signer{jwk: jwk})
	}
	small := b64(new(big.Int).Lsh(big.NewInt(1), 1023).Bytes())
	for text, want := range map[string]string{
		"":             "it has no keys",
		`{"keys": []}`: "it has no keys",
		`{"keys": [{"kty": "oct", "k": "AAAA"}]}`: "whoever checks must not be able to sign",
		edit(es, "crv", "P-521"):                  "want RSA, EC with P-256 or P-384",
		edit(es, "alg", "ES384"):                  "want ES256",
		edit(rs, "alg", "HS256"):                  "want RS256",
		edit(rs, "alg", "none"):                   "want RS256",
		edit(ed, "alg", "RS256"):                  "want EdDSA",
		edit(es, "x", "AAAA"):                     "is no coordinate",
		edit(es, "x", es.jwk["y"]):                "no point of its curve",
		edit(ed, "x", "AAAA"):                     "is no key",
		edit(rs, "n", small):                      "want 2048 or more",
		edit(rs, "e", "AA"):                       "n or e is no number",
		edit(rs, "use", "enc"):                    "none of its keys is for signatures",
		jwks(t, es, es):                           "a kid of its own",
	} {
		if _, err := Open(jwtSettings(t, text), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("keys %s: %v, want %q", text, err, want)
		}
	}
}

// What is wrong with a token does not show it.
func TestErrorsShowNoToken(t *testing.T) {
	es, _, _ := signers(t)
	g := open(t, jwtSettings(t, jwks(t, es)))
	text := es.sign(t, with("aud", "canary"), "es")
	for _, shown := range []Shown{bearer(text), bearer("canary"), {Authorization: []string{"canary"}}, bearer("canary.canary.canary")} {
		_, err := who(g, shown)
		if err == nil || strings.Contains(fmt.Sprint(err), "canary") || strings.Contains(fmt.Sprint(err), text[:20]) {
			t.Errorf("%v shows what was shown", err)
		}
	}
}
