package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"huika/acquirer/book/booktest"
	"huika/acquirer/book/postgres"
	"huika/pay"
)

// citusStandIn gives a database the little of Citus that Distribute touches:
// the extension's row, the catalogue of distributed tables, the two functions.
// They write down what they are asked for. A real Citus is another matter.
var citusStandIn = []string{
	`SET allow_system_table_mods = on`,
	`INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) SELECT 99999, 'citus', 10, oid, false, '0' FROM pg_namespace WHERE nspname = 'public'`,
	`CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY, of text)`,
	`CREATE FUNCTION create_distributed_table(t regclass, c text, colocate_with text DEFAULT 'default') RETURNS void LANGUAGE plpgsql AS $$ BEGIN
 IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t AND NOT tgisinternal) THEN RAISE EXCEPTION 'cannot distribute relation "%" because it has triggers', t; END IF;
 INSERT INTO pg_dist_partition VALUES (t, c); END $$`,
	`CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE sql AS $$ INSERT INTO pg_dist_partition VALUES (t, 'reference') $$`,
}

func TestDistribute(t *testing.T) {
	c := shared(t)
	db := c.Database(t, "")
	dsn := pay.NewSecret([]byte(c.DSN(db)))
	if _, err := postgres.Distribute(t.Context(), dsn); !errors.Is(err, postgres.ErrNoCitus) || !strings.Contains(err.Error(), "CREATE EXTENSION citus") {
		t.Fatalf("%v, want %v", err, postgres.ErrNoCitus)
	}
	c.Exec(t, db, citusStandIn...)
	want := []string{
		`SELECT create_distributed_table('payments', 'lane')`,
		`DROP TRIGGER IF EXISTS transfers_immutable ON transfers`,
		`SELECT create_distributed_table('transfers', 'lane', colocate_with => 'payments')`,
		`SELECT create_distributed_table('lanes', 'lane', colocate_with => 'payments')`,
		`SELECT create_distributed_table('checkpoints', 'lane', colocate_with => 'payments')`,
		`SELECT create_reference_table('entries')`,
	}
	got, err := postgres.Distribute(t.Context(), dsn)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v\nran %q\nwant %q", err, got, want)
	}
	if got, err := postgres.Distribute(t.Context(), dsn); err != nil || len(got) != 0 {
		t.Fatalf("again: %v, ran %q", err, got)
	}
	c.Exec(t, db, `DELETE FROM pg_dist_partition WHERE logicalrelid IN ('checkpoints'::regclass, 'entries'::regclass)`)
	if got, err := postgres.Distribute(t.Context(), dsn); err != nil || !slices.Equal(got, want[4:]) {
		t.Fatalf("after it was broken off: %v, ran %q", err, got)
	}
	s := c.open(t, c.DSN(db))
	if _, err := apply(t, s, booktest.Admit(booktest.Key(merchant, 1), 100)); err != nil {
		t.Fatal(err)
	}
}

// Every table is either distributed or a reference table, and on Citus every
// unique key of a distributed one must hold lane; ours begin with it.
func TestEveryKeyHoldsItsLane(t *testing.T) {
	c := shared(t)
	conn, err := pgx.Connect(t.Context(), c.DSN("books"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), `SELECT c.relname, i.indexrelid::regclass::text, a.attname
 FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
 WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace`)
	if err != nil {
		t.Fatal(err)
	}
	keyed := map[string]bool{}
	var table, index, first string
	if _, err := pgx.ForEachRow(rows, []any{&table, &index, &first}, func() error {
		keyed[table] = true
		if want := map[string]string{"entries": "kind", "goose_db_version": "id"}[table]; first != "lane" && first != want {
			t.Errorf("%s of %s begins with %s", index, table, first)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"payments", "transfers", "lanes", "checkpoints", "entries"} {
		if !keyed[table] {
			t.Errorf("%s has no key", table)
		}
	}
	if len(keyed) != 6 {
		t.Errorf("tables %v: is a new one distributed?", keyed)
	}
}
