package c5

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
	testRID = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x65}
	testAID = unhex("A0000000651010")
	testNow = time.Date(2026, 3, 15, 14, 30, 5, 0, time.FixedZone("CST", 8*3600))
	unhex   = book3test.Unhex
)

const (
	testPAN   = "3566002020360505"
	usualPDOL = "9F5201"
	usualCDOL = "9F02069F03069F1A0295055F2A029A039C019F37049F35019F5303"
	usualCDO2 = "8A02" + "9F0206" + "9505" + "9108" + "9F3704"
	// The limits stand at 1000.01 for the cardholder and 5000.00 altogether, see usualInput and usualConfig.
	justBelow = 100_000
	at        = 100_001
	above     = 100_002
	most      = 500_000
)

// newCard is a card that signs and chooses the online PIN.
func newCard(t testing.TB) *book3test.Card {
	c := &book3test.Card{
		T: t, AID: testAID, RID: testRID, PDOL: usualPDOL, AFL: unhex("08010201" + "10010200"), CDA: true, AC: unhex("5D016C91005E7CC2"),
		Key: book3test.Keys().ICC, IssuerKey: book3test.Keys().Issuer, Number: testPAN, Expires: [2]int{12, 2030}, Serial: [3]byte{0, 0, 9},
		LostAt: -1, Broken: -1, SW: map[int]string{},
	}
	c.GPO = tlv.List{{Tag: tag.AIP, Value: unhex("0180")}}
	c.Records = []book3test.Record{
		{SFI: 1, N: 1, Signed: true, Objects: tlv.List{
			{Tag: tag.PAN, Value: unhex(testPAN)}, {Tag: tag.Track2, Value: unhex(testPAN + "D30122010000000000")}, {Tag: tag.ExpirationDate, Value: unhex("301231")},
			{Tag: tag.EffectiveDate, Value: unhex("200101")}, {Tag: tag.PSN, Value: unhex("01")}, {Tag: tag.IssuerCountry, Value: unhex("0156")},
			{Tag: tag.AUC, Value: unhex("FFC0")}, {Tag: tag.CDOL1, Value: unhex(usualCDOL)}, {Tag: tag.SDATagList, Value: unhex("82")},
			{Tag: tag.IACDenial, Value: unhex("0000000000")}, {Tag: tag.IACOnline, Value: unhex("F470848000")}, {Tag: tag.IACDefault, Value: unhex("F470848000")},
		}},
		{SFI: 1, N: 2}, {SFI: 2, N: 1}, {SFI: 2, N: 2},
	}
	c.Answer = tlv.List{
		{Tag: tag.CID, Value: unhex("80")}, {Tag: tag.ATC, Value: unhex("0240")}, {Tag: tag.CVMStatus, Value: unhex("20")},
		{Tag: tag.IAD, Value: unhex("0102030405")},
	}
	return c
}

// usualConfig has a floor limit of 0.
func usualConfig(t testing.TB) Config {
	c := Defaults()
	c.CAKeys = book3test.Store(t, testRID)
	c.TransactionLimit, c.FloorLimit, c.CVMLimit = limit(most), limit(0), limit(at)
	return c
}

func usualInput(c *book3test.Card, amount int64) emv.Input {
	return emv.Input{
		Start: emv.StartA, AID: testAID, Kernel: ID, FCI: c.FCI(), FCIStatus: 0x9000,
		Transaction: emv.Transaction{Amount: pay.Money{Minor: amount, Currency: pay.CNY}, Time: testNow, Sequence: 17},
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte(unhex("E0E8C8")), MerchantID: "898310048160001",
			TerminalID: "10000001", IFDSerial: "HUIKA001", MerchantCategory: 5411, AdditionalTerminal: [5]byte(unhex("6000F0A001"))},
		Rand: book3test.Same{},
	}
}

func limit(n int64) *int64 { return &n }

