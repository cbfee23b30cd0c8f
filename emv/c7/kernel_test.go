package c7

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

var errReader = errors.New("reader unplugged")

// kernelCase is one tap: what is unusual about card, terminal and configuration, and how it must end.
type kernelCase struct {
	name   string
	amount int64 // 0: 88.80 CNY
	card   func(*scripted)
	input  func(*emv.Input)
	config func(*Config)

	kind    emv.Kind
	cvm     emv.CVM
	oda     emv.ODA
	reason  string // part of it
	message emv.MessageID
	records int // READ RECORD commands sent; -1: not looked at
}

const all = 4 // records of the usual card

func online(name string, cvm emv.CVM) kernelCase {
	c := kernelCase{name: name, kind: emv.OnlineRequest, cvm: cvm, oda: emv.ODAfDDA, message: emv.MsgAuthorising, records: all}
	if cvm == emv.CVMOnlinePIN {
		c.message = emv.MsgEnterPIN
	}
	return c
}

func refused(name, reason string) kernelCase {
	return kernelCase{name: name, kind: emv.Declined, cvm: emv.CVMNotGiven, oda: emv.ODANone, reason: reason, message: emv.MsgNotAuthorised, records: all}
}

func odaRefused(name string) kernelCase {
	c := refused(name, "could not be authenticated")
	c.oda = emv.ODAFailed
	return c
}

func ends(name, reason string, records int) kernelCase {
	return kernelCase{name: name, kind: emv.EndApplication, cvm: emv.CVMNotGiven, reason: reason, message: emv.MsgInsertSwipeOrOther, records: records}
}

// with fills in what is unusual.
func (k kernelCase) with(card func(*scripted), input func(*emv.Input), config func(*Config)) kernelCase {
	k.card, k.input, k.config = card, input, config
	return k
}

// of sets the amount.
func (k kernelCase) of(amount int64) kernelCase { k.amount = amount; return k }

// expectODA sets how authentication ended.
func (k kernelCase) expectODA(o emv.ODA) kernelCase { k.oda = o; return k }

func runCase(t *testing.T, k kernelCase) (emv.Outcome, *scripted) {
	t.Helper()
	card := newCard(t)
	if k.card != nil {
		k.card(card)
	}
	card.personalise()
	amount := k.amount
	if amount == 0 {
		amount = 8880
	}
	in := usualInput(card, amount)
	if k.input != nil {
		k.input(&in)
	}
	kernel := &Kernel{Config: Config{CAKeys: caStore(t)}}
	if k.config != nil {
		k.config(&kernel.Config)
	}
	o, err := kernel.Process(context.Background(), in, card)
	if err != nil {
		t.Fatal(err)
	}
	return o, card
}

func TestKernel(t *testing.T) {
	cases := slices.Concat(kernelCases, smCases)
	if n := len(cases); n < 60 {
		t.Fatalf("%d cases, want at least 60", n)
	}
	for _, k := range cases {
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
			if got := len(card.commands) - 1; k.records >= 0 && got != k.records {
				t.Errorf("%d READ RECORD commands, want %d", got, k.records)
			}
			read := o.Kind == emv.OnlineRequest || o.Kind == emv.Approved || o.Kind == emv.Declined
			if beeped := len(card.shown) == 1 && card.shown[0].Message == emv.MsgCardReadOK && card.shown[0].Status == emv.StatusCardReadOK; read && !beeped {
				t.Errorf("card read OK was not shown: %+v", card.shown)
			}
			if read != (o.DataRecord != nil) {
				t.Errorf("data record present: %v", o.DataRecord != nil)
			}
			if o.FieldOff >= 0 && o.Error.SW != 0x6986 {
				t.Errorf("field off %v", o.FieldOff)
			}
		})
	}
}

// The GPO command of one tap, byte for byte.
func TestGPOCommand(t *testing.T) {
	card := newCard(t)
	card.pdol = usualPDOL + "9F3501" + "9F3303" + "DF6901" + "9F2103" + "9F1E08" + "9F1C0A" + "9F0606"
	card.personalise()
	in := usualInput(card, at)
	if _, err := (&Kernel{Config: Config{CAKeys: caStore(t)}}).Process(context.Background(), in, card); err != nil {
		t.Fatal(err)
	}
	want := "80A80000438341" + "27C04080" + "000000100001" + "000000000000" + "0156" + "0000000000" + "0156" + "260315" + "00" + "11223344" +
		"22" + "E0E1C8" + "00" + "143005" + "4855494B41303031" + "31303030303030310000" + "A00000033301" + "00"
	if !bytes.Equal(card.commands[0], unhex(want)) {
		t.Errorf("got  %X\nwant %s", card.commands[0], want)
	}
}

