package c2_test

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
	"huika/emv/apdu"
	"huika/emv/c2"
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
	lostAt   int                                   // the card is taken away before this command's answer; -1 never
	tamper   func(toCard bool, apdu []byte) []byte // a man in the middle; nil: none
	took     time.Duration                         // of every exchange
	messages []emv.MessageID
	lostINS  byte
	sent     []byte // instruction bytes
	off      []time.Duration
}

func (f *field) FieldOn(context.Context) error { return nil }
func (f *field) FieldOff(_ context.Context, hold time.Duration) error {
	f.off = append(f.off, hold)
	return nil
}
func (f *field) WaitCard(context.Context, time.Duration) (entry.Presence, error) {
	f.card.Reset()
	return entry.OneCard, nil
}
func (f *field) WaitRemoval(context.Context, time.Duration) (bool, error) { return true, nil }
func (f *field) Transmit(_ context.Context, command []byte) ([]byte, error) {
	if f.tamper != nil {
		command = f.tamper(true, bytes.Clone(command))
	}
	f.sent = append(f.sent, command[1])
	response := f.card.Transmit(command)
	clock += f.took
	f.n++
	if f.n-1 == f.lostAt || (f.lostINS != 0 && command[1] == f.lostINS) {
		f.lostINS = 0
		return nil, fmt.Errorf("field: %w", emv.ErrCardLost)
	}
	if f.tamper != nil {
		response = f.tamper(false, bytes.Clone(response))
	}
	return response, nil
}
func (f *field) Show(r emv.UIRequest) { f.messages = append(f.messages, r.Message) }

// clock is what the kernel measures with in these tests, which run one after another.
var clock time.Duration

