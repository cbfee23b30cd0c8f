package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"huika/pay"
	"huika/rt"
	"huika/site"
)

type verifyCmd struct {
	Data string `help:"Data directory." placeholder:"data"`
	JSON bool   `help:"Print JSON."`
}

func (v *verifyCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	override(&cfg.Data, v.Data)
	rep, err := site.Verify(ctx, rt.Real(), cfg, logger(cfg.Log))
	if err != nil {
		return err
	}
	if v.JSON {
		err = json.NewEncoder(os.Stdout).Encode(map[string]any{
			"sound": rep.Sound(), "payments": rep.Payments, "transfers": rep.Transfers, "unresolved": rep.Unresolved,
			"balances": rep.Balances, "findings": rep.Findings,
		})
	} else {
		fmt.Printf("%d payments, %d transfers, %d unresolved\n", rep.Payments, rep.Transfers, rep.Unresolved)
		for cur, accounts := range rep.Balances {
			for _, a := range slices.Sorted(maps.Keys(accounts)) {
				fmt.Printf("  %-32s %s\n", a, pay.Money{Minor: accounts[a], Currency: cur})
			}
		}
		for _, f := range rep.Findings {
			fmt.Println("WRONG:", f)
		}
	}
	switch {
	case err != nil:
		return err
	case !rep.Sound():
		return outcomeError{"the books are not whole"}
	}
	if !v.JSON {
		fmt.Println("The books are whole.")
	}
	return nil
}
