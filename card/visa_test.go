package card_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"huika/card"
	"huika/card/perso"
	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

var visaAID = []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}

// makeVisa makes a card by name, with changed personalisation where change is given.
func makeVisa(t testing.TB, name string, s card.State, change func(*card.VisaData)) *card.Visa {
	t.Helper()
	d, err := perso.TestIssuer().VisaData(name)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&d)
	}
	c, err := card.NewVisa(d, s, seeded())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Sixteen taps of one card: the counter counts, each answer fits one response, and the CTQ is signed.
func TestVisaExchange(t *testing.T) {
	for _, name := range []string{"visa", "visa-phone", "visa-watch"} {
		for _, version := range []cryptogram.Visa{cryptogram.VisaCVN10, cryptogram.VisaCVN17, cryptogram.VisaCVN18, cryptogram.VisaCVN22} {
			c := makeVisa(t, name, card.NewMemoryState(), func(d *card.VisaData) { d.Version, d.SendCID = version, true })
			for n := range 4 {
				p := drive(t, c, map[tlv.Tag]string{tag.TTQ: "27C04000"})
				o := p.objects
				if !bytes.Equal(o[tag.ATC], []byte{0, byte(n + 1)}) || p.longest > 256 || !bytes.Equal(o[tag.CID], []byte{0x80}) {
					t.Errorf("%s %v: ATC %X, longest answer %d, CID %X", name, version, o[tag.ATC], p.longest, o[tag.CID])
				}
				iad, err := cryptogram.ParseVisaIAD(o[tag.IAD])
				if err != nil || iad.Version != version || iad.CVR.Type() != cryptogram.ARQC || !iad.CVR.DDA() || iad.CVR.CDCVM() != (name != "visa") || iad.CVR.OnlinePIN() != (name == "visa") {
					t.Errorf("%s: CVR %+v %v", name, iad, err)
				}
				auth := o[tag.CardAuthData]
				if len(auth) != 7 || auth[0] != 1 || !bytes.Equal(auth[5:], o[tag.CTQ]) {
					t.Errorf("%s: 9F69 %X, CTQ %X", name, auth, o[tag.CTQ])
				}
				for g := range map[tlv.Tag]bool{tag.SDAD: true, tag.ICCCertificate: true, tag.IssuerCertificate: true, tag.FormFactor: true} {
					if len(o[g]) == 0 {
						t.Errorf("%s: %s is missing", name, g)
					}
				}
			}
		}
	}
}

// What a policy makes of each terminal.
func TestVisaCTQ(t *testing.T) {
	all := card.VisaPolicy{SwitchIfODAFails: true, OnlineIfExpired: true, SwitchForCash: true, SwitchForCashback: true, IssuerUpdate: true,
		Policy: card.Policy{OnlineIfODAFails: true, Signature: true}}
	for _, c := range []struct {
		policy card.VisaPolicy
		ttq    [4]byte
		want   [2]byte
	}{
		{card.VisaPolicy{}, [4]byte{0x26, 0x40}, [2]byte{0x80, 0}}, {card.VisaPolicy{}, [4]byte{0x26, 0}, [2]byte{0, 0}},
		{all, [4]byte{0x26, 0}, [2]byte{0x3E, 0x40}}, {all, [4]byte{0x22, 0x40}, [2]byte{0x7E, 0x40}},
		{card.VisaPolicy{Policy: card.Policy{CDCVM: true}}, [4]byte{0x26, 0x40}, [2]byte{0, 0x80}},
	} {
		if got := c.policy.CTQ(c.ttq); got != c.want {
			t.Errorf("%+v at %X: %X, want %X", c.policy, c.ttq, got, c.want)
		}
	}
}