// kernelCase is one tap: what is unusual about card, terminal and configuration, and how it must end.
type kernelCase struct {
	name   string
	amount int64 // 0: 88.80 CNY
	card   func(*book3test.Card)
	input  func(*emv.Input)
	config func(*Config)

	kind     emv.Kind
	cvm      emv.CVM
	oda      emv.ODA
	reason   string // part of it
	message  emv.MessageID
	commands int    // all of them; -1: not looked at
	tvr      string // at the end, in the discretionary data; "": not looked at
	p1       byte   // of GENERATE AC, where it was sent
}

const all = 6 // commands of the usual card: GPO, four records, GENERATE AC

func online(name string, cvm emv.CVM) kernelCase {
	c := kernelCase{name: name, kind: emv.OnlineRequest, cvm: cvm, oda: emv.ODACDA, message: emv.MsgAuthorising, commands: all, p1: 0x90}
	if cvm == emv.CVMOnlinePIN {
		c.message = emv.MsgEnterPIN
	}
	return c
}

func approved(name string, cvm emv.CVM) kernelCase {
	c := kernelCase{name: name, kind: emv.Approved, cvm: cvm, oda: emv.ODACDA, message: emv.MsgApproved, commands: all, card: asTC, config: offline, p1: 0x50}
	if cvm == emv.CVMSignature {
		c.message = emv.MsgApprovedSign
	}
	return c
}

// refused is a decline after GENERATE AC, denied one before it.
func refused(name, reason string) kernelCase {
	return kernelCase{name: name, kind: emv.Declined, cvm: emv.CVMNotGiven, oda: emv.ODACDA, reason: reason, message: emv.MsgNotAuthorised, commands: all, p1: 0x90}
}

func denied(name, reason string) kernelCase {
	return kernelCase{name: name, kind: emv.Declined, cvm: emv.CVMNotGiven, reason: reason, message: emv.MsgNotAuthorised, commands: all - 1}
}

func next(name, reason string, commands int) kernelCase {
	return kernelCase{name: name, kind: emv.SelectNext, cvm: emv.CVMNotGiven, reason: reason, commands: commands}
}

func again(name, reason string, m emv.MessageID, commands int) kernelCase {
	return kernelCase{name: name, kind: emv.EndApplication, cvm: emv.CVMNotGiven, reason: reason, message: m, commands: commands}
}

func (k kernelCase) with(card func(*book3test.Card), input func(*emv.Input), config func(*Config)) kernelCase {
	k.card, k.input, k.config = card, input, config
	return k
}
func (k kernelCase) of(amount int64) kernelCase               { k.amount = amount; return k }
func (k kernelCase) expect(o emv.ODA) kernelCase              { k.oda = o; return k }
func (k kernelCase) ending(tvr string) kernelCase             { k.tvr = tvr; return k }
func (k kernelCase) asking(p1 byte) kernelCase                { k.p1 = p1; return k }
func (k kernelCase) on(f ...func(*book3test.Card)) kernelCase { k.card = both(f...); return k }
func (k kernelCase) at(f func(*Config)) kernelCase            { k.config = f; return k }

