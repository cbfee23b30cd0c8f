package c2

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"huika/emv"
	"huika/emv/apdu"
)

var errReader = errors.New("reader unplugged")

// kernelCase is one tap: what is unusual about card, terminal and configuration, and how it must end.
type kernelCase struct {
	name   string
	amount int64 // 0: 88.80
	card   func(*scripted)
	input  func(*emv.Input)
	config func(*Config)

	kind    emv.Kind
	cvm     emv.CVM
	oda     emv.ODA
	message emv.MessageID // of the outcome; 0 none
	l2      string        // error indication
	rcp     string        // reference control parameter of GENERATE AC; "" : not sent
	tvr     string        // as sent in CDOL1; "" : not looked at
	start   emv.Start     // 0: none
	record  bool          // a data record although the outcome alone would have none
}

func online(name string, cvm emv.CVM) kernelCase {
	return kernelCase{name: name, kind: emv.OnlineRequest, cvm: cvm, oda: emv.ODACDA, message: emv.MsgAuthorising, rcp: "90"}
}

func approved(name string) kernelCase {
	return kernelCase{name: name, amount: floorLimit, kind: emv.Approved, cvm: emv.CVMNone, oda: emv.ODACDA, message: emv.MsgApproved, rcp: "50"}
}

func declined(name string, kind emv.Kind, rcp string) kernelCase {
	k := kernelCase{name: name, kind: kind, cvm: emv.CVMNone, message: emv.MsgInsertCard, rcp: rcp}
	if kind == emv.Declined {
		k.message = emv.MsgNotAuthorised
	}
	return k
}

func ends(name, l2, rcp string) kernelCase {
	return kernelCase{name: name, kind: emv.EndApplication, cvm: emv.CVMNotGiven, message: emv.MsgInsertSwipeOrOther, l2: l2, rcp: rcp}
}

func nextOne(name, l2 string) kernelCase {
	return kernelCase{name: name, kind: emv.SelectNext, cvm: emv.CVMNotGiven, l2: l2, start: emv.StartC}
}

func lost(name, rcp string) kernelCase {
	return kernelCase{name: name, kind: emv.EndApplication, cvm: emv.CVMNotGiven, rcp: rcp, start: emv.StartB}
}

func (k kernelCase) of(amount int64) kernelCase          { k.amount = amount; return k }
func (k kernelCase) sees(tvr string) kernelCase          { k.tvr = tvr; return k }
func (k kernelCase) auth(o emv.ODA) kernelCase           { k.oda = o; return k }
func (k kernelCase) asks(rcp string) kernelCase          { k.rcp = rcp; return k }
func (k kernelCase) in(f func(*emv.Input)) kernelCase    { k.input = f; return k }
func (k kernelCase) terminal(f func(*Config)) kernelCase { k.config = f; return k }
func (k kernelCase) with(fs ...func(*scripted)) kernelCase {
	k.card = func(c *scripted) {
		for _, f := range fs {
			f(c)
		}
	}
	return k
}

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
	if k.kind == emv.OnlineRequest && k.amount == 0 {
		amount = floorLimit + 1
	}
	in := usualInput(card, amount)
	if k.input != nil {
		k.input(&in)
	}
	kernel := &Kernel{Config: usualConfig(t, card)}
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
	if n := len(kernelCases); n < 100 {
		t.Fatalf("%d cases, want at least 100", n)
	}
	names := map[string]bool{}
	for _, k := range kernelCases {
		if names[k.name] {
			t.Errorf("two cases are named %q", k.name)
		}
		names[k.name] = true
		t.Run(k.name, func(t *testing.T) {
			o, card := runCase(t, k)
			start := k.start
			if start == 0 {
				start = emv.StartNone
			}
			if o.Kind != k.kind || o.CVM != k.cvm || o.ODA != k.oda || o.Error.L2 != k.l2 || o.Start != start {
				t.Errorf("got %v, CVM %v, ODA %v, L2 %q, start %02X: %s\nwant %v, CVM %v, ODA %v, L2 %q, start %02X",
					o.Kind, o.CVM, o.ODA, o.Error.L2, o.Start, o.Reason, k.kind, k.cvm, k.oda, k.l2, start)
			}
			var shown emv.MessageID
			if o.UIOutcome != nil {
				shown = o.UIOutcome.Message
			}
			if shown != k.message {
				t.Errorf("message %v, want %v", shown, k.message)
			}
			rcp := ""
			if card.rcp >= 0 {
				rcp = strings.ToUpper(hex.EncodeToString([]byte{byte(card.rcp)}))
			}
			if rcp != k.rcp {
				t.Errorf("GENERATE AC asks for %q, want %q", rcp, k.rcp)
			}
			if tvr := strings.ToUpper(hex.EncodeToString(card.cdol[0x95])); k.tvr != "" && tvr != k.tvr {
				t.Errorf("TVR %s, want %s", tvr, k.tvr)
			}
			if o.Start == emv.StartB && (o.UIRestart == nil || o.UIRestart.Status != emv.StatusReadyToRead) {
				t.Errorf("a restart without its request: %+v", o.UIRestart)
			}
			if len(o.Discretionary) == 0 {
				t.Error("no discretionary data")
			}
			if len(card.commands) > MaxCommands {
				t.Errorf("%d commands", len(card.commands))
			}
			whole := o.Kind == emv.Approved || o.Kind == emv.OnlineRequest || o.Kind == emv.Declined || o.Kind == emv.TryAnother
			if (whole || k.record) != (o.DataRecord != nil) && o.Error.Step != "pcii" {
				t.Errorf("data record present: %v", o.DataRecord != nil)
			}
			if whole && (len(card.shown) == 0 || card.shown[0].Status != emv.StatusCardReadOK) {
				t.Errorf("card read OK was not shown: %+v", card.shown)
			}
			for i, cmd := range card.commands {
				if (i == 0) != (cmd[1] == apdu.InsGPO) {
					t.Errorf("command %d is %X", i, cmd)
				}
			}
		})
	}
}

