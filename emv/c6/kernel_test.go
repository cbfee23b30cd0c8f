package c6

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/book3/book3test"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

var (
	testRID = [5]byte{0xA0, 0x00, 0x00, 0x01, 0x52}
	testAID = unhex("A0000001523010")
	testNow = time.Date(2026, 3, 15, 14, 30, 5, 0, time.FixedZone("CST", 8*3600))
	unhex   = book3test.Unhex
)

const (
	testPAN   = "6011000991300009"
	usualPDOL = "9F66049F02069F03069F1A0295055F2A029A039C019F3704"
	usualTTQ  = "26004000" // EMV mode, online PIN, signature; CDCVM
	chipTTQ   = "36004000"
	usualIAD  = "0105" + "A000000000000000"
	// The limits stand at 1000.01 for the cardholder; see usualInput.
	justBelow = 100_000
	at        = 100_001
	above     = 100_002
)

// newCard is a card that asks for the online PIN where a CVM is needed.
func newCard(t testing.TB) *book3test.Card {
	c := &book3test.Card{
		T: t, AID: testAID, RID: testRID, PDOL: usualPDOL, AFL: unhex("08010201" + "10010200"), CDA: false, AC: unhex("5D016C91005E7CC2"),
		Key: book3test.Keys().ICC, IssuerKey: book3test.Keys().Issuer, Number: testPAN, Expires: [2]int{12, 2030}, Serial: [3]byte{0, 0, 9},
		LostAt: -1, Broken: -1, SW: map[int]string{},
	}
	c.GPO = tlv.List{
		{Tag: tag.AIP, Value: unhex("0100")}, {Tag: tag.Track2, Value: unhex(testPAN + "D30122010000000000")}, {Tag: tag.ATC, Value: unhex("0240")},
		{Tag: tag.ApplicationCryptogram, Value: c.AC}, {Tag: tag.CID, Value: unhex("80")}, {Tag: tag.IAD, Value: unhex(usualIAD)},
		{Tag: tag.PSN, Value: unhex("01")}, {Tag: tag.CPR, Value: unhex("8000")},
	}
	c.Records = []book3test.Record{
		{SFI: 1, N: 1, Signed: true, Objects: tlv.List{
			{Tag: tag.PAN, Value: unhex(testPAN)}, {Tag: tag.ExpirationDate, Value: unhex("301231")}, {Tag: tag.EffectiveDate, Value: unhex("200101")},
			{Tag: tag.ApplicationVersion, Value: unhex("0001")}, {Tag: tag.IssuerCountry, Value: unhex("0156")}, {Tag: tag.AUC, Value: unhex("FFC0")},
			{Tag: tag.SDATagList, Value: unhex("82")},
		}},
		{SFI: 1, N: 2}, {SFI: 2, N: 1}, {SFI: 2, N: 2},
	}
	return c
}

// usualInput is a purchase of amount fen after Entry Point's pre-processing
// with a floor limit of 0 and a CVM limit of 1000.01 CNY.
func usualInput(c *book3test.Card, amount int64) emv.Input {
	in := emv.Input{
		Start: emv.StartA, AID: testAID, Kernel: ID, FCI: c.FCI(), FCIStatus: 0x9000,
		Transaction: emv.Transaction{Amount: pay.Money{Minor: amount, Currency: pay.CNY}, Time: testNow, Sequence: 17},
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte(unhex("E0E8C8")), MerchantID: "898310048160001",
			TerminalID: "10000001", IFDSerial: "HUIKA001", MerchantCategory: 5411, AdditionalTerminal: [5]byte(unhex("6000F0A001"))},
		Rand: book3test.Same{},
	}
	in.Indicators.HasTTQ, in.Indicators.TTQ = true, [4]byte(unhex(usualTTQ))
	if amount > 0 {
		in.Indicators.FloorLimitExceeded = true
		in.Indicators.TTQ[1] |= ttq2OnlineRequired
	}
	if amount >= at {
		in.Indicators.CVMRequiredLimitExceeded = true
		in.Indicators.TTQ[1] |= ttq2CVMRequired
	}
	return in
}

func usualConfig(t testing.TB) Config { return Config{CAKeys: book3test.Store(t, testRID)} }

