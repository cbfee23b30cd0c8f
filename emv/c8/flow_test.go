package c8

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// The whole way of a tap, command by command.
func TestCommands(t *testing.T) {
	o, card := runCase(t, approved("commands").with(relay(100, 200, 24, way+150)).terminal(withRelay))
	if o.Kind != emv.Approved {
		t.Fatal(o.Kind, o.Reason)
	}
	var ins []byte
	for _, c := range card.commands {
		ins = append(ins, c[1])
	}
	if want := []byte{apdu.InsGPO, apdu.InsExchangeRRD, apdu.InsReadRecord, apdu.InsReadRecord, apdu.InsReadRecord, apdu.InsGenerateAC}; !bytes.Equal(ins, want) {
		t.Errorf("instructions %X, want %X", ins, want)
	}
	if got := upper(card.gpoValues[tag.KernelQualifier]); got != "02800010FFFF0000" {
		t.Errorf("kernel qualifier %s", got)
	}
	if got := upper(card.commands[5][:5]); got != "80AE40002F" {
		t.Errorf("GENERATE AC %s", got)
	}
	want := map[tlv.Tag]string{
		tag.AmountAuthorised: "000000020000", tag.AmountOther: "000000000000", tag.TerminalCountry: "0156", tag.TVR: "0000000082", tag.TransactionCurrency: "0156",
		tag.TransactionDate: "260315", tag.TransactionType: "00", tag.TerminalType: "22", tag.CVMResults: "000000", tag.TransactionTime: "143005",
		tag.RiskManagementData: "4C00000000000000", tag.TerminalCapabilities: "604C10",
	}
	for g, v := range want {
		if upper(card.cdol[g]) != v {
			t.Errorf("CDOL1: %s is %X, want %s", g, card.cdol[g], v)
		}
	}
	if !bytes.Equal(card.cdol[tag.UN], card.entropy[0]) {
		t.Errorf("unpredictable number %X, entropy %X", card.cdol[tag.UN], card.entropy[0])
	}
}

func TestKernelQualifier(t *testing.T) {
	for _, c := range []struct{ pdol, want string }{
		{"9F2B089E40", "02800010FFFF0000"}, {"9F2B059E40", "02800010FF"}, {"9F2B029E40", "0280"}, {"9F2B0A9E40", "02800010FFFF00000000"},
	} {
		_, card := runCase(t, approved("q").with(inFCI(tag.PDOL, c.pdol)))
		if got := upper(card.gpoValues[tag.KernelQualifier]); got != c.want {
			t.Errorf("%s: %s, want %s", c.pdol, got, c.want)
		}
	}
	_, card := runCase(t, online("q", emv.CVMNone).terminal(func(c *Config) { c.Security = 0 }))
	if got := upper(card.gpoValues[tag.KernelQualifier]); got != "02000010FFFF0000" {
		t.Errorf("without local authentication: %s", got)
	}
}

// Above the CVM limit the card is told so.
func TestRiskManagementData(t *testing.T) {
	o, card := runCase(t, online("r", emv.CVMOnlinePIN).of(cvmLimit+1).with(decides("02")).terminal(func(c *Config) { c.RiskData = [8]byte{0xFF, 0x01, 0, 0x80} }))
	if got := upper(card.cdol[tag.RiskManagementData]); got != "6481008000000000" {
		t.Errorf("9F1D %s", got)
	}
	if got := upper(card.cdol[tag.TerminalCapabilities]); got != "606410" {
		t.Errorf("9F33 %s", got)
	}
	if !o.Receipt {
		t.Error("no receipt above the CVM limit")
	}
	if o, _ := runCase(t, online("r", emv.CVMNone).of(cvmLimit)); o.Receipt {
		t.Error("a receipt at the CVM limit")
	}
	if o, _ := runCase(t, approved("r").with(decides("01")).terminal(func(c *Config) { c.CVMNotRequired |= CVMSignature })); !o.Receipt {
		t.Error("a signature without a receipt")
	}
}

