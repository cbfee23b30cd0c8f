// Package apikey makes and checks the keys of programs that use the acquirer's
// API. A key is shown once, when it is made; the books' reference table keeps
// its hash, its scopes and who made it.
//
// It knows no HTTP and no payments. It stands before httpapi/console, as the
// pairing cookie does for browsers.
package apikey

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/pay"
	"huika/rt"
)

// Scope is one thing that a key may do.
type Scope string

// Scopes.
const (
	PaymentsRead    Scope = "payments:read"    // search, stories, exports, counts, saved views
	PaymentsRefund  Scope = "payments:refund"  // refund and void
	OperationsRead  Scope = "operations:read"  // batches, merchants, terminals, status, dead letters
	OperationsWrite Scope = "operations:write" // end dead letters
	WebhooksManage  Scope = "webhooks:manage"
	KeysManage      Scope = "keys:manage" // may make a key with any scope: as good as all of them
)

// Scopes is every scope.
var Scopes = []Scope{PaymentsRead, PaymentsRefund, OperationsRead, OperationsWrite, WebhooksManage, KeysManage}

// Kind is that of API keys in the reference table.
const Kind = "api-key"

// Bounds of a key.
const (
	MaxName = 80
	MaxKeys = 1000 // of one installation, revoked ones included
	prefix  = "hk_"
	idBytes = 10 // 16 characters
	secret  = 32 // bytes of randomness
)

