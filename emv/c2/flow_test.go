package c2

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

func tapOn(t *testing.T, card *scripted, amount int64, change func(*Config)) emv.Outcome {
	t.Helper()
	card.personalise()
	return tapAgain(t, card, amount, change)
}

// tapAgain taps with a card that is personalised already.
func tapAgain(t *testing.T, card *scripted, amount int64, change func(*Config)) emv.Outcome {
	t.Helper()
	cfg := usualConfig(t, card)
	if change != nil {
		change(&cfg)
	}
	o, err := (&Kernel{Config: cfg}).Process(context.Background(), usualInput(card, amount), card)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The data record of EMV mode, object by object.
func TestDataRecord(t *testing.T) {
	card := newCard(t)
	set(card.body(), tag.PAR, hexText("PAR00000000000000000000000001"))
	set(card.body(), tag.AmountAuthorised, "000000000001") // a card can't put the terminal's objects there
	o := tapOn(t, card, 150_000, func(c *Config) { c.Category = 'R' })
	got, err := tlv.Parse(o.DataRecord)
	if err != nil {
		t.Fatal(err)
	}
	want := map[tlv.Tag]string{
		0x9F26: "5D016C91005E7CC2", 0x9F27: "80", 0x9F10: "0110A00003220000000000000000000000FF", 0x9F36: "02E0", 0x82: "1980",
		0x9F07: "FF00", 0x5A: testPAN, 0x5F34: "01", 0x5F24: "301231", 0x50: hexText("MASTERCARD"), 0x84: "A0000000041010",
		0x57: "5413330089010434D30122010000000000000F", 0x9F24: hexText("PAR00000000000000000000000001"), 0x9F02: "000000150000",
		0x9F03: "000000000000", 0x9F09: "0002", 0x9F34: "420300", 0x9F1E: hexText("HUIKA001"), 0x9F33: "606008", 0x9F1A: "0156",
		0x9F35: "22", 0x95: "0000048001", 0x9F53: "52", 0x5F2A: "0156", 0x9A: "260315", 0x9C: "00", 0x9F41: "00000017",
		0x9F37: strings.ToUpper(hexOf(card.cdol[0x9F37])),
	}
	for _, x := range got {
		if w, ok := want[x.Tag]; !ok || strings.ToUpper(hexOf(x.Value)) != w {
			t.Errorf("%s is %X, want %s", x.Tag, x.Value, w)
		}
		delete(want, x.Tag)
	}
	for g := range want {
		t.Errorf("%s is missing", g)
	}
	if !o.Receipt {
		t.Error("no receipt above the CVM limit")
	}
}

func hexOf(b []byte) string {
	return strings.ToLower(hexText(string(b)))
}

// Error indications as bytes, field off where the card notices it, and the message's languages.
func TestDiscretionary(t *testing.T) {
	for _, c := range []struct {
		name, errorIndication string
		card                  func(*scripted)
	}{
		{"good", "0000000000FF", func(*scripted) {}},
		{"refused", "00030069851C", func(c *scripted) { c.sw[apdu.InsGenerateAC] = "6985" }},
		{"clone", "00020000001C", clone},
		{"lost", "020000000021", lostIns(apdu.InsGenerateAC)},
	} {
		card := newCard(t)
		c.card(card)
		card.bf0c = tlv.List{{Tag: tagCapabilities, Value: unhex("000400")}}
		o := tapOn(t, card, 100, nil)
		got, _ := tlv.Find(o.Discretionary, tagError)
		if want := unhex(c.errorIndication); !bytes.Equal(got, want) {
			t.Errorf("%s: error indication %X, want %X", c.name, got, want)
		}
		if o.FieldOff != 1300*time.Millisecond {
			t.Errorf("%s: field off %v", c.name, o.FieldOff)
		}
		ui := o.UIOutcome
		if ui == nil {
			ui = o.UIRestart
		}
		if string(ui.Language) != "zhen" {
			t.Errorf("%s: language %q", c.name, ui.Language)
		}
	}
}

// Balances go to the discretionary data and, for an offline approval, to the customer's eyes.
func TestBalance(t *testing.T) {
	card := newCard(t)
	card.bf0c = tlv.List{{Tag: tagCapabilities, Value: unhex("000200")}}
	card.data[tagBalance] = "000000001234"
	o := tapOn(t, card, 100, balances)
	before, _ := tlv.Find(o.Discretionary, tagBalanceBefore)
	after, _ := tlv.Find(o.Discretionary, tagBalanceAfter)
	if !bytes.Equal(before, unhex("000000001234")) || !bytes.Equal(after, before) {
		t.Errorf("balances %X and %X", before, after)
	}
	if ui := o.UIOutcome; ui.ValueQualifier != 0x20 || ui.Value != 1234 || ui.Currency != 156 {
		t.Errorf("shown: %+v", ui)
	}
}

// What is written, in its order, and what the discretionary data says of it.
func TestPutData(t *testing.T) {
	for _, c := range []struct {
		sw             uint16
		written, state string
	}{{0x9000, "onetwothree", "80"}, {0x6985, "onethree", "00"}} {
		card := newCard(t)
		card.putSW = c.sw
		o := tapOn(t, card, 100, writes)
		var all string
		for _, p := range card.put {
			all += string(p.Value)
		}
		before, _ := tlv.Find(o.Discretionary, tagPutBefore)
		after, _ := tlv.Find(o.Discretionary, tagPutAfter)
		if all != c.written || hexOf(before) != c.state || hexOf(after) != c.state {
			t.Errorf("SW %04X: wrote %q, states %X %X", c.sw, all, before, after)
		}
	}
}

// Track 2 of a card that does not sign tells the issuer of the relay resistance exchange.
func TestRelayInTrack2(t *testing.T) {
	for _, c := range []struct{ track2, want string }{
		{"5413330089010434D30122010000000000000F", "5413330089010434D301220100"[:24] + "00" + "41473" + "161" + "015" + "F"},
		{"5413330089010434000D3012201000000000", "5413330089010434000D3012201" + "00" + "41473" + "015" + "F"},
	} {
		card := newCard(t)
		relay(100, 200, 24, 150+42)(card)
		card.relay[0][2], card.relay[0][3] = 0xA2, 0x01
		card.aip = "1881"
		set(card.body(), tag.Track2, c.track2)
		if strings.Contains(c.track2, "434000D") {
			set(card.body(), tag.PAN, "5413330089010434000F")
		}
		o := tapOn(t, card, floorLimit+1, withRelay)
		got, _ := tlv.Find(o.DataRecord, tag.Track2)
		if strings.ToUpper(hexOf(got)) != c.want {
			t.Errorf("track 2 %X, want %s", got, c.want)
		}
	}
}

// Mag-stripe mode: what goes into the tracks, digit by digit.
func TestTracks(t *testing.T) {
	card := newCard(t)
	magCard(card)
	set(card.mag(), tag.Track1, hexText("B5413330089010434^DEMO/CARD^30122010000000000000"))
	set(card.mag(), tagPCVC3Track1, "00000000000E")
	set(card.mag(), tagPUNATCTrack1, "0000000000F0")
	set(card.mag(), tagNATCTrack1, "01")
	card.ccc = append(card.ccc, tlv.TLV{Tag: tagCVC3Track1, Value: unhex("0001")})
	o := tapOn(t, card, 8880, nil)
	// Bitmap 000E: the three digits left of the last; 00F0: left of them three of UN and one of ATC.
	un := hexOf(card.un9F6A)
	if len(un) != 8 || un[:5] != "00000" {
		t.Fatalf("9F6A %s: want three digits behind zeros", un)
	}
	track2, _ := tlv.Find(o.DataRecord, tagTrack2Data)
	dd := "90000" + "4" + un[5:] + "687" + "3" // ATC 0094, CVC3 30687
	if want := "5413330089010434d3012201" + dd + "f"; hexOf(track2) != want {
		t.Errorf("track 2 %s, want %s", hexOf(track2), want)
	}
	track1, _ := tlv.Find(o.DataRecord, tag.Track1)
	dd1 := "00000" + "4" + un[5:] + "001" + "3"
	if want := "B5413330089010434^DEMO/CARD^3012201" + dd1; string(track1) != want {
		t.Errorf("track 1 %s, want %s", track1, want)
	}
	for _, g := range []tlv.Tag{tagDDTrack1, tagDDTrack2} {
		if v, ok := tlv.Find(o.Discretionary, g); !ok || len(v) == 0 {
			t.Errorf("%s is not in the discretionary data", g)
		}
	}
	// A phone that verified its holder adds five to the last digit.
	phone := newCard(t)
	magPhone("001000")(phone)
	o = tapOn(t, phone, 8880, nil)
	track2, _ = tlv.Find(o.DataRecord, tagTrack2Data)
	if s := hexOf(track2); s[len(s)-2] != '8' {
		t.Errorf("track 2 %s: the last digit is not 3+5", s)
	}
}

// Checksums that fail again and again are answered ever more slowly.
func TestPenalty(t *testing.T) {
	card := newCard(t)
	magCard(card)
	card.personalise()
	cfg := usualConfig(t, card)
	k := &Kernel{Config: cfg}
	card.sw[apdu.InsChecksum] = "6985"
	for _, want := range []time.Duration{300, 600, 1200, 2400, 4800, 9600, 9600} {
		o, err := k.Process(context.Background(), usualInput(card, 100), card)
		if err != nil || o.FieldOff != want*time.Millisecond {
			t.Errorf("field off %v, want %d ms, %v", o.FieldOff, want, err)
		}
	}
	delete(card.sw, apdu.InsChecksum)
	if o, err := k.Process(context.Background(), usualInput(card, 100), card); err != nil || o.Kind != emv.OnlineRequest || o.FieldOff >= 0 {
		t.Errorf("%v %v %v", o.Kind, o.FieldOff, err)
	}
	card.sw[apdu.InsChecksum] = "6985"
	if o, _ := k.Process(context.Background(), usualInput(card, 100), card); o.FieldOff != 300*time.Millisecond {
		t.Errorf("after a good one: %v", o.FieldOff)
	}
}

// The phone message table decides what is shown, and the phone is asked for again.
func TestPhoneMessage(t *testing.T) {
	card := newCard(t)
	inAC(tagPCII, "000200")(card)
	o := tapOn(t, card, 100, func(c *Config) {
		c.Phone = []PhoneMessage{{Mask: [3]byte{0, 2, 0}, Value: [3]byte{0, 2, 0}, Message: 0x09}, {Message: 0x07}}
	})
	if o.UIRestart.Message != 0x09 || o.UIRestart.Hold != 0 || o.FieldOff != 1300*time.Millisecond || o.DataRecord == nil {
		t.Errorf("%+v, field off %v", o.UIRestart, o.FieldOff)
	}
	last := card.shown[len(card.shown)-1]
	if last.Message != 0x09 || last.Status != emv.StatusNotReady || last.Hold != 1300*time.Millisecond {
		t.Errorf("shown before: %+v", last)
	}
	card = newCard(t)
	inAC(tagPCII, "000200")(card)
	if o := tapOn(t, card, 100, func(c *Config) { c.Phone = nil }); o.UIRestart.Message != emv.MsgSeePhone {
		t.Errorf("without a table: %+v", o.UIRestart)
	}
}

func tornConfig(log TornLog) func(*Config) { return func(c *Config) { c.Torn = log } }

// A cryptogram whose answer was lost is asked for again, and pays once.
func TestTorn(t *testing.T) {
	var now time.Duration
	log := NewTornLog(2, 300*time.Second, func() time.Duration { return now })
	card := newCard(t)
	set(card.body(), tagDRDOL, "9F37049F0206")
	card.personalise()
	card.lostIns = apdu.InsGenerateAC
	first := tapAgain(t, card, 8880, tornConfig(log))
	if first.Kind != emv.EndApplication || first.Start != emv.StartB {
		t.Fatalf("%v", first.Kind)
	}
	un := bytes.Clone(card.cdol[0x9F37])
	card.lostIns, card.recover, card.rcp = 0, 1, -1
	card.commands = nil
	o := tapAgain(t, card, 8880, tornConfig(log))
	last := card.commands[len(card.commands)-1]
	if o.Kind != emv.Approved || o.ODA != emv.ODACDA || last[1] != apdu.InsRecoverAC || card.rcp != -1 {
		t.Fatalf("%v %v: %s, last command %X", o.Kind, o.ODA, o.Reason, last)
	}
	if want := append(bytes.Clone(un), unhex("000000008880")...); !bytes.Equal(last[5:15], want) {
		t.Errorf("RECOVER AC with %X, want %X", last[5:15], want)
	}
	if got, _ := tlv.Find(o.DataRecord, tag.UN); !bytes.Equal(got, un) {
		t.Errorf("the data record has another unpredictable number than the cryptogram")
	}
	// The record is used up: the next tap generates.
	card.rcp = -1
	if o = tapAgain(t, card, 8880, tornConfig(log)); card.rcp != 0x50 || o.Kind != emv.Approved {
		t.Errorf("after recovery: asked for %02X, %v", card.rcp, o.Kind)
	}
}

// What keeps a torn transaction from being recovered.
func TestTornNot(t *testing.T) {
	for _, c := range []struct {
		name  string
		wait  time.Duration
		card  func(*scripted)
		again int64
		rcp   int
		ins   byte // last command
	}{
		{"the card has it", 0, func(c *scripted) { c.recover = 1 }, 8880, -1, apdu.InsRecoverAC},
		{"at the end of its life", 300 * time.Second, func(c *scripted) { c.recover = 1 }, 8880, -1, apdu.InsRecoverAC},
		{"after its life", 301 * time.Second, func(c *scripted) { c.recover = 1 }, 8880, 0x50, apdu.InsGenerateAC},
		{"another amount", 0, func(c *scripted) { c.recover = 1 }, 8881, 0x50, apdu.InsGenerateAC},
		{"the card does not have it", 0, func(c *scripted) { c.recover = 0 }, 8880, 0x50, apdu.InsGenerateAC},
		{"another sequence number", 0, func(c *scripted) { c.recover = 1; set(c.body(), tag.PSN, "02") }, 8880, 0x50, apdu.InsGenerateAC},
	} {
		var now time.Duration
		log := NewTornLog(1, 300*time.Second, func() time.Duration { return now })
		card := newCard(t)
		set(card.body(), tagDRDOL, "9F3704")
		card.personalise()
		card.lostIns = apdu.InsGenerateAC
		tapAgain(t, card, 8880, tornConfig(log))
		now = c.wait
		card.lostIns, card.rcp, card.commands = 0, -1, nil
		c.card(card)
		if c.name == "another sequence number" {
			card.sign = false
		}
		tapAgain(t, card, c.again, tornConfig(log))
		if last := card.commands[len(card.commands)-1]; card.rcp != c.rcp || last[1] != c.ins {
			t.Errorf("%s: asked for %02X, last command %X", c.name, card.rcp, last[:2])
		}
	}
}

// Lost again while recovering, and again after a card refused to: the log keeps the right record.
func TestTornAgain(t *testing.T) {
	log := NewTornLog(3, time.Hour, func() time.Duration { return 0 })
	card := newCard(t)
	set(card.body(), tagDRDOL, "9F3704")
	card.personalise()
	card.lostIns = apdu.InsGenerateAC
	tapAgain(t, card, 8880, tornConfig(log))
	card.lostIns = apdu.InsRecoverAC
	if o := tapAgain(t, card, 8880, tornConfig(log)); o.Start != emv.StartB {
		t.Errorf("lost at RECOVER AC: %v", o.Kind)
	}
	card.lostIns, card.recover = apdu.InsGenerateAC, 0
	tapAgain(t, card, 8880, tornConfig(log)) // refuses to recover, generates, is lost
	un := bytes.Clone(card.cdol[0x9F37])
	card.lostIns, card.recover, card.commands = 0, 1, nil
	o := tapAgain(t, card, 8880, tornConfig(log))
	last := card.commands[len(card.commands)-1]
	if o.Kind != emv.Approved || last[1] != apdu.InsRecoverAC || !bytes.Equal(last[5:9], un) {
		t.Errorf("%v (%s), last command %X, want the newest record", o.Kind, o.Reason, last)
	}
}

// The log is bounded; what falls out is told, without the card number.
func TestTornLogBound(t *testing.T) {
	log := NewTornLog(1, time.Hour, func() time.Duration { return 0 })
	a, b := TornCard{1}, TornCard{2}
	if old := log.Add(a, pay.NewSecret([]byte("a"))); old.Len() != 0 {
		t.Error("an empty log evicts")
	}
	if old := log.Add(a, pay.NewSecret([]byte("A"))); old.Len() != 0 {
		t.Error("a newer record of the same card evicts")
	}
	if old := log.Add(b, pay.NewSecret([]byte("b"))); string(old.Reveal()) != "A" {
		t.Error("the oldest was not evicted")
	}
	if _, ok := log.Find(a); ok {
		t.Error("an evicted record is found")
	}
	log.Remove(b)
	if _, ok := log.Find(b); ok {
		t.Error("a removed record is found")
	}
	log.Add(a, pay.NewSecret(tlv.Append(tlv.Append(nil, tag.PAN, unhex(testPAN)), tag.UN, testUN)))
	card := newCard(t)
	set(card.body(), tagDRDOL, "9F3704")
	card.lostIns = apdu.InsGenerateAC
	o := tapOn(t, card, 8880, tornConfig(log))
	record, ok := tlv.Find(o.Discretionary, tagTornRecord)
	if !ok || bytes.Contains(o.Discretionary, unhex(testPAN)) || !bytes.Contains(record, testUN) {
		t.Errorf("torn record in the discretionary data: %v", ok)
	}
}

// desk is the terminal's end of data exchange in tests.
type desk struct {
	answers []string
	sent    [][]byte
	needed  [][]tlv.Tag
	err     error
}

func (d *desk) Exchange(_ context.Context, toSend []byte, needed []tlv.Tag) ([]byte, error) {
	d.sent, d.needed = append(d.sent, bytes.Clone(toSend)), append(d.needed, needed)
	if d.err != nil {
		return nil, d.err
	}
	if len(d.answers) == 0 {
		return nil, nil
	}
	a := d.answers[0]
	d.answers = d.answers[1:]
	return unhex(a), nil
}

// The terminal reads the card's envelopes, writes one and lets the kernel go on.
func TestDataExchange(t *testing.T) {
	card := newCard(t)
	card.data[0x9F75] = "AABB"
	d := &desk{answers: []string{"DF8110" + "00", "FF8102" + "05" + "9F7602CCDD" + "DF8110" + "0101"}}
	o := tapOn(t, card, 100, func(c *Config) {
		c.Exchange = d
		c.Data = tlv.Append(tlv.Append(nil, tagTagsToRead, unhex("9F755F24"+"9F7A")), tagFirstWrite, nil)
	})
	if o.Kind != emv.Approved {
		t.Fatalf("%v: %s", o.Kind, o.Reason)
	}
	var all []byte
	for _, s := range d.sent {
		all = append(all, s...)
	}
	list, err := tlv.Parse(all)
	if err != nil {
		t.Fatal(err)
	}
	for g, want := range map[tlv.Tag]string{0x9F75: "aabb", 0x5F24: "301231", 0x9F7A: ""} {
		if v, ok := list.Find(g); !ok || hexOf(v) != want {
			t.Errorf("%s was answered with %X %v", g, v, ok)
		}
	}
	asked := 0
	for _, n := range d.needed {
		for _, g := range n {
			if g == tagFirstWrite {
				asked++
			}
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times for the proceed to first write flag, want 2", asked)
	}
	if len(card.put) != 1 || hexOf(card.put[0].Value) != "ccdd" {
		t.Errorf("written: %v", card.put)
	}
}

// PDOL data that only the terminal knows is waited for; an amount may change.
func TestDataExchangePDOL(t *testing.T) {
	card := newCard(t)
	inFCI(tag.PDOL, "9F7C04")(card)
	d := &desk{answers: []string{"9F7C0401020304" + "9F0206000000000777"}}
	o := tapOn(t, card, 100, func(c *Config) { c.Exchange = d; c.Data = tlv.Append(nil, tag.CustomerExclusive, nil) })
	if hexOf(card.pdol) != "01020304" || hexOf(card.cdol[0x9F02]) != "000000000777" || o.Kind != emv.Approved {
		t.Errorf("PDOL data %X, amount %X, %v", card.pdol, card.cdol[0x9F02], o.Kind)
	}
}

// Data exchange that does not come to an end, fails, or says nonsense.
func TestDataExchangeFails(t *testing.T) {
	empty := func(d Exchange) func(*Config) {
		return func(c *Config) { c.Exchange = d; c.Data = tlv.Append(nil, tagFirstWrite, nil) }
	}
	never := &desk{}
	o := tapOn(t, newCard(t), 100, empty(never))
	if o.Kind != emv.EndApplication || o.Error.L2 != "time out" || len(never.sent) > MaxExchanges {
		t.Errorf("never: %v %q after %d", o.Kind, o.Error.L2, len(never.sent))
	}
	o = tapOn(t, newCard(t), 100, empty(&desk{err: ErrTimeOut}))
	if e, _ := tlv.Find(o.Discretionary, tagError); o.Kind != emv.EndApplication || hexOf(e) != "0000010000ff" {
		t.Errorf("time out: %v, %X", o.Kind, e)
	}
	for name, d := range map[string]*desk{"broken": {err: errReader}, "no TLV": {answers: []string{"9F"}}, "amount of letters": {answers: []string{"9F0206AAAAAAAAAAAA"}}} {
		card := newCard(t)
		card.personalise()
		cfg := usualConfig(t, card)
		empty(d)(&cfg)
		if _, err := (&Kernel{Config: cfg}).Process(context.Background(), usualInput(card, 100), card); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What the terminal may not give by data exchange it can't: limits, verification results, the card's data.
func TestDataExchangeRefuses(t *testing.T) {
	d := &desk{answers: []string{"9505" + "FFFFFFFFFF" + "DF81230600FFFFFFFFFF" + "5A085555555555555555" + "DF81100101"}}
	card := newCard(t)
	o := tapOn(t, card, 100, func(c *Config) { c.Exchange = d; c.Data = tlv.Append(nil, tagFirstWrite, nil) })
	if o.Kind != emv.Approved || hexOf(card.cdol[0x95]) != "0000000001" || bytes.Contains(o.DataRecord, unhex("5555555555555555")) {
		t.Errorf("%v, TVR %X", o.Kind, card.cdol[0x95])
	}
}

// The machine fails, or the caller ends the tap: an error, no outcome.
func TestErrors(t *testing.T) {
	card := newCard(t)
	card.personalise()
	k := &Kernel{Config: usualConfig(t, card)}
	for n := range 5 {
		card.broken, card.commands = n, nil
		if _, err := k.Process(context.Background(), usualInput(card, 100), card); !errors.Is(err, errReader) {
			t.Errorf("reader broken at %d: %v", n, err)
		}
	}
	card.broken = -1
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := k.Process(ctx, usualInput(card, 100), card); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	for name, change := range map[string]func(*emv.Input){
		"negative amount": func(in *emv.Input) { in.Transaction.Amount.Minor = -1 },
		"no randomness":   func(in *emv.Input) { in.Rand = nil },
		"empty source":    func(in *emv.Input) { in.Rand = bytes.NewReader(nil) },
		"acquirer":        func(in *emv.Input) { in.Terminal.AcquirerID = "x" },
	} {
		in := usualInput(card, 100)
		change(&in)
		if _, err := k.Process(context.Background(), in, card); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	cfg := usualConfig(t, card)
	cfg.Data = []byte{0x9F}
	if _, err := (&Kernel{Config: cfg}).Process(context.Background(), usualInput(card, 100), card); err == nil {
		t.Error("Config.Data that is no TLV: no error")
	}
}

// A second start with the issuer's answer needs no card.
func TestAfterOnline(t *testing.T) {
	for approvedBy, want := range map[bool]emv.Kind{true: emv.Approved, false: emv.Declined} {
		o, err := (&Kernel{}).Process(context.Background(), emv.Input{Online: &emv.OnlineResponse{Approved: approvedBy}}, nil)
		if err != nil || o.Kind != want || o.UIOutcome == nil {
			t.Errorf("%v: %v %v", approvedBy, o.Kind, err)
		}
	}
}

// The recorded exchange of a real card goes through the kernel: the same commands, byte
// for byte, and the combined signature verifies. Any bit flipped in what is certified or signed fails.
func TestVector(t *testing.T) {
	v := loadVector(t)
	run := func(flip func(n int, response []byte), un string) (emv.Outcome, *tape, error) {
		card := &tape{v: v, flip: flip}
		cas := oda.NewCAStore()
		key := oda.CAKey{RID: [5]byte(unhex(v.CA.RID)), Index: unhex(v.CA.Index)[0], Modulus: unhex(v.CA.Modulus), Exponent: unhex(v.CA.Exponent)}
		if err := cas.Add(key, key.Checksum()); err != nil {
			t.Fatal(err)
		}
		date, err := time.Parse("060102", v.Date)
		if err != nil {
			t.Fatal(err)
		}
		cfg := Defaults()
		cfg.CAKeys, cfg.FloorLimit, cfg.CVMLimit, cfg.Limit = cas, 10_000, 10_000, 100_000
		cfg.Data = tlv.Append(nil, tagOperatorID, make([]byte, 8))
		fci := unhex(v.Exchanges[1].Response)
		in := emv.Input{
			AID: testAID, Kernel: ID, FCI: fci[:len(fci)-2], FCIStatus: 0x9000, Rand: bytes.NewReader(unhex(un)),
			Transaction: emv.Transaction{Amount: pay.Money{Minor: 1, Currency: 978}, Time: date},
			Terminal:    emv.Terminal{Country: 56, Type: 0x26, AdditionalTerminal: [5]byte(unhex("6000F00001"))},
		}
		o, err := (&Kernel{Config: cfg}).Process(context.Background(), in, card)
		return o, card, err
	}
	o, card, err := run(nil, v.Un)
	if err != nil || o.Kind != emv.Approved || o.ODA != emv.ODACDA || o.CVM != emv.CVMNone {
		t.Fatalf("%v %v %v (%s %+v) %v", o.Kind, o.ODA, o.CVM, o.Reason, o.Error, err)
	}
	for i, got := range card.commands {
		if want := unhex(v.Exchanges[i+2].Command); !bytes.Equal(got, want) {
			t.Errorf("command %d: %X, recorded %X", i, got, want)
		}
	}
	if len(card.commands) != len(v.Exchanges)-2 {
		t.Errorf("%d commands, recorded %d", len(card.commands), len(v.Exchanges)-2)
	}
	if ac, ok := tlv.Find(o.DataRecord, tag.ApplicationCryptogram); !ok || len(ac) != 8 {
		t.Error("the cryptogram was not taken out of the signature")
	}
	if o, _, err := run(nil, "33BCA47E"); err != nil || o.Kind == emv.Approved {
		t.Errorf("another unpredictable number: %v %v", o.Kind, err)
	}
	unsigned := 0
	for n := 2; n < len(v.Exchanges); n++ {
		for i := 0; i < len(unhex(v.Exchanges[n].Response))-2; i++ {
			o, _, err := run(func(m int, r []byte) {
				if m == n-2 {
					r[i] ^= 0x04
				}
			}, v.Un)
			if err != nil {
				t.Fatal(err)
			}
			if o.Kind != emv.Approved {
				continue
			}
			// The AFL is covered by what the records say; exchange 5 reads SSAD (93), which CDA does not use.
			if unsigned++; n != 2 && n != 5 {
				t.Errorf("response %d byte %d flipped: still approved", n, i)
			}
		}
	}
	t.Logf("%d flips in the GPO response and in SSAD change nothing", unsigned)
}

type vector struct {
	Un        string `json:"unpredictable_number"`
	Date      string
	Exchanges []struct{ Command, Response string }
	CA        struct{ RID, Index, Modulus, Exponent string } `json:"ca_public_key"`
}

func loadVector(t *testing.T) vector {
	t.Helper()
	dir := os.Getenv("HUIKA_VECTORS")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("HUIKA_VECTORS not set: the recorded exchange must be checked in CI")
		}
		t.Skip("HUIKA_VECTORS not set: the recorded exchange is not replayed")
	}
	b, err := os.ReadFile(filepath.Join(dir, "mastercard-offline-cda.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// tape is a card that answers what was recorded.
type tape struct {
	v        vector
	flip     func(int, []byte)
	commands [][]byte
}

func (c *tape) Transmit(_ context.Context, command []byte) ([]byte, error) {
	n := len(c.commands)
	c.commands = append(c.commands, bytes.Clone(command))
	if n+2 >= len(c.v.Exchanges) {
		return nil, emv.ErrCardLost
	}
	r := unhex(c.v.Exchanges[n+2].Response)
	if c.flip != nil {
		c.flip(n, r)
	}
	return r, nil
}
