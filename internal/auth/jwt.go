package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// leeway is what the clock of who signs JWTs may differ from ours.
const leeway = 30 * time.Second

// jwtKeys verify JWTs. Each key is for one algorithm, which the file says or the kind of key: a token has no say in
// it, so that neither "none" nor a public key taken for a secret is an algorithm.
type jwtKeys struct {
	keys   []jwtKey
	parser *jwt.Parser
}

type jwtKey struct {
	id        string
	algorithm string
	public    crypto.PublicKey
}

// jwk is a key as RFC 7517 has it.
type jwk struct {
	Kty, Kid, Alg, Use, Crv string
	N, E, X, Y              string
}

func readJWTKeys(s Settings) (*jwtKeys, error) {
	if s.JWTKeys == "" {
		return nil, nil
	}
	text, err := readFile(s.JWTKeys, trusted)
	if err != nil {
		return nil, fmt.Errorf("jwt-keys: %w", err)
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("jwt-keys %s: %w", s.JWTKeys, err)
	}
	var algorithms []string
	for _, key := range keys {
		algorithms = append(algorithms, key.algorithm)
	}
	return &jwtKeys{keys, jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithIssuer(s.Issuer), jwt.WithAudience(s.Audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
	)}, nil
}

func parseKeys(text []byte) ([]jwtKey, error) {
	const want = `want a JWKS, as in {"keys": [{"kty": "EC", "crv": "P-256", "kid": …, "x": …, "y": …}]}`
	var set struct{ Keys []jwk }
	if json.Unmarshal(text, &set) != nil || len(set.Keys) == 0 {
		return nil, errors.New("it has no keys; " + want)
	}
	var keys []jwtKey
	ids := make(map[string]bool)
	for i, k := range set.Keys {
		if k.Use == "enc" {
			continue
		}
		key, err := k.key()
		switch {
		case err != nil:
			return nil, fmt.Errorf("key %d (kid %q): %w", i+1, k.Kid, err)
		case ids[k.Kid]:
			return nil, fmt.Errorf("key %d: another one has the kid %q; want a kid of its own for each", i+1, k.Kid)
		}
		ids[k.Kid] = true
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("none of its keys is for signatures; " + want)
	}
	return keys, nil
}

func (k jwk) key() (jwtKey, error) {
	key := jwtKey{id: k.Kid}
	var err error
	switch k.Kty + k.Crv {
	case "RSA":
		key.algorithm = "RS256"
		if k.Alg == "PS256" || k.Alg == "RS384" || k.Alg == "RS512" || k.Alg == "PS384" || k.Alg == "PS512" {
			key.algorithm = k.Alg
		}
		key.public, err = k.rsa()
	case "ECP-256":
		key.algorithm = "ES256"
		key.public, err = k.ec(elliptic.P256())
	case "ECP-384":
		key.algorithm = "ES384"
		key.public, err = k.ec(elliptic.P384())
	case "OKPEd25519":
		key.algorithm = "EdDSA"
		key.public, err = k.ed25519()
	default:
		return key, fmt.Errorf("its kind is %q %q; want RSA, EC with P-256 or P-384, or OKP with Ed25519: whoever checks must not be able to sign", k.Kty, k.Crv)
	}
	if err == nil && k.Alg != "" && k.Alg != key.algorithm {
		err = fmt.Errorf("its alg is %q; want %s", k.Alg, key.algorithm)
	}
	return key, err
}

func (k jwk) rsa() (crypto.PublicKey, error) {
	n, e := number(k.N), number(k.E)
	const least = 2048
	switch {
	case n == nil || e == nil || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Int64()%2 == 0:
		return nil, errors.New("n or e is no number; want both in base64url")
	case n.BitLen() < least:
		return nil, fmt.Errorf("it has %d bits; want %d or more", n.BitLen(), least)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func (k jwk) ec(curve elliptic.Curve) (crypto.PublicKey, error) {
	x, errX := base64.RawURLEncoding.DecodeString(k.X)
	y, errY := base64.RawURLEncoding.DecodeString(k.Y)
	size := (curve.Params().BitSize + 7) / 8
	if errX != nil || errY != nil || len(x) != size || len(y) != size {
		return nil, fmt.Errorf("x or y is no coordinate; want both in base64url, %d bytes each", size)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, errors.New("x and y are no point of its curve; want one that is")
	}
	return key, nil
}

func (k jwk) ed25519() (crypto.PublicKey, error) {
	x, err := base64.RawURLEncoding.DecodeString(k.X)
	if err != nil || len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("x is no key; want base64url of %d bytes", ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(x), nil
}

func number(text string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

// of answers who a JWT says to be.
func (k *jwtKeys) of(text string) (identity, error) {
	claims := jwt.MapClaims{} // a struct would take "Sub" for "sub", and what an issuer lets people choose for what it says itself
	if _, err := k.parser.ParseWithClaims(text, claims, k.keyFor); err != nil {
		return identity{}, unauthenticated("the JWT: %s", jwtProblem(err))
	}
	subject, wrong := claims.GetSubject()
	until, bad := claims.GetExpirationTime()
	if wrong != nil || bad != nil || subject == "" {
		return identity{}, unauthenticated("the JWT: it has no subject (sub)")
	}
	name, err := named("jwt", subject)
	return identity{name: name, until: until.Add(leeway)}, err
}

var (
	errNoKey    = errors.New("no such key")
	errCritical = errors.New("critical extension")
)

// keyFor answers the key that a token's header names; without a name, the only one.
func (k *jwtKeys) keyFor(token *jwt.Token) (any, error) {
	if _, ok := token.Header["crit"]; ok {
		return nil, errCritical
	}
	id, named := token.Header["kid"].(string)
	for _, key := range k.keys {
		if (named && key.id == id || !named && len(k.keys) == 1) && key.algorithm == token.Method.Alg() {
			return key.public, nil
		}
	}
	return nil, errNoKey
}

// jwtProblem says what is wrong with a JWT, and nothing that stands in it.
func jwtProblem(err error) string {
	for _, known := range []struct {
		err  error
		text string
	}{
		{errCritical, "it must not be taken without extensions (crit) that are not known here"},
		{errNoKey, "no key that is trusted here has its kid and algorithm"},
		{jwt.ErrTokenMalformed, "it is malformed"},
		{jwt.ErrTokenSignatureInvalid, "its algorithm is not one of those that are trusted here, or its signature is wrong"},
		{jwt.ErrTokenExpired, "it has expired (exp)"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet (nbf); do the clocks agree?"},
		{jwt.ErrTokenUsedBeforeIssued, "it was issued in the future (iat); do the clocks agree?"},
		{jwt.ErrTokenInvalidAudience, "it is for somebody else (aud)"},
		{jwt.ErrTokenInvalidIssuer, "somebody else has issued it (iss)"},
		{jwt.ErrTokenRequiredClaimMissing, "it does not say when it expires, for whom or by whom (exp, aud, iss)"},
	} {
		if errors.Is(err, known.err) {
			return known.text
		}
	}
	return "it cannot be verified"
}
