package entry

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// bench is a small type-approval bench: a reader that follows a script, a
// display, kernels that give scripted outcomes, and one log of everything that
// happened, so that a test compares the whole order of events.
type bench struct {
	t     *testing.T
	polls []poll     // answers of WaitCard; when used up: NoCard
	apdus []exchange // what must be sent, and the answers
	log   []string
	clock time.Time
	waits []time.Duration
	gone  []bool // answers of WaitRemoval
	fail  map[string]error
}

type poll struct {
	found Presence
	err   error
}

type exchange struct {
	want   string // hex of the command, or "ppse", or "aid …"
	answer string // hex with status word
	err    error
}

func (b *bench) add(format string, a ...any) { b.log = append(b.log, fmt.Sprintf(format, a...)) }

func (b *bench) FieldOn(context.Context) error {
	b.add("on")
	return b.fail["on"]
}

func (b *bench) FieldOff(_ context.Context, hold time.Duration) error {
	b.add("off %v", hold)
	b.clock = b.clock.Add(hold)
	return b.fail["off"]
}

func (b *bench) WaitCard(ctx context.Context, timeout time.Duration) (Presence, error) {
	if err := ctx.Err(); err != nil {
		return NoCard, err
	}
	b.waits = append(b.waits, timeout)
	b.clock = b.clock.Add(10 * time.Millisecond)
	if len(b.polls) == 0 {
		b.clock = b.clock.Add(timeout)
		return NoCard, nil
	}
	p := b.polls[0]
	b.polls = b.polls[1:]
	return p.found, p.err
}

func (b *bench) WaitRemoval(_ context.Context, timeout time.Duration) (bool, error) {
	b.add("removal %v", timeout)
	if len(b.gone) == 0 {
		return false, b.fail["removal"]
	}
	g := b.gone[0]
	b.gone = b.gone[1:]
	return g, b.fail["removal"]
}

func (b *bench) Transmit(_ context.Context, command []byte) ([]byte, error) {
	got := strings.ToUpper(hex.EncodeToString(command))
	b.clock = b.clock.Add(7 * time.Millisecond)
	if len(b.apdus) == 0 {
		b.t.Fatalf("a command too many: %s", got)
	}
	e := b.apdus[0]
	b.apdus = b.apdus[1:]
	if want := commandHex(e.want); got != want {
		b.t.Fatalf("got  %s\nwant %s (%s)", got, want, e.want)
	}
	b.add("tx %s", e.want)
	return unhex(e.answer), e.err
}

func (b *bench) Show(r emv.UIRequest) { b.add("ui %v %v", r.Message, r.Status) }

// commandHex expands the names of commands that cases use.
func commandHex(s string) string {
	if s == "ppse" {
		return "00A404000E325041592E5359532E444446303100"
	}
	if aid, ok := strings.CutPrefix(s, "aid "); ok {
		return fmt.Sprintf("00A40400%02X%s00", len(aid)/2, aid)
	}
	return s
}

func (b *bench) wantLog(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.log, want) {
		b.t.Errorf("got  %q\nwant %q", b.log, want)
	}
	if len(b.apdus) > 0 {
		b.t.Errorf("%d commands were not sent, first %s", len(b.apdus), b.apdus[0].want)
	}
}

// script is a kernel that gives these outcomes in turn and keeps its inputs.
type script struct {
	outcomes []emv.Outcome
	err      error
	inputs   []emv.Input
	process  func(context.Context, emv.Input, emv.Transceiver) (emv.Outcome, error)
}

func (k *script) Process(ctx context.Context, in emv.Input, card emv.Transceiver) (emv.Outcome, error) {
	k.inputs = append(k.inputs, in)
	if k.process != nil {
		return k.process(ctx, in, card)
	}
	if k.err != nil {
		return emv.Outcome{}, k.err
	}
	if len(k.outcomes) == 0 {
		return approved(), nil
	}
	o := k.outcomes[0]
	k.outcomes = k.outcomes[1:]
	return o, nil
}

func approved() emv.Outcome {
	o := noOutcome(emv.Approved, "test")
	o.CVM = emv.CVMNone
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgApproved, Status: emv.StatusCardReadOK}
	return o
}

// dir is one directory entry of a scripted PPSE.
type dir struct {
	aid      string
	priority string // 87, "" absent
	kernel   string // 9F2A: "-" absent, "" empty
	extended string
}

func ppseFCI(entries ...dir) string {
	var list []byte
	for _, e := range entries {
		body := tlv.Append(nil, tag.AID, unhex(e.aid))
		if e.priority != "" {
			body = tlv.Append(body, tag.ApplicationPriority, unhex(e.priority))
		}
		if e.kernel != "-" {
			body = tlv.Append(body, tag.KernelID, unhex(e.kernel))
		}
		if e.extended != "" {
			body = tlv.Append(body, extendedSelection, unhex(e.extended))
		}
		list = tlv.Append(list, tag.ApplicationTemplate, body)
	}
	inner := tlv.Append(nil, tag.FCIProprietary, tlv.Append(nil, tag.DirectoryDiscretionary, list))
	body := append(tlv.Append(nil, tag.DFName, ppse), inner...)
	return hex.EncodeToString(tlv.Append(nil, tag.FCITemplate, body)) + "9000"
}

// appFCI is an application's FCI with a PDOL that asks for 9F66 (or another one).
func appFCI(aid string, pdol ...string) string {
	list := "9F6604"
	if len(pdol) > 0 {
		list = pdol[0]
	}
	a5 := tlv.Append(nil, tag.ApplicationLabel, []byte("TEST"))
	if list != "" {
		a5 = tlv.Append(a5, tag.PDOL, unhex(list))
	}
	return hex.EncodeToString(tlv.Append(nil, tag.FCITemplate, append(tlv.Append(nil, tag.DFName, unhex(aid)), tlv.Append(nil, tag.FCIProprietary, a5)...))) + "9000"
}

const (
	aidDebit  = "A000000333010101"
	aidCredit = "A000000333010102"
	aidVisa   = "A0000000031010"
	aidOther  = "A0000000990001"
)

// newPoint is a Point over a bench with UnionPay, Visa and another scheme's combinations.
func newPoint(t *testing.T, k *script) (*Point, *bench) {
	b := &bench{t: t, clock: time.Unix(1_700_000_000, 0), polls: []poll{{found: OneCard}}, fail: map[string]error{}}
	kernels := &Kernels{}
	for _, id := range []emv.KernelID{7, 3, 0x21, 0x810978} {
		if err := kernels.Register(id, 0x0030, k); err != nil {
			t.Fatal(err)
		}
	}
	ttq := [4]byte{0x27, 0xC0, 0x40, 0x80} // the book clears B2b8 and b7
	return &Point{
		Combinations: []Combination{
			{AID: unhex("A00000033301"), Kernel: 7, TTQ: &ttq, FloorLimit: Limit(0), CVMLimit: Limit(100_001), ExtendedSelection: true},
			{AID: unhex(aidVisa), Kernel: 3, TTQ: &ttq},
			{AID: unhex(aidOther), Kernel: 0x21, TTQ: &ttq},
			{AID: unhex(aidOther), Kernel: 0x810978, TTQ: &ttq},
		},
		Kernels: kernels, Reader: b, Display: b, Rand: strings.NewReader("1234"),
		Now: func() time.Time { return b.clock },
	}, b
}

func sale(amount int64) emv.Transaction {
	return emv.Transaction{Amount: pay.Fen(amount), Time: time.Unix(1_700_000_000, 0)}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}
