package card_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"huika/card"
	"huika/card/perso"
	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// chipCard makes an American Express, JCB or Discover card by name, with changed personalisation where change is given.
func chipCard(t testing.TB, name string, s card.State, change func(*card.ChipData)) perso.Contactless {
	t.Helper()
	i := perso.TestIssuer()
	if change == nil {
		change = func(*card.ChipData) {}
	}
	must := func(c perso.Contactless, err error) perso.Contactless {
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	switch name[:3] {
	case "ame":
		d, err := i.AmexData(name)
		if err != nil {
			t.Fatal(err)
		}
		change(&d.ChipData)
		return must(card.NewAmex(d, s))
	case "jcb":
		d, err := i.JCBData(name)
		if err != nil {
			t.Fatal(err)
		}
		change(&d.ChipData)
		return must(card.NewJCB(d, s))
	}
	d, err := i.DiscoverData(name)
	if err != nil {
		t.Fatal(err)
	}
	change(&d.ChipData)
	return must(card.NewDiscover(d, s))
}

func acCommand(p1 byte, data []byte) []byte {
	return apdu.Command{CLA: 0x80, INS: apdu.InsGenerateAC, P1: p1, Data: data, Le: 256}.Append(nil)
}

// listed builds the data for a list of the card out of what the test's terminal has.
func listed(t testing.TB, list []byte, change map[tlv.Tag]string) []byte {
	t.Helper()
	data, _ := pdolData(t, list, change)
	return data
}

// Sixteen taps of one card: the counter counts, each answer fits one response, and the cryptogram is the issuer's.
func TestChipExchange(t *testing.T) {
	for _, name := range []string{"amex", "amex-phone", "amex-watch", "jcb", "jcb-phone", "jcb-watch", "discover", "discover-phone", "discover-watch"} {
		c := chipCard(t, name, card.NewMemoryState(), nil)
		for n := range 16 {
			p := drive(t, c, map[tlv.Tag]string{tag.TTQ: "27C04000", tag.Interchange: "F08000"})
			o := p.objects
			if name[0] != 'd' {
				b := send(t, c, acCommand(0x90, listed(t, o[tag.CDOL1], map[tlv.Tag]string{tag.Interchange: "F08000"})), 0x9000)
				p.longest = max(p.longest, len(b))
				if err := tlv.Walk(b, func(_ int, x tlv.TLV) error { o[x.Tag] = x.Value; return nil }); err != nil {
					t.Fatal(err)
				}
				if len(o[tag.SDAD]) == 0 || len(o[tag.ApplicationCryptogram]) != 0 {
					t.Errorf("%s: not signed, or with a cryptogram beside the signature", name)
				}
			} else if len(o[tag.AFL]) != 0 || len(o[tag.ApplicationCryptogram]) != 8 {
				t.Errorf("%s: AFL %X", name, o[tag.AFL])
			}
			if !bytes.Equal(o[tag.ATC], []byte{0, byte(n + 1)}) || p.longest > 256 || !bytes.Equal(o[tag.CID], []byte{0x80}) {
				t.Errorf("%s: ATC %X, longest answer %d, CID %X", name, o[tag.ATC], p.longest, o[tag.CID])
			}
		}
	}
}

func TestDiscoverCPR(t *testing.T) {
	for _, c := range []struct {
		policy card.DiscoverPolicy
		ttq    [4]byte
		want   [2]byte
	}{
		{card.DiscoverPolicy{}, [4]byte{0x26, 0x40}, [2]byte{0x80, 0}}, {card.DiscoverPolicy{}, [4]byte{0x26, 0}, [2]byte{}},
		{card.DiscoverPolicy{}, [4]byte{0x22, 0x40}, [2]byte{0x80, 0}}, {card.DiscoverPolicy{Signature: true}, [4]byte{0x26, 0x40}, [2]byte{0x80, 0x02}},
		{card.DiscoverPolicy{Signature: true}, [4]byte{0x22, 0x40}, [2]byte{0x40, 0x02}}, {card.DiscoverPolicy{CDCVM: true}, [4]byte{0x26, 0x40}, [2]byte{0x10, 0}},
	} {
		if got := c.policy.CPR(c.ttq); got != c.want {
			t.Errorf("%+v at %X: %X, want %X", c.policy, c.ttq, got, c.want)
		}
	}
}

// Which cryptogram a Discover card gives, at, below and above its offline limit.
func TestDiscoverCryptogramType(t *testing.T) {
	for _, c := range []struct {
		limit       int64
		amount, ttq string
		want        byte
	}{
		{0, "000000000001", "26000000", 0x80}, {0, "000000000001", "28000000", 0x00}, {8880, "000000008879", "26000000", 0x40},
		{8880, "000000008880", "26000000", 0x40}, {8880, "000000008881", "26000000", 0x80}, {8880, "000000008880", "26800000", 0x80},
		{8880, "000000008881", "28000000", 0x00}, {8880, "000000008880", "28000000", 0x40},
	} {
		d, err := perso.TestIssuer().DiscoverData("discover")
		if err != nil {
			t.Fatal(err)
		}
		d.Policy.OfflineLimit = c.limit
		x, err := card.NewDiscover(d, card.NewMemoryState())
		if err != nil {
			t.Fatal(err)
		}
		o := drive(t, x, map[tlv.Tag]string{tag.TTQ: c.ttq, tag.AmountAuthorised: c.amount}).objects
		signed := c.want == 0x40
		if !bytes.Equal(o[tag.CID], []byte{c.want}) || (len(o[tag.SDAD]) > 0) != signed || (len(o[tag.ICCCertificate]) > 0) != signed || (len(o[tag.ApplicationCryptogram]) > 0) == signed {
			t.Errorf("limit %d, %s, TTQ %s: CID %X, signed %v", c.limit, c.amount, c.ttq, o[tag.CID], len(o[tag.SDAD]) > 0)
		}
	}
}

// Which cryptogram the others give: never more than was asked for, a TC up to their limit.
func TestGeneratedType(t *testing.T) {
	for _, c := range []struct {
		p1, want byte
		amount   string
	}{
		{0x00, 0x00, "000000000001"}, {0x80, 0x80, "000000000001"}, {0x90, 0x80, "000000000001"}, {0x40, 0x40, "000000004999"},
		{0x40, 0x40, "000000005000"}, {0x50, 0x80, "000000005001"},
	} {
		a, err := perso.TestIssuer().AmexData("amex")
		if err != nil {
			t.Fatal(err)
		}
		j, err := perso.TestIssuer().JCBData("jcb")
		if err != nil {
			t.Fatal(err)
		}
		a.Policy.OfflineLimit, j.Policy.OfflineLimit = 5000, 5000
		amex, err := card.NewAmex(a, card.NewMemoryState())
		if err != nil {
			t.Fatal(err)
		}
		jcb, err := card.NewJCB(j, card.NewMemoryState())
		if err != nil {
			t.Fatal(err)
		}
		for name, x := range map[string]perso.Contactless{"amex": amex, "jcb": jcb} {
			o := drive(t, x, nil).objects
			b := send(t, x, acCommand(c.p1, listed(t, o[tag.CDOL1], map[tlv.Tag]string{tag.AmountAuthorised: c.amount})), 0x9000)
			if cid, _ := tlv.Find(b, tag.ResponseFormat2, tag.CID); !bytes.Equal(cid, []byte{c.want}) {
				t.Errorf("%s, P1 %02X, %s: CID %X", name, c.p1, c.amount, cid)
			}
			send(t, x, acCommand(c.p1, listed(t, o[tag.CDOL1], nil)), 0x6985)
		}
	}
}

// A card's choice of cardholder verification by what the terminal offers.
func TestJCBStatus(t *testing.T) {
	for _, c := range []struct {
		name, tip string
		want      byte
	}{
		{"jcb", "708000", 0x00}, {"jcb", "F08000", 0x20}, {"jcb", "D08000", 0x10}, {"jcb", "908000", 0x00}, {"jcb-phone", "708000", 0x30}, {"jcb-phone", "F08000", 0x30},
	} {
		x := chipCard(t, c.name, card.NewMemoryState(), nil)
		o := drive(t, x, nil).objects
		b := send(t, x, acCommand(0x80, listed(t, o[tag.CDOL1], map[tlv.Tag]string{tag.Interchange: c.tip})), 0x9000)
		if v, _ := tlv.Find(b, tag.ResponseFormat2, tag.CVMStatus); !bytes.Equal(v, []byte{c.want}) {
			t.Errorf("%s at %s: 9F50 %X", c.name, c.tip, v)
		}
	}
}

// ECHO gives the last answer until the next transaction, which the echoed one is not.
func TestJCBEcho(t *testing.T) {
	echo := []byte{0x80, 0xDF, 0, 0, 0}
	aid := []byte{0xA0, 0, 0, 0, 0x65, 0x10, 0x10}
	x := chipCard(t, "jcb", card.NewMemoryState(), nil)
	send(t, x, echo, 0x6985)
	o := drive(t, x, nil).objects
	send(t, x, echo, 0x6985)
	data := listed(t, o[tag.CDOL1], nil)
	first := send(t, x, acCommand(0x90, data), 0x9000)
	send(t, x, apdu.Select(aid, false), 0x9000)
	if again := send(t, x, echo, 0x9000); !bytes.Equal(first, again) {
		t.Errorf("echo %X", again)
	}
	gpo := listed(t, o[tag.PDOL], nil)
	send(t, x, apdu.GPO(gpo), 0x6200)
	send(t, x, apdu.ReadRecord(1, 1), 0x9000)
	send(t, x, acCommand(0x90, data), 0x6985)
	send(t, x, apdu.Select(aid, false), 0x9000)
	send(t, x, apdu.GPO(gpo), 0x9000) // a new transaction
	if b := send(t, x, acCommand(0x80, data), 0x9000); bytes.Equal(b, first) {
		t.Error("the same cryptogram twice")
	}
	send(t, x, []byte{0x80, 0xDF, 1, 0, 0}, 0x6A86)
}

func TestChipStatusWords(t *testing.T) {
	type step struct {
		command []byte
		sw      uint16
	}
	for _, scheme := range []struct {
		name string
		aid  []byte
		pdol []byte
	}{
		{"amex", []byte{0xA0, 0, 0, 0, 0x25, 1}, []byte{0x9F, 0x35, 1}}, {"jcb", []byte{0xA0, 0, 0, 0, 0x65, 0x10, 0x10}, []byte{0x9F, 0x52, 1}},
		{"discover", []byte{0xA0, 0, 0, 1, 0x52, 0x30, 0x10}, card.PDOL},
	} {
		gpo := listed(t, scheme.pdol, nil)
		selected := []step{{apdu.Select(scheme.aid, false), 0x9000}}
		ready := append(slices.Clone(selected), step{apdu.GPO(gpo), 0x9000})
		for _, c := range []struct {
			name   string
			before []step
			step
		}{
			{"GPO before SELECT", nil, step{apdu.GPO(gpo), 0x6985}}, {"GPO twice", ready, step{apdu.GPO(gpo), 0x6985}},
			{"GPO with P1", selected, step{append([]byte{0x80, 0xA8, 1}, apdu.GPO(gpo)[3:]...), 0x6A86}},
			{"GPO one byte short", selected, step{apdu.GPO(gpo[1:]), 0x6700}},
			{"GPO without template", selected, step{[]byte{0x80, 0xA8, 0, 0, 1, 0x82, 0}, 0x6A80}},
			{"GPO of class 00", selected, step{append([]byte{0x00}, apdu.GPO(gpo)[1:]...), 0x6E00}},
			{"READ RECORD before GPO", selected, step{apdu.ReadRecord(1, 1), 0x6985}},
			{"READ RECORD with data", selected, step{[]byte{0x00, 0xB2, 1, 0x0C, 1, 0}, 0x6700}},
			{"READ RECORD 0", selected, step{apdu.ReadRecord(1, 0), 0x6A86}},
			{"unknown command", selected, step{[]byte{0x80, 0xCC, 0, 0, 0}, 0x6D00}}, {"no command", selected, step{[]byte{0x80}, 0x6700}},
			{"SELECT of another application", nil, step{apdu.Select([]byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}, false), 0x6A82}},
			{"SELECT next", nil, step{apdu.Select(scheme.aid, true), 0x6A82}}, {"SELECT by P1 00", nil, step{[]byte{0, 0xA4, 0, 0, 1, 0xA0, 0}, 0x6A86}},
			{"SELECT of 17 bytes", nil, step{append([]byte{0, 0xA4, 4, 0, 17}, make([]byte, 18)...), 0x6700}},
		} {
			x := chipCard(t, scheme.name, card.NewMemoryState(), nil)
			for _, s := range c.before {
				send(t, x, s.command, s.sw)
			}
			r, err := apdu.ParseResponse(x.Transmit(c.command))
			if err != nil || r.SW != c.sw {
				t.Errorf("%s, %s: %04X, want %04X (%v)", scheme.name, c.name, r.SW, c.sw, err)
			}
		}
		if scheme.name == "discover" {
			continue
		}
		x := chipCard(t, scheme.name, card.NewMemoryState(), nil)
		for _, s := range ready {
			send(t, x, s.command, s.sw)
		}
		for _, s := range []step{
			{apdu.ReadRecord(1, 2), 0x6A83}, {apdu.ReadRecord(9, 1), 0x6A82}, {acCommand(0x80, []byte{1}), 0x6700}, {acCommand(0xC0, nil), 0x6A86}, {acCommand(0x81, nil), 0x6A86},
		} {
			send(t, x, s.command, s.sw)
		}
	}
	gpo := listed(t, card.PDOL, map[tlv.Tag]string{tag.TTQ: "86C04000"})
	x := chipCard(t, "discover", card.NewMemoryState(), nil)
	send(t, x, apdu.Select([]byte{0xA0, 0, 0, 1, 0x52, 0x30, 0x10}, false), 0x9000)
	send(t, x, apdu.GPO(gpo), 0x6985) // a mag-stripe reader
}

