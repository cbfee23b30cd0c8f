package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"huika/acquirer/book/postgres/pgtest"
	"huika/site"
	"huika/terminal"
)

// newPostgresTown is a town whose books are in a PostgreSQL of its own.
func newPostgresTown(t *testing.T) (*town, *pgtest.Server) {
	t.Helper()
	db := pgtest.Start(t)
	from := template(t)
	tw := newTown(t, from)
	tw.cfg.Acquirer.Store, tw.cfg.Acquirer.DSN = "postgres", site.DSN(db.DSN(db.Database(t, "")))
	t.Setenv("HUIKA_ACQUIRER_STORE", tw.cfg.Acquirer.Store) // for huika verify
	t.Setenv("HUIKA_ACQUIRER_DSN", string(tw.cfg.Acquirer.DSN))
	return tw, db
}

// Two hosts share one database, as processes. The one that has the lanes is
// killed in the middle of a sale; the other gets them when the lease is over,
// finishes what was open, and sells. Then the database is killed too.
func TestLanesOfAKilledHostMoveToAnother(t *testing.T) {
	tw, db := newPostgresTown(t)
	tw.open(crash{})
	tw.settle("")
	tw.prove()
	second := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(second, os.DirFS(filepath.Join(tw.cfg.Data))); err != nil { // its keys are the first one's
		t.Fatal(err)
	}
	first := tw.cfg.Acquirer.Listen
	tw.cfg.Acquirer.Listen = freePorts(t, 1)[0]
	other := launch(t, tw.environ(), []string{partHost, "--data", second, "--listen", tw.cfg.Acquirer.Listen, "--scheme", tw.cfg.World.Scheme}, "Host")
	t.Cleanup(func() { _ = other.kill() }) // the test may have ended it
	if !other.serving(t) {
		t.Fatalf("a second host over the same books does not start:\n%s", other.log)
	}
	victim := tw.running[partHost]
	done := make(chan error, 1)
	go func() {
		time.Sleep(killWithin / 4)
		done <- victim.kill()
	}()
	tw.sell(order{amount: "88.80"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	moved := time.Now()
	tw.running[partHost] = other
	if code, err := tw.running[partTerminal].stop(); code != exitOK || err != nil {
		t.Fatal(code, err)
	}
	tw.start(partTerminal, "")
	tw.settle("")
	tw.prove()
	t.Logf("host at %s killed; the one at %s sells %v later", first, tw.cfg.Acquirer.Listen, time.Since(moved).Round(time.Millisecond))

	if err := errors.Join(db.Kill(), db.Restart()); err != nil {
		t.Fatal(err)
	}
	tw.settle("")
	tw.prove()
	tw.stop("")
	tw.agree()
	approved := 0
	for _, word := range tw.shown {
		if word == terminal.Approved {
			approved++
		}
	}
	if approved < 3 {
		t.Errorf("only %d sales were approved", approved)
	}
}

// What the program says about books in PostgreSQL at the shell.
func TestPostgresCommands(t *testing.T) {
	tw, _ := newPostgresTown(t)
	dsn := string(tw.cfg.Acquirer.DSN)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"store", "migrate", "--dsn", dsn}, exitOK, "up to date"},
		{[]string{"store", "migrate"}, exitOK, "up to date"}, // the environment names it
		{[]string{"store", "distribute", "--dsn", dsn}, exitTechnical, "CREATE EXTENSION citus"},
		{[]string{"verify", "--data", tw.cfg.Data}, exitOK, "0 payments, 0 transfers"},
		{[]string{"backup", "--data", tw.cfg.Data, "--to", filepath.Join(t.TempDir(), "b")}, exitTechnical, "pg_dump"},
		{[]string{"restore", "--from", t.TempDir(), "--data", filepath.Join(t.TempDir(), "d")}, exitTechnical, "pg_restore"},
		{[]string{"store", "migrate", "--dsn", "postgres://huika:s3cret@127.0.0.1:1/x"}, exitTechnical, "refused"},
	} {
		code, out := runOnce(t, c.args...)
		if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, "s3cret") {
			t.Errorf("huika %s: %d, want %d and %q:\n%s", strings.Join(c.args, " "), code, c.code, c.says, out)
		}
	}
}