// Key is what is kept of an API key. It can't be used with it.
type Key struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Scopes  []Scope   `json:"scopes"`
	By      string    `json:"by" doc:"who made it: command line, console, or a key's id"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// Has reports whether the key may do what the scope says.
func (k Key) Has(s Scope) bool { return slices.Contains(k.Scopes, s) }

// stored is Key's row.
type stored struct {
	Key
	Hash []byte `json:"hash"` // SHA-256 of the whole key: it has 256 random bits, so that no salt or slow hash is needed
}

// Errors.
var (
	// ErrKey: there is no such key, or it is revoked or has ended. It never says which.
	ErrKey = errors.New("API key is not valid")
	// ErrScope: there is no such scope.
	ErrScope = errors.New("no such scope")
	// ErrName: a name is wanted.
	ErrName = errors.New("name: want 1 to 80 characters")
	// ErrFull: there are MaxKeys keys.
	ErrFull = errors.New("too many API keys")
	// ErrNone: there is no key of that id.
	ErrNone = errors.New("no API key of this id")
)

// Keys are the keys of one installation.
type Keys struct {
	env   rt.Env
	store book.Reference
}

// New keeps keys in a reference table.
func New(env rt.Env, store book.Reference) *Keys { return &Keys{env, store} }

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Request says what key to make.
type Request struct {
	// Token makes the id: the same token twice is one key, whose secret is then
	// the newest one given out. "": random.
	Token   string
	Name    string
	Scopes  []Scope
	By      string
	Expires time.Time // zero: never
}

// Create makes a key and returns it once: "hk_ID_SECRET". Errors: ErrName,
// ErrScope, ErrFull, the reference table's.
func (k *Keys) Create(ctx context.Context, r Request) (Key, pay.Secret, error) {
	if r.Name == "" || len(r.Name) > MaxName {
		return Key{}, pay.Secret{}, ErrName
	}
	if len(r.Scopes) == 0 {
		return Key{}, pay.Secret{}, fmt.Errorf("%w: name at least one of %s", ErrScope, words())
	}
	for _, s := range r.Scopes {
		if !slices.Contains(Scopes, s) {
			return Key{}, pay.Secret{}, fmt.Errorf("%w: %q; there are %s", ErrScope, s, words())
		}
	}
	have, err := k.store.Entries(ctx, Kind, "", MaxKeys)
	switch {
	case err != nil:
		return Key{}, pay.Secret{}, err
	case len(have) >= MaxKeys:
		return Key{}, pay.Secret{}, ErrFull
	}
	raw := make([]byte, idBytes+secret)
	if _, err := io.ReadFull(k.env.Rand(), raw); err != nil {
		return Key{}, pay.Secret{}, err
	}
	if r.Token != "" {
		sum := sha256.Sum256([]byte("huika api key\x00" + r.Token))
		copy(raw[:idBytes], sum[:])
	}
	id := encoding.EncodeToString(raw[:idBytes])
	shown := pay.NewSecret([]byte(prefix + id + "_" + encoding.EncodeToString(raw[idBytes:])))
	clear(raw)
	row := stored{Key: Key{ID: id, Name: r.Name, Scopes: slices.Compact(slices.Sorted(slices.Values(r.Scopes))), By: r.By, Created: k.now(), Expires: r.Expires}}
	sum := sha256.Sum256(shown.Reveal())
	row.Hash = sum[:]
	old, _, err := k.store.Entry(ctx, Kind, id)
	if err == nil {
		err = k.put(ctx, row, old.Version)
	}
	if err != nil {
		return Key{}, pay.Secret{}, err
	}
	return row.Key, shown, nil
}

func words() string {
	w := make([]string, len(Scopes))
	for i, s := range Scopes {
		w[i] = string(s)
	}
	return strings.Join(w, ", ")
}

func (k *Keys) now() time.Time { return k.env.Now().UTC().Truncate(time.Millisecond) }

func (k *Keys) put(ctx context.Context, row stored, version int64) error {
	body, err := json.Marshal(row)
	if err != nil {
		return err
	}
	_, err = k.store.Put(ctx, book.Entry{Kind: Kind, ID: row.ID, Version: version, Updated: k.now(), Body: body})
	return err
}

func (k *Keys) load(ctx context.Context, id string) (row stored, version int64, err error) {
	e, ok, err := k.store.Entry(ctx, Kind, id)
	switch {
	case err != nil:
		return row, 0, err
	case !ok:
		return row, 0, ErrNone
	}
	err = json.Unmarshal(e.Body, &row)
	return row, e.Version, err
}

// List is every key, in the order of ids. Errors: the reference table's.
func (k *Keys) List(ctx context.Context) ([]Key, error) {
	rows, err := k.store.Entries(ctx, Kind, "", MaxKeys)
	if err != nil {
		return nil, err
	}
	out := make([]Key, len(rows))
	for i, e := range rows {
		var row stored
		if err := json.Unmarshal(e.Body, &row); err != nil {
			return nil, fmt.Errorf("API key %s: %w", e.ID, err)
		}
		out[i] = row.Key
	}
	return out, nil
}

// Revoke ends a key for good; one that is revoked already stays so. Errors:
// ErrNone, the reference table's.
func (k *Keys) Revoke(ctx context.Context, id string) error {
	row, version, err := k.load(ctx, id)
	if err != nil || !row.Revoked.IsZero() {
		return err
	}
	row.Revoked = k.now()
	return k.put(ctx, row, version)
}

// Check is the key that was presented. Errors: ErrKey, the reference table's.
func (k *Keys) Check(ctx context.Context, presented string) (Key, error) {
	rest, ok := strings.CutPrefix(presented, prefix)
	id, _, cut := strings.Cut(rest, "_")
	if !ok || !cut || len(id) != encoding.EncodedLen(idBytes) {
		return Key{}, ErrKey
	}
	row, _, err := k.load(ctx, id)
	if errors.Is(err, ErrNone) {
		return Key{}, ErrKey
	}
	if err != nil {
		return Key{}, err
	}
	sum := sha256.Sum256([]byte(presented))
	now := k.now()
	if subtle.ConstantTimeCompare(sum[:], row.Hash) != 1 || !row.Revoked.IsZero() || !row.Expires.IsZero() && !now.Before(row.Expires) {
		return Key{}, ErrKey
	}
	return row.Key, nil
}