func TestCVMResults(t *testing.T) {
	for decision, want := range map[string]string{"00": "3F0001", "01": "1E0000", "02": "020000", "03": "010002", "0F": "3F0001", "FF": "3F0001", "77": "3F0001"} {
		o, _ := runCase(t, online("cvm", 0).of(cvmLimit+1).with(decides(decision)))
		if got, _ := tlv.Find(o.DataRecord, tag.CVMResults); upper(got) != want {
			t.Errorf("decision %s: 9F34 %X, want %s", decision, got, want)
		}
	}
	for decision, want := range map[string]string{"00": "1F0002", "0F": "3F0000"} {
		o, _ := runCase(t, approved("cvm").with(decides(decision)))
		if got, _ := tlv.Find(o.DataRecord, tag.CVMResults); upper(got) != want {
			t.Errorf("decision %s below the limit: 9F34 %X, want %s", decision, got, want)
		}
	}
}

// The data record has each object once, the terminal's from the terminal, and 9F10 with the IAD-MAC in it.
func TestDataRecord(t *testing.T) {
	o, card := runCase(t, online("record", emv.CVMNone).with(inAC(tag.AuthenticatedData, "DF0101AA"), body(tag.PAR, strings.Repeat("35", 29))))
	list, err := tlv.Parse(o.DataRecord)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[tlv.Tag]string{}
	for _, x := range list {
		if _, twice := seen[x.Tag]; twice {
			t.Errorf("%s is there twice", x.Tag)
		}
		seen[x.Tag] = upper(x.Value)
	}
	for g, v := range map[tlv.Tag]string{
		tag.AmountAuthorised: "000000020001", tag.TVR: upper(card.cdol[tag.TVR]), tag.PAN: testPAN, tag.ApplicationCryptogram: "5D016C91005E7CC2", tag.CID: "80",
		tag.ATC: "02E0", tag.AIP: usualAIP, tag.UN: upper(card.cdol[tag.UN]), tag.CVDecision: "00", tag.AuthenticatedData: "DF0101AA", tag.SequenceCounter: "00000017",
		tag.DFName: upper(testAID), tag.CVMResults: "1F0002", tag.TerminalVersion: "0002",
	} {
		if seen[g] != v {
			t.Errorf("%s is %s, want %s", g, seen[g], v)
		}
	}
	mac, _ := tlv.Find(o.Discretionary, tag.IADMAC)
	if want := usualIAD[:48] + upper(mac); len(mac) != 8 || seen[tag.IAD] != want {
		t.Errorf("9F10 is %s, want %s", seen[tag.IAD], want)
	}
	for _, g := range []tlv.Tag{tag.CardKeyData, tag.EDAMAC, tag.ICCCertificate, tag.KernelKeyData} {
		if _, there := seen[g]; there {
			t.Errorf("%s is in the record", g)
		}
	}
	// Where the AIP does not ask for it, 9F10 is the card's.
	o, _ = runCase(t, online("record", emv.CVMNone).with(aip("0108")))
	if iad, _ := tlv.Find(o.DataRecord, tag.IAD); upper(iad) != usualIAD {
		t.Errorf("9F10 is %X", iad)
	}
	o, _ = runCase(t, online("record", emv.CVMNone).with(aip("010C"), inGPO(tag.IADMACOffset, "0A")))
	mac, _ = tlv.Find(o.Discretionary, tag.IADMAC)
	if iad, _ := tlv.Find(o.DataRecord, tag.IAD); upper(iad) != usualIAD[:20]+upper(mac)+usualIAD[36:] {
		t.Errorf("9F10 is %X", iad)
	}
}

