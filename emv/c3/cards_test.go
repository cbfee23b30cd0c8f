package c3_test

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
	"huika/emv/c3"
	"huika/emv/cryptogram"
	"huika/emv/entry"
	"huika/emv/oda"
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
	if f.tamper != nil {
		response = f.tamper(false, bytes.Clone(response))
	}
	return response, nil
}
func (f *field) Show(r emv.UIRequest) { f.messages = append(f.messages, r.Message) }

func newField(t testing.TB, name string) *field {
	return fieldOf(t, name, func(*card.VisaData) {})
}

// fieldOf holds a card whose personalisation was changed: a misbehaving one, or one of another issuer's choice.
func fieldOf(t testing.TB, name string, change func(*card.VisaData)) *field {
	t.Helper()
	d, err := perso.TestIssuer().VisaData(name)
	if err != nil {
		t.Fatal(err)
	}
	change(&d)
	c, err := card.NewVisa(d, card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	return &field{card: c, lostAt: -1}
}

// shop is a terminal: floor limit 0, PIN-free up to 1000.00, issuer updates taken.
type shop struct {
	floor  *int64
	ttq    [4]byte
	config c3.Config
}

func newShop() shop { return shop{floor: entry.Limit(0), ttq: [4]byte{0x27, 0x00, 0xC0, 0x80}} }

func (s shop) point(t testing.TB, f *field) *entry.Point {
	t.Helper()
	store := oda.NewCAStore()
	for _, k := range perso.TestIssuer().CAKeys() {
		if err := store.Add(k, k.Checksum()); err != nil {
			t.Fatal(err)
		}
	}
	s.config.CAKeys = store
	var kernels entry.Kernels
	if err := kernels.Register(c3.ID, c3.Version, &c3.Kernel{Config: s.config}); err != nil {
		t.Fatal(err)
	}
	return &entry.Point{
		Combinations: []entry.Combination{{AID: []byte{0xA0, 0, 0, 0, 0x03, 0x10, 0x10}, Kernel: c3.ID, TTQ: &s.ttq, FloorLimit: s.floor, CVMLimit: entry.Limit(100_001)}},
		Kernels:      &kernels, Reader: f, Display: f, Rand: rand.NewChaCha8([32]byte{2}), Now: time.Now,
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0xE1, 0xC8}, IFDSerial: "HUIKA001", EntryMode: 0x07},
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

// accountOf is the account behind a card.
func accountOf(t testing.TB, name string) perso.Account {
	t.Helper()
	for _, a := range perso.TestIssuer().Accounts(func(string) string { return "123456" }) {
		if a.Profile == name {
			return a
		}
	}
	t.Fatalf("no account %s", name)
	return perso.Account{}
}

const small, last, first, large = 8880, 100_000, 100_001, 500_000

// Every card by name, at amounts around the PIN-free limit, through Entry Point.
func TestNamedCards(t *testing.T) {
	type want struct {
		kind emv.Kind
		cvm  emv.CVM
		oda  emv.ODA
	}
	online := func(c emv.CVM) want { return want{emv.OnlineRequest, c, emv.ODAfDDA} }
	none, pin, device := online(emv.CVMNone), online(emv.CVMOnlinePIN), online(emv.CVMConfirmed)
	caught := want{emv.Declined, emv.CVMNotGiven, emv.ODAFailed}
	seen := map[string]bool{}
	for _, c := range []struct {
		name   string
		amount int64
		want   want
	}{
		{"visa", 1, none}, {"visa", small, none}, {"visa", last, none}, {"visa", first, pin}, {"visa", large, pin},
		{"visa-phone", small, device}, {"visa-phone", large, device},
		{"visa-watch", last, device}, {"visa-watch", first, device},
		{"visa-cloned", small, caught}, {"visa-cloned", large, caught},
		{"visa-classic", small, none}, {"visa-classic", first, pin}, {"visa-replayed", small, none}, {"visa-altered", small, caught},
		{"visa-uncertified", small, caught}, {"visa-cloned-online", small, want{emv.OnlineRequest, emv.CVMNone, emv.ODAFailed}},
	} {
		seen[c.name] = true
		r := newShop().tap(t, newField(t, c.name), c.amount)
		if got := (want{r.Outcome.Kind, r.Outcome.CVM, r.Outcome.ODA}); got != c.want || r.Kernel != c3.ID {
			t.Errorf("%s, %v: got %v %v %v (%s %+v), want %v", c.name, pay.Fen(c.amount), got.kind, got.cvm, got.oda, r.Outcome.Reason, r.Outcome.Error, c.want)
		}
	}
	seen["visa-phone-locked"] = true // TestLockedPhone
	for _, p := range perso.ProfilesOf(perso.Visa) {
		if !seen[p.Name] {
			t.Errorf("card %s is not tried", p.Name)
		}
	}
}

// A locked phone asks for its holder until the restarts are used up; unlocked in between it pays.
func TestLockedPhone(t *testing.T) {
	f := newField(t, "visa-phone-locked")
	r := newShop().tap(t, f, small)
	if r.Outcome.Kind != emv.EndApplication || r.Restarts <= entry.MaxRestarts || f.messages[1] != emv.MsgSeePhone || f.messages[2] != emv.MsgPresentAgain {
		t.Errorf("%v after %d restarts, messages %v", r.Outcome.Kind, r.Restarts, f.messages[:3])
	}
	f = newField(t, "visa-phone-locked")
	unlocked := newField(t, "visa-phone").card
	f.tamper = func(toCard bool, b []byte) []byte {
		if !toCard && bytes.Equal(b, []byte{0x69, 0x86}) {
			f.card = unlocked
		}
		return b
	}
	if r = newShop().tap(t, f, small); r.Outcome.Kind != emv.OnlineRequest || r.Outcome.CVM != emv.CVMConfirmed || r.Restarts != 1 {
		t.Errorf("%v %v after %d restarts", r.Outcome.Kind, r.Outcome.CVM, r.Restarts)
	}
}

var versions = []cryptogram.Visa{cryptogram.VisaCVN10, cryptogram.VisaCVN17, cryptogram.VisaCVN18, cryptogram.VisaCVN22}

// withVersion personalises a card with another cryptogram version.
func withVersion(v cryptogram.Visa) func(*card.VisaData) {
	return func(d *card.VisaData) { d.Version = v }
}

// verify is the issuer's half: the cryptogram from the data record alone.
func verify(t testing.TB, record []byte) (v cryptogram.Visa, udk pay.Secret, atc uint16, ac [8]byte, ok bool) {
	t.Helper()
	list, err := tlv.Parse(record)
	if err != nil {
		t.Fatal(err)
	}
	data, err := cryptogram.VisaData(list.Find)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := list.Find(tag.IAD)
	iad, err := cryptogram.ParseVisaIAD(raw)
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
	if udk, err = iad.Version.CardKey(perso.TestIssuer().MasterKeys(perso.Visa).Cryptogram, pan, fmt.Sprintf("%02X", psn)); err != nil {
		t.Fatal(err)
	}
	counter, _ := list.Find(tag.ATC)
	atc = binary.BigEndian.Uint16(counter)
	key, err := iad.Version.SessionKey(udk, atc)
	if err != nil {
		t.Fatal(err)
	}
	mac, err := iad.Version.MAC(key, data)
	if err != nil {
		t.Fatal(err)
	}
	given, _ := list.Find(tag.ApplicationCryptogram)
	return iad.Version, udk, atc, [8]byte(given), bytes.Equal(mac[:], given)
}

// The issuer can check each version's cryptogram from the data record; one under another key it can't.
func TestIssuerVerifiesDataRecord(t *testing.T) {
	for _, name := range []string{"visa", "visa-phone", "visa-watch"} {
		for _, version := range versions {
			for _, wrong := range []bool{false, true} {
				f := fieldOf(t, name, func(d *card.VisaData) {
					d.Version = version
					if wrong {
						d.UDK = pay.NewSecret(bytes.Repeat([]byte{0x5A}, 16))
					}
				})
				r := newShop().tap(t, f, small)
				v, _, atc, _, ok := verify(t, r.Outcome.DataRecord)
				if r.Outcome.Kind != emv.OnlineRequest || v != version || atc != 1 || ok == wrong {
					t.Errorf("%s %v, wrong key %v: %v, verifies %v", name, version, wrong, r.Outcome.Kind, ok)
				}
			}
		}
	}
}

// What a token device says of itself reaches the data record.
func TestDeviceData(t *testing.T) {
	for name, form := range map[string]byte{"visa": 0x20, "visa-phone": 0x23, "visa-watch": 0x24} {
		r := newShop().tap(t, newField(t, name), small)
		factor, _ := tlv.Find(r.Outcome.DataRecord, tag.FormFactor)
		par, has := tlv.Find(r.Outcome.DataRecord, tag.PAR)
		if len(factor) != 4 || factor[0] != form || has != (name != "visa") || (has && len(par) != 29) {
			t.Errorf("%s: 9F6E %X, PAR of %d bytes", name, factor, len(par))
		}
	}
}

// Without authentication a card gives one record only, and a CDCVM stands on the unsigned copy.
func TestNoAuthenticationAskedFor(t *testing.T) {
	s := newShop()
	s.ttq[0] = 0x26
	f := newField(t, "visa-phone")
	r := s.tap(t, f, large)
	if r.Outcome.Kind != emv.OnlineRequest || r.Outcome.CVM != emv.CVMConfirmed || r.Outcome.ODA != emv.ODANone || f.n != 4 {
		t.Errorf("%v %v %v after %d commands", r.Outcome.Kind, r.Outcome.CVM, r.Outcome.ODA, f.n)
	}
	s.config.StrictCDCVM = true
	if r = s.tap(t, newField(t, "visa-phone"), large); r.Outcome.Kind != emv.Declined {
		t.Errorf("strict: %v %v", r.Outcome.Kind, r.Outcome.CVM)
	}
}

// A card with an offline limit approves up to it, at a reader whose floor limit allows it.
func TestOfflineApproval(t *testing.T) {
	own := func(d *card.VisaData) {
		d.Policy.OfflineLimit, d.Policy.OfflineCurrency = 5000, [2]byte{0x01, 0x56}
	}
	for _, c := range []struct {
		amount, floor int64
		offlineOnly   bool
		change        func(*card.VisaData)
		want          emv.Kind
	}{
		{4999, 10_000, false, own, emv.Approved}, {5000, 10_000, false, own, emv.Approved}, {5001, 10_000, false, own, emv.OnlineRequest},
		{5000, 4999, false, own, emv.OnlineRequest}, {5000, 5000, true, own, emv.Approved}, {5001, 10_000, true, own, emv.Declined},
		{5000, 10_000, false, func(d *card.VisaData) { own(d); d.Policy.OfflineCurrency[1] = 0x57 }, emv.OnlineRequest},
		{5000, 10_000, false, func(d *card.VisaData) { own(d); d.Key = wrongKey(t) }, emv.Declined},
	} {
		s := newShop()
		s.floor = entry.Limit(c.floor)
		if c.offlineOnly {
			s.ttq[0] = 0x2A
		}
		r := s.tap(t, fieldOf(t, "visa", c.change), c.amount)
		if r.Outcome.Kind != c.want || (c.want == emv.Approved && r.Outcome.ODA != emv.ODAfDDA) {
			t.Errorf("%d at a floor limit of %d: %v %v %s", c.amount, c.floor, r.Outcome.Kind, r.Outcome.ODA, r.Outcome.Reason)
		}
	}
}

func wrongKey(t testing.TB) *oda.PrivateKey {
	d, err := perso.TestIssuer().VisaData("visa-cloned")
	if err != nil {
		t.Fatal(err)
	}
	return d.Key
}

// The card's program identifier picks the reader's limits.
func TestProgramLimits(t *testing.T) {
	s := newShop()
	s.config.LimitSets = []c3.LimitSet{{ProgramID: []byte{0x77}, CVMLimit: entry.Limit(1000), TransactionLimit: entry.Limit(2000)}}
	program := func(d *card.VisaData) { d.ProgramID = []byte{0x77, 0x01} }
	for amount, want := range map[int64]emv.CVM{999: emv.CVMNone, 1000: emv.CVMOnlinePIN, 1999: emv.CVMOnlinePIN} {
		if r := s.tap(t, fieldOf(t, "visa", program), amount); r.Outcome.Kind != emv.OnlineRequest || r.Outcome.CVM != want {
			t.Errorf("%d: %v %v %s", amount, r.Outcome.Kind, r.Outcome.CVM, r.Outcome.Reason)
		}
	}
	if r := s.tap(t, fieldOf(t, "visa", program), 2000); r.Outcome.Kind != emv.EndApplication { // Select Next, and there is none
		t.Errorf("at the transaction limit: %v", r.Outcome.Kind)
	}
}

// Taken away before any command and presented again: the sale goes through.
func TestRepresent(t *testing.T) {
	whole := newField(t, "visa")
	newShop().tap(t, whole, small)
	for n := range whole.n {
		f := newField(t, "visa")
		f.lostAt = n
		if r := newShop().tap(t, f, small); r.Outcome.Kind != emv.OnlineRequest || r.Restarts != 1 {
			t.Errorf("command %d: %v after %d restarts", n, r.Outcome.Kind, r.Restarts)
		}
	}
}

// A man in the middle at 5000.00: no edit of CTQ or TTQ ends without the cardholder.
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
		"TTQ no CVM and CTQ CDCVM":   func(toCard bool, b []byte) []byte { return editCTQ(0x00, 0x80)(toCard, editTTQ(0x40)(toCard, b)) },
	} {
		f := newField(t, "visa")
		f.tamper = tamper
		if r := newShop().tap(t, f, large); r.Outcome.Kind != emv.Declined {
			t.Errorf("%s: %v %v (%s)", name, r.Outcome.Kind, r.Outcome.CVM, r.Outcome.Reason)
		}
	}
}