// tvrBits are the bits of the TVR that this kernel sets (terminal.go), each with the name that Book C-2 gives it.
var tvrBits = []struct {
	at   int
	mask byte
	name string
}{
	{0, tvr1NoODA, "offline data authentication was not performed"}, {0, tvr1ICCDataMissing, "ICC data missing"},
	{0, tvr1ExceptionFile, "card in the exception file"}, {0, tvr1CDAFailed, "CDA failed"}, {1, tvr2Versions, "application versions differ"},
	{1, tvr2Expired, "expired application"}, {1, tvr2NotYetEffective, "not yet effective"}, {1, tvr2NotAllowed, "service not allowed"},
	{2, tvr3CVMFailed, "cardholder verification failed"}, {2, tvr3UnrecognisedCVM, "unrecognised CVM"}, {2, tvr3OnlinePIN, "online PIN entered"},
	{3, tvr4FloorLimit, "floor limit exceeded"}, {4, tvr5RelayThreshold, "relay resistance threshold exceeded"},
	{4, tvr5RelayTime, "relay resistance time limits exceeded"}, {4, tvr5RelayDone, "relay resistance performed"}, {4, tvr5RelayNotDone, "relay resistance not performed"},
}

// Every bit of the TVR that the kernel can set reaches a card in some case, also
// clear in another, and every outcome and CVM is some case's.
func TestEveryBitAndOutcome(t *testing.T) {
	var set, clear [5]byte
	kinds, cvms, odas := map[emv.Kind]int{}, map[emv.CVM]int{}, map[emv.ODA]int{}
	for _, k := range kernelCases {
		o, card := runCase(t, k)
		kinds[o.Kind]++
		cvms[o.CVM]++
		odas[o.ODA]++
		if tvr := card.cdol[0x95]; len(tvr) == len(set) {
			for i, b := range tvr {
				set[i] |= b
				clear[i] |= ^b
			}
		}
	}
	var known [5]byte
	for _, b := range tvrBits {
		known[b.at] |= b.mask
		if set[b.at]&b.mask == 0 || clear[b.at]&b.mask == 0 {
			t.Errorf("TVR byte %d bit %02X (%s): set by a case %v, clear in one %v", b.at+1, b.mask, b.name, set[b.at]&b.mask != 0, clear[b.at]&b.mask != 0)
		}
	}
	for i := range set {
		if set[i]&^known[i] != 0 {
			t.Errorf("TVR byte %d: bits %02X that the table does not name", i+1, set[i]&^known[i])
		}
	}
	for _, k := range []emv.Kind{emv.Approved, emv.Declined, emv.OnlineRequest, emv.EndApplication, emv.SelectNext, emv.TryAnother, emv.TryAgain} {
		if kinds[k] == 0 {
			t.Errorf("no case ends in %v", k)
		}
	}
	for _, c := range []emv.CVM{emv.CVMNone, emv.CVMSignature, emv.CVMOnlinePIN, emv.CVMConfirmed, emv.CVMNotGiven} {
		if cvms[c] == 0 {
			t.Errorf("no case has CVM %v", c)
		}
	}
	for _, a := range []emv.ODA{emv.ODANone, emv.ODACDA, emv.ODAFailed} {
		if odas[a] == 0 {
			t.Errorf("no case has data authentication %v", a)
		}
	}
	t.Logf("%d cases: outcomes %v, CVM %v, authentication %v, TVR bits %X", len(kernelCases), kinds, cvms, odas, set)
}
