package main

import (
	"context"
	"fmt"

	"huika/site"
)

type storeCmd struct {
	Migrate    storeMigrateCmd    `cmd:"" help:"Make the books' tables, or bring them up to date. Example: huika store migrate --dsn postgres://huika@db/huika"`
	Distribute storeDistributeCmd `cmd:"" help:"Make them distributed and reference tables of Citus. Example: huika store distribute --dsn postgres://huika@coordinator/huika"`
}

// dsnFlag names the database. The environment keeps a password out of the list of processes.
type dsnFlag struct {
	DSN string `help:"Connection string; else acquirer.dsn of the configuration, or HUIKA_ACQUIRER_DSN." name:"dsn" placeholder:"postgres://…"`
}

func (f dsnFlag) dsn(c *cli) (site.DSN, error) {
	cfg, err := c.load()
	if err != nil {
		return "", err
	}
	if f.DSN != "" {
		return site.DSN(f.DSN), nil
	}
	if cfg.Acquirer.DSN == "" {
		return "", usageError{"which database? Give --dsn, acquirer.dsn in the configuration or HUIKA_ACQUIRER_DSN, such as postgres://huika@127.0.0.1/huika"}
	}
	return cfg.Acquirer.DSN, nil
}

type storeMigrateCmd struct{ dsnFlag }

func (m *storeMigrateCmd) Run(ctx context.Context, c *cli) error {
	dsn, err := m.dsn(c)
	if err == nil {
		err = site.MigrateBooks(ctx, dsn)
	}
	if err != nil {
		return err
	}
	fmt.Println("The tables are up to date.")
	return nil
}

type storeDistributeCmd struct{ dsnFlag }

func (d *storeDistributeCmd) Run(ctx context.Context, c *cli) error {
	dsn, err := d.dsn(c)
	if err != nil {
		return err
	}
	ran, err := site.DistributeBooks(ctx, dsn)
	for _, q := range ran {
		fmt.Println(q)
	}
	if err != nil {
		return err
	}
	if len(ran) == 0 {
		fmt.Println("Nothing to do: every table is distributed.")
	}
	return nil
}
