package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"huika/pay"
)

// What each table is on Citus. Tables of one distribution column live together:
// a lane's rows of all of them are on one node.
var (
	distributed = []string{"payments", "transfers", "lanes", "checkpoints"}
	reference   = []string{"entries"}
)

// ErrNoCitus says that the database has no Citus.
var ErrNoCitus = errors.New("the database has no citus extension: install Citus on every node, add it to shared_preload_libraries, and run CREATE EXTENSION citus in this database")

// distribution lists the statements that make the tables distributed and
// reference tables, without those that already are. Citus distributes no table
// with triggers: that of transfers goes, and what guards them then is the hash
// chain alone.
func distribution(done []string) []string {
	var out []string
	missing := func(table string) bool { return !slices.Contains(done, table) }
	for _, t := range distributed {
		if !missing(t) {
			continue
		}
		if t == "transfers" {
			out = append(out, `DROP TRIGGER IF EXISTS transfers_immutable ON transfers`)
		}
		if t == distributed[0] {
			out = append(out, fmt.Sprintf(`SELECT create_distributed_table('%s', 'lane')`, t))
		} else {
			out = append(out, fmt.Sprintf(`SELECT create_distributed_table('%s', 'lane', colocate_with => '%s')`, t, distributed[0]))
		}
	}
	for _, t := range reference {
		if missing(t) {
			out = append(out, fmt.Sprintf(`SELECT create_reference_table('%s')`, t))
		}
	}
	return out
}

// Distribute makes the tables Citus tables, and returns the statements that it
// ran: none where they were. It runs again after it was broken off. No host
// may write meanwhile. Errors: ErrDSN, ErrNoCitus, the server's.
func Distribute(ctx context.Context, dsn pay.Secret) ([]string, error) {
	cfg, err := config(dsn)
	if err != nil {
		return nil, err
	}
	c, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, err
	}
	ran, err := distribute(ctx, c, dsn)
	return ran, errors.Join(err, c.Close(ctx))
}

func distribute(ctx context.Context, c *pgx.Conn, dsn pay.Secret) (ran []string, err error) {
	var has bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')`).Scan(&has); err != nil {
		return nil, err
	}
	if !has {
		return nil, ErrNoCitus
	}
	if err := Migrate(ctx, dsn); err != nil {
		return nil, err
	}
	rows, err := c.Query(ctx, `SELECT logicalrelid::text FROM pg_dist_partition`)
	if err != nil {
		return nil, err
	}
	done, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, q := range distribution(done) {
		if _, err := c.Exec(ctx, q); err != nil {
			return ran, fmt.Errorf("%s: %w", q, err)
		}
		ran = append(ran, q)
	}
	return ran, nil
}