// kernelCase is one tap: what is unusual about card, terminal and configuration, and how it must end.
type kernelCase struct {
	name   string
	amount int64 // 0: 88.80 CNY
	card   func(*book3test.Card)
	input  func(*emv.Input)
	config func(*Config)

	kind    emv.Kind
	cvm     emv.CVM
	oda     emv.ODA
	reason  string // part of it
	message emv.MessageID
	records int    // READ RECORD commands sent; -1: not looked at
	tvr     string // at the end, in the discretionary data; "": not looked at
}

const all = 4 // records of the usual card

func online(name string, cvm emv.CVM) kernelCase {
	c := kernelCase{name: name, kind: emv.OnlineRequest, cvm: cvm, message: emv.MsgAuthorising, records: all}
	if cvm == emv.CVMOnlinePIN {
		c.message = emv.MsgEnterPIN
	}
	return c
}

func approved(name string, cvm emv.CVM) kernelCase {
	c := kernelCase{name: name, kind: emv.Approved, cvm: cvm, oda: emv.ODACDA, message: emv.MsgApproved, records: all, card: asTC, input: offline}
	if cvm == emv.CVMSignature {
		c.message = emv.MsgApprovedSign
	}
	return c
}

func refused(name, reason string) kernelCase {
	return kernelCase{name: name, kind: emv.Declined, cvm: emv.CVMNotGiven, reason: reason, message: emv.MsgNotAuthorised, records: all}
}

func ends(name, reason string, records int) kernelCase {
	return kernelCase{name: name, kind: emv.EndApplication, cvm: emv.CVMNotGiven, reason: reason, message: emv.MsgInsertSwipeOrOther, records: records}
}

func next(name, reason string) kernelCase {
	return kernelCase{name: name, kind: emv.SelectNext, cvm: emv.CVMNotGiven, reason: reason}
}

func another(name, reason string, records int) kernelCase {
	return kernelCase{name: name, kind: emv.TryAnother, cvm: emv.CVMNotGiven, reason: reason, message: emv.MsgInsertOrSwipe, records: records}
}

func (k kernelCase) with(card func(*book3test.Card), input func(*emv.Input), config func(*Config)) kernelCase {
	k.card, k.input, k.config = card, input, config
	return k
}
func (k kernelCase) of(amount int64) kernelCase               { k.amount = amount; return k }
func (k kernelCase) expect(o emv.ODA) kernelCase              { k.oda = o; return k }
func (k kernelCase) ending(tvr string) kernelCase             { k.tvr = tvr; return k }
func (k kernelCase) on(f ...func(*book3test.Card)) kernelCase { k.card = both(f...); return k }

func runCase(t *testing.T, k kernelCase) (emv.Outcome, *book3test.Card) {
	t.Helper()
	card := newCard(t)
	if k.card != nil {
		k.card(card)
	}
	card.Personalise()
	amount := k.amount
	if amount == 0 {
		amount = 8880
	}
	in := usualInput(card, amount)
	if k.input != nil {
		k.input(&in)
	}
	kernel := &Kernel{Config: usualConfig(t)}
	if k.config != nil {
		k.config(&kernel.Config)
	}
	o, err := kernel.Process(context.Background(), in, card)
	if err != nil {
		t.Fatal(err)
	}
	return o, card
}

// Each bit of the TVR that the kernel can set, for TestKernel to tick off.
var settable = []book3.Bit{
	book3.NoODA, book3.ICCDataMissing, book3.ExceptionFile, book3.CDAFailed, book3.Versions, book3.Expired, book3.NotYetEffective,
	book3.NotAllowed, book3.CVMFailed, book3.OnlinePINEntered, book3.FloorLimit,
}

