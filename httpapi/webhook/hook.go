// Package webhook tells other programs what the books have moved. The books'
// own append-only chain of transfers is the outbox: an event is a row of it,
// and what was delivered is a place in it, kept per subscription and merchant
// in the reference table. So nothing is told that did not happen, nothing that
// happened is left out, and a crash at worst tells something twice, under the
// same id.
//
// It decides nothing about payments. In a tap it comes after the answer.
package webhook

import (
	"context"
	"crypto/sha256"
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
)

// Kinds of the reference table.
const (
	Kind       = "webhook"
	KindCursor = "webhook-cursor"
)

// Bounds of subscriptions.
const (
	MaxHooks = 64
	MaxURL   = 2048
	MaxName  = 80
)

// States of a subscription.
const (
	Active  = "active"
	Failing = "failing" // it is tried again and again; a person should look
	Paused  = "paused"  // a person held it back
)

// Hook is a subscription.
type Hook struct {
	ID       string         `json:"id"`
	URL      string         `json:"url"`
	Name     string         `json:"name,omitempty"`
	Merchant pay.MerchantID `json:"merchant,omitempty"` // "": all
	Events   []string       `json:"events,omitempty"`   // none: all
	By       string         `json:"by"`
	Created  time.Time      `json:"created"` // events from then on
	Paused   bool           `json:"paused,omitempty"`
}

// stored is Hook's row. The secret is sealed: it signs, so a hash would not do.
type stored struct {
	Hook
	Secret []byte `json:"secret"`
}

func secretContext(id string) string { return "webhook/" + id }

// Errors.
var (
	ErrNone   = errors.New("no webhook of this id")
	ErrFull   = errors.New("too many webhooks")
	ErrURL    = errors.New("URL")
	ErrEvents = errors.New("no such event")
	ErrName   = errors.New("name: at most 80 characters")
)

// Request says what to subscribe to.
type Request struct {
	Token    string // makes the id, as in package apikey
	URL      string
	Name     string
	Merchant pay.MerchantID
	Events   []string
	By       string
}

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Secret is what a signing secret begins with.
const secretPrefix = "whs_"

// Create subscribes and returns the signing secret, once. Errors: ErrURL,
// ErrEvents, ErrName, ErrFull, the reference table's.
func (h *Hooks) Create(ctx context.Context, r Request) (Hook, pay.Secret, error) {
	if err := h.checkURL(r.URL); err != nil {
		return Hook{}, pay.Secret{}, err
	}
	if len(r.Name) > MaxName {
		return Hook{}, pay.Secret{}, ErrName
	}
	for _, e := range r.Events {
		if !slices.Contains(Types, e) {
			return Hook{}, pay.Secret{}, fmt.Errorf("%w: %q; there are %s", ErrEvents, e, strings.Join(Types, ", "))
		}
	}
	have, err := h.cfg.Store.Entries(ctx, Kind, "", MaxHooks)
	switch {
	case err != nil:
		return Hook{}, pay.Secret{}, err
	case len(have) >= MaxHooks:
		return Hook{}, pay.Secret{}, ErrFull
	}
	raw := make([]byte, 42)
	if _, err := io.ReadFull(h.cfg.Env.Rand(), raw); err != nil {
		return Hook{}, pay.Secret{}, err
	}
	if r.Token != "" {
		sum := sha256.Sum256([]byte("huika webhook\x00" + r.Token))
		copy(raw[:10], sum[:])
	}
	row := stored{Hook: Hook{
		ID: encoding.EncodeToString(raw[:10]), URL: r.URL, Name: r.Name, Merchant: r.Merchant, Events: r.Events, By: r.By, Created: h.now(),
	}}
	secret := pay.NewSecret([]byte(secretPrefix + encoding.EncodeToString(raw[10:])))
	clear(raw)
	if row.Secret, err = h.cfg.Sealer.Seal(secret.Reveal(), secretContext(row.ID)); err != nil {
		return Hook{}, pay.Secret{}, err
	}
	old, _, err := h.cfg.Store.Entry(ctx, Kind, row.ID)
	if err == nil {
		err = h.put(ctx, row, old.Version)
	}
	if err != nil {
		return Hook{}, pay.Secret{}, err
	}
	h.changed()
	return row.Hook, secret, nil
}

func (h *Hooks) now() time.Time { return h.cfg.Env.Now().UTC().Truncate(time.Millisecond) }

func (h *Hooks) put(ctx context.Context, row stored, version int64) error {
	body, err := json.Marshal(row)
	if err != nil {
		return err
	}
	_, err = h.cfg.Store.Put(ctx, book.Entry{Kind: Kind, ID: row.ID, Version: version, Updated: h.now(), Body: body})
	return err
}

func (h *Hooks) load(ctx context.Context, id string) (row stored, version int64, err error) {
	e, ok, err := h.cfg.Store.Entry(ctx, Kind, id)
	switch {
	case err != nil:
		return row, 0, err
	case !ok:
		return row, 0, ErrNone
	}
	err = json.Unmarshal(e.Body, &row)
	return row, e.Version, err
}

// Pause holds deliveries back, or lets them go on. Errors: ErrNone, the
// reference table's.
func (h *Hooks) Pause(ctx context.Context, id string, paused bool) (Hook, error) {
	row, version, err := h.load(ctx, id)
	if err != nil || row.Paused == paused {
		return row.Hook, err
	}
	row.Paused = paused
	if err := h.put(ctx, row, version); err != nil {
		return Hook{}, err
	}
	h.changed()
	return row.Hook, nil
}

// Delete ends a subscription and forgets its places. One that is gone is no
// error. Errors: the reference table's.
func (h *Hooks) Delete(ctx context.Context, id string) error {
	row, version, err := h.load(ctx, id)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := h.cfg.Store.Delete(ctx, Kind, row.ID, version); err != nil {
		return err
	}
	h.changed()
	return h.forget(ctx, id)
}

// hooks are all subscriptions.
func (h *Hooks) hooks(ctx context.Context) ([]stored, error) {
	rows, err := h.cfg.Store.Entries(ctx, Kind, "", MaxHooks)
	if err != nil {
		return nil, err
	}
	out := make([]stored, len(rows))
	for i, e := range rows {
		if err := json.Unmarshal(e.Body, &out[i]); err != nil {
			return nil, fmt.Errorf("webhook %s: %w", e.ID, err)
		}
	}
	return out, nil
}