// A locked device wants its holder.
func TestChipLocked(t *testing.T) {
	x := chipCard(t, "discover-phone-locked", card.NewMemoryState(), nil)
	send(t, x, apdu.Select([]byte{0xA0, 0, 0, 1, 0x52, 0x30, 0x10}, false), 0x9000)
	send(t, x, apdu.GPO(listed(t, card.PDOL, nil)), 0x6986)
	for name, sw := range map[string]uint16{"amex-phone-locked": 0x6984, "jcb-phone-locked": 0x6986} {
		x := chipCard(t, name, card.NewMemoryState(), nil)
		o := drive(t, x, map[tlv.Tag]string{tag.EnhancedCapabilities: "98E04003"}).objects
		send(t, x, acCommand(0x80, listed(t, o[tag.CDOL1], nil)), sw)
		if name[0] == 'a' && !bytes.Equal(o[tag.MobileCVM], []byte{0x3F, 3, 0}) {
			t.Errorf("9F71 %X", o[tag.MobileCVM])
		}
	}
	o := drive(t, chipCard(t, "amex-phone-locked", card.NewMemoryState(), nil), nil).objects
	if !bytes.Equal(o[tag.MobileCVM], []byte{0x3F, 0, 0}) {
		t.Errorf("9F71 %X where nobody asks", o[tag.MobileCVM])
	}
}

