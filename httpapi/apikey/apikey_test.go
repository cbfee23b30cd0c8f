package apikey_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"huika/acquirer/book/memory"
	"huika/httpapi/apikey"
	"huika/rt"
)

func TestLifeOfAKey(t *testing.T) {
	ctx, store := t.Context(), memory.New()
	keys := apikey.New(rt.Real(), store)
	made, secret, err := keys.Create(ctx, apikey.Request{Name: "till", Scopes: []apikey.Scope{apikey.PaymentsRefund, apikey.PaymentsRead, apikey.PaymentsRead}, By: "x"})
	if err != nil {
		t.Fatal(err)
	}
	text := string(secret.Reveal())
	if shown := fmt.Sprintf("%v %+v %s", secret, made, secret); strings.Contains(shown, text) {
		t.Error("the key prints itself")
	}
	got, err := keys.Check(ctx, text)
	if err != nil || got.ID != made.ID || !got.Has(apikey.PaymentsRead) || !got.Has(apikey.PaymentsRefund) || got.Has(apikey.KeysManage) || len(got.Scopes) != 2 {
		t.Errorf("%+v %v", got, err)
	}
	e, _, err := store.Entry(ctx, apikey.Kind, made.ID)
	if err != nil || strings.Contains(string(e.Body), text[len(text)-40:]) {
		t.Errorf("the table holds the key: %v", err)
	}
	last := text[len(text)-1:]
	other := "0"
	if last == "0" {
		other = "1"
	}
	for _, wrong := range []string{
		"", "hk_", "hk__", text[:len(text)-1] + other, text + "0", strings.ToUpper(text), " " + text, strings.TrimPrefix(text, "hk_"),
		"hk_0000000000000000_" + strings.Repeat("0", 52), "hk_" + made.ID + "_", "hk_../../etc/passw_x", strings.Repeat("h", 10_000),
	} {
		if _, err := keys.Check(ctx, wrong); !errors.Is(err, apikey.ErrKey) {
			t.Errorf("%.40q: %v", wrong, err)
		}
	}
	for range 2 {
		if err := keys.Revoke(ctx, made.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := keys.Check(ctx, text); !errors.Is(err, apikey.ErrKey) {
		t.Errorf("revoked: %v", err)
	}
	if list, err := keys.List(ctx); err != nil || len(list) != 1 || list[0].Revoked.IsZero() {
		t.Errorf("%+v %v", list, err)
	}
	if err := keys.Revoke(ctx, "nobody"); !errors.Is(err, apikey.ErrNone) {
		t.Error(err)
	}
}

func TestKeysEnd(t *testing.T) { synctest.Test(t, ends) }

func ends(t *testing.T) {
	env := rt.Real()
	keys := apikey.New(env, memory.New())
	_, secret, err := keys.Create(t.Context(), apikey.Request{Name: "x", Scopes: apikey.Scopes, Expires: env.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		want  error
	}{{59 * time.Minute, nil}, {2 * time.Minute, apikey.ErrKey}} {
		time.Sleep(c.after)
		if _, err := keys.Check(t.Context(), string(secret.Reveal())); !errors.Is(err, c.want) {
			t.Errorf("%v later: %v, want %v", c.after, err, c.want)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	keys := apikey.New(rt.Real(), memory.New())
	for name, c := range map[string]struct {
		r    apikey.Request
		want error
	}{
		"no name":          {apikey.Request{Scopes: apikey.Scopes}, apikey.ErrName},
		"a long name":      {apikey.Request{Name: strings.Repeat("x", 81), Scopes: apikey.Scopes}, apikey.ErrName},
		"no scope":         {apikey.Request{Name: "x"}, apikey.ErrScope},
		"an unknown scope": {apikey.Request{Name: "x", Scopes: []apikey.Scope{"payments:*"}}, apikey.ErrScope},
	} {
		if _, _, err := keys.Create(t.Context(), c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A repeated request is one key; only the newest secret opens it.
func TestToken(t *testing.T) {
	keys := apikey.New(rt.Real(), memory.New())
	r := apikey.Request{Token: "t", Name: "x", Scopes: apikey.Scopes}
	a, first, err := keys.Create(t.Context(), r)
	b, second, err2 := keys.Create(t.Context(), r)
	if err != nil || err2 != nil || a.ID != b.ID {
		t.Fatal(a, b, err, err2)
	}
	if _, err := keys.Check(t.Context(), string(first.Reveal())); !errors.Is(err, apikey.ErrKey) {
		t.Error("the first secret still opens it")
	}
	if _, err := keys.Check(t.Context(), string(second.Reveal())); err != nil {
		t.Error(err)
	}
}
