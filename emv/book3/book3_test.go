package book3_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/book3/book3test"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

var unhex = book3test.Unhex

func input() *emv.Input {
	return &emv.Input{
		AID:         unhex("A0000000651010"),
		Transaction: emv.Transaction{Amount: pay.Money{Minor: 8880, Currency: pay.CNY}, Time: time.Date(2026, 3, 15, 14, 30, 5, 0, time.UTC), Sequence: 17},
		Terminal:    emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0xE8, 0xC8}, IFDSerial: "HUIKA001", MerchantCategory: 5411, AcquirerID: "12345678"},
		Rand:        book3test.Same{},
	}
}

func filled(t testing.TB, change func(*emv.Input)) *book3.Terminal {
	t.Helper()
	in := input()
	if change != nil {
		change(in)
	}
	var d book3.Terminal
	if err := d.Fill(in, 0x0201, 5000); err != nil {
		t.Fatal(err)
	}
	return &d
}

// cardWith is a card that has given some objects.
func cardWith(objects tlv.List) *book3.Card {
	c := book3.NewCard(context.Background(), nil)
	for _, o := range objects {
		c.Add(o.Tag, o.Value)
	}
	return c
}

func TestTVR(t *testing.T) {
	var v book3.TVR
	v.Set(book3.NoODA, book3.FloorLimit, book3.ScriptAfter)
	if v != book3.TVR(unhex("8000008010")) || !v.Has(book3.Expired, book3.FloorLimit) || v.Has(book3.Expired) {
		t.Errorf("%X", v)
	}
	v.Clear(book3.FloorLimit)
	for _, c := range []struct {
		name     string
		tvr, tac string
		iac      string
		absent   byte
		want     bool
	}{
		{"TAC", "8000000000", "8000000000", "0000000000", book3.AbsentOnline, true}, {"IAC", "8000000000", "0000000000", "8000000000", book3.AbsentDenial, true},
		{"neither", "8000000000", "7FFFFFFFFF", "7FFFFFFFFF", book3.AbsentOnline, false}, {"no IAC online", "8000000000", "0000000000", "", book3.AbsentOnline, true},
		{"no IAC denial", "8000000000", "0000000000", "", book3.AbsentDenial, false}, {"no IAC denial, TAC", "8000000000", "8000000000", "", book3.AbsentDenial, true},
		{"last byte", "0000000001", "0000000001", "0000000000", book3.AbsentDenial, true}, {"nothing set", "0000000000", "FFFFFFFFFF", "", book3.AbsentOnline, false},
	} {
		if got := book3.TVR(unhex(c.tvr)).Matches([5]byte(unhex(c.tac)), unhex(c.iac), c.absent); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	for cid, want := range map[byte]book3.Cryptogram{0x00: book3.AAC, 0x47: book3.TC, 0x80: book3.ARQC, 0xFF: book3.Reserved} {
		if book3.Type(cid) != want {
			t.Errorf("CID %02X: %02X", cid, book3.Type(cid))
		}
	}
}

func TestTerminal(t *testing.T) {
	d := filled(t, nil)
	for g, want := range map[tlv.Tag]string{
		tag.AmountAuthorised: "000000008880", tag.TransactionDate: "260315", tag.TransactionTime: "143005", tag.UN: "11223344", tag.TerminalVersion: "0201",
		tag.FloorLimit: "00001388", tag.AcquirerID: "000012345678", tag.CurrencyExponent: "02", tag.SequenceCounter: "00000017", tag.MerchantCategory: "5411",
		tag.TerminalCountry: "0156", tag.TransactionCurrency: "0156", tag.TerminalType: "22", tag.TerminalCapabilities: "E0E8C8", tag.TSI: "0000",
	} {
		if v, ok := d.Get(g); !ok || !bytes.Equal(v, unhex(want)) {
			t.Errorf("%s: %X, want %s", g, v, want)
		}
	}
	if _, ok := d.Get(tag.PAN); ok {
		t.Error("the terminal has a card number")
	}
	for typ, want := range map[byte]book3.TerminalKind{0x21: book3.OnlineOnly, 0x22: book3.OnlineCapable, 0x23: book3.OfflineOnly, 0x24: book3.OnlineOnly, 0x25: book3.OnlineCapable, 0x26: book3.OfflineOnly, 0x00: book3.OnlineCapable} {
		if got := filled(t, func(in *emv.Input) { in.Terminal.Type = typ }).Kind(); got != want {
			t.Errorf("%02X: %v", typ, got)
		}
	}
	for name, change := range map[string]func(*emv.Input){
		"amount": func(in *emv.Input) { in.Transaction.Amount.Minor = -1 }, "other": func(in *emv.Input) { in.Transaction.AmountOther = -1 },
		"no rand": func(in *emv.Input) { in.Rand = nil }, "short rand": func(in *emv.Input) { in.Rand = bytes.NewReader([]byte{1}) },
		"acquirer": func(in *emv.Input) { in.Terminal.AcquirerID = "12A" },
	} {
		in := input()
		change(in)
		if err := new(book3.Terminal).Fill(in, 1, 0); err == nil {
			t.Errorf("%s: filled", name)
		}
	}
}

// Restrictions (EMV Book 3, 10.4), each a day or a bit apart, and the turn of the century (Book 4, 6.7.3).
func TestRestrictions(t *testing.T) {
	on := func(year, month, day int) func(*emv.Input) {
		return func(in *emv.Input) {
			in.Transaction.Time = time.Date(year, time.Month(month), day, 12, 0, 0, 0, time.UTC)
		}
	}
	for _, c := range []struct {
		today func(*emv.Input)
		date  string
		want  bool
	}{
		{on(2026, 3, 15), "260314", true}, {on(2026, 3, 15), "260315", false}, {on(2026, 3, 15), "260316", false}, {on(2026, 1, 1), "251231", true},
		{on(2026, 3, 15), "991231", true}, {on(2026, 3, 15), "491231", false}, {on(2026, 3, 15), "500101", true}, {on(2049, 12, 31), "491231", false},
	} {
		d := filled(t, c.today)
		d.CheckExpiry(unhex(c.date))
		if d.TVR.Has(book3.Expired) != c.want {
			t.Errorf("expires %s: %X", c.date, d.TVR)
		}
	}
	for date, want := range map[string]bool{"260314": false, "260315": false, "260316": true, "991231": false, "490101": true, "26": false} {
		d := filled(t, on(2026, 3, 15))
		d.CheckEffective(cardWith(tlv.List{{Tag: tag.EffectiveDate, Value: unhex(date)}}))
		if d.TVR.Has(book3.NotYetEffective) != want {
			t.Errorf("valid from %s: %X", date, d.TVR)
		}
	}
	for version, want := range map[string]bool{"0201": false, "0202": true, "": false} {
		d := filled(t, nil)
		d.CheckVersions(cardWith(tlv.List{{Tag: tag.ApplicationVersion, Value: unhex(version)}}))
		if d.TVR.Has(book3.Versions) != want {
			t.Errorf("version %s: %X", version, d.TVR)
		}
	}
	for date, want := range map[string]bool{"260315": true, "260015": false, "261315": false, "260300": false, "260332": false, "2603": false, "26031A": false} {
		if book3.ValidDate(unhex(date)) != want {
			t.Errorf("date %s", date)
		}
	}
}

// Application usage control (EMV Book 3, annex C2): for each service and place, the bits that allow it and that do not.
func TestUsage(t *testing.T) {
	atm := func(in *emv.Input) { in.Terminal.Type, in.Terminal.AdditionalTerminal[0] = 0x14, 0x80 }
	for _, c := range []struct {
		auc     string
		txType  byte
		country string
		other   int64
		change  func(*emv.Input)
		want    bool // allowed
	}{
		{"2100", 0x00, "0156", 0, nil, true}, {"0900", 0x00, "0156", 0, nil, true}, {"D7C0", 0x00, "0156", 0, nil, false}, {"1100", 0x00, "0840", 0, nil, true},
		{"0500", 0x00, "0840", 0, nil, true}, {"EBC0", 0x00, "0840", 0, nil, false}, {"8100", 0x01, "0156", 0, nil, true}, {"7FC0", 0x01, "0156", 0, nil, false},
		{"4100", 0x17, "0840", 0, nil, true}, {"BFC0", 0x17, "0840", 0, nil, false}, {"2180", 0x09, "0156", 0, nil, true}, {"FF40", 0x09, "0156", 0, nil, false},
		{"1140", 0x09, "0840", 0, nil, true}, {"FF80", 0x09, "0840", 0, nil, false}, {"FF40", 0x00, "0156", 1, nil, false}, {"FF80", 0x00, "0156", 1, nil, true},
		{"0100", 0x20, "0156", 0, nil, true}, {"FEC0", 0x20, "0156", 0, nil, false}, {"FFC0", 0x00, "", 0, nil, true}, {"0100", 0x00, "", 0, nil, true},
		{"8200", 0x01, "0156", 0, atm, true}, {"8100", 0x01, "0156", 0, atm, false}, {"", 0x00, "0156", 0, nil, true}, {"FF", 0x00, "0156", 0, nil, true},
	} {
		d := filled(t, func(in *emv.Input) {
			in.Transaction.Type, in.Transaction.AmountOther = c.txType, c.other
			if c.change != nil {
				c.change(in)
			}
		})
		d.CheckUsage(unhex(c.auc), unhex(c.country))
		if d.TVR.Has(book3.NotAllowed) == c.want {
			t.Errorf("%s for %02X in %s: %X", c.auc, c.txType, c.country, d.TVR)
		}
	}
}

func TestExceptionFile(t *testing.T) {
	for _, c := range []struct {
		number, psn string
		want        bool
	}{{"3566002020360505", "01", true}, {"3566002020360505", "02", false}, {"3566002020360505", "", false}, {"3566002020360513", "01", false}, {"35", "01", true}} {
		d := filled(t, nil)
		d.CheckExceptionFile(c.number, unhex(c.psn), func(p pay.PAN, psn string) bool { return p.Reveal() == "3566002020360505" && psn == "01" })
		if d.TVR.Has(book3.ExceptionFile) != c.want {
			t.Errorf("%+v: %X", c, d.TVR)
		}
		d = filled(t, nil)
		if d.CheckExceptionFile(c.number, nil, nil); d.TVR.Has(book3.ExceptionFile) {
			t.Error("without a file")
		}
	}
}

// Conditions of CVM rules (EMV Book 3, annex C3), the amounts at, below and above.
func TestCVMConditions(t *testing.T) {
	list, ok := book3.ParseCVMList(unhex("000022B0" + "000022B1" + "4203" + "1F00"))
	if !ok || list.Len() != 2 || list.Rule(0).Method() != book3.CVMOnlinePIN || !list.Rule(0).Next() || list.Rule(1).Next() {
		t.Fatalf("%+v", list)
	}
	kind := func(typ, tx byte) func(*emv.Input) {
		return func(in *emv.Input) { in.Terminal.Type, in.Transaction.Type = typ, tx }
	}
	for _, c := range []struct {
		condition byte
		amount    int64
		change    func(*emv.Input)
		currency  string
		supported bool
		want      bool
	}{
		{0x00, 1, nil, "", false, true}, {0x01, 1, kind(0x25, 0x01), "", false, true}, {0x01, 1, kind(0x22, 0x01), "", false, false}, {0x01, 1, kind(0x25, 0x00), "", false, false},
		{0x02, 1, kind(0x22, 0x00), "", false, true}, {0x02, 1, kind(0x22, 0x01), "", false, false}, {0x02, 1, kind(0x22, 0x09), "", false, false}, {0x02, 1, kind(0x22, 0x20), "", false, true},
		{0x03, 1, nil, "", true, true}, {0x03, 1, nil, "", false, false}, {0x04, 1, kind(0x22, 0x17), "", false, true}, {0x04, 1, kind(0x25, 0x01), "", false, false},
		{0x05, 1, kind(0x22, 0x09), "", false, true}, {0x05, 1, nil, "", false, false},
		{0x06, 8879, nil, "0156", false, true}, {0x06, 8880, nil, "0156", false, true}, {0x06, 8881, nil, "0156", false, false}, {0x06, 8880, nil, "0840", false, false},
		{0x07, 8880, nil, "0156", false, false}, {0x07, 8881, nil, "0156", false, true}, {0x07, 8881, nil, "", false, false},
		{0x08, 8881, nil, "0156", false, true}, {0x08, 8882, nil, "0156", false, false}, {0x09, 8881, nil, "0156", false, false}, {0x09, 8882, nil, "0156", false, true},
		{0x0A, 1, nil, "0156", true, false}, {0x80, 1, nil, "0156", true, false},
	} {
		d := filled(t, func(in *emv.Input) {
			in.Transaction.Amount.Minor = c.amount
			if c.change != nil {
				c.change(in)
			}
		})
		var objects tlv.List
		if c.currency != "" {
			objects = tlv.List{{Tag: tag.ApplicationCurrency, Value: unhex(c.currency)}}
		}
		if got := d.Holds(list, book3.Rule{Code: 0x02, Condition: c.condition}, cardWith(objects), c.supported); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for _, v := range []string{"", "0000000000000000", "00000000000000001F", "0000000000000000420342"} {
		if _, ok := book3.ParseCVMList(unhex(v)); ok {
			t.Errorf("%s is a list", v)
		}
	}
	for method := range 0x40 {
		want := method <= 5 || method == 0x1E || method == 0x1F
		if book3.Recognised(byte(method)) != want {
			t.Errorf("method %02X", method)
		}
	}
}

// draw is a source whose next draw is n of 1 to 99.
func draw(n uint32) *bytes.Reader { return bytes.NewReader(binary.BigEndian.AppendUint32(nil, n-1)) }

// Random transaction selection (EMV Book 3, 10.6.2): at the edges of threshold, percentages and floor limit.
func TestRandomSelection(t *testing.T) {
	p := book3.Random{Threshold: 5000, Target: 20, MaximumPercent: 80}
	for _, c := range []struct {
		amount int64
		draw   uint32
		want   bool
	}{
		{4999, 20, true}, {4999, 21, false}, {5000, 20, true}, {5000, 21, false}, {7500, 50, true}, {7500, 51, false}, {9999, 79, true}, {9999, 80, false},
		{10_000, 1, false}, {10_001, 1, false}, {1, 1, true},
	} {
		d := filled(t, func(in *emv.Input) { in.Transaction.Amount.Minor = c.amount })
		if err := d.Select(p, 10_000, draw(c.draw)); err != nil || d.TVR.Has(book3.RandomSelection) != c.want {
			t.Errorf("%+v: %X %v", c, d.TVR, err)
		}
	}
	d := filled(t, nil)
	if err := d.Select(book3.Random{}, 10_000, nil); err != nil || d.TVR.Has(book3.RandomSelection) {
		t.Errorf("nothing is configured: %v", err)
	}
	if err := d.Select(p, 10_000, bytes.NewReader(nil)); err == nil {
		t.Error("no randomness and no error")
	}
	if book3.Unit(&emv.Input{Transaction: emv.Transaction{Amount: pay.Money{Currency: pay.CNY}}}) != 100 {
		t.Error("a yuan is not 100 fen")
	}
}

func TestAFL(t *testing.T) {
	for afl, want := range map[string]string{
		"": "", "08010100": "", "08010303" + "F8010101": "can't be", "F0010100": "", "08010304": "more records", "080101": "entries", "00010100": "can't be", "09010100": "can't be",
		"08000100": "can't be", "08020100": "can't be", "08012000": "", "08012100": "too many", "0801FFFF": "too many",
	} {
		if why := book3.CheckAFL(unhex(afl)); (why == "") != (want == "") || !strings.Contains(why, want) {
			t.Errorf("%s: %q", afl, why)
		}
	}
}

// padded makes whole bytes of an odd number of digits, as track 2 does.
func padded(digits string) []byte {
	if len(digits)%2 == 1 {
		digits += "F"
	}
	return unhex(digits)
}

func TestTrack2(t *testing.T) {
	for track, want := range map[string]string{
		"3566002020360505D30122010000000000": "3566002020360505", "374245001741006D301220100000": "374245001741006", "12345678D3012201": "12345678",
		"1234567D30122010": "", "12345678901234567890D3012": "", "3566002020360505C30122010000000000": "", "3566002020360505D3013201": "", "3566002020360505D3000201": "",
		"3566002020360505D30": "", "3566002020360505D3A12201": "", "": "", "3566002020360505": "",
	} {
		got, ok := book3.ParseTrack2(padded(track))
		if ok != (want != "") || (ok && got.Number != want) {
			t.Errorf("%s: %v", track, ok)
		}
	}
	for expiry, want := range map[string]string{"3012": "301231", "2604": "260430", "2602": "260228", "2802": "280229", "0002": "000229", "4909": "490930"} {
		track, _ := book3.ParseTrack2(padded("3566002020360505D" + expiry + "201"))
		if got := track.LastDay(); !bytes.Equal(got[:], unhex(want)) {
			t.Errorf("%s: %X", expiry, got)
		}
	}
	for pan, want := range map[string]string{"3566002020360505": "3566002020360505", "374245001741006F": "374245001741006", "12345678FF": "12345678", "1234567F": "", "37424500174100F6": "", "3A66002020360505": "", "123456789012345678901234": ""} {
		got, ok := book3.Number(unhex(pan))
		if ok != (want != "") || (ok && got != want) {
			t.Errorf("%s: %s %v", pan, got, ok)
		}
		if ok && !bytes.HasPrefix(unhex(pan), book3.Compressed(got)) {
			t.Errorf("%s: %X", pan, book3.Compressed(got))
		}
	}
}

// Static data are signed by the issuer (EMV Book 2, 5): each thing that may be wrong with them.
func TestVerifyStatic(t *testing.T) {
	rid := [5]byte{0xA0, 0, 0, 0, 0x65}
	now := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
	read := func(change func(*book3test.Card), spoil func(*book3test.Card)) *book3.Card {
		c := &book3test.Card{T: t, AID: unhex("A0000000651010"), RID: rid, AFL: unhex("08010201" + "10010200"), SSAD: true, Key: book3test.Keys().ICC,
			IssuerKey: book3test.Keys().Issuer, Number: "3566002020360505", Expires: [2]int{12, 2030}, LostAt: -1, Broken: -1, SW: map[int]string{},
			GPO: tlv.List{{Tag: tag.AIP, Value: unhex("4080")}}}
		c.Records = []book3test.Record{{SFI: 1, N: 1, Signed: true, Objects: tlv.List{{Tag: tag.PAN, Value: unhex("3566002020360505")}, {Tag: tag.SDATagList, Value: unhex("82")}}}, {SFI: 1, N: 2}, {SFI: 2, N: 1}, {SFI: 2, N: 2}}
		change(c)
		c.Personalise()
		spoil(c)
		k := book3.NewCard(context.Background(), c)
		r, _, err := k.Send(unhex("80A8000002830000"))
		if err != nil || k.Options(r.Data) != "" {
			t.Fatal(err)
		}
		afl, _ := k.Get(tag.AFL)
		if p := k.Read(afl); !p.None() {
			t.Fatal(p)
		}
		return k
	}
	same := func(*book3test.Card) {}
	last := func(c *book3test.Card) []byte { return c.Records[3].Objects[len(c.Records[3].Objects)-1].Value }
	for _, c := range []struct {
		name          string
		change, spoil func(*book3test.Card)
		number        string
		want          error
	}{
		{"genuine", same, same, "3566002020360505", nil},
		{"signed by another", func(c *book3test.Card) { c.IssuerKey = book3test.Keys().CA }, same, "3566002020360505", oda.ErrSignature},
		{"a bit of 93", same, func(c *book3test.Card) { last(c)[9] ^= 1 }, "3566002020360505", oda.ErrSignature},
		{"93 is larger than the key", same, func(c *book3test.Card) { copy(last(c), bytes.Repeat([]byte{0xFF}, 128)) }, "3566002020360505", oda.ErrSignature},
		{"no 93", same, func(c *book3test.Card) { c.Drop(tag.SSAD) }, "3566002020360505", oda.ErrSignature},
		{"a bit of the record", same, func(c *book3test.Card) { c.Records[0].Objects[0].Value[7] ^= 1 }, "3566002020360505", oda.ErrHash},
		{"a bit of the AIP", same, func(c *book3test.Card) { c.GPO[0].Value[0] ^= 2 }, "3566002020360505", oda.ErrHash},
		{"no 8F", same, func(c *book3test.Card) { c.Drop(tag.CAIndex) }, "3566002020360505", book3.ErrNoCAKey},
	} {
		k := read(c.change, c.spoil)
		if err := k.VerifyStatic(book3test.Store(t, rid), unhex("A0000000651010"), c.number, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	k := read(same, same)
	if err := k.VerifyStatic(nil, unhex("A0000000651010"), "3566002020360505", now); !errors.Is(err, book3.ErrNoCAKey) {
		t.Errorf("no keys: %v", err)
	}
	store := book3test.Store(t, rid)
	store.Revoke(rid, book3test.Index, [3]byte{})
	if err := k.VerifyStatic(store, unhex("A0000000651010"), "3566002020360505", now); !errors.Is(err, oda.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
}

func TestObjects(t *testing.T) {
	var o book3.Objects
	for data, want := range map[string]string{
		"7003" + "5A0112" + "570112": "after the template", "7703" + "5A0112": "no template 70", "7002" + "5A01": "not TLV", "7006" + "5A0112" + "5A0112": "twice", "": "no template",
	} {
		o = book3.Objects{}
		if why := o.Template(unhex(data), tag.RecordTemplate); !strings.Contains(why, want) {
			t.Errorf("%s: %q", data, why)
		}
	}
	o = book3.Objects{}
	if why := o.Template(unhex("7007"+"5A00"+"A503"+"570112"), tag.RecordTemplate); why != "" || !bytes.Equal(o.Value(tag.Track2), unhex("12")) {
		t.Errorf("inner template: %q", why)
	}
	if _, there := o.Get(tag.PAN); there {
		t.Error("an empty object counts")
	}
	for data, want := range map[string]string{"8006" + "0180" + "08010100": "", "8002" + "0180": "wrong length", "8007" + "01800801010000": "wrong length", "7704" + "82020180": ""} {
		o = book3.Objects{}
		if why := o.Options(unhex(data)); (why == "") != (want == "") || !strings.Contains(why, want) {
			t.Errorf("%s: %q", data, why)
		}
	}
	for data, want := range map[string]string{"800B" + "80" + "0001" + "1122334455667788": "", "800A" + "80" + "0001" + "11223344556677": "wrong length"} {
		o = book3.Objects{}
		if why := o.Generated(unhex(data)); (why == "") != (want == "") || !strings.Contains(why, want) {
			t.Errorf("%s: %q", data, why)
		}
	}
	o = book3.Objects{}
	for i := range book3.MaxObjects {
		o.Add(tlv.Tag(0xC000+i), []byte{1})
	}
	if o.Add(tag.PAN, []byte{1}) {
		t.Error("more objects than there is room for")
	}
	if o.Replace(tag.PAN, []byte{1}); o.Value(tag.PAN) != nil {
		t.Error("replaced what has no room")
	}
}

// Scripts (EMV Book 3, 10.10): results by command, and the bounds.
func TestScripts(t *testing.T) {
	command := "86" + "05" + "841E000000"
	for _, c := range []struct {
		name, data, answers string
		results             string
		commands            int
	}{
		{"done", "7107" + command, "029000", "2000000000", 1}, {"warning", "7107" + command, "026283", "2000000000", 1}, {"SW 63", "7207" + command, "0263C0", "2000000000", 1},
		{"second refused", "7115" + "9F180411111111" + command + command, "029000026985", "1211111111", 2}, {"lost", "7107" + command, "", "1100000000", 1},
		{"no command", "7104" + "86028400", "", "1100000000", 0}, {"can't be read", "7103" + "860584", "", "1000000000", 0}, {"empty", "7100", "", "2000000000", 0},
		{"other tags", "5A0112" + "7107" + command, "029000", "2000000000", 1},
	} {
		to := &book3test.Random{Data: unhex(c.answers)}
		card := book3.NewCard(context.Background(), to)
		scripts := book3.ParseScripts(unhex(c.data))
		for i := range scripts {
			if _, _, err := card.Run(&scripts[i]); err != nil {
				t.Fatal(err)
			}
		}
		if got := book3.Results(scripts); !bytes.Equal(got, unhex(c.results)) || to.Commands != c.commands {
			t.Errorf("%s: %X after %d commands", c.name, got, to.Commands)
		}
	}
	if got := book3.ParseScripts(bytes.Repeat(unhex("7100"), 20)); len(got) != book3.MaxScripts {
		t.Errorf("%d scripts", len(got))
	}
	many := tlv.Append(nil, tag.Script1, bytes.Repeat(unhex(command), 12))
	scripts := book3.ParseScripts(bytes.Repeat(many, 4))
	to := &book3test.Random{Data: bytes.Repeat(unhex("029000"), 100)}
	card := book3.NewCard(context.Background(), to)
	for i := range scripts {
		if _, _, err := card.Run(&scripts[i]); err != nil {
			t.Fatal(err)
		}
	}
	if to.Commands > book3.MaxScriptCommands || !scripts[3].Failed() || scripts[0].Failed() {
		t.Errorf("%d commands of %d", to.Commands, 48)
	}
}

func TestLanguage(t *testing.T) {
	for v, want := range map[string]string{"656E": "656E", "7A68656E": "7A68656E", "65": "", "": "", "656E6465667269746A61": ""} {
		fci := tlv.Append(nil, tag.FCITemplate, tlv.Append(nil, tag.FCIProprietary, tlv.Append(nil, tag.LanguagePreference, unhex(v))))
		if got := book3.Language(fci); !bytes.Equal(got, unhex(want)) {
			t.Errorf("%s: %X", v, got)
		}
	}
}

// FuzzParse: whatever comes, nothing panics, and what is read is what was given.
func FuzzParse(f *testing.F) {
	f.Add(unhex("3566002020360505D30122010000000000"))
	f.Add(unhex("7007" + "5A00" + "A503" + "570112"))
	f.Add(unhex("800B" + "80" + "0001" + "1122334455667788"))
	f.Add(unhex("7107" + "8605841E000000"))
	f.Add(unhex("08010201" + "10010200"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if track, ok := book3.ParseTrack2(b); ok {
			if n := len(track.Number); n < 8 || n > 19 {
				t.Fatalf("number of %d digits", n)
			}
			if last := track.LastDay(); !book3.ValidDate(last[:]) {
				t.Fatalf("last day %X", last)
			}
		}
		if number, ok := book3.Number(b); ok && !bytes.HasPrefix(b, book3.Compressed(number)[:len(number)/2]) {
			t.Fatal("another number")
		}
		if list, ok := book3.ParseCVMList(b); ok {
			for i := range list.Len() {
				list.Rule(i)
			}
		}
		var o book3.Objects
		_, _, _ = o.Options(b), o.Generated(b), book3.CheckAFL(b)
		to := &book3test.Random{Data: b}
		card := book3.NewCard(context.Background(), to)
		card.Read(b)
		scripts := book3.ParseScripts(b)
		for i := range scripts {
			if _, _, err := card.Run(&scripts[i]); err != nil {
				t.Fatal(err)
			}
		}
		if len(book3.Results(scripts)) != 5*len(scripts) || to.Commands > book3.MaxRecords+book3.MaxScriptCommands {
			t.Fatalf("%d commands", to.Commands)
		}
	})
}
