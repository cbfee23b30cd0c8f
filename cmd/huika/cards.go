package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"huika/card/perso"
)

type cardsCmd struct {
	JSON bool `help:"Print JSON."`
}

func (c *cardsCmd) Run() error {
	profiles := perso.AllProfiles()
	if c.JSON {
		type row struct {
			Name   string `json:"name"`
			Scheme string `json:"scheme"` // "" for what is no payment card
			Form   string `json:"form"`
			ZH     string `json:"zh"`
			EN     string `json:"en"`
			HintZH string `json:"hint_zh"`
			HintEN string `json:"hint_en"`
			OnDesk bool   `json:"on_desk"` // of the demo's card tray
		}
		rows := make([]row, 0, len(profiles))
		for _, p := range profiles {
			rows = append(rows, row{p.Name, p.Scheme, string(p.Form), p.TitleZH, p.TitleEN, p.HintZH, p.HintEN, p.OnDesk})
		}
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, p := range profiles {
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Name, cmp.Or(p.Scheme, "-"), p.Form, p.TitleZH, p.TitleEN); err != nil {
			return err
		}
	}
	return w.Flush()
}
