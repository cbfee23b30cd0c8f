package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"huika/httpapi/apikey"
	"huika/rt"
	"huika/site"
)

type apiKeyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make a key and show it, once. Example: huika apikey create --name reports --scope payments:read --data data"`
	List   keyListCmd   `cmd:"" help:"List the keys, without their secrets."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a key, at once and for good."`
}

type keyCreateCmd struct {
	Name  string        `help:"What the key is for." required:""`
	Scope []string      `help:"What it may do; may be given several times." required:"" placeholder:"payments:read"`
	For   time.Duration `help:"How long it is valid; without it for ever." placeholder:"2160h"`
	Data  string        `help:"Data directory." placeholder:"data"`
}

func withKeys(ctx context.Context, c *cli, data string, f func(*apikey.Keys) error) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	override(&cfg.Data, data)
	return site.WithAPIKeys(ctx, rt.Real(), cfg, logger(cfg.Log), f)
}

func (k *keyCreateCmd) Run(ctx context.Context, c *cli) error {
	r := apikey.Request{Name: k.Name, By: "command line"}
	for _, s := range k.Scope {
		r.Scopes = append(r.Scopes, apikey.Scope(s))
	}
	if k.For > 0 {
		r.Expires = time.Now().Add(k.For).UTC().Truncate(time.Second)
	}
	return withKeys(ctx, c, k.Data, func(keys *apikey.Keys) error {
		made, secret, err := keys.Create(ctx, r)
		switch {
		case errors.Is(err, apikey.ErrScope), errors.Is(err, apikey.ErrName):
			return usageError{err.Error()}
		case err != nil:
			return err
		}
		fmt.Printf("%s\n", secret.Reveal())
		fmt.Fprintf(os.Stderr, "Key %s (%s). It is shown this once: keep it now. huika apikey revoke %s ends it.\n", made.ID, made.Name, made.ID)
		return nil
	})
}

type keyListCmd struct {
	Data string `help:"Data directory." placeholder:"data"`
}

func (k *keyListCmd) Run(ctx context.Context, c *cli) error {
	return withKeys(ctx, c, k.Data, func(keys *apikey.Keys) error {
		all, err := keys.List(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tSCOPES\tMADE\tBY\tSTATE")
		for _, key := range all {
			state := "valid"
			switch {
			case !key.Revoked.IsZero():
				state = "revoked " + key.Revoked.Format(time.DateOnly)
			case !key.Expires.IsZero() && time.Now().After(key.Expires):
				state = "ended " + key.Expires.Format(time.DateOnly)
			case !key.Expires.IsZero():
				state = "valid until " + key.Expires.Format(time.DateOnly)
			}
			scopes := make([]string, len(key.Scopes))
			for i, s := range key.Scopes {
				scopes[i] = string(s)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", key.ID, key.Name, strings.Join(scopes, ","), key.Created.Format(time.DateOnly), key.By, state)
		}
		return w.Flush()
	})
}

type keyRevokeCmd struct {
	ID   string `arg:"" help:"The key's id (huika apikey list)."`
	Data string `help:"Data directory." placeholder:"data"`
}

func (k *keyRevokeCmd) Run(ctx context.Context, c *cli) error {
	return withKeys(ctx, c, k.Data, func(keys *apikey.Keys) error {
		if err := keys.Revoke(ctx, k.ID); err != nil {
			return err
		}
		fmt.Printf("%s is revoked.\n", k.ID)
		return nil
	})
}
