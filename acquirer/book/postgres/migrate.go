package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"huika/pay"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate makes the tables or brings them up to date. Hosts that start together
// take turns. It changes nothing where they are.
func Migrate(ctx context.Context, dsn pay.Secret) error {
	cfg, err := config(dsn)
	if err != nil {
		return err
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	turns, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*cfg.ConnConfig)
	p, err := goose.NewProvider(goose.DialectPostgres, db, sub, goose.WithSessionLocker(turns))
	if err == nil {
		if pending, perr := p.HasPending(ctx); perr != nil || pending {
			_, err = p.Up(ctx)
		}
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("tables of the books in PostgreSQL: %w", err)
	}
	return nil
}