// Each try of the relay resistance protocol has its own entropy, and the last one counts.
func TestRelayEntropy(t *testing.T) {
	_, card := runCase(t, approved("relay").with(relay(100, 200, 24, way+251, way+251, way+250)).terminal(withRelay))
	if len(card.entropy) != 3 || bytes.Equal(card.entropy[0], card.entropy[1]) || bytes.Equal(card.entropy[1], card.entropy[2]) || bytes.Equal(card.entropy[0], card.entropy[2]) {
		t.Errorf("entropy %X", card.entropy)
	}
	o, _ := runCase(t, approved("relay").with(relay(100, 200, 24, way+217)).terminal(withRelay))
	for g, want := range map[tlv.Tag]string{tag.RelayTimeExcess: "0011", tag.MeasuredRelayTimeC8: "00D9"} {
		if v, _ := tlv.Find(o.Discretionary, g); upper(v) != want {
			t.Errorf("%s is %X, want %s", g, v, want)
		}
	}
}

// A relay that answers the second try with what it learned at the first is found by the codes.
func TestRelayReplay(t *testing.T) {
	card := newCard(t)
	relay(100, 200, 24, way+900, way+150)(card)
	card.personalise()
	var first []byte
	calls := 0
	card.raw = func(ins byte, r []byte) []byte {
		if ins != apdu.InsExchangeRRD {
			return r
		}
		if calls++; calls == 1 {
			first = bytes.Clone(r)
			return r
		}
		return first // fast, but the answer to another question
	}
	cfg := usualConfig(t, card)
	withRelay(&cfg)
	o, err := (&Kernel{Config: cfg}).Process(context.Background(), usualInput(card, 100), card)
	if err != nil || o.Kind != emv.EndApplication || o.Error.L2 != "EDA MAC failed" {
		t.Errorf("%v %s %+v, %v", o.Kind, o.Reason, o.Error, err)
	}
}

// timed is a reader that measures itself.
type timed struct {
	*scripted
	took time.Duration
}

func (r *timed) TransmitTimed(ctx context.Context, command []byte) ([]byte, time.Duration, error) {
	b, err := r.Transmit(ctx, command)
	return b, r.took, err
}

func TestTimedReader(t *testing.T) {
	for _, c := range []struct {
		took time.Duration
		want byte
	}{{(way + 250) * relayUnit, 0x82}, {(way+250)*relayUnit + relayUnit - 1, 0x82}, {(way + 251) * relayUnit, 0x86}} {
		card := newCard(t)
		relay(100, 200, 24, 0, 0, 0)(card)
		card.personalise()
		cfg := usualConfig(t, card)
		withRelay(&cfg)
		cfg.Clock = nil
		if _, err := (&Kernel{Config: cfg}).Process(context.Background(), usualInput(card, 100), &timed{card, c.took}); err != nil {
			t.Fatal(err)
		}
		if got := card.cdol[tag.TVR][4]; got != c.want {
			t.Errorf("%v: TVR byte 5 %02X, want %02X", c.took, got, c.want)
		}
	}
}

func statusOf(t *testing.T, o emv.Outcome) string {
	read, ok1 := tlv.Find(o.Discretionary, tag.ReadDataStatus)
	write, ok2 := tlv.Find(o.Discretionary, tag.WriteDataStatus)
	if !ok1 || !ok2 {
		t.Error("no read or write data status")
	}
	return upper(read) + upper(write)
}

