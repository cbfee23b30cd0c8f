package trace_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/entry"
	nfcmem "huika/nfc/memory"
	"huika/pay"
	"huika/rt"
	"huika/terminal"
	"huika/terminal/trace"
)

const id pay.PaymentID = "0123456789abcdefghjkmnpqrs"

func sealer(t testing.TB, key byte) pay.Sealer {
	t.Helper()
	s, err := pay.NewGCMSealer(pay.NewSecret(bytes.Repeat([]byte{key}, 32)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// record runs one card through Entry Point with a recorder in between.
func record(t testing.TB, name string, how nfcmem.Presentation) trace.Trace {
	t.Helper()
	ca, err := perso.TestIssuer().CAStore()
	if err != nil {
		t.Fatal(err)
	}
	c, err := perso.TestIssuer().Card(name, card.NewMemoryState(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	field := nfcmem.New(rt.Real())
	field.Put(c, how)
	ks, err := terminal.Kernels(terminal.KernelConfig{CAKeys: ca})
	if err != nil {
		t.Fatal(err)
	}
	rec := trace.NewRecorder(field, rand.Reader, time.Now, nil)
	ttq := [4]byte{0x27, 0, 0x40, 0x80}
	p := &entry.Point{
		Combinations: []entry.Combination{{AID: []byte{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01}, Kernel: 7, TTQ: &ttq, FloorLimit: entry.Limit(0), CVMLimit: entry.Limit(100001)}},
		Kernels:      ks, Reader: rec, Rand: rec, Now: time.Now, CardTimeout: 200 * time.Millisecond, Terminal: emv.Terminal{Country: 156, Type: 0x22},
	}
	tx := emv.Transaction{Amount: pay.Fen(8880), Time: time.Date(2026, 3, 2, 17, 30, 5, 0, time.UTC), Sequence: 42}
	r, err := p.Run(context.Background(), tx)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Trace(id, p, tx, &r, ca)
}

// Every kind of card, recorded, sealed, opened and run again, ends the same.
func TestReplay(t *testing.T) {
	early := nfcmem.Steady()
	early.RemoveAfterAPDU = 3
	for _, c := range []struct {
		card string
		how  nfcmem.Presentation
	}{
		{"unionpay-debit", nfcmem.Steady()}, {"unionpay-phone", nfcmem.Steady()}, {"unionpay-expired", nfcmem.Steady()},
		{"unionpay-cloned", nfcmem.Steady()}, {"transit", nfcmem.Steady()}, {"dead", nfcmem.Steady()}, {"unionpay-debit", early},
	} {
		tape := record(t, c.card, c.how)
		file, err := trace.Seal(tape, sealer(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		opened, err := trace.Open(file, sealer(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		got, err := trace.Replay(t.Context(), opened, terminal.ReplayKernels)
		if err != nil || !got.Same {
			t.Errorf("%s: %v %s", c.card, err, got.Difference)
		}
	}
}

// A replay notices what differs: other kernels' commands, other outcomes, other keys.
func TestReplayDiverges(t *testing.T) {
	tape := record(t, "unionpay-debit", nfcmem.Steady())
	amount := tape
	amount.Transaction.Minor++
	if _, err := trace.Replay(t.Context(), amount, terminal.ReplayKernels); !errors.Is(err, trace.ErrDiverged) {
		t.Errorf("another amount: %v, want ErrDiverged", err)
	}
	short := tape
	short.Steps = short.Steps[:len(short.Steps)-1]
	if _, err := trace.Replay(t.Context(), short, terminal.ReplayKernels); !errors.Is(err, trace.ErrDiverged) {
		t.Errorf("a missing exchange: %v, want ErrDiverged", err)
	}
	keyless := tape
	keyless.CAKeys = nil
	if got, err := trace.Replay(t.Context(), keyless, terminal.ReplayKernels); err != nil || got.Same {
		t.Errorf("without its CA key: %v, same %v", err, got.Same)
	}
	cut := tape
	cut.Cut = true
	if _, err := trace.Replay(t.Context(), cut, terminal.ReplayKernels); !errors.Is(err, trace.ErrFormat) {
		t.Errorf("cut: %v", err)
	}
}

func TestSealedFile(t *testing.T) {
	file, err := trace.Seal(record(t, "unionpay-debit", nfcmem.Steady()), sealer(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if !trace.IsSealed(file) {
		t.Error("IsSealed says no")
	}
	if _, err := trace.Open(file, sealer(t, 2)); !errors.Is(err, pay.ErrSealed) {
		t.Errorf("another key: %v, want ErrSealed", err)
	}
	renamed := bytes.Replace(file, []byte(id), []byte("1123456789abcdefghjkmnpqrs"), 1)
	if _, err := trace.Open(renamed, sealer(t, 1)); !errors.Is(err, pay.ErrSealed) {
		t.Errorf("another payment's name: %v, want ErrSealed", err)
	}
	for i := range 30 {
		if _, err := trace.Open(file[:i], sealer(t, 1)); !errors.Is(err, trace.ErrFormat) {
			t.Errorf("%d bytes: %v, want ErrFormat", i, err)
		}
	}
}

// A clear exchange in the form of the third-party vectors: the transaction and
// the terminal's data come out of it, and the commands up to READ RECORD are those recorded.
func TestVector(t *testing.T) {
	dir := os.Getenv("HUIKA_VECTORS")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("HUIKA_VECTORS is not set")
		}
		t.Skip("HUIKA_VECTORS not set: no recorded exchange to read")
	}
	b, err := os.ReadFile(filepath.Join(dir, "visa-offline-fdda-v01.json"))
	if err != nil {
		t.Fatal(err)
	}
	tape, err := trace.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if tape.Transaction.Minor != 200 || tape.Transaction.Currency != 840 || len(tape.Exchanges()) != 6 || len(tape.CAKeys) != 1 {
		t.Errorf("transaction %+v, %d exchanges", tape.Transaction, len(tape.Exchanges()))
	}
	if len(tape.Combinations) != 1 || tape.Combinations[0].Kernel != 3 || !bytes.Equal(tape.Combinations[0].TTQ, []byte{0x24, 0, 0x40, 0}) {
		t.Errorf("combination %+v", tape.Combinations)
	}
}

func FuzzParse(f *testing.F) {
	tape := trace.Trace{Version: trace.Version, Payment: id, Steps: []trace.Step{{Presence: "one card"}, {Command: trace.Hex{0, 0xA4, 4, 0}, Response: trace.Hex{0x90, 0}}}}
	b, err := tape.Clear()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"date":"190819","exchanges":[{"command":"80A8000002830000","response":"9000"}]}`))
	f.Add([]byte(`{"date":"190819","exchanges":[{"command":"00A4040007A000000003101000","response":"6F0FA50D9F38049F66049F02068407A0009000"},{"command":"80A800000483022400","response":"6985"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tape, err := trace.Parse(b)
		if err != nil {
			if !errors.Is(err, trace.ErrFormat) {
				t.Fatalf("%v is not ErrFormat", err)
			}
			return
		}
		clear, err := tape.Clear()
		if err != nil {
			var unsupported *json.MarshalerError // a time beyond year 9999 has no JSON
			if errors.As(err, &unsupported) {
				return
			}
			t.Fatal(err)
		}
		again, err := trace.Parse(clear)
		if err != nil {
			t.Fatalf("what Clear wrote is not read: %v", err)
		}
		if twice, err := again.Clear(); err != nil || !bytes.Equal(clear, twice) {
			t.Fatalf("not stable: %v", err)
		}
		_, _ = trace.Replay(t.Context(), tape, terminal.ReplayKernels) // must not panic or hang, whatever it says
	})
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, 1)
	file, err := trace.Seal(trace.Trace{Version: trace.Version, Payment: id}, s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte("HUIKA-TRACE-1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tape, err := trace.Open(b, s); err == nil && tape.Payment != id {
			t.Fatal("a trace of another payment opened")
		} else if err != nil && !errors.Is(err, trace.ErrFormat) && !errors.Is(err, pay.ErrSealed) {
			t.Fatalf("untyped error %v", err)
		}
	})
}
