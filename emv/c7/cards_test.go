package c7_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/c7"
	"huika/emv/cryptogram"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// field is a reader with one software card on it.
type field struct {
	card     perso.Contactless
	n        int
	lostAt   int                                   // the card is taken away before this command; -1 never
	tamper   func(toCard bool, apdu []byte) []byte // a man in the middle; nil: none
	messages []emv.MessageID
}

func (f *field) FieldOn(context.Context) error                 { return nil }
func (f *field) FieldOff(context.Context, time.Duration) error { return nil }
func (f *field) WaitCard(context.Context, time.Duration) (entry.Presence, error) {
	f.card.Reset()
	return entry.OneCard, nil
}
func (f *field) WaitRemoval(context.Context, time.Duration) (bool, error) { return true, nil }
func (f *field) Transmit(_ context.Context, command []byte) ([]byte, error) {
	if f.n++; f.n-1 == f.lostAt {
		return nil, fmt.Errorf("field: %w", emv.ErrCardLost)
	}
	if f.tamper != nil {
		command = f.tamper(true, bytes.Clone(command))
	}
	response := f.card.Transmit(command)
	if response == nil {
		return nil, fmt.Errorf("field: no answer: %w", emv.ErrCardLost)
	}
	if f.tamper != nil {
		response = f.tamper(false, bytes.Clone(response))
	}
	return response, nil
}
func (f *field) Show(r emv.UIRequest) { f.messages = append(f.messages, r.Message) }