// Which cryptogram the card gives, at, below and above its offline limit.
func TestVisaCryptogramType(t *testing.T) {
	for _, c := range []struct {
		limit       int64
		amount, ttq string
		want        byte
		signed      bool
	}{
		{0, "000000000001", "26000000", 0x80, false}, {0, "000000000001", "27000000", 0x80, true}, {0, "000000000001", "28000000", 0x00, false},
		{8880, "000000008879", "26000000", 0x40, true}, {8880, "000000008880", "26000000", 0x40, true}, {8880, "000000008881", "26000000", 0x80, false},
		{8880, "000000008880", "26800000", 0x80, false}, {8880, "000000008881", "28000000", 0x00, false}, {8880, "000000008880", "28000000", 0x40, true},
	} {
		x := makeVisa(t, "visa", card.NewMemoryState(), func(d *card.VisaData) {
			d.Policy.OfflineLimit, d.Policy.OfflineCurrency = c.limit, [2]byte{1, 0x56}
		})
		o := drive(t, x, map[tlv.Tag]string{tag.TTQ: c.ttq, tag.AmountAuthorised: c.amount}).objects
		if !bytes.Equal(o[tag.CID], []byte{c.want}) || (len(o[tag.SDAD]) > 0) != c.signed || (len(o[tag.ICCCertificate]) > 0) != c.signed {
			t.Errorf("limit %d, %s, TTQ %s: CID %X, signed %v", c.limit, c.amount, c.ttq, o[tag.CID], len(o[tag.SDAD]) > 0)
		}
		if (c.want == 0) != (len(o[tag.AFL]) == 0) {
			t.Errorf("limit %d, %s: AFL %X", c.limit, c.amount, o[tag.AFL])
		}
	}
}

func TestVisaStatusWords(t *testing.T) {
	gpo, _ := pdolData(t, card.PDOL, nil)
	magStripe, _ := pdolData(t, card.PDOL, map[tlv.Tag]string{tag.TTQ: "86C04000"})
	ready := [][]byte{apdu.Select(visaAID, false), apdu.GPO(gpo)}
	again := append(ready[:2:2], apdu.Select(visaAID, false))
	auth := apdu.Command{INS: apdu.InsExternalAuth, Data: make([]byte, 10), Le: -1}.Append(nil)
	short := apdu.Command{INS: apdu.InsExternalAuth, Data: make([]byte, 7), Le: -1}.Append(nil)
	block := apdu.Command{CLA: 0x84, INS: 0x1E, Data: make([]byte, 8), Le: -1}.Append(nil)
	for _, c := range []struct {
		name    string
		before  [][]byte
		command []byte
		sw      uint16
	}{
		{"GPO before SELECT", nil, apdu.GPO(gpo), 0x6985},
		{"GPO twice", ready, apdu.GPO(gpo), 0x6985},
		{"GPO after a new SELECT", again, apdu.GPO(gpo), 0x9000},
		{"GPO of a mag-stripe reader", ready[:1], apdu.GPO(magStripe), 0x6985},
		{"GPO with P1", ready[:1], append([]byte{0x80, 0xA8, 1}, apdu.GPO(gpo)[3:]...), 0x6A86},
		{"GPO one byte short", ready[:1], apdu.GPO(gpo[1:]), 0x6700},
		{"READ RECORD before GPO", ready[:1], apdu.ReadRecord(2, 1), 0x6985},
		{"unknown AID", nil, apdu.Select([]byte{0xA0, 0, 0, 0, 4, 0x10, 0x10}, false), 0x6A82},
		{"beginning of the AID", nil, apdu.Select(visaAID[:5], false), 0x9000},
		{"next occurrence", ready[:1], apdu.Select(visaAID, true), 0x6A82},
		{"SELECT by file identifier", nil, []byte{0, 0xA4, 0, 0, 2, 0x3F, 0, 0}, 0x6A86},
		{"SELECT without name", nil, []byte{0, 0xA4, 4, 0, 0}, 0x6700},
		{"unknown file", ready, apdu.ReadRecord(9, 1), 0x6A82},
		{"unknown record", ready, apdu.ReadRecord(3, 3), 0x6A83},
		{"unknown record of the last file", ready, apdu.ReadRecord(4, 2), 0x6A83},
		{"record 0", ready, apdu.ReadRecord(2, 0), 0x6A86},
		{"READ RECORD with data", ready, []byte{0, 0xB2, 1, 0x14, 1, 1}, 0x6700},
		{"EXTERNAL AUTHENTICATE before a cryptogram", ready[:1], auth, 0x6985},
		{"EXTERNAL AUTHENTICATE without a new SELECT", ready, auth, 0x6985},
		{"EXTERNAL AUTHENTICATE with wrong data", again, auth, 0x6300},
		{"EXTERNAL AUTHENTICATE too short", again, short, 0x6700},
		{"EXTERNAL AUTHENTICATE with P1", again, append([]byte{0, 0x82, 1}, auth[3:]...), 0x6A86},
		{"script before a cryptogram", ready[:1], block, 0x6985},
		{"script with a wrong MAC", again, block, 0x6988},
		{"script in class 80", again, append([]byte{0x80}, block[1:]...), 0x6E00},
		{"SELECT in class 84", nil, append([]byte{0x84}, apdu.Select(visaAID, false)[1:]...), 0x6E00},
		{"unknown class", nil, []byte{0x90, 0xA4, 4, 0}, 0x6E00},
		{"GENERATE AC", ready, []byte{0x80, 0xAE, 0x80, 0, 0}, 0x6D00},
		{"three bytes", nil, []byte{0, 0xA4, 4}, 0x6700},
		{"Le too small", nil, append(apdu.Select(visaAID, false)[:12:12], 5), 0x6C00},
	} {
		x := makeVisa(t, "visa", card.NewMemoryState(), nil)
		for _, b := range c.before {
			send(t, x, b, 0x9000)
		}
		r, err := apdu.ParseResponse(x.Transmit(c.command))
		if c.sw == 0x6C00 {
			r.SW &= 0xFF00
		}
		if err != nil || r.SW != c.sw {
			t.Errorf("%s: SW %04X, want %04X (%v)", c.name, r.SW, c.sw, err)
		}
	}
	locked := makeVisa(t, "visa-phone-locked", card.NewMemoryState(), nil)
	send(t, locked, apdu.Select(visaAID, false), 0x9000)
	send(t, locked, apdu.GPO(gpo), 0x6986)
}

