package c4_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/c4"
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
	lateAt   int                                   // the card is taken away after it answered this command; -1 never
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
	if f.n-1 == f.lateAt {
		return nil, fmt.Errorf("field: %w", emv.ErrCardLost)
	}
	if f.tamper != nil {
		response = f.tamper(false, bytes.Clone(response))
	}
	return response, nil
}
func (f *field) Show(r emv.UIRequest) { f.messages = append(f.messages, r.Message) }

func newField(t testing.TB, name string) *field {
	return fieldOf(t, name, func(*card.AmexData) {})
}

// fieldOf holds a card whose personalisation was changed: a misbehaving one, or one of another issuer's choice.
func fieldOf(t testing.TB, name string, change func(*card.AmexData)) *field {
	t.Helper()
	d, err := perso.TestIssuer().AmexData(name)
	if err != nil {
		t.Fatal(err)
	}
	change(&d)
	c, err := card.NewAmex(d, card.NewMemoryState())
	if err != nil {
		t.Fatal(err)
	}
	return &field{card: c, lostAt: -1, lateAt: -1}
}

const small, last, first, large = 8880, 100_000, 100_001, 500_000

// shop is a terminal: PIN-free up to 1000.00, everything online but where a floor limit says otherwise.
type shop struct {
	floor  int64
	config c4.Config
}

func newShop() shop { return shop{config: c4.Defaults()} }

func (s shop) point(t testing.TB, f *field) *entry.Point {
	t.Helper()
	store, err := perso.TestIssuer().CAStore()
	if err != nil {
		t.Fatal(err)
	}
	s.config.CAKeys = store
	var kernels entry.Kernels
	if err := kernels.Register(c4.ID, c4.Version, &c4.Kernel{Config: s.config}); err != nil {
		t.Fatal(err)
	}
	return &entry.Point{
		Combinations: []entry.Combination{{AID: []byte{0xA0, 0, 0, 0, 0x25, 0x01}, Kernel: c4.ID, FloorLimit: entry.Limit(s.floor), CVMLimit: entry.Limit(first)}},
		Kernels:      &kernels, Reader: f, Display: f, Rand: rand.NewChaCha8([32]byte{2}), Now: time.Now,
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0xE8, 0xC8}, IFDSerial: "HUIKA001", EntryMode: 0x07},
	}
}