func TestKernel(t *testing.T) {
	if n := len(kernelCases); n < 80 {
		t.Fatalf("%d cases, want at least 80", n)
	}
	var seen book3.TVR
	kinds := map[emv.Kind]bool{}
	for _, k := range kernelCases {
		t.Run(k.name, func(t *testing.T) {
			o, card := runCase(t, k)
			if o.Kind != k.kind || o.CVM != k.cvm || o.ODA != k.oda || !strings.Contains(o.Reason, k.reason) {
				t.Errorf("got %v, CVM %v, ODA %v: %q %+v\nwant %v, CVM %v, ODA %v: …%q…", o.Kind, o.CVM, o.ODA, o.Reason, o.Error, k.kind, k.cvm, k.oda, k.reason)
			}
			var shown emv.MessageID
			if o.UIOutcome != nil {
				shown = o.UIOutcome.Message
			}
			if shown != k.message {
				t.Errorf("message %v, want %v", shown, k.message)
			}
			if got := len(card.Commands) - 1; k.records >= 0 && got != k.records {
				t.Errorf("%d READ RECORD commands, want %d", got, k.records)
			}
			if data := o.Kind == emv.OnlineRequest || o.Kind == emv.Approved || o.Kind == emv.Declined; data != (o.DataRecord != nil) {
				t.Errorf("data record present: %v", o.DataRecord != nil)
			}
			tvr, _ := tlv.Find(o.Discretionary, tag.TVR)
			if k.tvr != "" && !bytes.Equal(tvr, unhex(k.tvr)) {
				t.Errorf("TVR %X, want %s", tvr, k.tvr)
			}
			for i := range tvr {
				seen[i] |= tvr[i]
			}
			kinds[o.Kind] = true
		})
	}
	for _, b := range settable {
		if !seen.Has(b) {
			t.Errorf("no case sets TVR bit %04X", uint16(b))
		}
		seen.Clear(b)
	}
	if seen != (book3.TVR{}) {
		t.Errorf("TVR bits that nobody expected: %X", seen)
	}
	for _, k := range []emv.Kind{emv.Approved, emv.Declined, emv.OnlineRequest, emv.EndApplication, emv.SelectNext, emv.TryAnother, emv.TryAgain} {
		if !kinds[k] {
			t.Errorf("no case ends in %v", k)
		}
	}
}

// The GPO command of one tap, byte for byte: the floor limit's bit stands in the TVR that the card is sent.
func TestGPOCommand(t *testing.T) {
	_, card := runCase(t, kernelCase{amount: at})
	want := "80A8000023" + "8321" + "26C04000" + "000000100001" + "000000000000" + "0156" + "0000008000" + "0156" + "260315" + "00" + "11223344" + "00"
	if !bytes.Equal(card.Commands[0], unhex(want)) {
		t.Errorf("got  %X\nwant %s", card.Commands[0], want)
	}
}