// Cards that misbehave are caught by the check that stands against them.
func TestMisbehavingCards(t *testing.T) {
	flip := func(n int) func(*card.VisaData) {
		return func(d *card.VisaData) {
			r := &d.Records[n]
			r.Body = bytes.Clone(r.Body)
			r.Body[len(r.Body)-9] ^= 1
		}
	}
	for name, change := range map[string]func(*card.VisaData){
		"wrong chip key":              func(d *card.VisaData) { d.Key = wrongKey(t) },
		"signed record changed":       flip(0),
		"issuer certificate changed":  flip(1),
		"card certificate changed":    flip(2),
		"records not signed any more": func(d *card.VisaData) { d.Records[0].Signed = false },
		"AIP changed":                 func(d *card.VisaData) { d.AIP = [2]byte{0x20, 0x80} },
		"another scheme's CA index": func(d *card.VisaData) {
			d.Records[1].Body = bytes.Replace(d.Records[1].Body, []byte{0x8F, 0x01, 0xE1}, []byte{0x8F, 0x01, 0xE2}, 1)
		},
	} {
		r := newShop().tap(t, fieldOf(t, "visa", change), small)
		if r.Outcome.Kind != emv.Declined || r.Outcome.ODA != emv.ODAFailed || r.Outcome.Error.L2 != "CAM failed" {
			t.Errorf("%s: %v %v %s", name, r.Outcome.Kind, r.Outcome.ODA, r.Outcome.Reason)
		}
	}
	// A card that repeats the whole answer of an earlier tap.
	f := newField(t, "visa")
	var gpo []byte
	f.tamper = func(toCard bool, b []byte) []byte {
		if !toCard && len(b) > 0 && b[0] == 0x77 {
			if gpo == nil {
				gpo = bytes.Clone(b)
			}
			return bytes.Clone(gpo)
		}
		return b
	}
	p := newShop().point(t, f)
	for i, want := range []emv.ODA{emv.ODAfDDA, emv.ODAFailed} {
		r, err := p.Run(context.Background(), sale(small))
		if err != nil || r.Outcome.ODA != want {
			t.Errorf("tap %d: %v %v", i, r.Outcome.ODA, err)
		}
	}
}

// A whole tap with a software card that signs, both halves.
func BenchmarkWholeTap(b *testing.B) {
	f := newField(b, "visa")
	p := newShop().point(b, f)
	b.ReportAllocs()
	for b.Loop() {
		if r, err := p.Run(context.Background(), sale(small)); err != nil || r.Outcome.Kind != emv.OnlineRequest {
			b.Fatal(r.Outcome.Reason, err)
		}
	}
}
