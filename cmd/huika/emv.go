package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"huika/emv/entry"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
	"huika/terminal/trace"
)

type emvCmd struct {
	Decode decodeCmd `cmd:"" help:"Decode BER-TLV in words. Example: huika emv decode 9F660427004080"`
	Replay replayCmd `cmd:"" help:"Run a recorded tap again through the kernel. Example: huika emv replay tap.huika"`
}

type decodeCmd struct {
	Hex string `arg:"" help:"BER-TLV in hex; - reads it from standard input."`
}

// maxDecode bounds what is read from standard input.
const maxDecode = 1 << 20

func (d *decodeCmd) Run() error {
	text := d.Hex
	if text == "-" {
		b, err := io.ReadAll(io.LimitReader(os.Stdin, maxDecode))
		if err != nil {
			return err
		}
		text = string(b)
	}
	data, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return usageError{"not hex: " + err.Error()}
	}
	return tlv.Walk(data, func(depth int, t tlv.TLV) error {
		indent := strings.Repeat("  ", depth)
		info, known := tag.C7.Lookup(t.Tag)
		if !known {
			info.Name = "unknown"
		}
		if t.Tag.Constructed() {
			_, err := fmt.Printf("%s%s %s\n", indent, t.Tag, info.Name)
			return err
		}
		if _, err := fmt.Printf("%s%s %s: %X\n", indent, t.Tag, info.Name, t.Value); err != nil {
			return err
		}
		if info.Explain == nil {
			return nil
		}
		for _, line := range info.Explain(t.Value) {
			if _, err := fmt.Printf("%s    %s\n", indent, line); err != nil {
				return err
			}
		}
		return nil
	})
}

type replayCmd struct {
	File string `arg:"" help:"A sealed trace of ours, or a clear exchange in JSON." type:"existingfile"`
	Data string `help:"Data directory whose key opens the trace." placeholder:"data"`
	JSON bool   `help:"Print JSON."`
}

func (r *replayCmd) Run(ctx context.Context, c *cli) error {
	tr, err := r.read(c)
	if err != nil {
		return err
	}
	rep, err := trace.Replay(ctx, tr, func(t trace.Trace, ca *oda.CAStore) (*entry.Kernels, error) {
		return terminal.ReplayKernels(t, ca)
	})
	if err != nil {
		return err
	}
	o := rep.Result.Outcome
	if r.JSON {
		err = json.NewEncoder(os.Stdout).Encode(map[string]any{
			"outcome": o.Kind.String(), "kernel": rep.Result.Kernel, "cvm": o.CVM.String(), "oda": o.ODA.String(),
			"same": rep.Same, "recorded": tr.Outcome != nil, "difference": rep.Difference, "exchanges": len(tr.Exchanges()),
		})
	} else {
		_, err = fmt.Printf("%s, kernel %d, cvm %s, oda %s: %s\n", o.Kind, rep.Result.Kernel, o.CVM, o.ODA, o.Reason)
	}
	switch {
	case err != nil:
		return err
	case tr.Outcome != nil && !rep.Same:
		return outcomeError{"the replay ended another way: " + rep.Difference}
	}
	return nil
}

func (r *replayCmd) read(c *cli) (trace.Trace, error) {
	info, err := os.Stat(r.File)
	if err != nil {
		return trace.Trace{}, err
	}
	if info.Size() > trace.MaxFile {
		return trace.Trace{}, usageError{fmt.Sprintf("%s has %d bytes: a trace has at most %d", r.File, info.Size(), trace.MaxFile)}
	}
	b, err := os.ReadFile(r.File)
	if err != nil {
		return trace.Trace{}, err
	}
	if !trace.IsSealed(b) {
		return trace.Parse(bytes.TrimSpace(b))
	}
	cfg, err := c.load()
	if err != nil {
		return trace.Trace{}, err
	}
	override(&cfg.Data, r.Data)
	kit, err := site.OpenKit(rt.Real(), cfg, logger(cfg.Log))
	if err != nil {
		return trace.Trace{}, err
	}
	sealer, err := pay.NewGCMSealer(kit.Secrets.Terminal, kit.Env.Rand())
	if err != nil {
		return trace.Trace{}, err
	}
	return trace.Open(b, sealer)
}
