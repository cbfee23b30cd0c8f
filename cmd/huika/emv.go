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
	Replay replayCmd `cmd:"" help:"Run a recorded tap again through the kernel, ours or of another terminal. Example: huika emv replay tap.json --ca keys.json --json"`
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

// replayCmd's configuration is the program's own flag --config: as JSON it says
// what the tap of a foreign terminal does not show of it (trace.Settings), as
// TOML it is the configuration of our own terminal.
type replayCmd struct {
	File string `arg:"" help:"A sealed trace of ours, or a tap of another terminal as JSON: command/response pairs in hex (docs/recipes/replay-a-tap.md)." type:"existingfile"`
	CA   string `help:"JSON file with the CA keys that the card's certificates need: rid, index, modulus, exponent." name:"ca" type:"existingfile" placeholder:"FILE"`
	Data string `help:"Data directory whose key opens a sealed trace." placeholder:"data"`
	JSON bool   `help:"Print JSON."`
}

// replayed is what --json prints. The data record of a sealed trace, which is of
// our own customers, comes without what leads to a card number.
type replayed struct {
	Outcome    string            `json:"outcome"`
	Kernel     uint32            `json:"kernel"`
	AID        string            `json:"aid,omitempty"`
	CVM        string            `json:"cvm"`
	ODA        string            `json:"oda"`
	Reason     string            `json:"reason,omitempty"`
	DataRecord map[string]string `json:"data_record"` // hex, by tag
	Same       bool              `json:"same"`
	Recorded   bool              `json:"recorded"` // the trace says how it ended
	Difference string            `json:"difference,omitempty"`
	Notes      []string          `json:"notes,omitempty"` // where a kernel of ours sent other bytes
	MissingCA  string            `json:"missing_ca_key,omitempty"`
	Exchanges  int               `json:"exchanges"`
}

func (r *replayCmd) Run(ctx context.Context, c *cli) error {
	tr, sealed, err := r.read(c)
	if err != nil {
		return err
	}
	if err := r.addKeys(&tr); err != nil {
		return err
	}
	rep, err := trace.Replay(ctx, tr, terminal.ReplayKernels)
	if err != nil {
		return err
	}
	o := rep.Result.Outcome
	out := replayed{
		Outcome: o.Kind.String(), Kernel: uint32(rep.Result.Kernel), AID: fmt.Sprintf("%X", rep.Result.AID), CVM: o.CVM.String(), ODA: o.ODA.String(),
		Reason: o.Reason, DataRecord: dataRecord(o.DataRecord, sealed), Same: rep.Same, Recorded: tr.Outcome != nil, Difference: rep.Difference,
		Notes: rep.Notes, MissingCA: tr.MissingKey(), Exchanges: len(tr.Exchanges()),
	}
	if err := out.print(r.JSON); err != nil {
		return err
	}
	if out.Recorded && !out.Same {
		return outcomeError{"the replay ended another way: " + rep.Difference}
	}
	return nil
}

func (r replayed) print(asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	_, err := fmt.Printf("%s, kernel %d, cvm %s, oda %s: %s\n", r.Outcome, r.Kernel, r.CVM, r.ODA, r.Reason)
	if r.MissingCA != "" {
		fmt.Printf("  the card's CA key %s is not known: give it with --ca\n", r.MissingCA)
	}
	for _, n := range r.Notes {
		fmt.Println("  " + n)
	}
	return err
}

func dataRecord(record []byte, masked bool) map[string]string {
	out := map[string]string{}
	for d := tlv.NewReader(record); d.Next(); {
		o := d.TLV()
		if info, _ := tag.EMV.Lookup(o.Tag); !masked || !info.Sensitive {
			out[o.Tag.String()] = fmt.Sprintf("%X", o.Value)
		}
	}
	return out
}

// readSmall reads a file that must not be longer than a trace.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > trace.MaxFile {
		return nil, usageError{fmt.Sprintf("%s has %d bytes: want at most %d: is it the right file?", path, info.Size(), trace.MaxFile)}
	}
	return os.ReadFile(path)
}

// addKeys reads --ca: one key, a list of keys, or an object that holds them.
func (r *replayCmd) addKeys(tr *trace.Trace) error {
	if r.CA == "" {
		return nil
	}
	b, err := readSmall(r.CA)
	if err != nil {
		return err
	}
	keys, err := trace.ParseCAKeys(b)
	if err == nil {
		err = tr.AddCAKeys(keys)
	}
	if err != nil {
		return usageError{fmt.Sprintf("--ca: %s: %v", r.CA, err)}
	}
	return nil
}

// settings reads what --config says about a foreign terminal.
func settings(c *cli) (s trace.Settings, err error) {
	if c.Config == "" {
		return s, nil
	}
	b, err := readSmall(c.Config)
	if err != nil {
		return s, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		cfg, err := c.load()
		s.CVMLimit = &cfg.Terminal.CVMLimit
		return s, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, usageError{fmt.Sprintf("--config: %s: %v (docs/recipes/replay-a-tap.md lists the fields)", c.Config, err)}
	}
	return s, nil
}

func (r *replayCmd) read(c *cli) (tr trace.Trace, sealed bool, err error) {
	b, err := readSmall(r.File)
	if err != nil {
		return tr, false, err
	}
	if !trace.IsSealed(b) {
		s, err := settings(c)
		if err != nil {
			return tr, false, err
		}
		if tr, err = trace.ParseWith(b, s); err != nil {
			return tr, false, usageError{fmt.Sprintf("%s: %v", r.File, err)}
		}
		return tr, false, nil
	}
	cfg, err := c.load()
	if err != nil {
		return tr, true, err
	}
	override(&cfg.Data, r.Data)
	kit, err := site.OpenKit(rt.Real(), cfg, logger(cfg.Log))
	if err != nil {
		return tr, true, err
	}
	sealer, err := pay.NewGCMSealer(kit.Secrets.Terminal, kit.Env.Rand())
	if err != nil {
		return tr, true, err
	}
	tr, err = trace.Open(b, sealer)
	return tr, true, err
}
