package main

import (
	"context"
	"fmt"

	"huika/rt"
	"huika/site"
)

type backupCmd struct {
	Data string `help:"Data directory." placeholder:"data"`
	To   string `help:"New folder for the backup." required:"" placeholder:"DIR"`
}

func (b *backupCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	override(&cfg.Data, b.Data)
	m, err := site.Backup(ctx, rt.Real(), cfg, b.To, logger(cfg.Log))
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d files, %d payments; the books in it are whole.\nIt holds every key of this installation: keep it as you keep them.\n", b.To, len(m.Files), m.Payments)
	return nil
}

type restoreCmd struct {
	From string `help:"Folder of the backup." required:"" placeholder:"DIR"`
	Data string `help:"New data directory." required:"" placeholder:"DIR"`
}

func (r *restoreCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	cfg.Data = r.Data
	rep, err := site.Restore(ctx, rt.Real(), cfg, r.From, logger(cfg.Log))
	if err != nil {
		return err
	}
	if !rep.Sound() {
		fmt.Println("WRONG:", rep.Findings[0])
		return outcomeError{"the books are not whole"}
	}
	fmt.Printf("%s: %d payments, %d transfers. The books are whole.\n", r.Data, rep.Payments, rep.Transfers)
	return nil
}