func newField(t *testing.T, name string) *field {
	c, err := perso.TestIssuer().Card(name, card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	return &field{card: c, lostAt: -1}
}

// tapOn is a sale of amount fen at a terminal as a shop has it: floor limit 0, PIN-free up to 1000.00.
func tapOn(t *testing.T, f *field, amount int64) entry.Result {
	t.Helper()
	cas, err := perso.TestIssuer().CAStore()
	if err != nil {
		t.Fatal(err)
	}
	var kernels entry.Kernels
	if err := kernels.Register(c7.ID, c7.Version, &c7.Kernel{Config: c7.Config{CAKeys: cas, SM: true}}); err != nil {
		t.Fatal(err)
	}
	ttq := [4]byte{0x27, 0x00, 0x40, 0x80}
	p := &entry.Point{
		Combinations: []entry.Combination{{AID: []byte{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01}, Kernel: c7.ID, TTQ: &ttq, FloorLimit: entry.Limit(0), CVMLimit: entry.Limit(100_001)}},
		Kernels:      &kernels, Reader: f, Display: f, Rand: rand.NewChaCha8([32]byte{2}), Now: time.Now,
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0xE1, 0xC8}, IFDSerial: "HUIKA001"},
	}
	r, err := p.Run(context.Background(), emv.Transaction{Amount: pay.Fen(amount), Time: time.Date(2026, 3, 15, 14, 30, 0, 0, time.UTC), Sequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every card by name, at amounts around the PIN-free limit, through Entry Point.
func TestNamedCards(t *testing.T) {
	const small, last, first, large = 8880, 100_000, 100_001, 500_000
	type want struct {
		kind emv.Kind
		cvm  emv.CVM
		oda  emv.ODA
	}
	online := func(c emv.CVM) want { return want{emv.OnlineRequest, c, emv.ODAfDDA} }
	failed := func(c emv.CVM) want { return want{emv.OnlineRequest, c, emv.ODAFailed} }
	none, pin, device := online(emv.CVMNone), online(emv.CVMOnlinePIN), online(emv.CVMConfirmed)
	caught := want{emv.Declined, emv.CVMNotGiven, emv.ODAFailed}
	expired := want{emv.Declined, emv.CVMNotGiven, emv.ODANone}
	notPayment := want{emv.EndApplication, emv.CVMNotGiven, emv.ODANone}
	seen := map[string]bool{}
	for _, c := range []struct {
		name   string
		amount int64
		want   want
	}{
		{"unionpay-debit", 1, none}, {"unionpay-debit", small, none}, {"unionpay-debit", last, none}, {"unionpay-debit", first, pin}, {"unionpay-debit", large, pin},
		{"unionpay-credit", last, none}, {"unionpay-credit", first, pin},
		{"unionpay-phone", small, device}, {"unionpay-phone", large, device},
		{"unionpay-watch", last, device}, {"unionpay-watch", first, device},
		{"unionpay-pin-always", 1, pin}, {"unionpay-pin-always", first, pin},
		{"unionpay-expired", small, expired}, {"unionpay-expired", large, expired},
		{"unionpay-blocked", small, none}, {"unionpay-poor", small, none},
		{"unionpay-cloned", small, caught}, {"unionpay-cloned", large, caught},
		{"unionpay-sm", last, none}, {"unionpay-sm", first, pin}, {"unionpay-sm-phone", large, device}, {"unionpay-sm-cloned", small, caught},
		{"unionpay-cloned-online", small, failed(emv.CVMNone)}, {"unionpay-cloned-online", first, failed(emv.CVMOnlinePIN)},
		{"unionpay-altered", small, caught}, {"unionpay-uncertified", small, caught}, {"unionpay-replayed", small, none},
		{"transit", small, notPayment}, {"staff", small, notPayment}, {"dead", small, notPayment},
	} {
		seen[c.name] = true
		r := tapOn(t, newField(t, c.name), c.amount)
		if got := (want{r.Outcome.Kind, r.Outcome.CVM, r.Outcome.ODA}); got != c.want {
			t.Errorf("%s, %v: got %v %v %v (%s %+v), want %v", c.name, pay.Fen(c.amount), got.kind, got.cvm, got.oda, r.Outcome.Reason, r.Outcome.Error, c.want)
		}
	}
	for _, p := range perso.ProfilesOf(perso.UnionPay) {
		if !seen[p.Name] {
			t.Errorf("card %s is not tried", p.Name)
		}
	}
}

// The issuer can check the cryptogram from the data record alone; a clone's it can't.
func TestIssuerVerifiesDataRecord(t *testing.T) {
	for _, c := range []struct {
		name string
		good bool
	}{{"unionpay-debit", true}, {"unionpay-credit", true}, {"unionpay-phone", true}, {"unionpay-watch", true}, {"unionpay-cloned-online", false}} {
		r := tapOn(t, newField(t, c.name), 8880)
		list, err := tlv.Parse(r.Outcome.DataRecord)
		if err != nil {
			t.Fatal(err)
		}
		data, err := cryptogram.PBOCData(list.Find)
		if err != nil {
			t.Fatal(err)
		}
		track2, _ := list.Find(tag.Track2)
		pan, err := pay.ParsePAN(digitsBefore(track2))
		if err != nil {
			t.Fatal(err)
		}
		psn, _ := list.Find(tag.PSN)
		cardKey, err := cryptogram.PBOC01.CardKey(perso.TestIssuer().IMK(), pan, fmt.Sprintf("%02X", psn))
		if err != nil {
			t.Fatal(err)
		}
		atc, _ := list.Find(tag.ATC)
		session, err := cryptogram.PBOC01.SessionKey(cardKey, uint16(atc[0])<<8|uint16(atc[1]))
		if err != nil {
			t.Fatal(err)
		}
		mac, err := cryptogram.PBOC01.MAC(session, data)
		if err != nil {
			t.Fatal(err)
		}
		ac, _ := list.Find(tag.ApplicationCryptogram)
		if bytes.Equal(mac[:], ac) != c.good {
			t.Errorf("%s: cryptogram verifies: %v, want %v", c.name, !c.good, c.good)
		}
	}
}

// digitsBefore is the card number of track 2.
func digitsBefore(track2 []byte) string {
	s := fmt.Sprintf("%X", track2)
	for i := range len(s) {
		if s[i] == 'D' {
			return s[:i]
		}
	}
	return ""
}

// Taken away before any command and presented again: the sale goes through, with one message 21 or 15 more.
func TestRepresent(t *testing.T) {
	whole := newField(t, "unionpay-debit")
	tapOn(t, whole, 8880)
	for n := range whole.n {
		f := newField(t, "unionpay-debit")
		f.lostAt = n
		r := tapOn(t, f, 8880)
		if r.Outcome.Kind != emv.OnlineRequest || r.Restarts != 1 {
			t.Errorf("command %d: %v after %d restarts", n, r.Outcome.Kind, r.Restarts)
		}
		again := emv.MsgPresentCard // lost in selection: Entry Point's own
		if n >= 2 {
			again = emv.MsgPresentAgain
		}
		if f.messages[1] != again {
			t.Errorf("command %d: messages %v", n, f.messages)
		}
	}
}

// A man in the middle at 5000.00: no edit of CTQ or TTQ ends in an approval without the cardholder.
func TestManInTheMiddle(t *testing.T) {
	editCTQ := func(ctq ...byte) func(bool, []byte) []byte {
		return func(toCard bool, b []byte) []byte {
			if i := bytes.Index(b, []byte{0x9F, 0x6C, 0x02}); !toCard && i >= 0 {
				copy(b[i+3:], ctq)
			}
			return b
		}
	}
	editTTQ := func(b2 byte) func(bool, []byte) []byte {
		return func(toCard bool, b []byte) []byte {
			if toCard && len(b) > 11 && b[0] == 0x80 && b[1] == 0xA8 {
				b[8] &^= b2 // the PDOL begins with 9F66
			}
			return b
		}
	}
	for name, tamper := range map[string]func(bool, []byte) []byte{
		"CDCVM claimed":              editCTQ(0x00, 0x80),
		"nothing asked":              editCTQ(0x00, 0x00),
		"signature asked":            editCTQ(0x40, 0x00),
		"TTQ says no CVM":            editTTQ(0x40),
		"TTQ says no CVM, no online": editTTQ(0xC0),
		"TTQ no CVM and CTQ CDCVM": func(toCard bool, b []byte) []byte {
			return editCTQ(0x00, 0x80)(toCard, editTTQ(0x40)(toCard, b))
		},
		"TTQ no CVM and CTQ online PIN taken out": func(toCard bool, b []byte) []byte {
			return editCTQ(0x20, 0x00)(toCard, editTTQ(0x40)(toCard, b))
		},
	} {
		f := newField(t, "unionpay-debit")
		f.tamper = tamper
		if r := tapOn(t, f, 500_000); r.Outcome.Kind != emv.Declined {
			t.Errorf("%s: %v %v (%s)", name, r.Outcome.Kind, r.Outcome.CVM, r.Outcome.Reason)
		}
	}
}

// A whole tap with a software card that signs, both halves.
func BenchmarkWholeTap(b *testing.B) {
	t := &testing.T{}
	f := newField(t, "unionpay-debit")
	b.ReportAllocs()
	for b.Loop() {
		if r := tapOn(t, f, 8880); r.Outcome.Kind != emv.OnlineRequest {
			b.Fatal(r.Outcome.Reason)
		}
	}
}
