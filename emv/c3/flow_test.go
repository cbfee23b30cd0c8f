package c3

import (
	"bytes"
	"context"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// The data record, object by object: F55 and what the till needs.
func TestDataRecord(t *testing.T) {
	card := newCard(t)
	card.set(&card.gpo, tag.FormFactor, "23880005")
	card.set(&card.gpo, tag.CustomerExclusive, "C0FFEE")
	card.set(&card.records[0].objects, tag.PAR, hexText("PAR00000000000000000000000001"))
	card.set(&card.records[0].objects, 0x9F37, "99999999") // a card can't put the terminal's objects there
	card.set(&card.records[0].objects, 0x9F02, "000000000001")
	card.personalise()
	in := usualInput(card, fiveGrand)
	in.Terminal.EntryMode = 0x07
	o, err := (&Kernel{Config: Config{CAKeys: caStore(t)}}).Process(context.Background(), in, card)
	if err != nil || o.Kind != emv.OnlineRequest {
		t.Fatal(o.Kind, o.Reason, err)
	}
	got, err := tlv.Parse(o.DataRecord)
	if err != nil {
		t.Fatal(err)
	}
	want := map[tlv.Tag]string{
		0x9F26: "5D016C91005E7CC2", 0x9F27: "80", 0x9F10: "06011203A00000", 0x9F37: "11223344", 0x9F36: "0240", 0x95: "0000000000",
		0x9A: "260315", 0x9C: "00", 0x9F02: "000000500000", 0x5F2A: "0156", 0x82: "2000", 0x9F1A: "0156", 0x9F03: "000000000000",
		0x9F33: "E0E1C8", 0x9F34: "020000", 0x9F35: "22", 0x9F1E: "4855494B41303031", 0x84: "A0000000031010", 0x9F09: "0096",
		0x9F41: "00000017", 0x57: "4000001234567899D30122010000000000", 0x9F39: "07", 0x9F6E: "23880000", 0x9F7C: "C0FFEE",
		0x5A: "4000001234567899", 0x5F34: "01", 0x5F24: "301231", 0x9F6C: usualCTQ, 0x9F66: "27C04000", 0x50: hexText("VISA CREDIT"),
		0x9F24: hexText("PAR00000000000000000000000001"),
	}
	for _, o := range got {
		w, ok := want[o.Tag]
		if !ok || !bytes.Equal(o.Value, unhex(w)) {
			t.Errorf("%s: got %X, want %s", o.Tag, o.Value, w)
		}
		delete(want, o.Tag)
	}
	for x := range want {
		t.Errorf("%s is missing", x)
	}
	if sent := card.pdolData[tag.TVR]; !bytes.Equal(sent, unhex("0000000000")) { // what the issuer sees is what the card was sent
		t.Errorf("TVR sent %X", sent)
	}
	if o.Discretionary != nil {
		t.Errorf("discretionary data %X", o.Discretionary)
	}
}

// 4.3.1.1: the available offline amount goes to the message and the discretionary data.
func TestAvailableOffline(t *testing.T) {
	for _, c := range []struct {
		card func(*scripted)
		kind emv.Kind
	}{{both(asTC, ctq("0000")), emv.Approved}, {asAAC, emv.Declined}, {nil, emv.OnlineRequest}} {
		amount := inGPO(tag.AvailableOffline, "000000012345")
		k := kernelCase{card: amount, input: offline}
		if c.card != nil {
			k.card = both(c.card, amount)
		}
		o, _ := runCase(t, k)
		v, _ := tlv.Find(o.Discretionary, tag.AvailableOffline)
		if u := o.UIOutcome; o.Kind != c.kind || u.ValueQualifier != valueBalance || u.Value != 12345 || u.Currency != 156 || !bytes.Equal(v, unhex("000000012345")) {
			t.Errorf("%v: %+v %X", o.Kind, u, o.Discretionary)
		}
	}
}

// Every parameter of the outcomes that have a form of their own.
func TestOutcomeParameters(t *testing.T) {
	for _, c := range []struct {
		name string
		k    kernelCase
		want emv.Outcome
	}{
		{"another interface for cash", kernelCase{card: both(ctq("0400"), rec1(tag.AUC, "0000")), input: txType(typeCash), config: cash},
			emv.Outcome{Kind: emv.TryAnother, Start: emv.StartNone, CVM: emv.CVMNotGiven, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
		{"another interface, 6984", kernelCase{card: status(0, "6984")},
			emv.Outcome{Kind: emv.TryAnother, Start: emv.StartNone, CVM: emv.CVMNotGiven, Alternate: emv.AlternateChip, FieldOff: emv.FieldOffNone}},
		{"next application", kernelCase{card: status(0, "6985")},
			emv.Outcome{Kind: emv.SelectNext, Start: emv.StartC, CVM: emv.CVMNotGiven, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
		{"see phone", kernelCase{card: status(0, "6986")},
			emv.Outcome{Kind: emv.TryAgain, Start: emv.StartB, CVM: emv.CVMNotGiven, Alternate: emv.AlternateNone, FieldOff: 1300 * time.Millisecond}},
		{"end", kernelCase{card: status(0, "6A81")},
			emv.Outcome{Kind: emv.EndApplication, Start: emv.StartNone, CVM: emv.CVMNotGiven, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
		{"signature", kernelCase{card: ctq("4000")},
			emv.Outcome{Kind: emv.OnlineRequest, Start: emv.StartNone, CVM: emv.CVMSignature, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone, Receipt: true}},
	} {
		o, _ := runCase(t, c.k)
		if o.Kind != c.want.Kind || o.Start != c.want.Start || o.CVM != c.want.CVM || o.Alternate != c.want.Alternate || o.FieldOff != c.want.FieldOff ||
			o.Receipt != c.want.Receipt || o.OnlineResponseData != emv.OnlineNotApplicable || o.RemovalTimeout != 0 || o.Memory != nil {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
}

// The card's language goes with every request of the kernel; one that is none goes nowhere.
func TestLanguage(t *testing.T) {
	for given, want := range map[string]string{"zhen": "zhen", "": "", "z": "", "zhenfrdees": ""} {
		card := newCard(t)
		card.language = given
		card.personalise()
		o, err := (&Kernel{Config: Config{CAKeys: caStore(t)}}).Process(context.Background(), usualInput(card, at), card)
		if err != nil || string(o.UIOutcome.Language) != want || len(card.shown) != 1 || string(card.shown[0].Language) != want {
			t.Errorf("%q: %+v %+v %v", given, o.UIOutcome, card.shown, err)
		}
	}
}

// Dynamic reader limits, at, below and above.
func TestDynamicLimits(t *testing.T) {
	sets := []LimitSet{
		{ProgramID: unhex("0102"), TransactionLimit: limit(20_000), FloorLimit: limit(5_000), CVMLimit: limit(10_000), StatusCheck: true},
		{ProgramID: unhex("01"), CVMLimit: limit(1)},
		{ProgramID: unhex("FF"), ZeroAmountNotAllowed: true},
		{ProgramID: nil, TransactionLimit: limit(0)}, // names no card
	}
	const preprocessed = 0x80 // what usualInput finds for any amount above 0, below the CVM limit
	for _, c := range []struct {
		name    string
		program string
		amount  int64
		b2      byte // TTQ byte 2 as the card gets it
		kind    emv.Kind
	}{
		{"no program id", "", 9_999, preprocessed, emv.OnlineRequest},
		{"unknown program id", "03", 9_999, preprocessed, emv.OnlineRequest},
		{"below all limits", "010203", 4_999, 0x00, emv.OnlineRequest},
		{"at the floor limit", "010203", 5_000, 0x00, emv.OnlineRequest},
		{"above the floor limit", "010203", 5_001, 0x80, emv.OnlineRequest},
		{"below the CVM limit", "0102", 9_999, 0x80, emv.OnlineRequest},
		{"at the CVM limit", "0102", 10_000, 0xC0, emv.OnlineRequest},
		{"below the transaction limit", "0102", 19_999, 0xC0, emv.OnlineRequest},
		{"at the transaction limit", "0102", 20_000, 0, emv.SelectNext},
		{"status check", "0102", 100, 0x80, emv.OnlineRequest},
		{"shorter id, second set", "01", 20_000, 0x40, emv.OnlineRequest},
		{"zero amount", "0102", 0, 0x80, emv.OnlineRequest},
		{"zero amount not allowed", "FF01", 0, 0, emv.SelectNext},
		{"limits lifted", "FF01", 500_000, 0x00, emv.OnlineRequest},
	} {
		card := newCard(t)
		card.program = c.program
		card.personalise()
		in := usualInput(card, c.amount)
		o, err := (&Kernel{Config: Config{CAKeys: caStore(t), LimitSets: sets}}).Process(context.Background(), in, card)
		if err != nil || o.Kind != c.kind {
			t.Errorf("%s: %v %s %v", c.name, o.Kind, o.Reason, err)
			continue
		}
		if c.kind == emv.SelectNext {
			if len(card.commands) != 0 || o.Start != emv.StartC {
				t.Errorf("%s: %d commands, start %X", c.name, len(card.commands), o.Start)
			}
			continue
		}
		record, _ := tlv.Find(o.DataRecord, tag.TTQ)
		if sent := card.pdolData[tag.TTQ]; sent[1] != c.b2 || !bytes.Equal(sent, record) {
			t.Errorf("%s: TTQ %X sent, %X recorded, want byte 2 %02X", c.name, sent, record, c.b2)
		}
	}
	offlineOnly := newCard(t)
	offlineOnly.program = "0102"
	in := usualInput(offlineOnly, 0)
	in.Indicators.TTQ[0] |= ttq1OfflineOnly
	if o, err := (&Kernel{Config: Config{LimitSets: sets}}).Process(context.Background(), in, offlineOnly); err != nil || o.Kind != emv.SelectNext {
		t.Errorf("zero amount at an offline-only reader: %v %v", o.Kind, err)
	}
	yen := newCard(t)
	yen.program = "0102"
	yen.personalise()
	in = usualInput(yen, 1)
	in.Transaction.Amount = pay.Money{Minor: 1, Currency: pay.JPY}
	if _, err := (&Kernel{Config: Config{LimitSets: sets, CAKeys: caStore(t)}}).Process(context.Background(), in, yen); err != nil || yen.pdolData[tag.TTQ][1] != 0x80 {
		t.Errorf("status check of one yen: TTQ %X %v", yen.pdolData[tag.TTQ], err)
	}
}
