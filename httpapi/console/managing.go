package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"huika/acquirer/book"
	"huika/httpapi/apikey"
	"huika/httpapi/guard"
	"huika/httpapi/idem"
	"huika/httpapi/webhook"
	"huika/pay"
)

// kindView is that of saved views in the reference table.
const kindView = "view"

// maxViews bounds the saved views of an installation.
const maxViews = 200

func (s *server) views(ctx context.Context, _ *struct{}) (*viewsOutput, error) {
	rows, err := s.cfg.Books.Entries(ctx, kindView, "", maxViews)
	if err != nil {
		return nil, s.problem("views", err)
	}
	out := &viewsOutput{}
	out.Body.Views = make([]View, len(rows))
	for i, e := range rows {
		if err := json.Unmarshal(e.Body, &out.Body.Views[i]); err != nil {
			return nil, s.problem("views", err)
		}
	}
	return out, nil
}

func (s *server) saveView(ctx context.Context, in *saveViewInput) (*viewOutput, error) {
	if _, err := in.Body.Filter.filter(); err != nil {
		return nil, err
	}
	have, err := s.cfg.Books.Entries(ctx, kindView, "", maxViews)
	if err != nil {
		return nil, s.problem("save view", err)
	}
	sum := sha256.Sum256([]byte(in.Body.Name))
	v := View{ID: hex.EncodeToString(sum[:8]), Name: in.Body.Name, Filter: in.Body.Filter, By: callerOf(ctx).name, Saved: s.now()}
	old, replaces, err := s.cfg.Books.Entry(ctx, kindView, v.ID)
	if err != nil {
		return nil, s.problem("save view", err)
	}
	if !replaces && len(have) >= maxViews {
		return nil, guard.NewProblem(http.StatusConflict, "too_many_views", "there are 200 saved views", "delete one that is not needed")
	}
	body, err := json.Marshal(v)
	if err == nil {
		_, err = s.cfg.Books.Put(ctx, book.Entry{Kind: kindView, ID: v.ID, Version: old.Version, Updated: v.Saved, Body: body})
	}
	if err != nil {
		return nil, s.problem("save view", err)
	}
	return &viewOutput{v}, nil
}

func (s *server) deleteView(ctx context.Context, in *IDInput) (*struct{}, error) {
	e, ok, err := s.cfg.Books.Entry(ctx, kindView, in.ID)
	if err == nil && ok {
		err = s.cfg.Books.Delete(ctx, kindView, in.ID, e.Version)
	}
	if err != nil {
		return nil, s.problem("delete view", err)
	}
	return nil, nil
}

func showKey(k apikey.Key) Key {
	out := Key{ID: k.ID, Name: k.Name, Scopes: []string{}, By: k.By, Created: k.Created, Expires: k.Expires, Revoked: k.Revoked}
	for _, s := range k.Scopes {
		out.Scopes = append(out.Scopes, string(s))
	}
	return out
}

func (s *server) keys(ctx context.Context, _ *struct{}) (*keysOutput, error) {
	all, err := s.cfg.Keys.List(ctx)
	if err != nil {
		return nil, s.problem("keys", err)
	}
	out := &keysOutput{}
	out.Body.Keys, out.Body.Scopes = []Key{}, []string{}
	for _, k := range all {
		out.Body.Keys = append(out.Body.Keys, showKey(k))
	}
	for _, sc := range apikey.Scopes {
		out.Body.Scopes = append(out.Body.Scopes, string(sc))
	}
	return out, nil
}

func (s *server) createKey(ctx context.Context, in *createKeyInput) (*createKeyOutput, error) {
	r := apikey.Request{Token: idem.Token(ctx), Name: in.Body.Name, By: callerOf(ctx).name, Expires: in.Body.Expires.UTC()}
	if !r.Expires.IsZero() && !r.Expires.After(s.now()) {
		return nil, guard.NewProblem(http.StatusUnprocessableEntity, "expires", "the key would have ended already", "give a time to come, or none")
	}
	for _, sc := range in.Body.Scopes {
		r.Scopes = append(r.Scopes, apikey.Scope(sc))
	}
	k, secret, err := s.cfg.Keys.Create(ctx, r)
	if err != nil {
		return nil, s.problem("create key", err)
	}
	out := &createKeyOutput{}
	out.Body.Key = showKey(k)
	if out.Stored, err = kept(out.Body); err != nil { // without the secret
		return nil, s.problem("create key", err)
	}
	out.Body.Secret = string(secret.Reveal())
	return out, nil
}

// kept is the body that a repeated request gets.
func kept(body any) (string, error) {
	b, err := json.Marshal(body)
	return string(b), err
}

func (s *server) revokeKey(ctx context.Context, in *IDInput) (*struct{}, error) {
	if err := s.cfg.Keys.Revoke(ctx, in.ID); err != nil {
		return nil, s.problem("revoke key", err)
	}
	return nil, nil
}

func showHook(h webhook.Status) Hook {
	out := Hook{
		ID: h.ID, URL: h.URL, Name: h.Name, Merchant: string(h.Merchant), Events: append([]string{}, h.Events...), By: h.By, Created: h.Created,
		State: h.State, Delivered: int64(h.Delivered), Last: h.Last, Since: h.Since, Tries: h.Tries, Error: h.Error, Next: h.Next,
	}
	return out
}

func (s *server) hooks(ctx context.Context, _ *struct{}) (*hooksOutput, error) {
	all, err := s.cfg.Hooks.List(ctx)
	if err != nil {
		return nil, s.problem("webhooks", err)
	}
	out := &hooksOutput{}
	out.Body.Hooks, out.Body.Events = []Hook{}, webhook.Types
	for _, h := range all {
		out.Body.Hooks = append(out.Body.Hooks, showHook(h))
	}
	return out, nil
}

func (s *server) createHook(ctx context.Context, in *createHookInput) (*createHookOutput, error) {
	h, secret, err := s.cfg.Hooks.Create(ctx, webhook.Request{
		Token: idem.Token(ctx), URL: in.Body.URL, Name: in.Body.Name, Merchant: pay.MerchantID(in.Body.Merchant), Events: in.Body.Events, By: callerOf(ctx).name,
	})
	if err != nil {
		return nil, s.problem("create webhook", err)
	}
	out := &createHookOutput{}
	out.Body.Hook = showHook(webhook.Status{Hook: h, State: webhook.Active})
	if out.Stored, err = kept(out.Body); err != nil { // without the secret
		return nil, s.problem("create webhook", err)
	}
	out.Body.Secret = string(secret.Reveal())
	return out, nil
}

func (s *server) pauseHook(ctx context.Context, in *pauseInput) (*hookOutput, error) {
	h, err := s.cfg.Hooks.Pause(ctx, in.ID, in.Body.Paused)
	if err != nil {
		return nil, s.problem("pause webhook", err)
	}
	all, err := s.cfg.Hooks.List(ctx)
	if err != nil {
		return nil, s.problem("pause webhook", err)
	}
	for _, st := range all {
		if st.ID == h.ID {
			return &hookOutput{showHook(st)}, nil
		}
	}
	return nil, s.problem("pause webhook", webhook.ErrNone)
}

func (s *server) deleteHook(ctx context.Context, in *IDInput) (*struct{}, error) {
	if err := s.cfg.Hooks.Delete(ctx, in.ID); err != nil {
		return nil, s.problem("delete webhook", err)
	}
	return nil, nil
}
