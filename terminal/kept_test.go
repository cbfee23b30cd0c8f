package terminal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"huika/iso8583"
	nfcmem "huika/nfc/memory"
	"huika/terminal"
	"huika/terminal/journal"
	"huika/terminal/journal/memory"
	"huika/terminal/trace"
)

// What was recorded goes through the kernel again and ends the same; a changed
// byte does not.
func TestTrace(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		how := nfcmem.Steady()
		how.RemoveAfterAPDU = 3 // an early removal is part of the story
		c := r.card("unionpay-phone")
		id := r.begin(500000)
		r.field.Put(c, how)
		time.Sleep(time.Second)
		r.field.Put(c, nfcmem.Steady())
		if got := r.end(id); got.Outcome != terminal.Approved {
			t.Fatalf("%s %q", got.Outcome, got.Reason)
		}
		file, err := r.TraceFile(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		tape, err := trace.Open(file, r.cfg.Sealer)
		if err != nil {
			t.Fatal(err)
		}
		again, err := trace.Replay(t.Context(), tape, terminal.ReplayKernels)
		if err != nil || !again.Same {
			t.Fatalf("replay: %v, %s", err, again.Difference)
		}
		clear, err := tape.Clear()
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := trace.Parse(clear); err != nil {
			t.Fatal(err)
		} else if again, err := trace.Replay(t.Context(), parsed, terminal.ReplayKernels); err != nil || !again.Same {
			t.Errorf("replay of the clear file: %v, %s", err, again.Difference)
		}
		for i := range tape.Steps {
			s := &tape.Steps[i]
			if at := bytes.Index(s.Response, []byte{0x9F, 0x4B}); at >= 0 {
				s.Response[at+20] ^= 1
			}
		}
		if again, err := trace.Replay(t.Context(), tape, terminal.ReplayKernels); err == nil && again.Same {
			t.Error("a changed signature went unnoticed")
		}
		live, err := r.Trace(t.Context(), id)
		if err != nil || len(live) < 6 {
			t.Fatalf("rows: %d, %v", len(live), err)
		}
		if err := r.Dismiss(t.Context()); err != nil {
			t.Fatal(err)
		}
		stored, err := r.Trace(t.Context(), id)
		if err != nil || len(stored) != len(live) || stored[3] != live[3] {
			t.Errorf("stored rows differ: %v", err)
		}
		if _, err := r.TraceFile(t.Context(), "00000000000000000000000000"); !errors.Is(err, terminal.ErrNoTrace) {
			t.Errorf("trace of nothing: %v", err)
		}
	})
}

// After payments of every kind no log, view, journal or trace file holds a card number, track or PIN.
func TestNothingLeaks(t *testing.T) {
	var log bytes.Buffer
	inBubble(t, func(t *testing.T, r *rig) {
		if err := r.stop(); err == nil {
			t.Fatal("Run returned nil")
		}
		r.cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r.start()
		answers := []reply{{}, {code: "51"}, {badMAC: true}, {code: "55"}, {}}
		r.host.onSale(func(*iso8583.Message) reply { a := answers[0]; answers = answers[1:]; return a })
		var out bytes.Buffer
		for i := range 4 {
			id := r.begin(500000)
			n := r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
			if err := r.enter("135790"); err != nil {
				t.Fatal(err)
			}
			if i == 3 {
				r.until("the second try", func(v *terminal.PaymentView) bool { return v.PIN != nil && v.PIN.Try == 2 })
				if err := r.enter("135790"); err != nil {
					t.Fatal(err)
				}
			}
			fmt.Fprintf(&out, "%+v\n", r.end(id))
			r.field.Take(n)
			r.settle()
			v, _ := r.View()
			fmt.Fprintf(&out, "%+v\n%+v\n%+v\n", v, *v.Payment, v.Payment.UI)
			file, err := r.TraceFile(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(file)
			text, err := r.Receipt(t.Context(), id, "en")
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(text)
		}
		store, err := memory.Open(r.disk)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Each(t.Context(), func(rec journal.Record) error {
			l, err := journal.Encode(rec)
			out.Write(l.Body)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		out.Write(log.Bytes())
		sales, _ := r.host.seen()
		search(t, out.Bytes(), sales[0])
	})
}

func search(t *testing.T, all []byte, m *iso8583.Message) {
	t.Helper()
	pan := m.Get(2)
	bcd, err := hex.DecodeString(pan + strings.Repeat("F", len(pan)%2))
	if err != nil {
		t.Fatal(err)
	}
	arqc := m.Bytes(55)[3:11]
	low := bytes.ToLower(all)
	for name, secret := range map[string][]byte{
		"PAN": []byte(pan), "PAN in BCD": bcd, "PAN in base64": []byte(base64.StdEncoding.EncodeToString([]byte(pan))),
		"track 2": []byte(m.Get(35)), "PIN": []byte("135790"), "PIN block": m.Bytes(52), "PIN block in hex": []byte(hex.EncodeToString(m.Bytes(52))),
	} {
		if bytes.Contains(all, secret) || bytes.Contains(low, bytes.ToLower(secret)) {
			t.Errorf("%s is there in clear", name)
		}
	}
	if !bytes.Contains(low, []byte(hex.EncodeToString(arqc))) {
		t.Error("the search itself is broken: the receipt prints the cryptogram, and it was not found")
	}
}
