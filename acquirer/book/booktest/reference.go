package booktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"huika/acquirer/book"
)

// RunReference holds a reference table to its contract. open makes an empty
// one; reopen closes it and opens the same content again.
func RunReference(t *testing.T, open func(t *testing.T) book.Reference, reopen func(t *testing.T, r book.Reference) book.Reference) {
	t.Run("life of an entry", func(t *testing.T) { entryLife(t, open(t), reopen) })
	t.Run("pages", func(t *testing.T) { entryPages(t, open(t)) })
	t.Run("one of many writers wins", func(t *testing.T) { writers(t, open(t)) })
	t.Run("bounds", func(t *testing.T) { entryBounds(t, open(t)) })
}

func put(t testing.TB, r book.Reference, e book.Entry, want error) int64 {
	t.Helper()
	v, err := r.Put(context.Background(), e)
	if !errors.Is(err, want) || want == nil && v != e.Version+1 {
		t.Fatalf("put %s/%s over version %d: version %d, %v; want %v", e.Kind, e.ID, e.Version, v, err, want)
	}
	return v
}

func entryLife(t *testing.T, r book.Reference, reopen func(*testing.T, book.Reference) book.Reference) {
	ctx := context.Background()
	e := book.Entry{Kind: "view", ID: "a", Updated: at, Body: []byte("one\x00\xff")}
	if _, ok, err := r.Entry(ctx, "view", "a"); ok || err != nil {
		t.Fatalf("there before it was written: %v", err)
	}
	put(t, r, book.Entry{Kind: "view", ID: "a", Version: 3, Updated: at}, book.ErrConflict)
	e.Version = put(t, r, e, nil)
	put(t, r, book.Entry{Kind: "view", ID: "a", Updated: at}, book.ErrConflict)
	r = reopen(t, r)
	have, ok, err := r.Entry(ctx, "view", "a")
	if err != nil || !ok || !reflect.DeepEqual(have, e) {
		t.Fatalf("after reopening: %v %v\nhave %+v\nwant %+v", ok, err, have, e)
	}
	if _, ok, err := r.Entry(ctx, "other kind", "a"); ok || err != nil {
		t.Fatalf("another kind's: %v", err)
	}
	e.Body = []byte("two")
	put(t, r, e, nil)
	put(t, r, e, book.ErrConflict)
	if err := r.Delete(ctx, "view", "a", 1); !errors.Is(err, book.ErrConflict) {
		t.Fatalf("an old version was deleted: %v", err)
	}
	for range 2 { // gone is no error
		if err := r.Delete(ctx, "view", "a", 2); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, _ := r.Entry(ctx, "view", "a"); ok {
		t.Fatal("deleted, and still there")
	}
	put(t, r, e, book.ErrConflict)
	e.Version = 0
	put(t, r, e, nil)
}

func entryPages(t *testing.T, r book.Reference) {
	ids := []string{"A", "B", "Z", "a", "aa", "b", "é"} // in the order of bytes
	for _, i := range []int{3, 0, 6, 2, 5, 1, 4} {
		put(t, r, book.Entry{Kind: "k", ID: ids[i], Updated: at, Body: []byte(ids[i])}, nil)
		put(t, r, book.Entry{Kind: "l", ID: ids[i], Updated: at}, nil)
	}
	var got []string
	after := ""
	for {
		page, err := r.Entries(context.Background(), "k", after, 2)
		if err != nil || len(page) > 2 {
			t.Fatal(len(page), err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if e.Kind != "k" || string(e.Body) != e.ID || e.Version != 1 || !e.Updated.Equal(at) {
				t.Fatalf("%+v", e)
			}
			got, after = append(got, e.ID), e.ID
		}
	}
	if !reflect.DeepEqual(got, ids) {
		t.Fatalf("%q, want %q", got, ids)
	}
}

func writers(t *testing.T, r book.Reference) {
	const n = 8
	var won atomic.Int64
	for version := range int64(4) {
		won.Store(0)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				_, err := r.Put(context.Background(), book.Entry{Kind: "k", ID: "x", Version: version, Updated: at, Body: fmt.Append(nil, i)})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, book.ErrConflict):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of %d writers won over version %d", won.Load(), n, version)
		}
	}
}

func entryBounds(t *testing.T, r book.Reference) {
	ctx, cancel := context.WithCancel(context.Background())
	put(t, r, book.Entry{Kind: "k", ID: "large", Updated: at, Body: bytes.Repeat([]byte{7}, book.MaxEntry)}, nil)
	put(t, r, book.Entry{Kind: "k", ID: "too large", Updated: at, Body: make([]byte, book.MaxEntry+1)}, book.ErrNotApplied)
	cancel()
	if _, err := r.Put(ctx, book.Entry{Kind: "k", ID: "late", Updated: at}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled context: %v", err)
	}
	for _, id := range []string{"too large", "late"} {
		if _, ok, err := r.Entry(context.Background(), "k", id); ok || err != nil {
			t.Errorf("%s is there: %v", id, err)
		}
	}
}