func newField(t testing.TB, name string) *field {
	c, err := perso.TestIssuer().Card(name, card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	return &field{card: c, lostAt: -1, took: 5 * time.Millisecond}
}

// made is a field with a card that is personalised like name, changed.
func made(t testing.TB, name string, change func(*card.MChipData)) *field {
	d, err := perso.TestIssuer().MastercardData(name)
	if err != nil {
		t.Fatal(err)
	}
	change(&d)
	c, err := card.NewMChip(d, card.NewMemoryState(), rand.NewChaCha8([32]byte{4}))
	if err != nil {
		t.Fatal(err)
	}
	return &field{card: c, lostAt: -1, took: 5 * time.Millisecond}
}

func shop(t testing.TB) c2.Config {
	cas := oda.NewCAStore()
	for _, k := range perso.TestIssuer().CAKeys() {
		if err := cas.Add(k, k.Checksum()); err != nil {
			t.Fatal(err)
		}
	}
	cfg := c2.Defaults()
	cfg.CAKeys, cfg.CVMLimit, cfg.Limit, cfg.LimitOnCDCVM = cas, 100_000, 5_000_000, 5_000_000
	cfg.Clock = func() time.Duration { return clock }
	return cfg
}

// tapOn is a sale of amount fen at a terminal as a shop has it: floor limit 0, PIN-free up to 1000.00.
func tapOn(t testing.TB, f *field, amount int64, change func(*c2.Config)) entry.Result {
	t.Helper()
	cfg := shop(t)
	if change != nil {
		change(&cfg)
	}
	var kernels entry.Kernels
	if err := kernels.Register(c2.ID, 0, &c2.Kernel{Config: cfg}); err != nil {
		t.Fatal(err)
	}
	p := &entry.Point{
		Combinations: []entry.Combination{{AID: []byte{0xA0, 0, 0, 0, 0x04, 0x10, 0x10}, Kernel: c2.ID, CVMLimit: entry.Limit(100_001), FloorLimit: entry.Limit(cfg.FloorLimit)}},
		Kernels:      &kernels, Reader: f, Display: f, Rand: rand.NewChaCha8([32]byte{2}), Now: time.Now,
		Terminal: emv.Terminal{Country: 156, Type: 0x22, IFDSerial: "HUIKA001"},
	}
	r, err := p.Run(context.Background(), emv.Transaction{Amount: pay.Fen(amount), Time: time.Date(2026, 3, 15, 14, 30, 0, 0, time.UTC), Sequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func relayOn(c *c2.Config) { c.Kernel |= c2.RelayResistance }

// Every card by name, at amounts around the PIN-free limit, through Entry Point.
func TestNamedCards(t *testing.T) {
	type want struct {
		kind emv.Kind
		cvm  emv.CVM
		oda  emv.ODA
	}
	none, pin, device := want{emv.OnlineRequest, emv.CVMNone, emv.ODACDA}, want{emv.OnlineRequest, emv.CVMOnlinePIN, emv.ODACDA}, want{emv.OnlineRequest, emv.CVMConfirmed, emv.ODACDA}
	refused := want{emv.EndApplication, emv.CVMNotGiven, emv.ODAFailed}
	locked := want{emv.EndApplication, emv.CVMNotGiven, emv.ODANone}
	unsigned := want{emv.TryAnother, emv.CVMNone, emv.ODANone} // by the default action codes, at a terminal with contacts
	seen := map[string]bool{}
	for _, c := range []struct {
		name   string
		amount int64
		want   want
	}{
		{"mastercard", 1, none}, {"mastercard", 100_000, none}, {"mastercard", 100_001, pin}, {"mastercard", 500_000, pin},
		{"mastercard-phone", 100_000, none}, {"mastercard-phone", 100_001, device}, {"mastercard-watch", 8880, none}, {"mastercard-watch", 500_000, device},
		{"mastercard-cloned", 8880, refused}, {"mastercard-cloned", 500_000, refused}, {"mastercard-phone-locked", 8880, locked}, {"mastercard-phone-locked", 500_000, locked},
		{"mastercard-debit", 8880, none}, {"mastercard-debit", 100_001, pin}, {"mastercard-replayed", 8880, none},
		{"mastercard-altered", 8880, refused}, {"mastercard-uncertified", 8880, refused}, {"mastercard-cloned-online", 8880, unsigned},
	} {
		seen[c.name] = true
		r := tapOn(t, newField(t, c.name), c.amount, relayOn)
		if got := (want{r.Outcome.Kind, r.Outcome.CVM, r.Outcome.ODA}); got != c.want {
			t.Errorf("%s, %v: got %v %v %v (%s %+v), want %v", c.name, pay.Fen(c.amount), got.kind, got.cvm, got.oda, r.Outcome.Reason, r.Outcome.Error, c.want)
		}
	}
	for _, p := range perso.ProfilesOf(perso.Mastercard) {
		if !seen[p.Name] {
			t.Errorf("card %s is not tried", p.Name)
		}
	}
}

// verify is what an issuer does with a data record.
func verify(t *testing.T, record []byte) (cryptogram.MChipIAD, bool) {
	list, err := tlv.Parse(record)
	if err != nil {
		t.Fatal(err)
	}
	data, err := cryptogram.MChipData(list.Find)
	if err != nil {
		t.Fatal(err)
	}
	get := func(g tlv.Tag) []byte { v, _ := list.Find(g); return v }
	iad, err := cryptogram.ParseMChipIAD(get(tag.IAD))
	if err != nil {
		t.Fatal(err)
	}
	pan, err := pay.ParsePAN(fmt.Sprintf("%X", get(tag.PAN)))
	if err != nil {
		t.Fatal(err)
	}
	key, err := iad.Version.CardKey(perso.TestIssuer().MasterKeys(perso.Mastercard).Cryptogram, pan, fmt.Sprintf("%02X", get(tag.PSN)), cryptogram.OptionA)
	if err != nil {
		t.Fatal(err)
	}
	atc := get(tag.ATC)
	session, err := iad.Version.SessionKey(key, uint16(atc[0])<<8|uint16(atc[1]), [4]byte(get(tag.UN)))
	if err != nil {
		t.Fatal(err)
	}
	mac, err := iad.Version.MAC(session, data)
	if err != nil {
		t.Fatal(err)
	}
	return iad, bytes.Equal(mac[:], get(tag.ApplicationCryptogram))
}

// The issuer can check each card's cryptogram from the data record alone.
func TestIssuerVerifiesDataRecord(t *testing.T) {
	for name, want := range map[string]struct {
		version cryptogram.MChip
		cdcvm   bool
	}{"mastercard": {cryptogram.MChip16, false}, "mastercard-phone": {cryptogram.MChip20, true}, "mastercard-watch": {cryptogram.MChip21, true}} {
		f := newField(t, name)
		for n := range 3 { // the counter moves on
			r := tapOn(t, f, 150_000, relayOn)
			iad, good := verify(t, r.Outcome.DataRecord)
			if !good || iad.Version != want.version || iad.CVR.CDCVM() != want.cdcvm || !iad.CVR.CDA() || iad.CVR.Type() != cryptogram.ARQC {
				t.Errorf("%s, tap %d: verifies %v, %+v", name, n, good, iad)
			}
		}
	}
	f := made(t, "mastercard", func(d *card.MChipData) { d.Version, d.Counters = cryptogram.MChip17, 16 })
	if iad, good := verify(t, tapOn(t, f, 100, nil).Outcome.DataRecord); !good || iad.Version != cryptogram.MChip17 {
		t.Errorf("version 17: %v %v", iad.Version, good)
	}
}

// Offline: the card approves up to its own limit where the terminal lets it.
func TestOffline(t *testing.T) {
	f := made(t, "mastercard", func(d *card.MChipData) { d.Policy.OfflineLimit = 5000 })
	floor := func(c *c2.Config) { c.FloorLimit = 10_000 }
	for amount, want := range map[int64]emv.Kind{5000: emv.Approved, 5001: emv.OnlineRequest, 10_001: emv.OnlineRequest} {
		r := tapOn(t, f, amount, floor)
		if r.Outcome.Kind != want || r.Outcome.ODA != emv.ODACDA {
			t.Errorf("%d: %v (%s)", amount, r.Outcome.Kind, r.Outcome.Reason)
		}
		if _, good := verify(t, r.Outcome.DataRecord); !good {
			t.Errorf("%d: the cryptogram does not verify", amount)
		}
	}
}

// Mag-stripe mode end to end: the issuer makes the CVC3 again from what stands in the track.
func TestMagStripe(t *testing.T) {
	for _, name := range []string{"mastercard", "mastercard-phone"} {
		f := newField(t, name)
		r := tapOn(t, f, 8880, func(c *c2.Config) { c.Kernel |= c2.NoEMV })
		if r.Outcome.Kind != emv.OnlineRequest {
			t.Fatalf("%s: %v (%s)", name, r.Outcome.Kind, r.Outcome.Reason)
		}
		track, _ := tlv.Find(r.Outcome.DataRecord, 0x9F6B)
		s := fmt.Sprintf("%X", track)
		pan, dd := s[:16], s[24:37]
		number, err := pay.ParsePAN(pan)
		if err != nil {
			t.Fatal(err)
		}
		key, err := cryptogram.MChip16.CardKey(perso.TestIssuer().MasterKeys(perso.Mastercard).CVC3, number, "01", cryptogram.OptionA)
		if err != nil {
			t.Fatal(err)
		}
		plain := bytes.Clone(track) // as personalised: the discretionary data are zeros
		copy(plain[12:], []byte{0, 0, 0, 0, 0, 0, 0x0F})
		iv, err := cryptogram.IVCVC3(key, plain)
		if err != nil {
			t.Fatal(err)
		}
		var un [4]byte
		n := int(dd[6]-'0')*100 + int(dd[7]-'0')*10 + int(dd[8]-'0')
		un[2], un[3] = byte(n/100), byte(n/10%10)<<4|byte(n%10)
		want, err := cryptogram.CVC3(key, iv, un, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, w := dd[9:12], fmt.Sprintf("%05d", int(want[0])<<8|int(want[1]))[2:]; got != w || dd[5] != '1' {
			t.Errorf("%s: discretionary data %s, want CVC3 %s and counter 1", name, dd, w)
		}
	}
}

// A locked phone asks its holder, with the message and a pause, as often as Entry Point allows.
func TestLockedPhone(t *testing.T) {
	f := newField(t, "mastercard-phone-locked")
	r := tapOn(t, f, 8880, nil)
	asked := 0
	for _, m := range f.messages {
		if m == emv.MsgSeePhone {
			asked++
		}
	}
	if r.Outcome.Kind != emv.EndApplication || len(f.off) != entry.MaxRestarts+1 || f.off[0] != 1300*time.Millisecond || asked < entry.MaxRestarts {
		t.Errorf("%v after %d pauses, asked %d times", r.Outcome.Kind, len(f.off), asked)
	}
}

// Taken away before any command and presented again: the sale goes through, and no more than one cryptogram is paid.
func TestRepresent(t *testing.T) {
	whole := newField(t, "mastercard")
	tapOn(t, whole, 8880, relayOn)
	for n := range whole.n {
		log := c2.NewTornLog(4, time.Hour, func() time.Duration { return 0 })
		f := newField(t, "mastercard")
		f.lostAt = n
		r := tapOn(t, f, 8880, func(c *c2.Config) { relayOn(c); c.Torn = log })
		if r.Outcome.Kind != emv.OnlineRequest || r.Outcome.ODA != emv.ODACDA {
			t.Errorf("command %d: %v (%s)", n, r.Outcome.Kind, r.Outcome.Reason)
			continue
		}
		if _, good := verify(t, r.Outcome.DataRecord); !good {
			t.Errorf("command %d: the cryptogram does not verify", n)
		}
		atc, _ := tlv.Find(r.Outcome.DataRecord, tag.ATC)
		recovered := f.sent[len(f.sent)-1] == apdu.InsRecoverAC
		if last := n == whole.n-1; recovered != last || (last && !bytes.Equal(atc, []byte{0, 1})) {
			t.Errorf("command %d: recovered %v, ATC %X", n, recovered, atc)
		}
	}
}

// Relay: an honest card in time, one behind a relay that adds time; in steps of 0.1 ms around the threshold.
// The card says at most 25.0 ms, the grace is 5.0, command and answer take 4.2 off.
func TestRelay(t *testing.T) {
	unit := 100 * time.Microsecond
	for took, late := range map[time.Duration]bool{50 * unit: false, 341 * unit: false, 342 * unit: false, 343 * unit: true, 900 * unit: true} {
		f := newField(t, "mastercard")
		f.took = took
		r := tapOn(t, f, 8880, relayOn)
		tvr, _ := tlv.Find(r.Outcome.DataRecord, tag.TVR)
		if len(tvr) != 5 || tvr[4]&0x02 == 0 || (tvr[4]&0x04 != 0) != late {
			t.Errorf("%v: TVR %X", took, tvr)
			continue
		}
		if late != (r.Outcome.Kind == emv.TryAnother || r.Outcome.Kind == emv.Declined) {
			t.Errorf("%v: %v", took, r.Outcome.Kind)
		}
		n := bytes.Count(f.sent, []byte{apdu.InsExchangeRRD})
		if want := map[bool]int{false: 1, true: 3}[late]; n != want {
			t.Errorf("%v: %d exchanges", took, n)
		}
	}
	// A relay that answers itself, so that it is in time: the signature gives it away.
	f := newField(t, "mastercard")
	f.tamper = func(toCard bool, b []byte) []byte {
		if !toCard && len(b) == 14 && b[0] == 0x80 && b[1] == 10 {
			b[2] ^= 1
		}
		return b
	}
	if r := tapOn(t, f, 8880, relayOn); r.Outcome.Kind != emv.EndApplication || r.Outcome.ODA != emv.ODAFailed {
		t.Errorf("forged entropy: %v", r.Outcome.Kind)
	}
}

// Misbehaving cards, one for each security check.
func TestMisbehaving(t *testing.T) {
	set := func(at int, from, to []byte) func(bool, []byte) []byte {
		return func(toCard bool, b []byte) []byte {
			if i := bytes.Index(b, from); !toCard && i >= 0 {
				copy(b[i+at:], to)
			}
			return b
		}
	}
	for name, c := range map[string]struct {
		card   string
		change func(*card.MChipData)
		tamper func(bool, []byte) []byte
	}{
		"AIP claims on-device CVM":       {"mastercard", nil, set(2, []byte{0x82, 2, 0x19}, []byte{0x1B})},
		"AIP denies CDA":                 {"mastercard", nil, set(2, []byte{0x82, 2, 0x19}, []byte{0x18})},
		"cryptogram information edited":  {"mastercard", nil, set(3, []byte{0x9F, 0x27, 1, 0x80}, []byte{0x00})},
		"counter edited":                 {"mastercard", nil, set(4, []byte{0x9F, 0x36, 2, 0}, []byte{9})},
		"issuer application data edited": {"mastercard", nil, set(5, []byte{0x9F, 0x10, 18, 1}, []byte{0xFF})},
		"no verification of the holder":  {"mastercard", nil, set(10, []byte{0x8E, 14}, []byte{0x1F, 0x00})},
		"expiry edited":                  {"mastercard", nil, set(3, []byte{0x5F, 0x24, 3}, []byte{0x48})},
		"usage edited":                   {"mastercard", nil, set(3, []byte{0x9F, 0x07, 2}, []byte{0x00})},
		"amount edited on its way": {"mastercard", nil, func(toCard bool, b []byte) []byte {
			if toCard && b[1] == apdu.InsGenerateAC {
				b[10] ^= 1
			}
			return b
		}},
		"CDA not asked for on its way": {"mastercard", nil, func(toCard bool, b []byte) []byte {
			if toCard && b[1] == apdu.InsGenerateAC {
				b[2] &^= 0x10
			}
			return b
		}},
		"key of another card": {"mastercard", func(d *card.MChipData) { p, _ := perso.TestIssuer().MastercardData("mastercard-phone"); d.Key = p.Key }, nil},
		"records of another card": {"mastercard", func(d *card.MChipData) {
			p, _ := perso.TestIssuer().MastercardData("mastercard-watch")
			d.Records = p.Records
		}, nil},
	} {
		f := newField(t, c.card)
		if c.change != nil {
			f = made(t, c.card, c.change)
		}
		f.tamper = c.tamper
		r := tapOn(t, f, 500_000, nil)
		if r.Outcome.Kind == emv.Approved || r.Outcome.Kind == emv.OnlineRequest {
			t.Errorf("%s: %v %v %v", name, r.Outcome.Kind, r.Outcome.CVM, r.Outcome.ODA)
		}
	}
}

// operator is the terminal's end of data storage: it reads the slot and has its data written.
type operator struct{ ods []byte }

func (o *operator) Exchange(_ context.Context, toSend []byte, _ []tlv.Tag) ([]byte, error) {
	if v, ok := tlv.Find(toSend, 0x9F54); ok {
		o.ods = bytes.Clone(v)
	}
	return nil, nil
}

// Integrated data storage: what one tap writes the next one reads, under the signature.
func TestDataStorage(t *testing.T) {
	f := made(t, "mastercard", func(d *card.MChipData) {
		pan, _ := tlv.Find(d.Records[1].Body, tag.PAN)
		d.Storage = &card.StorageData{ID: append(bytes.Clone(pan), 0x01)}
		d.PDOL = []byte{0x9F, 0x5C, 8}
		d.Records[0].Body = tlv.Append(d.Records[0].Body, 0x9F5B, nil)
		d.Records = append(d.Records, card.Record{SFI: 5, Number: 1, Body: tlv.Append(nil, 0x9F5B, []byte{0xDF, 0x60, 8, 0xDF, 0x61, 8, 0xDF, 0x62, 1, 0xDF, 0x63, 0xA0})})
	})
	end := &operator{}
	storage := func(write string) func(*c2.Config) {
		return func(c *c2.Config) {
			c.Exchange = end
			c.Data = tlv.Append(nil, 0x9F5C, []byte{1, 2, 3, 4, 5, 6, 7, 8})
			c.Data = tlv.Append(c.Data, 0xDF810D, []byte{1})
			if write != "" {
				for g, v := range map[tlv.Tag][]byte{0xDF62: {0x80}, 0xDF63: []byte(write), 0xDF60: make([]byte, 8), 0xDF8108: {0x80}, 0xDF8109: []byte("inputinp"), 0xDF810A: {0xE2}} {
					c.Data = tlv.Append(c.Data, g, v)
				}
			}
		}
	}
	for i, c := range []struct{ write, read string }{{"first", ""}, {"second and longer", "first"}, {"", "second and longer"}} {
		end.ods = nil
		r := tapOn(t, f, 8880, storage(c.write))
		if r.Outcome.Kind != emv.OnlineRequest || r.Outcome.ODA != emv.ODACDA {
			t.Fatalf("tap %d: %v (%s %+v)", i, r.Outcome.Kind, r.Outcome.Reason, r.Outcome.Error)
		}
		status, _ := tlv.Find(r.Outcome.Discretionary, 0xDF810B)
		want := byte(0x80)
		if c.write != "" {
			want = 0xC0
		}
		if string(end.ods) != c.read || len(status) != 1 || status[0] != want {
			t.Errorf("tap %d: read %q, want %q; DS Summary Status %X, want %X", i, end.ods, c.read, status, want)
		}
	}
	// A card that does not write what it was given: the terminal said to stop then.
	r := tapOn(t, f, 8880, storage("second and longer"))
	if r.Outcome.Kind != emv.EndApplication || r.Outcome.Error.L2 != "IDS write error" {
		t.Errorf("the same data again: %v %q", r.Outcome.Kind, r.Outcome.Error.L2)
	}
}

// A whole tap with a software card that signs, both halves.
func BenchmarkWholeTap(b *testing.B) {
	f := newField(b, "mastercard")
	b.ReportAllocs()
	for b.Loop() {
		if r := tapOn(b, f, 8880, nil); r.Outcome.Kind != emv.OnlineRequest {
			b.Fatal(r.Outcome.Reason)
		}
	}
}
