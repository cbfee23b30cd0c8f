package site

import (
	"fmt"
	"strings"

	"huika/rt"
	"huika/terminal/receipt"
)

// printer is where receipts go: nil where the shop has none.
func (c *Config) printer(env rt.Env) (receipt.Printer, error) {
	kind, rest, _ := strings.Cut(c.Terminal.Printer, ":")
	switch {
	case c.Terminal.Printer == "":
		return nil, nil
	case kind == "file" && rest != "":
		return receipt.ToFile(rest), nil
	case kind == "tcp" && rest != "":
		return receipt.ToNetwork(env, rest), nil
	}
	return nil, fmt.Errorf("%w: terminal.printer: %q: want file:PATH or tcp:HOST:PORT", ErrConfig, c.Terminal.Printer)
}
