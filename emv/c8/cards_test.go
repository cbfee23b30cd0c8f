package c8_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/c8"
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
	sent     []byte   // instruction bytes
	answers  [][]byte // whole responses
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
	if f.n-1 == f.lostAt {
		return nil, fmt.Errorf("field: %w", emv.ErrCardLost)
	}
	if f.tamper != nil {
		response = f.tamper(false, bytes.Clone(response))
	}
	f.answers = append(f.answers, response)
	return response, nil
}
func (f *field) Show(r emv.UIRequest) { f.messages = append(f.messages, r.Message) }

// clock is what the kernel measures with in these tests, which run one after another.
var clock time.Duration

// honest is how long our cards' exchanges take: 2 ms of processing beside the way.
const honest = 5 * time.Millisecond

func newField(t testing.TB, name string) *field {
	c, err := perso.TestIssuer().Card(name, card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	return &field{card: c, lostAt: -1, took: honest}
}

// made is a field with a card that is personalised like name, changed.
func made(t testing.TB, name string, change func(*card.C8Data)) *field {
	d, err := perso.TestIssuer().C8Data(name)
	if err != nil {
		t.Fatal(err)
	}
	change(&d)
	c, err := card.NewC8(d, card.NewMemoryState(), rand.NewChaCha8([32]byte{4}))
	if err != nil {
		t.Fatal(err)
	}
	return &field{card: c, lostAt: -1, took: honest}
}

func shop(t testing.TB) c8.Config {
	cas := oda.NewCAStore()
	list, err := perso.TestIssuer().C8CAKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		if err := cas.AddEC(k, k.Checksum()); err != nil {
			t.Fatal(err)
		}
	}
	cfg := c8.Defaults()
	cfg.Kernel |= c8.RelayResistance
	cfg.CAKeys, cfg.CVMLimit = cas, 100_000
	cfg.Clock = func() time.Duration { return clock }
	return cfg
}

var today = time.Date(2026, 3, 15, 14, 30, 0, 0, time.UTC)

// tapOn is a sale of amount fen at a terminal as a shop has it: floor limit 0, PIN-free up to 1000.00.
func tapOn(t testing.TB, f *field, amount int64, change func(*c8.Config, *emv.Terminal)) entry.Result {
	t.Helper()
	return tapAt(t, f, amount, today, change)
}

