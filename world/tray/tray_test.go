package tray_test

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/nfc"
	"huika/nfc/memory"
	"huika/rt"
	"huika/world/tray"
)

// desk is a desk beside a reader, and the counters of its cards.
type desk struct {
	*tray.Desk
	t      *testing.T
	field  *memory.Field
	states map[string]card.State
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, field: memory.New(rt.Real()), states: map[string]card.State{}}
	var err error
	d.Desk, err = tray.New(rt.Real(), tray.Config{Issuer: perso.TestIssuer(), Field: d.field, State: func(name string) card.State {
		d.states[name] = card.NewMemoryState()
		return d.states[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) put(name, fault string) int {
	d.t.Helper()
	id, err := d.Put(d.t.Context(), name, fault)
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

func (d *desk) item(name string) tray.Item {
	d.t.Helper()
	list := d.List()
	n := slices.IndexFunc(list, func(i tray.Item) bool { return i.Name == name })
	if n < 0 {
		d.t.Fatalf("no item %s", name)
	}
	return list[n]
}

func (d *desk) presence() nfc.Presence {
	d.t.Helper()
	p, err := d.field.WaitCard(d.t.Context(), time.Second)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// atc is the card's counter.
func (d *desk) atc(name string) uint16 {
	d.t.Helper()
	c, err := d.states[name].Load()
	if err != nil {
		d.t.Fatal(err)
	}
	return c.ATC
}

// terminal is what a reader puts into the PDOL at 5000.00: CVM required.
var terminal = map[tlv.Tag]string{
	tag.TTQ: "26C04000", tag.AmountAuthorised: "000000500000", tag.AmountOther: "000000000000", tag.TerminalCountry: "0156",
	tag.TVR: "0000000000", tag.TransactionCurrency: "0156", tag.TransactionDate: "261123", tag.TransactionType: "00", tag.UN: "01234567",
}

// gpo selects and gets the processing options over the air. Its error is that of the GPO.
func (d *desk) gpo() (response []byte, err error) {
	d.t.Helper()
	send := func(command []byte) []byte {
		d.t.Helper()
		r, err := d.field.Transmit(d.t.Context(), command)
		if err != nil {
			d.t.Fatalf("selection: %v", err)
		}
		return r[:len(r)-2]
	}
	list := send(apdu.Select([]byte(card.PPSE), false))
	aid, _ := tlv.Find(list, tag.FCITemplate, tag.FCIProprietary, tag.DirectoryDiscretionary, tag.ApplicationTemplate, tag.AID)
	fci := send(apdu.Select(aid, false))
	pdol, ok := tlv.Find(fci, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
	if !ok {
		d.t.Fatal("no PDOL")
	}
	data, err := dol.Build(nil, pdol, func(g tlv.Tag) ([]byte, bool) {
		b, err := hex.DecodeString(terminal[g])
		return b, err == nil && len(b) > 0
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.field.Transmit(d.t.Context(), apdu.GPO(data))
}

func TestDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		list := d.List()
		if len(list) != len(perso.Profiles()) {
			t.Fatalf("%d items", len(list))
		}
		for _, i := range list {
			thing := i.Form == "thing"
			if i.Place != tray.OnDesk || i.ID != 0 || i.Fault != "" || i.TitleZH == "" || i.TitleEN == "" ||
				(i.Scheme != "") == thing || strings.Contains(i.MaskedPAN, "****") == thing {
				t.Errorf("%+v", i)
			}
		}
		_, seq, err := d.After(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		id := d.put("unionpay-debit", "")
		items, next, err := d.After(t.Context(), seq)
		if err != nil || next <= seq || items[0].Place != tray.OnReader || items[0].ID != id || items[0].Fault != tray.None {
			t.Fatalf("%v %d %+v", err, next, items[0])
		}
		if d.presence() != nfc.OneCard {
			t.Fatal("the reader sees no card")
		}
		if _, err := d.Put(t.Context(), "unionpay-debit", ""); !errors.Is(err, tray.ErrOnReader) {
			t.Errorf("put twice: %v", err)
		}
		if _, err := d.Put(t.Context(), "visa-gold", ""); !errors.Is(err, tray.ErrNoCard) {
			t.Errorf("no such card: %v", err)
		}
		if _, err := d.Put(t.Context(), "unionpay-credit", "flood"); !errors.Is(err, tray.ErrFault) {
			t.Errorf("no such sticker: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Put(gone, "unionpay-credit", ""); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}

		d.put("transit", "")
		if d.presence() != nfc.Collision {
			t.Error("two cards are no collision")
		}
		if err := d.Take(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if d.item("unionpay-debit").Place != tray.OnDesk || d.item("transit").Place != tray.OnReader || d.presence() != nfc.OneCard {
			t.Error("taking one took another")
		}
		if err := d.Take(t.Context(), id); err != nil { // already gone
			t.Fatal(err)
		}
		d.put("staff", "")
		if err := d.Take(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if d.field.Cards() != 0 || slices.ContainsFunc(d.List(), func(i tray.Item) bool { return i.Place == tray.OnReader }) {
			t.Error("something is left on the reader")
		}
		d.put("staff", "")
		d.field.TakeAll() // somebody else's hand
		if d.item("staff").Place != tray.OnDesk {
			t.Error("the desk has not noticed")
		}
	})
}

// A card's counter goes on from one presentation to the next.
func TestSameCardAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for n := range 3 {
			id := d.put("unionpay-debit", tray.None)
			d.presence()
			if _, err := d.gpo(); err != nil {
				t.Fatal(err)
			}
			if got := d.atc("unionpay-debit"); got != uint16(n+1) {
				t.Errorf("counter %d after tap %d", got, n+1)
			}
			if err := d.Take(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Removed before the GPO the counter is not used, after it it is; both times
// the card shows back on the desk, and can be put down again.
func TestRemoved(t *testing.T) {
	for _, c := range []struct {
		fault  string
		atc    uint16
		answer bool
	}{{tray.RemovedBeforeGPO, 0, false}, {tray.RemovedAfterGPO, 1, true}} {
		t.Run(c.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.put("unionpay-credit", c.fault)
				d.presence()
				response, err := d.gpo()
				if c.answer != (err == nil && len(response) > 2) || (!c.answer && !errors.Is(err, nfc.ErrCardLost)) {
					t.Errorf("GPO: %d bytes, %v", len(response), err)
				}
				if c.answer {
					if _, err := d.field.Transmit(t.Context(), apdu.ReadRecord(1, 1)); !errors.Is(err, nfc.ErrCardLost) {
						t.Errorf("record after leaving: %v", err)
					}
				}
				if got := d.atc("unionpay-credit"); got != c.atc {
					t.Errorf("counter %d, want %d", got, c.atc)
				}
				if i := d.item("unionpay-credit"); i.Place != tray.OnDesk || i.ID != 0 || d.presence() != nfc.NoCard {
					t.Errorf("%+v", i)
				}
				d.put("unionpay-credit", tray.None)
				d.presence()
				if _, err := d.gpo(); err != nil {
					t.Errorf("presented again: %v", err)
				}
			})
		})
	}
}

// The men in the middle change what they may and the card's CVR still tells the truth.
func TestEdited(t *testing.T) {
	for _, c := range []struct {
		fault      string
		card       string
		ctq        string
		pin, cdcvm bool // as the CVR says
	}{
		{tray.None, "unionpay-debit", "8000", true, false},
		{tray.CTQEdited, "unionpay-debit", "0080", true, false},
		{tray.TTQEdited, "unionpay-debit", "0000", false, false},
		{tray.None, "unionpay-phone", "0080", false, true},
		{tray.TTQEdited, "unionpay-phone", "0080", false, true},
	} {
		t.Run(c.fault+" "+c.card, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.put(c.card, c.fault)
				d.presence()
				response, err := d.gpo()
				if err != nil {
					t.Fatal(err)
				}
				body := response[:len(response)-2]
				ctq, _ := tlv.Find(body, tag.ResponseFormat2, tag.CTQ)
				if want, err := hex.DecodeString(c.ctq); err != nil || !slices.Equal(ctq, want) {
					t.Errorf("CTQ %X, want %s", ctq, c.ctq)
				}
				b, _ := tlv.Find(body, tag.ResponseFormat2, tag.IAD)
				iad, err := cryptogram.ParseIAD(b)
				if err != nil || iad.CVR.OnlinePIN() != c.pin || iad.CVR.CDCVM() != c.cdcvm {
					t.Errorf("CVR %X, %v", iad.CVR, err)
				}
			})
		})
	}
}

func TestSlowAndWeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.put("unionpay-debit", tray.SlowCard)
		d.presence()
		start := time.Now()
		if _, err := d.gpo(); err != nil || time.Since(start) != 900*time.Millisecond {
			t.Errorf("three exchanges of a slow card took %v, %v", time.Since(start), err)
		}
		if err := d.Take(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		d.put("unionpay-debit", tray.Weak)
		lost, answered := 0, 0
		for range 200 {
			d.presence()
			_, err := d.field.Transmit(t.Context(), apdu.Select([]byte(card.PPSE), false))
			switch {
			case errors.Is(err, nfc.ErrCardLost):
				lost++
			case err == nil:
				answered++
			default:
				t.Fatal(err)
			}
		}
		if lost < 20 || answered < 80 {
			t.Errorf("%d lost, %d answered", lost, answered)
		}
	})
}

func TestStickers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for _, fault := range d.Faults() {
			d.put("unionpay-debit", fault)
			if got := d.item("unionpay-debit").Fault; got != fault {
				t.Errorf("sticker %s shows as %s", fault, got)
			}
			if err := d.Take(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
	})
}