// The data record, object by object: F55 and what the till needs.
func TestDataRecord(t *testing.T) {
	card := newCard(t)
	card.set(&card.gpo, tag.ProductID, "30313034303030310000000000000000")
	card.set(&card.records[0].objects, tag.PAR, hexText("PAR00000000000000000000000001"))
	card.set(&card.records[0].objects, 0x9F37, "99999999") // a card can't put the terminal's objects there
	card.set(&card.records[0].objects, 0x9F34, "1F0302")
	card.personalise()
	in := usualInput(card, fiveGrand)
	o, err := (&Kernel{Config: Config{CAKeys: caStore(t)}}).Process(context.Background(), in, card)
	if err != nil || o.Kind != emv.OnlineRequest {
		t.Fatal(o.Kind, o.Reason, err)
	}
	got, err := tlv.Parse(o.DataRecord)
	if err != nil {
		t.Fatal(err)
	}
	want := map[tlv.Tag]string{
		0x9F26: "5D016C91005E7CC2", 0x9F27: "80", 0x9F10: "07010103A02000", 0x9F37: "11223344", 0x9F36: "0240", 0x95: "0000000000",
		0x9A: "260315", 0x9C: "00", 0x9F02: "000000500000", 0x5F2A: "0156", 0x82: "7C00", 0x9F1A: "0156", 0x9F03: "000000000000",
		0x9F33: "E0E1C8", 0x9F34: "020000", 0x9F35: "22", 0x9F1E: "4855494B41303031", 0x84: "A000000333010101", 0x9F09: "0030",
		0x9F41: "00000017", 0x9F63: "30313034303030310000000000000000", 0x57: "6228480000000001234D30122200000000000F",
		0x5A: "6228480000000001234F", 0x5F34: "01", 0x5F24: "301231", 0x9F6C: usualCTQ, 0x9F66: "27C04080", 0x50: hexText("UNIONPAY"),
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
	// What the issuer sees as TVR is what the card was sent.
	if sent := card.pdolData[tag.TVR]; !bytes.Equal(sent, unhex("0000000000")) {
		t.Errorf("TVR sent %X", sent)
	}
}

func hexText(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(digits[s[i]>>4])
		b.WriteByte(digits[s[i]&15])
	}
	return b.String()
}

func TestSeePhone(t *testing.T) {
	o, _ := runCase(t, kernelCase{card: status(0, "6986")})
	if o.Start != emv.StartB || o.FieldOff != 1300*time.Millisecond || o.UIOutcome.Hold != 1300*time.Millisecond ||
		o.UIRestart == nil || o.UIRestart.Message != emv.MsgPresentAgain || o.UIRestart.Status != emv.StatusReadyToRead {
		t.Errorf("got %+v", o)
	}
}

func TestLostRestartsAtB(t *testing.T) {
	o, _ := runCase(t, kernelCase{card: func(c *scripted) { c.lostAt = 2 }})
	if o.Start != emv.StartB || o.UIRestart == nil || o.UIRestart.Message != emv.MsgPresentAgain || !o.Error.L1 || o.FieldOff >= 0 {
		t.Errorf("got %+v", o)
	}
}

// A reader that fails is an error, not an outcome; and so is an ended context.
func TestReaderFailure(t *testing.T) {
	for _, n := range []int{0, 3} {
		card := newCard(t)
		card.broken = n
		card.personalise()
		_, err := (&Kernel{Config: Config{CAKeys: caStore(t)}}).Process(context.Background(), usualInput(card, 1), card)
		if !errors.Is(err, errReader) {
			t.Errorf("command %d: %v", n, err)
		}
	}
	card := newCard(t)
	card.personalise()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&Kernel{}).Process(ctx, usualInput(card, 1), card); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestUnusableInput(t *testing.T) {
	for name, change := range map[string]func(*emv.Input){
		"no TTQ":              func(in *emv.Input) { in.Indicators.HasTTQ = false },
		"no randomness":       func(in *emv.Input) { in.Rand = nil },
		"randomness runs dry": func(in *emv.Input) { in.Rand = bytes.NewReader(nil) },
		"negative amount":     func(in *emv.Input) { in.Transaction.Amount = pay.Fen(-1) },
	} {
		card := newCard(t)
		in := usualInput(card, 1)
		change(&in)
		if _, err := (&Kernel{}).Process(context.Background(), in, card); err == nil || len(card.commands) != 0 {
			t.Errorf("%s: error %v after %d commands", name, err, len(card.commands))
		}
	}
}

// 9F34 for each outcome of cardholder verification.
func TestCVMResults(t *testing.T) {
	for _, c := range []struct {
		ctq    string
		amount int64
		want   string
	}{{"0000", justBelow, "1F0002"}, {"8000", at, "020000"}, {"4000", at, "1E0000"}, {"0080", at, "010002"}} {
		o, _ := runCase(t, kernelCase{card: ctq(c.ctq), amount: c.amount})
		if got, _ := tlv.Find(o.DataRecord, tag.CVMResults); !bytes.Equal(got, unhex(c.want)) {
			t.Errorf("CTQ %s: 9F34 %X, want %s", c.ctq, got, c.want)
		}
		if o.Receipt != (o.CVM == emv.CVMSignature) {
			t.Errorf("CTQ %s: receipt %v", c.ctq, o.Receipt)
		}
	}
}