// The counter ends, and one that can't be made durable makes nothing.
func TestChipCounter(t *testing.T) {
	for name, aid := range map[string][]byte{"amex": {0xA0, 0, 0, 0, 0x25, 1}, "jcb": {0xA0, 0, 0, 0, 0x65, 0x10, 0x10}, "discover": {0xA0, 0, 0, 1, 0x52, 0x30, 0x10}} {
		s := card.NewMemoryState()
		if err := s.Save(card.Counters{ATC: 0xFFFE}); err != nil {
			t.Fatal(err)
		}
		for n, state := range []card.State{s, s, brokenState{}} {
			x := chipCard(t, name, state, nil)
			fci := send(t, x, apdu.Select(aid, false), 0x9000)
			pdol, _ := tlv.Find(fci, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
			sw := uint16(0x6985)
			if n == 0 {
				sw = 0x9000
			}
			send(t, x, apdu.GPO(listed(t, pdol, nil)), sw)
		}
	}
}

func TestChipRefuses(t *testing.T) {
	big, err := oda.GenerateKey(seeded(), 1040, 3)
	if err != nil {
		t.Fatal(err)
	}
	i := perso.TestIssuer()
	a, _ := i.AmexData("amex")
	j, _ := i.JCBData("jcb")
	d, _ := i.DiscoverData("discover")
	for name, spoil := range map[string]func(*card.ChipData){
		"AID": func(d *card.ChipData) { d.AID = nil }, "key": func(d *card.ChipData) { d.Key = nil }, "long key": func(d *card.ChipData) { d.Key = big },
		"UDK": func(d *card.ChipData) { d.UDK = pay.Secret{} }, "no records": func(d *card.ChipData) { d.Records = nil },
		"many records": func(d *card.ChipData) { d.Records = make([]card.Record, 17) }, "no PDOL": func(d *card.ChipData) { d.PDOL = nil },
		"PDOL": func(d *card.ChipData) { d.PDOL = []byte{0x9F} }, "SFI": func(d *card.ChipData) { d.Records = []card.Record{{SFI: 31, Number: 1}} },
		"long record": func(d *card.ChipData) { d.Records = []card.Record{{SFI: 1, Number: 1, Body: make([]byte, 251)}} },
	} {
		a, j, d := a, j, d
		spoil(&a.ChipData)
		spoil(&j.ChipData)
		spoil(&d.ChipData)
		_, e1 := card.NewAmex(a, card.NewMemoryState())
		_, e2 := card.NewJCB(j, card.NewMemoryState())
		_, e3 := card.NewDiscover(d, card.NewMemoryState())
		for _, err := range []error{e1, e2, e3} {
			if !errors.Is(err, card.ErrData) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	_, e1 := card.NewAmex(a, nil)
	_, e2 := card.NewJCB(card.JCBData{ChipData: j.ChipData, CDOL1: j.CDOL1}, card.NewMemoryState())
	track := d
	track.Track2 = nil
	_, e3 := card.NewDiscover(track, card.NewMemoryState())
	for _, err := range []error{e1, e2, e3} {
		if !errors.Is(err, card.ErrData) {
			t.Error(err)
		}
	}
	for _, name := range []string{"amex", "jcb", "discover"} {
		x := chipCard(t, name, card.NewMemoryState(), nil)
		if s := fmt.Sprintf("%v %+v %#v", x, a, x) + fmt.Sprint(j, d); s != "[secret] [secret] [secret][secret] [secret]" {
			t.Errorf("%s prints as %s", name, s)
		}
		if atr := x.(interface{ ATR() []byte }).ATR(); len(atr) < 4 || atr[0] != 0x3B {
			t.Errorf("ATR %X", atr)
		}
	}
}

// The second GENERATE AC of a JCB card: once, after an ARQC that asked for it, and with an answer for every word of the issuer.
func TestJCBSecond(t *testing.T) {
	aid := []byte{0xA0, 0, 0, 0, 0x65, 0x10, 0x10}
	for _, c := range []struct {
		name     string
		approved bool
		p1       byte
		spoil    byte
		want     byte
	}{
		{"approved", true, 0x40, 0, 0x40}, {"declined", false, 0x40, 0, 0x00}, {"AAC asked for", true, 0x00, 0, 0x00}, {"not the issuer", true, 0x40, 1, 0x00},
	} {
		d, err := perso.TestIssuer().JCBData("jcb")
		if err != nil {
			t.Fatal(err)
		}
		d.Policy.Update = true
		x, err := card.NewJCB(d, card.NewMemoryState())
		if err != nil {
			t.Fatal(err)
		}
		o := drive(t, x, nil).objects
		b := send(t, x, acCommand(0x80, listed(t, o[tag.CDOL1], nil)), 0x9000)
		ac, _ := tlv.Find(b, tag.ResponseFormat2, tag.ApplicationCryptogram)
		parameter, _ := tlv.Find(b, tag.ResponseFormat2, tag.UpdateParameter)
		key, err := cryptogram.CCD.SessionKey(d.UDK, 1)
		if err != nil || !bytes.Equal(parameter, []byte{2}) {
			t.Fatal(err, parameter)
		}
		csu := cryptogram.NewCSU(c.approved)
		arpc, err := cryptogram.CCD.ARPC(key, [8]byte(ac), csu)
		if err != nil {
			t.Fatal(err)
		}
		arpc[3] ^= c.spoil
		data, err := dol.Build(nil, d.CDOL2, func(g tlv.Tag) ([]byte, bool) {
			switch g {
			case tag.IssuerAuthData:
				return csu.AuthData(arpc), true
			case tag.ARC:
				return []byte("00"), true
			}
			return o[g], len(o[g]) > 0
		})
		if err != nil {
			t.Fatal(err)
		}
		send(t, x, apdu.Select(aid, false), 0x9000)
		send(t, x, acCommand(0xC0, data), 0x6A86)
		send(t, x, acCommand(c.p1, data[1:]), 0x6700)
		b = send(t, x, acCommand(c.p1, data), 0x9000)
		if cid, _ := tlv.Find(b, tag.ResponseFormat2, tag.CID); !bytes.Equal(cid, []byte{c.want}) {
			t.Errorf("%s: %X", c.name, cid)
		}
		raw, _ := tlv.Find(b, tag.ResponseFormat2, tag.IAD)
		if iad, err := cryptogram.ParseCCDIAD(raw); err != nil || iad.CVR[0]>>6 != c.want>>6 || (iad.CVR[0]&1 != 0) != (c.spoil != 0) {
			t.Errorf("%s: %+v %v", c.name, iad, err)
		}
		send(t, x, acCommand(c.p1, data), 0x6985)
	}
}

// Any bytes get an answer with a status word, and never a second cryptogram under one counter but the one that answers the issuer.
func FuzzChipTransmit(f *testing.F) {
	f.Add(uint8(0), apdu.GPO([]byte{0x22}), apdu.ReadRecord(1, 1), acCommand(0x90, make([]byte, 29)))
	f.Add(uint8(1), apdu.GPO([]byte{0x02}), acCommand(0x90, make([]byte, 32)), []byte{0x80, 0xDF, 0, 0, 0})
	f.Add(uint8(2), apdu.GPO(make([]byte, 33)), apdu.ReadRecord(1, 1), apdu.ReadRecord(2, 2))
	names := []string{"amex", "jcb", "discover"}
	aids := [][]byte{{0xA0, 0, 0, 0, 0x25, 1}, {0xA0, 0, 0, 0, 0x65, 0x10, 0x10}, {0xA0, 0, 0, 1, 0x52, 0x30, 0x10}}
	f.Fuzz(func(t *testing.T, which uint8, a, b, c []byte) {
		n := int(which) % len(names)
		s := card.NewMemoryState()
		x := chipCard(t, names[n], s, nil)
		seen := map[string]bool{}
		for _, command := range [][]byte{apdu.Select(aids[n], false), a, b, c, apdu.Select(aids[n], false), a, b, c} {
			r := x.Transmit(command)
			if len(r) < 2 || len(r) > 258 {
				t.Fatalf("answer of %d bytes", len(r))
			}
			for _, g := range []tlv.Tag{tag.ApplicationCryptogram, tag.SDAD} {
				if v, ok := tlv.Find(r[:len(r)-2], tag.ResponseFormat2, g); ok {
					seen[string(v)] = true
				}
			}
		}
		if n, err := s.Load(); err != nil || int(n.ATC) < len(seen) {
			t.Fatalf("%d cryptograms under counter %d", len(seen), n.ATC)
		}
	})
}