// Scripts with their MAC: limit, block, unblock; and what is refused says so in the next CVR.
func TestVisaScripts(t *testing.T) {
	s := card.NewMemoryState()
	x := makeVisa(t, "visa", s, func(d *card.VisaData) { d.Policy.OfflineCurrency = [2]byte{1, 0x56} })
	d, err := perso.TestIssuer().VisaData("visa")
	if err != nil {
		t.Fatal(err)
	}
	command := func(ac []byte, atc uint16, macLen int, ins, p1, p2 byte, data ...byte) []byte {
		key, err := d.Version.ScriptKey(d.ScriptK, atc)
		if err != nil {
			t.Fatal(err)
		}
		header := []byte{0x84, ins, p1, p2, byte(len(data) + macLen)}
		mac, err := d.Version.ScriptMAC(key, header, atc, [8]byte(ac), data)
		if err != nil {
			t.Fatal(err)
		}
		return append(append(header, data...), mac[:macLen]...)
	}
	online := map[tlv.Tag]string{tag.TTQ: "26800000"}
	offline := map[tlv.Tag]string{tag.TTQ: "26000000"}
	o := drive(t, x, online).objects
	ac := bytes.Clone(o[tag.ApplicationCryptogram])
	send(t, x, apdu.Select(visaAID, false), 0x9000)
	send(t, x, command(ac, 1, 8, apdu.InsPutData, 0x9F, 0x54, 0, 0, 0, 0, 0x88, 0x80), 0x9000)
	send(t, x, command(ac, 1, 4, apdu.InsPutData, 0x9F, 0x55, 0, 0, 0, 0, 0x88, 0x80), 0x6A88)
	send(t, x, command(ac, 1, 3, 0x1E, 0, 0), 0x6988)
	send(t, x, command(ac, 1, 4, 0x1E, 1, 0), 0x6A86)
	send(t, x, command(ac, 2, 8, 0x1E, 0, 0), 0x6988)
	o = drive(t, x, offline).objects
	if iad, err := cryptogram.ParseVisaIAD(o[tag.IAD]); err != nil || iad.CVR.Type() != cryptogram.TC || !iad.CVR.ScriptFailed() {
		t.Errorf("after PUT DATA: %+v %v", iad, err)
	}
	ac = bytes.Clone(o[tag.ApplicationCryptogram])
	send(t, x, apdu.Select(visaAID, false), 0x9000)
	send(t, x, command(ac, 2, 4, 0x1E, 0, 0), 0x9000)
	gpo, _ := pdolData(t, card.PDOL, nil)
	send(t, x, apdu.Select(visaAID, false), 0x9000)
	send(t, x, apdu.GPO(gpo), 0x6985)
	send(t, x, command(ac, 2, 8, 0x18, 0, 0), 0x9000)
	send(t, x, apdu.GPO(gpo), 0x9000)
	if n, err := s.Load(); err != nil || n.ATC != 3 {
		t.Errorf("counter %d %v", n.ATC, err)
	}
}