// A reader that fails is an error, not an outcome; and so is an ended context.
func TestReaderFailure(t *testing.T) {
	for _, n := range []int{0, 3} {
		card := newCard(t)
		card.Broken = n
		card.Personalise()
		if _, err := (&Kernel{}).Process(context.Background(), usualInput(card, 1), card); !errors.Is(err, book3test.ErrReader) {
			t.Errorf("command %d: %v", n, err)
		}
	}
	card := newCard(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&Kernel{}).Process(ctx, usualInput(card, 1), card); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestUnusableInput(t *testing.T) {
	for name, change := range map[string]func(*emv.Input){
		"no TTQ":              func(in *emv.Input) { in.Indicators.HasTTQ = false },
		"mag-stripe mode":     func(in *emv.Input) { in.Indicators.TTQ[0] |= ttq1MagStripe },
		"no randomness":       func(in *emv.Input) { in.Rand = nil },
		"randomness runs dry": func(in *emv.Input) { in.Rand = bytes.NewReader(nil) },
		"negative amount":     func(in *emv.Input) { in.Transaction.Amount = pay.Money{Minor: -1, Currency: pay.CNY} },
		"acquirer":            func(in *emv.Input) { in.Terminal.AcquirerID = "12A" },
	} {
		card := newCard(t)
		in := usualInput(card, 1)
		change(&in)
		if _, err := (&Kernel{}).Process(context.Background(), in, card); err == nil || !strings.HasPrefix(err.Error(), "kernel 6: ") || len(card.Commands) != 0 {
			t.Errorf("%s: error %v after %d commands", name, err, len(card.Commands))
		}
	}
}

// Every parameter of each outcome.
func TestOutcomeParameters(t *testing.T) {
	for _, c := range []struct {
		name string
		k    kernelCase
		want emv.Outcome
	}{
		{"another interface", kernelCase{card: status(0, "6984")}, emv.Outcome{Kind: emv.TryAnother, Start: emv.StartNone, Alternate: emv.AlternateChip, FieldOff: emv.FieldOffNone}},
		{"next application", kernelCase{card: status(0, "6985")}, emv.Outcome{Kind: emv.SelectNext, Start: emv.StartC, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
		{"see phone", kernelCase{card: status(0, "6986")}, emv.Outcome{Kind: emv.TryAgain, Start: emv.StartB, Alternate: emv.AlternateNone, FieldOff: 1300 * time.Millisecond}},
		{"lost", kernelCase{card: func(c *book3test.Card) { c.LostAt = 2 }}, emv.Outcome{Kind: emv.TryAgain, Start: emv.StartB, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
		{"end", kernelCase{card: status(1, "6A83")}, emv.Outcome{Kind: emv.EndApplication, Start: emv.StartNone, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
	} {
		o, _ := runCase(t, c.k)
		if o.Kind != c.want.Kind || o.Start != c.want.Start || o.Alternate != c.want.Alternate || o.FieldOff != c.want.FieldOff || o.CVM != emv.CVMNotGiven ||
			o.Receipt || o.OnlineResponseData != emv.OnlineNotApplicable || o.RemovalTimeout != 0 || o.Memory != nil {
			t.Errorf("%s: %+v", c.name, o)
		}
		if again := o.Kind == emv.TryAgain; again != (o.UIRestart != nil && o.UIRestart.Message == emv.MsgPresentAgain && o.UIRestart.Status == emv.StatusReadyToRead) {
			t.Errorf("%s: on restart %+v", c.name, o.UIRestart)
		}
	}
	o, card := runCase(t, kernelCase{card: both(cpr("4000"), func(c *book3test.Card) { c.Language = "zhen" }), amount: at})
	if o.CVM != emv.CVMSignature || !o.Receipt || string(o.UIOutcome.Language) != "zhen" || len(card.Shown) != 1 || string(card.Shown[0].Language) != "zhen" {
		t.Errorf("signature: %+v %+v", o, card.Shown)
	}
}

// The data record has each object once, the terminal's own values and the TVR that the card was sent.
func TestDataRecord(t *testing.T) {
	o, _ := runCase(t, kernelCase{amount: at, card: func(c *book3test.Card) {
		book3test.Set(&c.Records[3].Objects, tag.AmountAuthorised, "000000000001") // the card's own idea of the amount
		book3test.Set(&c.Records[3].Objects, tag.PAR, "51303031"+strings.Repeat("30", 25))
	}})
	list, err := tlv.Parse(o.DataRecord)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[tlv.Tag]int{}
	for _, x := range list {
		seen[x.Tag]++
	}
	for g, want := range map[tlv.Tag]string{
		tag.AmountAuthorised: "000000100001", tag.TVR: "0000008000", tag.CID: "80", tag.ApplicationCryptogram: "5D016C91005E7CC2", tag.PAN: testPAN,
		tag.ExpirationDate: "301231", tag.UN: "11223344", tag.CPR: "8000", tag.TTQ: "26C04000", tag.CVMResults: "020000", tag.TSI: "4800",
		tag.DFName: "A0000001523010", tag.TerminalAID: "A0000001523010", tag.TerminalVersion: "0001", tag.PSN: "01", tag.ApplicationLabel: "54455354",
	} {
		if v, _ := list.Find(g); !bytes.Equal(v, unhex(want)) || seen[g] != 1 {
			t.Errorf("%s: %X (%d times), want %s", g, v, seen[g], want)
		}
	}
	if seen[tag.PAR] != 1 || seen[tag.CardholderName] != 0 {
		t.Error("PAR or name")
	}
}

// 9F34 for each outcome of cardholder verification.
func TestCVMResults(t *testing.T) {
	for _, c := range []struct {
		cpr, iad, want string
		amount         int64
	}{
		{"0000", usualIAD, "1F0002", justBelow}, {"8000", usualIAD, "020000", at}, {"4000", usualIAD, "1E0000", at}, {"1000", verifiedIAD, "010002", at},
	} {
		o, _ := runCase(t, kernelCase{card: both(cpr(c.cpr), gpo(tag.IAD, c.iad)), amount: c.amount})
		if got, _ := tlv.Find(o.DataRecord, tag.CVMResults); !bytes.Equal(got, unhex(c.want)) {
			t.Errorf("CPR %s: 9F34 %X, want %s", c.cpr, got, c.want)
		}
	}
}

// The offline balance goes to the screen and into the discretionary data.
func TestOfflineBalance(t *testing.T) {
	o, _ := runCase(t, kernelCase{card: gpo(tag.OfflineBalance, "000000012345")})
	if v, _ := tlv.Find(o.Discretionary, tag.OfflineBalance); !bytes.Equal(v, unhex("000000012345")) || o.UIOutcome.Value != 12345 ||
		o.UIOutcome.ValueQualifier != 0x20 || o.UIOutcome.Currency != uint16(pay.CNY) {
		t.Errorf("%X %+v", o.Discretionary, o.UIOutcome)
	}
}