func runCase(t testing.TB, k kernelCase) (emv.Outcome, *book3test.Card) {
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

// Each bit of the TVR that the kernel can set before an issuer update, for TestKernel to tick off; TestUpdate has the others.
var settable = []book3.Bit{
	book3.NoODA, book3.ICCDataMissing, book3.ExceptionFile, book3.CDAFailed, book3.Expired, book3.NotYetEffective, book3.NotAllowed,
	book3.FloorLimit, book3.RandomSelection,
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
			if got := len(card.Commands); k.commands >= 0 && got != k.commands {
				t.Errorf("%d commands, want %d", got, k.commands)
			}
			if card.P1 != k.p1 {
				t.Errorf("GENERATE AC asks for %02X, want %02X", card.P1, k.p1)
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
	for _, k := range []emv.Kind{emv.Approved, emv.Declined, emv.OnlineRequest, emv.EndApplication, emv.SelectNext, emv.TryAnother} {
		if !kinds[k] {
			t.Errorf("no case ends in %v", k)
		}
	}
}

// GPO and GENERATE AC of one tap, byte for byte: the interchange profile says that a CVM is required in the second only.
func TestCommands(t *testing.T) {
	_, card := runCase(t, kernelCase{amount: at, card: func(c *book3test.Card) { c.PDOL = "9F5201" + "9F5303" }})
	for n, want := range map[int]string{
		0: "80A8000006" + "8304" + "02" + "708000" + "00",
		5: "80AE900021" + "000000100001" + "000000000000" + "0156" + "0000008000" + "0156" + "260315" + "00" + "11223344" + "22" + "F08000" + "00",
	} {
		if !bytes.Equal(card.Commands[n], unhex(want)) {
			t.Errorf("got  %X\nwant %s", card.Commands[n], want)
		}
	}
}

// A reader that fails is an error, not an outcome; and so is an ended context.
func TestReaderFailure(t *testing.T) {
	for _, n := range []int{0, 3, 5} {
		card := newCard(t)
		card.Broken = n
		card.Personalise()
		if _, err := (&Kernel{Config: usualConfig(t)}).Process(context.Background(), usualInput(card, 1), card); !errors.Is(err, book3test.ErrReader) {
			t.Errorf("command %d: %v", n, err)
		}
	}
	card := newCard(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&Kernel{Config: Defaults()}).Process(ctx, usualInput(card, 1), card); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestUnusableInput(t *testing.T) {
	for name, change := range map[string]func(*emv.Input){
		"no randomness":       func(in *emv.Input) { in.Rand = nil },
		"randomness runs dry": func(in *emv.Input) { in.Rand = bytes.NewReader(nil) },
		"negative amount":     func(in *emv.Input) { in.Transaction.Amount = pay.Money{Minor: -1, Currency: pay.CNY} },
	} {
		card := newCard(t)
		in := usualInput(card, 1)
		change(&in)
		if _, err := (&Kernel{}).Process(context.Background(), in, card); err == nil || !strings.HasPrefix(err.Error(), "kernel 5: ") || len(card.Commands) != 0 {
			t.Errorf("%s: error %v after %d commands", name, err, len(card.Commands))
		}
	}
	card := newCard(t)
	card.Personalise()
	in := usualInput(card, 1)
	in.Rand = bytes.NewReader(book3test.UN) // enough for the number, not for the draw
	c := usualConfig(t)
	offline(&c)
	c.Options |= RandomSelection
	c.Random = book3.Random{Threshold: 2, Target: 50}
	if _, err := (&Kernel{Config: c}).Process(context.Background(), in, card); err == nil || !strings.Contains(err.Error(), "random selection") {
		t.Errorf("draw without randomness: %v", err)
	}
}

// Every parameter of each outcome.
func TestOutcomeParameters(t *testing.T) {
	for _, c := range []struct {
		name string
		k    kernelCase
		want emv.Outcome
	}{
		{"another interface", kernelCase{card: status(5, "6984")}, emv.Outcome{Kind: emv.TryAnother, Start: emv.StartNone, Alternate: emv.AlternateChip, FieldOff: emv.FieldOffNone}},
		{"next application", kernelCase{card: status(0, "6985")}, emv.Outcome{Kind: emv.SelectNext, Start: emv.StartC, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
		{"see phone", kernelCase{card: status(5, "6986")}, emv.Outcome{Kind: emv.EndApplication, Start: emv.StartB, Alternate: emv.AlternateNone, FieldOff: hold}},
		{"lost", kernelCase{card: lost(2)}, emv.Outcome{Kind: emv.EndApplication, Start: emv.StartB, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
		{"declined", kernelCase{card: asAAC}, emv.Outcome{Kind: emv.Declined, Start: emv.StartNone, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone}},
	} {
		o, _ := runCase(t, c.k)
		if o.Kind != c.want.Kind || o.Start != c.want.Start || o.Alternate != c.want.Alternate || o.FieldOff != c.want.FieldOff || o.CVM != emv.CVMNotGiven ||
			o.Receipt || o.OnlineResponseData != emv.OnlineNotApplicable || o.RemovalTimeout != 0 || o.Memory != nil {
			t.Errorf("%s: %+v", c.name, o)
		}
		if restarts := o.Start == emv.StartB; restarts != (o.UIRestart != nil && o.UIRestart.Message == emv.MsgPresentAgain && o.UIOutcome.Hold == hold) {
			t.Errorf("%s: %+v, on restart %+v", c.name, o.UIOutcome, o.UIRestart)
		}
	}
	o, card := runCase(t, kernelCase{card: both(cvm("10"), func(c *book3test.Card) { c.Language = "ja" }), amount: at})
	if o.CVM != emv.CVMSignature || !o.Receipt || string(o.UIOutcome.Language) != "ja" || len(card.Shown) != 1 || card.Shown[0].Message != emv.MsgCardReadOK {
		t.Errorf("signature: %+v %+v", o, card.Shown)
	}
	for parameter, want := range map[string]emv.Outcome{
		"01": {Start: emv.StartD, OnlineResponseData: emv.OnlineEMVData, FieldOff: emv.FieldOffNone, RemovalTimeout: 10 * time.Second},
		"02": {Start: emv.StartB, OnlineResponseData: emv.OnlineEMVData, FieldOff: 0},
		"00": {Start: emv.StartNone, OnlineResponseData: emv.OnlineNotApplicable, FieldOff: emv.FieldOffNone},
		"03": {Start: emv.StartNone, OnlineResponseData: emv.OnlineNotApplicable, FieldOff: emv.FieldOffNone},
	} {
		o, _ := runCase(t, kernelCase{card: answer(tag.UpdateParameter, parameter)})
		if o.Kind != emv.OnlineRequest || o.Start != want.Start || o.OnlineResponseData != want.OnlineResponseData || o.FieldOff != want.FieldOff ||
			o.RemovalTimeout != want.RemovalTimeout || (o.Memory != nil) != (want.Start != emv.StartNone) || (o.UIRestart != nil) != (want.Start != emv.StartNone) {
			t.Errorf("issuer update parameter %s: %+v", parameter, o)
		}
	}
	o, _ = runCase(t, kernelCase{card: answer(tag.UpdateParameter, "02"), config: func(c *Config) { c.Profile[1] = 0 }})
	if o.Start != emv.StartNone || o.Memory != nil {
		t.Errorf("reader without issuer update: %+v", o)
	}
}

// The data record has each object once, and the terminal's own values.
func TestDataRecord(t *testing.T) {
	o, _ := runCase(t, kernelCase{amount: at, card: both(
		func(c *book3test.Card) { book3test.Set(&c.Records[3].Objects, tag.AmountAuthorised, "000000000001") },
		answer(tag.JCBBalance, "000000012345"),
	)})
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
		tag.ExpirationDate: "301231", tag.UN: "11223344", tag.CVMStatus: "20", tag.Interchange: "F08000", tag.CVMResults: "020000",
		tag.DFName: "A0000000651010", tag.TerminalAID: "A0000000651010", tag.TerminalVersion: "0200", tag.PSN: "01", tag.ApplicationLabel: "54455354",
	} {
		if v, _ := list.Find(g); !bytes.Equal(v, unhex(want)) || seen[g] != 1 {
			t.Errorf("%s: %X (%d times), want %s", g, v, seen[g], want)
		}
	}
	if o.UIOutcome.Value != 12345 || o.UIOutcome.ValueQualifier != 0x20 || o.UIOutcome.Currency != uint16(pay.CNY) {
		t.Errorf("balance: %+v", o.UIOutcome)
	}
}
