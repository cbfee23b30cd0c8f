package postgres_test

import (
	"context"
	"sync"
	"testing"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/postgres"
	"huika/acquirer/book/postgres/pgtest"
	"huika/pay"
	"huika/rt"
)

// cluster is a server with a database "books" that has the tables, for copies.
type cluster struct {
	*pgtest.Server
	mu  sync.Mutex
	dsn map[book.Store]string
}

func newCluster(t *testing.T, settings ...string) *cluster {
	t.Helper()
	c := &cluster{Server: pgtest.Start(t, settings...), dsn: map[book.Store]string{}}
	c.Exec(t, "postgres", "CREATE DATABASE books")
	if err := postgres.Migrate(t.Context(), pay.NewSecret([]byte(c.DSN("books")))); err != nil {
		t.Fatal(err)
	}
	return c
}

// open opens the books of a connection string.
func (c *cluster) open(t *testing.T, dsn string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), rt.Real(), postgres.Options{DSN: pay.NewSecret([]byte(dsn))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it already
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dsn[s] = dsn
	return s
}

// empty opens a new database's books.
func (c *cluster) empty(t *testing.T) *postgres.Store {
	t.Helper()
	return c.open(t, c.DSN(c.Database(t, "books")))
}

func TestContract(t *testing.T) {
	c := newCluster(t)
	booktest.Run(t,
		func(t *testing.T) book.Store { return c.empty(t) },
		func(t *testing.T, s book.Store) book.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return c.open(t, c.dsn[s])
		})
}
