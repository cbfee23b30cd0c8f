package payment_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"huika/acquirer/payment"
	"huika/pay"
)

var update = flag.Bool("update", false, "draw docs/state_machine.md again")

const drawing = "../../docs/state_machine.md"

// The drawing is the table: go test ./acquirer/payment -update draws it again.
func TestDrawing(t *testing.T) {
	got := draw()
	if *update {
		if err := os.WriteFile(drawing, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(drawing)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("docs/state_machine.md is not what the table says: go test ./acquirer/payment -update")
	}
}

func draw() []byte {
	var b bytes.Buffer
	b.WriteString("# The states of a payment\n\nDrawn from `acquirer/payment` by `go test ./acquirer/payment -update`; nothing outside that table changes a state.\n\n```mermaid\nstateDiagram-v2\n")
	id := func(s payment.State) string {
		if s == payment.None {
			return "[*]"
		}
		return s.String()
	}
	for _, r := range payment.Table {
		fmt.Fprintf(&b, "  %s --> %s: %s\n", id(r.From), id(r.To), r.Event)
	}
	b.WriteString("```\n\n| from | event | to | books | claim on the original | why |\n|---|---|---|---|---|---|\n")
	books := [...]string{"", "moves", "inverse"}
	claims := [...]string{"", "held", "held → taken", "taken → held", "freed", "taken", "freed"}
	for _, r := range payment.Table {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.From, r.Event, r.To, books[r.Books], claims[r.Claim], r.Why)
	}
	b.WriteString("\n## Kinds\n\n| kind | follows | takes of it | approval makes the original | moves | notes |\n|---|---|---|---|---|---|\n")
	takes := [...]string{"", "all of it", "a part", fmt.Sprintf("all, for up to %d %%", payment.CompletionPercent)}
	moves := [...]string{"nothing", "sale, fee", "sale back, fee's share back", "hold", "hold back", "hold back, sale, fee"}
	for _, r := range payment.Rules {
		var on, notes []string
		for _, k := range r.On {
			on = append(on, k.String())
		}
		for _, n := range []struct {
			on   bool
			text string
		}{{r.SameBatch, "same batch"}, {r.Advice, "advice"}, {r.Local, "no scheme is asked"}, {!r.Reversible && !r.Advice && !r.Local, "never reversed"}} {
			if n.on {
				notes = append(notes, n.text)
			}
		}
		after := ""
		if tr, ok := payment.Next(payment.Approved, r.OnApproval); ok {
			after = tr.To.String()
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.Name, strings.Join(on, ", "), takes[r.Claim], after, moves[r.Moves], strings.Join(notes, ", "))
	}
	return b.Bytes()
}

func TestTableIsWellFormed(t *testing.T) {
	type edge struct {
		from payment.State
		on   payment.Event
	}
	seen := map[edge]bool{}
	reached := map[payment.State]bool{payment.None: true}
	leaves := map[payment.State]bool{}
	for _, r := range payment.Table {
		if e := (edge{r.From, r.Event}); seen[e] {
			t.Errorf("%v on %v stands twice", r.From, r.Event)
		} else {
			seen[e] = true
		}
		reached[r.To], leaves[r.From] = true, true
		if r.Why == "" {
			t.Errorf("%v on %v has no reason", r.From, r.Event)
		}
	}
	for s := payment.None; s <= payment.Abandoned; s++ {
		if !reached[s] {
			t.Errorf("%v can't be reached", s)
		}
		if s.Unresolved() && !leaves[s] {
			t.Errorf("%v is unresolved and nothing leads on", s)
		}
	}
}

func TestRulesAreWellFormed(t *testing.T) {
	for i, r := range payment.Rules {
		if int(r.Kind) != i+1 || r.Kind.Rule().Name != r.Name || r.Kind.String() != r.Name {
			t.Errorf("rule %d is of kind %d", i, r.Kind)
		}
		if (len(r.On) > 0) != (r.Claim != payment.NoClaim) {
			t.Errorf("%s: a claim needs an original, and an original a claim", r.Name)
		}
		if r.Advice && r.Reversible {
			t.Errorf("%s: an advice is never reversed", r.Name)
		}
		for _, on := range r.On {
			if on.Rule().Moves == payment.MovesNothing {
				t.Errorf("%s follows %s, which moves nothing", r.Name, on)
			}
		}
	}
	if payment.Kind(0).String() != "kind 0" || payment.Kind(99).String() != "kind 99" {
		t.Error("unknown kinds must say so")
	}
}

func TestCompletionLimit(t *testing.T) {
	auth := payment.Payment{Key: payment.Key{Kind: payment.PreAuth}, State: payment.Approved, Amount: pay.Fen(1001)}
	for _, c := range []struct {
		fen  int64
		code string
	}{{1, ""}, {1001, ""}, {1151, ""}, {1152, "64"}} { // 115 % of 1001 is 1151.15
		f := payment.Payment{Key: payment.Key{Kind: payment.Completion}, Amount: pay.Fen(c.fen)}
		if got := payment.Completion.Rule().Claims(f, auth); got.Code != c.code {
			t.Errorf("%d fen: %+v, want %q", c.fen, got, c.code)
		}
	}
}