func TestReadData(t *testing.T) {
	envelope1, envelope10 := "9F811103AABBCC", "9F811A0101"
	tags := []tlv.Tag{tag.DataEnvelope1, tag.DataEnvelope10}
	for _, c := range []struct {
		name   string
		tags   []tlv.Tag
		card   func(*scripted)
		status string
		got    string
		asked  int
	}{
		{"none wanted", nil, nil, "8000", "", 0},
		{"both", tags, nil, "8000", envelope1 + envelope10, 2},
		{"one is not there", append([]tlv.Tag{0x9F8112}, tags...), nil, "0000", envelope1 + envelope10, 3},
		{"a MAC does not match", tags, func(c *scripted) { c.badData = true }, "0000", "", 1},
		{"another envelope than asked for", tags, func(c *scripted) { c.data[tag.DataEnvelope1] = "9F81120101" }, "0000", envelope10, 2},
		{"an object too many", tags, func(c *scripted) { c.data[tag.DataEnvelope1] = envelope1 + envelope10 }, "0000", envelope10, 2},
		{"not TLV", tags, func(c *scripted) { c.data[tag.DataEnvelope1] = "9F8111" }, "0000", envelope10, 2},
		{"refused", tags, status9(apdu.InsReadData, "6985"), "0000", "", 2},
		{"answer too short for a MAC", tags, status9(apdu.InsReadData, "AABB9000"), "0000", "", 1},
		{"a tag that is no envelope", []tlv.Tag{tag.PAN}, nil, "0000", "", 0},
	} {
		k := approved(c.name).terminal(func(cfg *Config) { cfg.Read = c.tags })
		k.card = func(s *scripted) {
			s.data[tag.DataEnvelope1], s.data[tag.DataEnvelope10] = envelope1, envelope10
			if c.card != nil {
				c.card(s)
			}
		}
		o, card := runCase(t, k)
		asked := 0
		for _, cmd := range card.commands {
			if cmd[1] == apdu.InsReadData {
				asked++
			}
		}
		if o.Kind != emv.Approved || asked != c.asked || statusOf(t, o) != c.status || !bytes.HasSuffix(o.Discretionary, unhex(c.got)) {
			t.Errorf("%s: %v, %d asked for, status %s, discretionary data %X", c.name, o.Kind, asked, statusOf(t, o), o.Discretionary)
		}
	}
	_, card := runCase(t, approved("too many").terminal(func(cfg *Config) {
		cfg.Read = make([]tlv.Tag, 0)
		cfg.Read = append(cfg.Read, slices.Repeat(tags, 8)...)
	}))
	if n := len(card.commands); n > MaxCommands || n != 5+MaxReadData {
		t.Errorf("%d commands", n)
	}
	if o, _ := runCase(t, lost("lost at READ DATA", "").with(lostAt(4)).terminal(func(cfg *Config) { cfg.Read = tags })); o.Error.Step != "read data" || o.Start != emv.StartB {
		t.Errorf("lost: %+v", o)
	}
}

func TestWriteData(t *testing.T) {
	one, two := "9F811103AABBCC", "9F811A0101"
	for _, c := range []struct {
		name    string
		list    string
		card    func(*scripted)
		status  string
		written int
	}{
		{"nothing", "", nil, "8000", 0}, {"one", one, nil, "8080", 1}, {"two", one + two, nil, "8080", 2},
		{"a receipt does not match", one + two, func(c *scripted) { c.badWrite = true }, "8000", 1},
		{"refused", one + two, status9(apdu.InsWriteData, "6985"), "8000", 1},
		{"the card has left", one + two, lostAt(5), "8000", 1},
		{"not TLV", one + "9F81", nil, "8000", 1}, {"no envelope", "9F02060000", nil, "8000", 0}, {"too long", "9F811181F4" + string(bytes.Repeat([]byte("00"), 244)), nil, "8000", 0},
	} {
		k := approved(c.name).terminal(func(cfg *Config) { cfg.Write = unhex(c.list) })
		if c.card != nil {
			k.card = c.card
		}
		o, card := runCase(t, k)
		if o.Kind != emv.Approved || statusOf(t, o) != c.status || len(card.written) != c.written || card.more != (c.list != "") {
			t.Errorf("%s: %v %s, status %s, %d written, more %v", c.name, o.Kind, o.Reason, statusOf(t, o), len(card.written), card.more)
		}
		for i, more := range card.moreWrite {
			if c.name == "two" && more != (i == 0) {
				t.Errorf("%s: WRITE DATA %d says more: %v", c.name, i, more)
			}
		}
		if c.written == 2 && (card.written[0].Tag != tag.DataEnvelope1 || upper(card.written[1].Value) != "01") {
			t.Errorf("written %v", card.written)
		}
	}
	_, card := runCase(t, approved("too many").terminal(func(cfg *Config) { cfg.Write = bytes.Repeat(unhex(two), MaxWriteData+1) }))
	if len(card.written) != MaxWriteData {
		t.Errorf("%d written", len(card.written))
	}
	if o, _ := runCase(t, lost("lost", "40").with(lostAt(4)).terminal(func(cfg *Config) { cfg.Write = unhex(one) })); statusOf(t, o) != "8000" {
		t.Errorf("lost at GENERATE AC: status %s", statusOf(t, o))
	}
}