func tapAt(t testing.TB, f *field, amount int64, when time.Time, change func(*c8.Config, *emv.Terminal)) entry.Result {
	t.Helper()
	cfg, term := shop(t), emv.Terminal{Country: 156, Type: 0x22, IFDSerial: "HUIKA001"}
	if change != nil {
		change(&cfg, &term)
	}
	var kernels entry.Kernels
	if err := kernels.Register(c8.ID, 0, &c8.Kernel{Config: cfg}); err != nil {
		t.Fatal(err)
	}
	p := &entry.Point{
		Combinations: []entry.Combination{{AID: []byte{0xA0, 0, 0, 0, 0x04, 0x10, 0x10}, Kernel: c8.ID, CVMLimit: entry.Limit(100_001), FloorLimit: entry.Limit(cfg.FloorLimit)}},
		Kernels:      &kernels, Reader: f, Display: f, Rand: rand.NewChaCha8([32]byte{2}), Now: time.Now, Terminal: term,
	}
	r, err := p.Run(context.Background(), emv.Transaction{Amount: pay.Fen(amount), Time: when, Sequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type want struct {
	kind emv.Kind
	cvm  emv.CVM
	oda  emv.ODA
}

func got(r entry.Result) want { return want{r.Outcome.Kind, r.Outcome.CVM, r.Outcome.ODA} }

// Every card by name, at amounts around the PIN-free limit, through Entry Point.
func TestNamedCards(t *testing.T) {
	none, pin, device := want{emv.OnlineRequest, emv.CVMNone, emv.ODALocal}, want{emv.OnlineRequest, emv.CVMOnlinePIN, emv.ODALocal}, want{emv.OnlineRequest, emv.CVMConfirmed, emv.ODALocal}
	refused := want{emv.Declined, emv.CVMNone, emv.ODAFailed}
	locked := want{emv.EndApplication, emv.CVMNotGiven, emv.ODANone} // nobody unlocks it: Entry Point gives up
	seen := map[string]bool{}
	for _, c := range []struct {
		name   string
		amount int64
		want   want
	}{
		{"c8", 1, none}, {"c8", 100_000, none}, {"c8", 100_001, pin}, {"c8", 500_000, pin},
		{"c8-phone", 100_000, device}, {"c8-phone", 100_001, device}, {"c8-watch", 8880, device}, {"c8-watch", 500_000, device},
		{"c8-cloned", 8880, refused}, {"c8-cloned", 500_000, want{emv.Declined, emv.CVMOnlinePIN, emv.ODAFailed}},
		{"c8-phone-locked", 8880, locked}, {"c8-phone-locked", 500_000, locked},
	} {
		seen[c.name] = true
		r := tapOn(t, newField(t, c.name), c.amount, nil)
		if got(r) != c.want {
			t.Errorf("%s, %v: got %v (%s %+v), want %v", c.name, pay.Fen(c.amount), got(r), r.Outcome.Reason, r.Outcome.Error, c.want)
		}
	}
	for _, p := range perso.ProfilesOf(perso.C8) {
		if !seen[p.Name] {
			t.Errorf("card %s is not tried", p.Name)
		}
	}
}

// A terminal with a floor limit: the card approves what it may, and an offline-only terminal the rest not.
func TestOffline(t *testing.T) {
	floor := func(c *c8.Config, _ *emv.Terminal) { c.FloorLimit = 50_000 }
	offline := func(c *c8.Config, term *emv.Terminal) { c.FloorLimit, term.Type = 50_000, 0x23 }
	yes, no := want{emv.Approved, emv.CVMNone, emv.ODALocal}, want{emv.OnlineRequest, emv.CVMNone, emv.ODALocal}
	for _, c := range []struct {
		amount   int64
		terminal func(*c8.Config, *emv.Terminal)
		want     want
	}{
		{10_000, floor, yes}, {10_001, floor, no}, {10_000, offline, yes}, {10_001, offline, want{emv.Declined, emv.CVMNone, emv.ODALocal}},
	} {
		if r := tapOn(t, newField(t, "c8"), c.amount, c.terminal); got(r) != c.want {
			t.Errorf("%v: got %v (%s), want %v", pay.Fen(c.amount), got(r), r.Outcome.Reason, c.want)
		}
	}
	if r := tapOn(t, newField(t, "c8-phone"), 100, offline); r.Outcome.Kind != emv.Declined {
		t.Errorf("an online-only phone offline: %v", r.Outcome.Kind)
	}
	if r := tapOn(t, newField(t, "c8-cloned"), 100, offline); r.Outcome.Kind != emv.Declined {
		t.Errorf("a clone offline: %v", r.Outcome.Kind)
	}
}

// verify is what an issuer does with a data record.
func verify(t *testing.T, record []byte) (cryptogram.AESIAD, bool) {
	t.Helper()
	list, err := tlv.Parse(record)
	if err != nil {
		t.Fatal(err)
	}
	field := func(g tlv.Tag) []byte { v, _ := list.Find(g); return v }
	pan, err := pay.ParsePAN(fmt.Sprintf("%X", field(tag.PAN)))
	if err != nil {
		t.Fatal(err)
	}
	iad, ok, err := cryptogram.VerifyAES(perso.TestIssuer().MasterKeys(perso.C8).Cryptogram, pan, fmt.Sprintf("%02X", field(tag.PSN)), list.Find)
	if err != nil {
		t.Fatal(err)
	}
	return iad, ok
}

// The issuer can check each card's cryptogram from the data record alone, whatever
// of the TVR was set after it was made: online PIN, expiry, failed verification.
func TestIssuerVerifiesDataRecord(t *testing.T) {
	for _, c := range []struct {
		name   string
		amount int64
		when   time.Time
		change func(*c8.Config, *emv.Terminal)
	}{
		{"c8", 8880, today, nil}, {"c8", 500_000, today, nil}, {"c8-phone", 500_000, today, nil}, {"c8-watch", 1, today, nil},
		{"c8", 8880, time.Date(2049, 12, 31, 1, 0, 0, 0, time.UTC), nil},
		{"c8", 8880, today, func(c *c8.Config, _ *emv.Terminal) { c.FloorLimit = 50_000 }},
		{"c8-phone", 500_000, today, func(c *c8.Config, _ *emv.Terminal) { c.CVMRequired = c8.CVMOnlinePIN }},
		{"c8", 500_000, today, func(c *c8.Config, _ *emv.Terminal) { c.CVMRequired = 0 }},
		{"c8", 500_000, today, func(c *c8.Config, _ *emv.Terminal) { c.CVMRequired = c8.CVMSignature }},
		{"c8", 8880, today, func(c *c8.Config, _ *emv.Terminal) { c.Security = 0 }},
		{"c8", 8880, today, func(c *c8.Config, _ *emv.Terminal) { c.Kernel = 0 }},
	} {
		r := tapAt(t, newField(t, c.name), c.amount, c.when, c.change)
		iad, ok := verify(t, r.Outcome.DataRecord)
		if !ok {
			tvr, _ := tlv.Find(r.Outcome.DataRecord, tag.TVR)
			t.Errorf("%s, %v: the cryptogram does not verify (%v, TVR %X)", c.name, pay.Fen(c.amount), r.Outcome.Kind, tvr)
		}
		mac, there := iad.IADMAC()
		if in, _ := tlv.Find(r.Outcome.Discretionary, tag.IADMAC); !there || !bytes.Equal(in, mac[:]) {
			t.Errorf("%s: IAD-MAC %X in 9F10, %X from the kernel", c.name, mac, in)
		}
		if device := r.Outcome.CVM == emv.CVMConfirmed; iad.CVR.CDCVM() != device {
			t.Errorf("%s: the CVR says CDCVM %v, the outcome %v", c.name, iad.CVR.CDCVM(), r.Outcome.CVM)
		}
	}
	r := tapOn(t, newField(t, "c8"), 8880, nil)
	changed := bytes.Replace(r.Outcome.DataRecord, []byte{0x9F, 0x02, 6, 0, 0, 0, 0, 0x88, 0x80}, []byte{0x9F, 0x02, 6, 0, 0, 0, 0, 0x88, 0x81}, 1)
	if _, ok := verify(t, changed); ok || bytes.Equal(changed, r.Outcome.DataRecord) {
		t.Error("another amount verifies")
	}
}

// An expired card says so itself.
func TestExpired(t *testing.T) {
	expired := made(t, "c8", func(d *card.C8Data) { d.Policy.Expiry = [3]byte{0x26, 0x03, 0x14} })
	r := tapOn(t, expired, 8880, nil)
	tvr, _ := tlv.Find(r.Outcome.DataRecord, tag.TVR)
	if r.Outcome.Kind != emv.Declined || tvr[1] != 0x40 {
		t.Errorf("%v, TVR %X", r.Outcome.Kind, tvr)
	}
	if r := tapOn(t, made(t, "c8", func(d *card.C8Data) { d.Policy.Expiry = [3]byte{0x26, 0x03, 0x15} }), 8880, nil); r.Outcome.Kind != emv.OnlineRequest {
		t.Errorf("on its last day: %v", r.Outcome.Kind)
	}
}

func TestPINAlways(t *testing.T) {
	f := made(t, "c8", func(d *card.C8Data) { d.Policy.PINAlways = true })
	if r := tapOn(t, f, 1, nil); got(r) != (want{emv.OnlineRequest, emv.CVMOnlinePIN, emv.ODALocal}) {
		t.Errorf("%v", got(r))
	}
}

// Relay: a card that is delayed is caught and one that is slow in its own window is
// not, in steps of 0.1 ms around the thresholds of our cards (window 1.0 to 25.0 ms, grace 5.0 ms).
func TestRelay(t *testing.T) {
	const limit = (18 + 24 + 250 + 50) * 100 * time.Microsecond
	for _, c := range []struct {
		took time.Duration
		kind emv.Kind
		tvr  byte
	}{
		{honest, emv.OnlineRequest, 0x82}, {limit - 100*time.Microsecond, emv.OnlineRequest, 0x82}, {limit, emv.OnlineRequest, 0x82},
		{limit + 99*time.Microsecond, emv.OnlineRequest, 0x82}, {limit + 100*time.Microsecond, emv.Declined, 0x86}, {limit + 50*time.Millisecond, emv.Declined, 0x8E},
	} {
		f := newField(t, "c8")
		f.took = c.took
		r := tapOn(t, f, 8880, nil)
		tvr, _ := tlv.Find(r.Outcome.DataRecord, tag.TVR)
		if r.Outcome.Kind != c.kind || tvr[4] != c.tvr {
			t.Errorf("%v: %v, TVR byte 5 %02X, want %v and %02X", c.took, r.Outcome.Kind, tvr[4], c.kind, c.tvr)
		}
	}
}

// A locked phone asks its holder to look at it; unlocked and presented again, it pays.
func TestLockedPhone(t *testing.T) {
	f := newField(t, "c8-phone-locked")
	unlocked := newField(t, "c8-phone").card
	presented := 0
	f.tamper = func(up bool, b []byte) []byte {
		if up && bytes.Contains(b, []byte(card.PPSE)) {
			if presented++; presented == 2 {
				f.card = unlocked
			}
		}
		return b
	}
	r := tapOn(t, f, 8880, nil)
	if got(r) != (want{emv.OnlineRequest, emv.CVMConfirmed, emv.ODALocal}) || presented != 2 {
		t.Errorf("%v after %d presentations", got(r), presented)
	}
	if !slices.Contains(f.messages, emv.MsgSeePhone) || !slices.Contains(f.off, 1300*time.Millisecond) {
		t.Errorf("messages %v, field off %v", f.messages, f.off)
	}
}

// A card that is taken away is presented again, at whatever command it left.
func TestRepresent(t *testing.T) {
	whole := newField(t, "c8")
	tapOn(t, whole, 8880, nil)
	for at := range whole.n {
		f := newField(t, "c8")
		f.lostAt = at
		r := tapOn(t, f, 8880, nil)
		if r.Outcome.Kind != emv.OnlineRequest {
			t.Errorf("lost at command %d of %d: %v %s", at, whole.n, r.Outcome.Kind, r.Outcome.Reason)
			continue
		}
		if _, ok := verify(t, r.Outcome.DataRecord); !ok {
			t.Errorf("lost at command %d: the cryptogram does not verify", at)
		}
	}
}

// What is written is there at the next tap, and only through the channel.
func TestDataEnvelopes(t *testing.T) {
	f := newField(t, "c8")
	both := []tlv.Tag{tag.DataEnvelope1, tag.DataEnvelope1 + 1}
	r := tapOn(t, f, 8880, func(c *c8.Config, _ *emv.Terminal) {
		c.Write = tlv.Append(tlv.Append(nil, both[0], []byte("ticket 17")), both[1], []byte("gate 3"))
	})
	if v, _ := tlv.Find(r.Outcome.Discretionary, tag.WriteDataStatus); len(v) != 1 || v[0] != 0x80 {
		t.Errorf("write data status %X", v)
	}
	f.answers = nil
	r = tapOn(t, f, 8880, func(c *c8.Config, _ *emv.Terminal) { c.Read = both })
	for i, want := range []string{"ticket 17", "gate 3"} {
		if v, _ := tlv.Find(r.Outcome.Discretionary, both[i]); string(v) != want {
			t.Errorf("envelope %d is %q", i+1, v)
		}
	}
	if v, _ := tlv.Find(r.Outcome.Discretionary, tag.ReadDataStatus); len(v) != 1 || v[0] != 0x80 {
		t.Errorf("read data status %X", v)
	}
	for _, a := range f.answers {
		if bytes.Contains(a, []byte("ticket")) {
			t.Errorf("an envelope was on the air in clear: %X", a)
		}
	}
	r = tapOn(t, f, 8880, func(c *c8.Config, _ *emv.Terminal) { c.Read = []tlv.Tag{tag.DataEnvelope10} })
	if v, _ := tlv.Find(r.Outcome.Discretionary, tag.ReadDataStatus); r.Outcome.Kind != emv.OnlineRequest || v[0] != 0 {
		t.Errorf("an envelope that the card has not: %v, status %X", r.Outcome.Kind, v)
	}
}

// Nobody who listens finds the number, or two taps of one card that look alike.
func TestPrivacy(t *testing.T) {
	f := newField(t, "c8")
	tapOn(t, f, 8880, nil)
	pan := ""
	for _, a := range perso.TestIssuer().Accounts(func(string) string { return "1" }) {
		if a.Profile == "c8" {
			pan = a.PAN.Reveal()
		}
	}
	first := f.answers
	f.answers = nil
	tapOn(t, f, 8880, nil)
	for i, a := range append(first, f.answers...) {
		if bytes.Contains([]byte(fmt.Sprintf("%X", a)), []byte(pan)) {
			t.Errorf("answer %d shows the card number", i)
		}
	}
	for i, a := range first {
		private := bytes.HasPrefix(a, []byte{0x77}) || bytes.HasPrefix(a, []byte{0xDA})
		if private && bytes.Equal(a, f.answers[i]) {
			t.Errorf("answer %d is the same in both taps", i)
		}
	}
}

// A man in the middle changes bits in any command or answer after SELECT: nothing is
// approved offline with it, and nothing goes online that the issuer would take.
func TestManInTheMiddle(t *testing.T) {
	whole := newField(t, "c8")
	tapOn(t, whole, 8880, nil)
	src := rand.New(rand.NewPCG(1, 2))
	tries := 300
	if testing.Short() {
		tries = 60
	}
	for range tries {
		f := newField(t, "c8")
		at, toCard, n, done := 2+src.IntN(whole.n-2), src.IntN(2) == 0, -1, false
		f.tamper = func(up bool, b []byte) []byte {
			if up {
				n++
			}
			if up != toCard || n != at || done {
				return b
			}
			done = true // at the first presentation only
			i := src.IntN(len(b))
			if !up && len(b) > 2 {
				i = src.IntN(len(b) - 2)
			}
			b[i] ^= 1 << src.IntN(8)
			return b
		}
		r := tapOn(t, f, 8880, func(c *c8.Config, _ *emv.Terminal) { c.FloorLimit = 50_000 })
		switch r.Outcome.Kind {
		case emv.Approved:
			if _, ok := verify(t, r.Outcome.DataRecord); !ok {
				t.Errorf("command %d, to the card %v: approved with a cryptogram that does not verify", at, toCard)
			}
		case emv.OnlineRequest:
			if _, ok := verify(t, r.Outcome.DataRecord); ok && r.Outcome.ODA == emv.ODAFailed {
				t.Errorf("command %d, to the card %v: goes online with a good cryptogram and failed authentication", at, toCard)
			}
		}
	}
}

// The card keeps its order: no step before the one that must precede it.
func TestCardOrder(t *testing.T) {
	f := newField(t, "c8")
	send := func(c apdu.Command) uint16 {
		r, err := apdu.ParseResponse(f.card.Transmit(c.Append(nil)))
		if err != nil {
			t.Fatal(err)
		}
		return r.SW
	}
	f.card.Reset()
	read := apdu.Command{INS: apdu.InsReadRecord, P1: 1, P2: 1<<3 | 4, Le: 256}
	generate := apdu.Command{CLA: 0x80, INS: apdu.InsGenerateAC, P1: 0x80, Data: make([]byte, 44), Le: 256}
	write := apdu.Command{CLA: 0x84, INS: apdu.InsWriteData, Data: []byte{1}, Le: 256}
	data := apdu.Command{CLA: 0x84, INS: apdu.InsReadData, Data: []byte{0x9F, 0x81, 0x11}, Le: 256}
	rrd := apdu.Command{CLA: 0x80, INS: apdu.InsExchangeRRD, Data: make([]byte, 4), Le: 256}
	for _, c := range []apdu.Command{read, generate, write, data, rrd} {
		if sw := send(c); sw != apdu.SWConditions {
			t.Errorf("%02X before anything: %04X", c.INS, sw)
		}
	}
	if sw := send(apdu.Command{INS: apdu.InsSelect, P1: 4, Data: []byte{0xA0, 0, 0, 0, 4, 0x10, 0x10}, Le: 256}); sw != apdu.SWOK {
		t.Fatalf("SELECT %04X", sw)
	}
	gpo := apdu.Command{CLA: 0x80, INS: apdu.InsGPO, Data: append([]byte{0x83, 72}, make([]byte, 72)...), Le: 256}
	if sw := send(gpo); sw != apdu.SWConditions {
		t.Errorf("GPO with a key of zeros: %04X", sw)
	}
	for _, c := range []struct {
		name string
		cmd  apdu.Command
		want uint16
	}{
		{"short GPO", apdu.Command{CLA: 0x80, INS: apdu.InsGPO, Data: []byte{0x83, 0}, Le: 256}, apdu.SWWrongLength},
		{"GPO without template", apdu.Command{CLA: 0x80, INS: apdu.InsGPO, Data: []byte{1}, Le: 256}, apdu.SWWrongData},
		{"GPO with P1", apdu.Command{CLA: 0x80, INS: apdu.InsGPO, P1: 1, Data: []byte{0x83, 0}, Le: 256}, apdu.SWWrongP1P2},
		{"unknown instruction", apdu.Command{INS: 0x01, Le: 256}, apdu.SWUnknownINS},
		{"READ RECORD in class 80", apdu.Command{CLA: 0x80, INS: apdu.InsReadRecord, P1: 1, P2: 12, Le: 256}, apdu.SWUnknownCLA},
	} {
		if sw := send(c.cmd); sw != c.want {
			t.Errorf("%s: %04X, want %04X", c.name, sw, c.want)
		}
	}
	// A whole tap, then nothing of it works twice.
	tapOn(t, f, 8880, nil)
	for _, c := range []apdu.Command{read, generate, write, data, rrd} {
		if sw := send(c); sw != apdu.SWConditions {
			t.Errorf("%02X after the cryptogram: %04X", c.INS, sw)
		}
	}
}

// FuzzCard: whatever a reader sends, the card answers with a status word and does not panic.
func FuzzCard(f *testing.F) {
	f.Add([]byte{0x84, 0x34, 0, 0, 1, 1, 0}, []byte{0x80, 0xAE, 0x40, 0})
	f.Add([]byte{0x80, 0xEA, 0, 0, 4, 1, 2, 3, 4, 0}, []byte{0x84, 0x32, 0, 0, 3, 0x9F, 0x81, 0x11, 0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		fd := newField(t, "c8")
		for _, c := range [][]byte{a, apdu.Select([]byte{0xA0, 0, 0, 0, 4, 0x10, 0x10}, false), a, b} {
			if r := fd.card.Transmit(c); len(r) < 2 {
				t.Fatalf("%X: answer %X", c, r)
			}
		}
		n := 0
		fd.tamper = func(up bool, x []byte) []byte {
			if n++; up && n == 9 && len(a) >= 4 {
				return a
			}
			return x
		}
		tapOn(t, fd, 8880, nil)
	})
}