func (s shop) tap(t testing.TB, f *field, amount int64) entry.Result {
	t.Helper()
	r, err := s.point(t, f).Run(context.Background(), sale(amount))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sale(amount int64) emv.Transaction {
	return emv.Transaction{Amount: pay.Fen(amount), Time: time.Date(2026, 3, 15, 14, 30, 0, 0, time.UTC), Sequence: 1}
}

// Every card by name, at amounts around the PIN-free limit, through Entry Point.
func TestNamedCards(t *testing.T) {
	type want struct {
		kind emv.Kind
		cvm  emv.CVM
		oda  emv.ODA
	}
	online := func(c emv.CVM) want { return want{emv.OnlineRequest, c, emv.ODACDA} }
	none, pin, device := online(emv.CVMNone), online(emv.CVMOnlinePIN), online(emv.CVMConfirmed)
	caught := want{emv.Declined, emv.CVMNotGiven, emv.ODAFailed}
	seen := map[string]bool{}
	for _, c := range []struct {
		name   string
		amount int64
		want   want
	}{
		{"amex", 1, none}, {"amex", small, none}, {"amex", last, none}, {"amex", first, pin}, {"amex", large, pin},
		{"amex-phone", small, none}, {"amex-phone", first, device}, {"amex-phone", large, device},
		{"amex-watch", last, none}, {"amex-watch", first, device},
		{"amex-altered", small, caught}, {"amex-replayed", small, none},
		{"amex-cloned", small, caught}, {"amex-cloned", last, caught},
	} {
		seen[c.name] = true
		r := newShop().tap(t, newField(t, c.name), c.amount)
		if got := (want{r.Outcome.Kind, r.Outcome.CVM, r.Outcome.ODA}); got != c.want || r.Kernel != c4.ID {
			t.Errorf("%s, %v: got %v %v %v (%s %+v), want %v", c.name, pay.Fen(c.amount), got.kind, got.cvm, got.oda, r.Outcome.Reason, r.Outcome.Error, c.want)
		}
	}
	seen["amex-phone-locked"] = true // TestLockedPhone
	for _, p := range perso.ProfilesOf(perso.Amex) {
		if !seen[p.Name] {
			t.Errorf("card %s is not tried", p.Name)
		}
	}
}

// verify is the issuer's half: the cryptogram from the data record alone. It gives the session key too.
func verify(t testing.TB, record []byte) (key pay.Secret, ac [8]byte, atc uint16, ok bool) {
	t.Helper()
	list, err := tlv.Parse(record)
	if err != nil {
		t.Fatal(err)
	}
	data, err := cryptogram.CCDData(list.Find)
	if err != nil {
		t.Fatal(err)
	}
	track2, _ := list.Find(tag.Track2)
	digits, _, _ := strings.Cut(fmt.Sprintf("%X", track2), "D")
	pan, err := pay.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	psn, _ := list.Find(tag.PSN)
	udk, err := cryptogram.CCD.CardKey(perso.TestIssuer().MasterKeys(perso.Amex).Cryptogram, pan, fmt.Sprintf("%02X", psn))
	if err != nil {
		t.Fatal(err)
	}
	counter, _ := list.Find(tag.ATC)
	atc = binary.BigEndian.Uint16(counter)
	if key, err = cryptogram.CCD.SessionKey(udk, atc); err != nil {
		t.Fatal(err)
	}
	mac, err := cryptogram.CCD.MAC(key, data)
	if err != nil {
		t.Fatal(err)
	}
	given, _ := list.Find(tag.ApplicationCryptogram)
	return key, [8]byte(given), atc, bytes.Equal(mac[:], given)
}

// The issuer can check the cryptogram from the data record; one under another key it can't. What the card
// states of its holder stands under the cryptogram.
func TestIssuerVerifiesDataRecord(t *testing.T) {
	for _, name := range []string{"amex", "amex-phone", "amex-watch"} {
		for _, wrong := range []bool{false, true} {
			f := fieldOf(t, name, func(d *card.AmexData) {
				if wrong {
					d.UDK = pay.NewSecret(bytes.Repeat([]byte{0x5A}, 16))
				}
			})
			r := newShop().tap(t, f, large)
			_, _, atc, ok := verify(t, r.Outcome.DataRecord)
			raw, _ := tlv.Find(r.Outcome.DataRecord, tag.IAD)
			iad, err := cryptogram.ParseCCDIAD(raw)
			if r.Outcome.Kind != emv.OnlineRequest || atc != 1 || ok == wrong || err != nil || iad.CVR.CDCVM() != (name != "amex") || iad.CVR.Type() != cryptogram.ARQC {
				t.Errorf("%s, wrong key %v: %v, verifies %v, %+v %v", name, wrong, r.Outcome.Kind, ok, iad, err)
			}
		}
	}
}

// A card with an offline limit approves up to it, at a reader whose floor limit allows it.
func TestOfflineApproval(t *testing.T) {
	own := func(d *card.AmexData) { d.Policy.OfflineLimit = 5000 }
	clone := func(d *card.AmexData) {
		own(d)
		other, err := perso.TestIssuer().AmexData("amex-cloned")
		if err != nil {
			t.Fatal(err)
		}
		d.Key = other.Key
	}
	for _, c := range []struct {
		amount, floor int64
		change        func(*card.AmexData)
		want          emv.Kind
	}{
		{4999, 10_000, own, emv.Approved}, {5000, 10_000, own, emv.Approved}, {5001, 10_000, own, emv.OnlineRequest},
		{5000, 4999, own, emv.OnlineRequest}, {5000, 5000, own, emv.Approved}, {5000, 10_000, clone, emv.Declined},
	} {
		s := newShop()
		s.floor = c.floor
		s.config.Limits.Floor = entry.Limit(c.floor)
		r := s.tap(t, fieldOf(t, "amex", c.change), c.amount)
		if r.Outcome.Kind != c.want || (c.want == emv.Approved && r.Outcome.ODA != emv.ODACDA) {
			t.Errorf("%d at a floor limit of %d: %v %v %s", c.amount, c.floor, r.Outcome.Kind, r.Outcome.ODA, r.Outcome.Reason)
		}
		if c.want == emv.Approved {
			if _, _, _, ok := verify(t, r.Outcome.DataRecord); !ok {
				t.Errorf("%d: the TC does not verify", c.amount)
			}
		}
	}
}

// Taken away before any command, or after the card has answered it, and presented again: the sale goes through.
func TestRepresent(t *testing.T) {
	whole := newField(t, "amex")
	newShop().tap(t, whole, small)
	for n := range whole.n {
		for _, late := range []bool{false, true} {
			f := newField(t, "amex")
			if late {
				f.lateAt = n
			} else {
				f.lostAt = n
			}
			r := newShop().tap(t, f, small)
			if r.Outcome.Kind != emv.OnlineRequest || r.Restarts != 1 {
				t.Errorf("command %d, late %v: %v after %d restarts", n, late, r.Outcome.Kind, r.Restarts)
				continue
			}
			if _, _, _, ok := verify(t, r.Outcome.DataRecord); !ok {
				t.Errorf("command %d, late %v: the cryptogram does not verify", n, late)
			}
		}
	}
}

// A locked phone asks for its holder once. Unlocked in between it pays; else the application ends.
func TestLockedPhone(t *testing.T) {
	for _, amount := range []int64{small, large} {
		f := newField(t, "amex-phone-locked")
		r := newShop().tap(t, f, amount)
		if r.Outcome.Kind != emv.EndApplication || r.Restarts != 1 || f.messages[1] != emv.MsgSeePhone || f.messages[2] != emv.MsgPresentAgain {
			t.Errorf("%d: %v after %d restarts, messages %v", amount, r.Outcome.Kind, r.Restarts, f.messages)
		}
		f = newField(t, "amex-phone-locked")
		unlocked := newField(t, "amex-phone").card
		f.tamper = func(toCard bool, b []byte) []byte {
			if toCard && f.n > 1 && b[1] == 0xA4 { // the second presentation begins with SELECT
				if seen := len(f.messages); seen > 1 && f.messages[1] == emv.MsgSeePhone {
					f.card = unlocked
				}
			}
			return b
		}
		if r = newShop().tap(t, f, amount); r.Outcome.Kind != emv.OnlineRequest || r.Restarts != 1 || (amount == large && r.Outcome.CVM != emv.CVMConfirmed) {
			t.Errorf("%d, unlocked: %v %v after %d restarts", amount, r.Outcome.Kind, r.Outcome.CVM, r.Restarts)
		}
	}
}

// A man in the middle at 5000.00: no edit of what card and terminal tell each other ends in an approval
// of the terminal, or in a request without the cardholder that is authenticated.
func TestManInTheMiddle(t *testing.T) {
	edit := func(from, to string) func(bool, []byte) []byte {
		return func(toCard bool, b []byte) []byte {
			if toCard {
				return b
			}
			return bytes.Replace(b, unhex(from), unhex(to), 1)
		}
	}
	for name, c := range map[string]struct {
		card   string
		tamper func(bool, []byte) []byte
	}{
		"mobile bit set, result claimed": {"amex", func(toCard bool, b []byte) []byte {
			if !toCard && len(b) > 6 && b[0] == 0x77 && b[2] == 0x82 {
				b[5] |= 0x40
				n := len(b) - 2
				b = append(append(append([]byte(nil), b[:n]...), unhex("9F7103010302")...), 0x90, 0x00)
				b[1] += 6
			}
			return b
		}},
		"CVM list without rules but none": {"amex", edit("42031E031F03", "1F031F031F03")},
		"AIP without cardholder":          {"amex", edit("82021180", "82020180")},
		"AIP without CDA":                 {"amex", edit("82021180", "82021080")},
		"wrong result claimed":            {"amex-phone-locked", edit("9F71033F0300", "9F7103010302")},
	} {
		f := newField(t, c.card)
		f.tamper = c.tamper
		r := newShop().tap(t, f, large)
		switch o := r.Outcome; o.Kind {
		case emv.Declined, emv.TryAnother, emv.EndApplication:
		case emv.OnlineRequest:
			if o.CVM != emv.CVMOnlinePIN {
				t.Errorf("%s: online with %v, %v", name, o.CVM, o.ODA)
			}
		default:
			t.Errorf("%s: %v", name, o.Kind)
		}
	}
}

func unhex(s string) []byte {
	var b []byte
	if _, err := fmt.Sscanf(s, "%X", &b); err != nil {
		panic(err)
	}
	return b
}

// A whole tap with a software card, both halves.
func BenchmarkWholeTap(b *testing.B) {
	f := newField(b, "amex")
	p := newShop().point(b, f)
	b.ReportAllocs()
	for b.Loop() {
		if r, err := p.Run(context.Background(), sale(small)); err != nil || r.Outcome.Kind != emv.OnlineRequest {
			b.Fatal(r.Outcome.Reason, err)
		}
	}
}
