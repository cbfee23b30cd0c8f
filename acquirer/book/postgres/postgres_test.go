package postgres_test

import (
	"context"
	"fmt"
	"os"
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

// newCluster is a server of the test's own, to kill or to listen to.
func newCluster(t testing.TB, settings ...string) *cluster {
	t.Helper()
	c := &cluster{Server: pgtest.Start(t, settings...), dsn: map[book.Store]string{}}
	pgtest.Need(t, c.template())
	return c
}

func (c *cluster) template() error {
	if err := c.Try("postgres", "CREATE DATABASE books"); err != nil {
		return err
	}
	return postgres.Migrate(context.Background(), pay.NewSecret([]byte(c.DSN("books"))))
}

// together is the server that the other tests share.
var together struct {
	once sync.Once
	c    *cluster
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if c := together.c; c != nil {
		if err := c.End(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// shared is a server that nobody harms.
func shared(t testing.TB) *cluster {
	t.Helper()
	together.once.Do(func() {
		s, err := pgtest.New()
		if err == nil {
			together.c = &cluster{Server: s, dsn: map[book.Store]string{}}
			err = together.c.template()
		}
		together.err = err
	})
	pgtest.Need(t, together.err)
	return together.c
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
	c := shared(t)
	booktest.Run(t,
		func(t *testing.T) book.Store { return c.empty(t) },
		func(t *testing.T, s book.Store) book.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return c.open(t, c.dsn[s])
		})
}

func TestSearchContract(t *testing.T) {
	c := shared(t)
	booktest.RunSearch(t, func(t *testing.T) booktest.Searchable { return c.empty(t) })
}

func TestReferenceContract(t *testing.T) {
	c := shared(t)
	booktest.RunReference(t,
		func(t *testing.T) book.Reference { return c.empty(t) },
		func(t *testing.T, r book.Reference) book.Reference {
			s := r.(*postgres.Store)
			dsn := c.dsn[s]
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return c.open(t, dsn)
		})
}