// The counter's end and a state that can't be kept: no cryptogram.
func TestVisaCounter(t *testing.T) {
	gpo, _ := pdolData(t, card.PDOL, nil)
	s := card.NewMemoryState()
	if err := s.Save(card.Counters{ATC: 0xFFFE}); err != nil {
		t.Fatal(err)
	}
	x := makeVisa(t, "visa", s, nil)
	send(t, x, apdu.Select(visaAID, false), 0x9000)
	send(t, x, apdu.GPO(gpo), 0x9000)
	send(t, x, apdu.Select(visaAID, false), 0x9000)
	send(t, x, apdu.GPO(gpo), 0x6985)
	x = makeVisa(t, "visa", brokenState{}, nil)
	send(t, x, apdu.Select(visaAID, false), 0x9000)
	send(t, x, apdu.GPO(gpo), 0x6985)
}

// brokenState can be read and not written.
type brokenState struct{}

func (brokenState) Load() (card.Counters, error) { return card.Counters{}, nil }
func (brokenState) Save(card.Counters) error     { return errors.New("disk full") }

func TestNewVisaRefuses(t *testing.T) {
	good := func() card.VisaData {
		d, err := perso.TestIssuer().VisaData("visa")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	big, err := oda.GenerateKey(seeded(), 1040, 3)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*card.VisaData){
		"AID":            func(d *card.VisaData) { d.AID = nil },
		"key":            func(d *card.VisaData) { d.Key = nil },
		"long key":       func(d *card.VisaData) { d.Key = big },
		"UDK":            func(d *card.VisaData) { d.UDK = pay.Secret{} },
		"version":        func(d *card.VisaData) { d.Version = 0x0C },
		"track 2":        func(d *card.VisaData) { d.Track2 = make([]byte, 20) },
		"form factor":    func(d *card.VisaData) { d.FormFactor = []byte{1} },
		"program id":     func(d *card.VisaData) { d.ProgramID = make([]byte, 17) },
		"no records":     func(d *card.VisaData) { d.Records = nil },
		"many records":   func(d *card.VisaData) { d.Records = append(d.Records, d.Records...) },
		"SFI":            func(d *card.VisaData) { d.LastSFI = 31 },
		"same SFI":       func(d *card.VisaData) { d.LastSFI = d.Records[0].SFI },
		"long record":    func(d *card.VisaData) { d.Records[0].Body = make([]byte, 251) },
		"long last body": func(d *card.VisaData) { d.LastBody = make([]byte, 241) },
	} {
		d := good()
		spoil(&d)
		if _, err := card.NewVisa(d, card.NewMemoryState(), seeded()); !errors.Is(err, card.ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := card.NewVisa(good(), nil, seeded()); !errors.Is(err, card.ErrData) {
		t.Errorf("state: %v", err)
	}
	x := makeVisa(t, "visa", card.NewMemoryState(), nil)
	if s := fmt.Sprintf("%v %+v %#v", x, good(), x); s != "[secret] [secret] [secret]" {
		t.Errorf("prints as %s", s)
	}
	if a := x.ATR(); len(a) < 4 || a[0] != 0x3B {
		t.Errorf("ATR %X", a)
	}
}

// Any bytes get an answer with a status word, and never a second cryptogram under one counter.
func FuzzVisaTransmit(f *testing.F) {
	gpo, _ := pdolData(f, card.PDOL, nil)
	f.Add(apdu.Select([]byte(card.PPSE), false), apdu.Select(visaAID, false), apdu.GPO(gpo))
	f.Add(apdu.Select(visaAID, false), apdu.GPO(gpo), apdu.ReadRecord(4, 1))
	f.Add(apdu.Select(visaAID, false), apdu.GPO(gpo), apdu.GPO(gpo))
	f.Add(apdu.GPO(gpo), apdu.Select(visaAID, false), apdu.Command{INS: apdu.InsExternalAuth, Data: make([]byte, 8), Le: -1}.Append(nil))
	f.Add(apdu.GPO(gpo), apdu.Select(visaAID, false), apdu.Command{CLA: 0x84, INS: apdu.InsPutData, P1: 0x9F, P2: 0x54, Data: make([]byte, 14), Le: -1}.Append(nil))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		s := card.NewMemoryState()
		x := makeVisa(t, "visa", s, nil)
		cryptograms := 0
		for _, command := range [][]byte{apdu.Select(visaAID, false), a, b, c} {
			r := x.Transmit(command)
			if len(r) < 2 || len(r) > 258 {
				t.Fatalf("answer of %d bytes", len(r))
			}
			if _, ok := tlv.Find(r[:len(r)-2], tag.ResponseFormat2, tag.ApplicationCryptogram); ok {
				cryptograms++
			}
		}
		if n, err := s.Load(); err != nil || int(n.ATC) < cryptograms {
			t.Fatalf("%d cryptograms under counter %d", cryptograms, n.ATC)
		}
	})
}