// Outcome parameters beside kind and CVM.
func TestOutcomeParameters(t *testing.T) {
	o, _ := runCase(t, approved("p"))
	if o.FieldOff != emv.FieldOffNone || o.UIOutcome.Hold != 1300*time.Millisecond || string(o.UIOutcome.Language) != "zhen" || o.OnlineResponseData != emv.OnlineNotApplicable || o.RemovalTimeout != 0 {
		t.Errorf("%+v %+v", o, o.UIOutcome)
	}
	if o, _ = runCase(t, approved("p").with(qualifier("0100FFFF800000"))); o.FieldOff != 1300*time.Millisecond {
		t.Errorf("field off %v", o.FieldOff)
	}
	if o, _ = runCase(t, nextOne("p", "").with(qualifier("0100FFFF800000"), status9(apdu.InsGPO, "6985"))); o.FieldOff != emv.FieldOffNone {
		t.Errorf("Select Next: field off %v", o.FieldOff)
	}
	if o, _ = runCase(t, online("p", 0)); o.UIOutcome.Hold != 0 || o.UIOutcome.Status != emv.StatusNotReady {
		t.Errorf("online: %+v", o.UIOutcome)
	}
	o, _ = runCase(t, approved("p").with(restart("2020")))
	if o.UIRestart == nil || o.UIRestart.Message != emv.MsgSeePhone || o.UIRestart.Hold != 0 || o.UIOutcome.Hold == 0 {
		t.Errorf("restart: %+v %+v", o.UIOutcome, o.UIRestart)
	}
	for _, lang := range []string{"7A", "7A6865", "7A68656E7A68656E7A68"} {
		if o, _ := runCase(t, approved("p").with(inFCI(tag.LanguagePreference, lang))); o.UIOutcome == nil || o.UIOutcome.Language != nil {
			t.Errorf("language %s: %+v", lang, o.UIOutcome)
		}
	}
	o, card := runCase(t, ends("p", "", "").with(status9(apdu.InsReadRecord, "6A83")))
	if v, _ := tlv.Find(o.Discretionary, tag.ErrorIndicationC8); upper(v) != "0003006A831C" || o.Error.SW != 0x6A83 {
		t.Errorf("error indication %X", v)
	}
	if len(card.shown) != 0 {
		t.Errorf("shown: %+v", card.shown)
	}
	o, _ = runCase(t, lost("p", "").with(lostAt(1)))
	if v, _ := tlv.Find(o.Discretionary, tag.ErrorIndicationC8); upper(v) != "020000000021" || !o.Error.L1 {
		t.Errorf("error indication %X", v)
	}
}

