package main

import (
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
	profiles := perso.Profiles()
	if c.JSON {
		type row struct {
			Name string `json:"name"`
			Form string `json:"form"`
			ZH   string `json:"zh"`
			EN   string `json:"en"`
		}
		rows := make([]row, 0, len(profiles))
		for _, p := range profiles {
			rows = append(rows, row{p.Name, fmt.Sprint(p.Form), p.TitleZH, p.TitleEN})
		}
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, p := range profiles {
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, p.Form, p.TitleZH, p.TitleEN); err != nil {
			return err
		}
	}
	return w.Flush()
}
