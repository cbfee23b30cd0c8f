package c8

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/tag"
	"huika/emv/tlv"
)

var errReader = errors.New("reader unplugged")

// kernelCase is one tap: what is unusual about card, terminal and configuration, and how it must end.
type kernelCase struct {
	name   string
	amount int64 // 0: 88.80, or above the floor limit for what goes online
	card   func(*scripted)
	input  func(*emv.Input)
	config func(*Config)

	kind      emv.Kind
	cvm       emv.CVM
	oda       emv.ODA
	message   emv.MessageID // of the outcome; 0 none
	l2        string        // error indication
	rcp       string        // reference control parameter of GENERATE AC; "": not sent
	tvr       string        // as sent in CDOL1; "": not looked at
	final     string        // as in the data record; "": not looked at
	start     emv.Start     // 0: none
	alternate emv.Alternate // 0: none
	record    bool          // a data record although the outcome alone would have none
}

func online(name string, cvm emv.CVM) kernelCase {
	return kernelCase{name: name, kind: emv.OnlineRequest, cvm: cvm, oda: emv.ODALocal, message: emv.MsgAuthorising, rcp: "80"}
}

func approved(name string) kernelCase {
	return kernelCase{name: name, amount: floorLimit, kind: emv.Approved, cvm: emv.CVMNone, oda: emv.ODALocal, message: emv.MsgApproved, rcp: "40"}
}

func declined(name, rcp string) kernelCase {
	return kernelCase{name: name, kind: emv.Declined, cvm: emv.CVMNone, oda: emv.ODALocal, message: emv.MsgNotAuthorised, rcp: rcp}
}

func ends(name, l2, rcp string) kernelCase {
	k := kernelCase{name: name, kind: emv.EndApplication, cvm: emv.CVMNotGiven, message: emv.MsgInsertSwipeOrOther, l2: l2, rcp: rcp}
	return k
}

func nextOne(name, l2 string) kernelCase {
	return kernelCase{name: name, kind: emv.SelectNext, cvm: emv.CVMNotGiven, l2: l2, start: emv.StartC}
}

func lost(name, rcp string) kernelCase {
	return kernelCase{name: name, kind: emv.EndApplication, cvm: emv.CVMNotGiven, rcp: rcp, start: emv.StartB}
}

func (k kernelCase) of(amount int64) kernelCase          { k.amount = amount; return k }
func (k kernelCase) sees(tvr string) kernelCase          { k.tvr = tvr; return k }
func (k kernelCase) reports(tvr string) kernelCase       { k.final = tvr; return k }
func (k kernelCase) auth(o emv.ODA) kernelCase           { k.oda = o; return k }
func (k kernelCase) verified(c emv.CVM) kernelCase       { k.cvm = c; return k }
func (k kernelCase) says(m emv.MessageID) kernelCase     { k.message = m; return k }
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

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func TestKernel(t *testing.T) {
	if n := len(kernelCases); n < 100 {
		t.Fatalf("%d cases, want at least 100", n)
	}
	names, kinds := map[string]bool{}, map[emv.Kind]bool{}
	var seen [5]byte
	for _, k := range kernelCases {
		if names[k.name] {
			t.Errorf("two cases are named %q", k.name)
		}
		names[k.name] = true
		t.Run(k.name, func(t *testing.T) {
			o, card := runCase(t, k)
			kinds[o.Kind] = true
			start, alternate := k.start, k.alternate
			if start == 0 {
				start = emv.StartNone
			}
			if alternate == 0 {
				alternate = emv.AlternateNone
			}
			if o.Kind != k.kind || o.CVM != k.cvm || o.ODA != k.oda || o.Error.L2 != k.l2 || o.Start != start || o.Alternate != alternate {
				t.Errorf("got %v, CVM %v, ODA %v, L2 %q, start %02X, alternate %02X: %s (%+v)\nwant %v, CVM %v, ODA %v, L2 %q, start %02X",
					o.Kind, o.CVM, o.ODA, o.Error.L2, o.Start, o.Alternate, o.Reason, o.Error, k.kind, k.cvm, k.oda, k.l2, start)
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
				rcp = upper([]byte{byte(card.rcp)})
			}
			if rcp != k.rcp {
				t.Errorf("GENERATE AC asks for %q, want %q", rcp, k.rcp)
			}
			if tvr := upper(card.cdol[tag.TVR]); k.tvr != "" && tvr != k.tvr {
				t.Errorf("TVR %s, want %s", tvr, k.tvr)
			}
			final, _ := tlv.Find(o.DataRecord, tag.TVR)
			if k.final != "" && upper(final) != k.final {
				t.Errorf("TVR in the data record %X, want %s", final, k.final)
			}
			for _, v := range [][]byte{card.cdol[tag.TVR], final} {
				for i, b := range v {
					seen[i] |= b
				}
			}
			if o.Start == emv.StartB && (o.UIRestart == nil || o.UIRestart.Status != emv.StatusReadyToRead) {
				t.Errorf("a restart without its request: %+v", o.UIRestart)
			}
			if _, there := tlv.Find(o.Discretionary, tag.ErrorIndicationC8); !there {
				t.Error("no error indication")
			}
			if len(card.commands) > MaxCommands {
				t.Errorf("%d commands", len(card.commands))
			}
			whole := o.Kind == emv.Approved || o.Kind == emv.OnlineRequest || o.Kind == emv.Declined || o.Kind == emv.TryAnother
			if (whole || k.record) != (o.DataRecord != nil) {
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
	// Every TVR bit that the kernel can set is set by some case, and one of the card's.
	for i, want := range [5]byte{
		tvr1LocalNotDone | tvr1LocalFailed, 0x40, tvr3CVMFailed | tvr3OnlineCVM, tvr4FloorLimit,
		tvr5Kernel8 | tvr5AIDMismatch | tvr5RelayThreshold | tvr5RelayTime | tvr5RelayDone | tvr5RelayNotDone,
	} {
		if seen[i]&want != want {
			t.Errorf("TVR byte %d: bits %02X were never seen, of %02X", i+1, want&^seen[i], want)
		}
	}
	for _, kind := range []emv.Kind{emv.Approved, emv.Declined, emv.OnlineRequest, emv.EndApplication, emv.SelectNext, emv.TryAnother, emv.TryAgain} {
		if !kinds[kind] {
			t.Errorf("no case ends in %v", kind)
		}
	}
}