// Only the terminal's faults are errors.
func TestErrors(t *testing.T) {
	card := newCard(t)
	card.personalise()
	for name, change := range map[string]func(*emv.Input, *Config){
		"negative amount": func(in *emv.Input, _ *Config) { in.Transaction.Amount.Minor = -1 }, "negative other": func(in *emv.Input, _ *Config) { in.Transaction.AmountOther = -1 },
		"no random source": func(in *emv.Input, _ *Config) { in.Rand = nil }, "empty random source": func(in *emv.Input, _ *Config) { in.Rand = bytes.NewReader(nil) },
		"random source ends": func(in *emv.Input, _ *Config) { in.Rand = bytes.NewReader(make([]byte, 10)) }, "acquirer": func(in *emv.Input, _ *Config) { in.Terminal.AcquirerID = "x" },
	} {
		in, cfg := usualInput(card, 1), usualConfig(t, card)
		change(&in, &cfg)
		if o, err := (&Kernel{Config: cfg}).Process(context.Background(), in, card); err == nil {
			t.Errorf("%s: %+v", name, o)
		}
	}
	for n := range 7 {
		card := newCard(t)
		relay(100, 200, 24, way+150)(card)
		card.data[tag.DataEnvelope1] = "9F81110101"
		card.personalise()
		card.broken = n
		cfg := usualConfig(t, card)
		withRelay(&cfg)
		cfg.Read, cfg.Write = []tlv.Tag{tag.DataEnvelope1}, unhex("9F81110102")
		if _, err := (&Kernel{Config: cfg}).Process(context.Background(), usualInput(card, 1), card); !errors.Is(err, errReader) {
			t.Errorf("broken at command %d: %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&Kernel{Config: usualConfig(t, card)}).Process(ctx, usualInput(card, 1), card); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	// The random source ends between two tries of the relay resistance protocol.
	card = newCard(t)
	relay(100, 200, 24, way+900, way+900)(card)
	card.personalise()
	cfg, in := usualConfig(t, card), usualInput(card, 1)
	withRelay(&cfg)
	in.Rand = bytes.NewReader(bytes.Repeat([]byte{0x11}, 36))
	if _, err := (&Kernel{Config: cfg}).Process(context.Background(), in, card); err == nil {
		t.Error("no entropy, no error")
	}
}

func TestAfterOnline(t *testing.T) {
	for _, c := range []struct {
		approved bool
		kind     emv.Kind
		message  emv.MessageID
	}{{true, emv.Approved, emv.MsgApproved}, {false, emv.Declined, emv.MsgNotAuthorised}} {
		o, err := (&Kernel{}).Process(context.Background(), emv.Input{Online: &emv.OnlineResponse{Approved: c.approved}}, nil)
		if err != nil || o.Kind != c.kind || o.UIOutcome.Message != c.message {
			t.Errorf("%v: %+v, %v", c.approved, o, err)
		}
	}
}

// Two taps of one card show nothing that is the same and the card's own.
func TestUnlinkable(t *testing.T) {
	card := newCard(t)
	card.personalise()
	x := card.key.Public().X()
	secret := [][]byte{unhex(testPAN), x[:]}
	air := func() (all []byte) {
		card.raw = func(_ byte, r []byte) []byte { all = append(all, r...); return r }
		card.commands, card.rcp = nil, -1
		in := usualInput(card, 100)
		in.Rand = rand.NewChaCha8([32]byte{byte(len(card.shown))})
		if o, err := (&Kernel{Config: usualConfig(t, card)}).Process(context.Background(), in, card); err != nil || o.Kind != emv.Approved {
			t.Fatal(o.Kind, o.Reason, err)
		}
		return all
	}
	first, second := air(), air()
	for i, s := range secret {
		if bytes.Contains(first, s) || bytes.Contains(second, s) {
			t.Errorf("secret %d was on the air in clear", i)
		}
	}
	certificate, _ := card.records[2].objects.Find(tag.ICCCertificate)
	if bytes.Contains(first, certificate) {
		t.Error("the card's certificate was on the air in clear")
	}
	key := func(all []byte) string {
		body, _ := tlv.Find(all[:len(all):len(all)], tag.ResponseFormat2, tag.CardKeyData)
		return fmt.Sprintf("%X", body)
	}
	if a, b := key(first), key(second); a == b || a == "" {
		t.Errorf("the card's key data are the same twice: %s", a)
	}
}
