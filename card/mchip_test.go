package card_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

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

func mchipData(t testing.TB, name string) card.MChipData {
	t.Helper()
	d, err := perso.TestIssuer().MastercardData(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mchip(t testing.TB, name string, change func(*card.MChipData)) *card.MChip {
	t.Helper()
	d := mchipData(t, name)
	if change != nil {
		change(&d)
	}
	c, err := card.NewMChip(d, card.NewMemoryState(), seeded())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var mcAID = []byte{0xA0, 0, 0, 0, 0x04, 0x10, 0x10}

// opened is a card that has answered GET PROCESSING OPTIONS; it returns what GPO answered.
func opened(t testing.TB, c *card.MChip) []byte {
	t.Helper()
	c.Reset()
	send(t, c, apdu.Select(mcAID, false), 0x9000)
	return send(t, c, apdu.GPO(nil), 0x9000)
}

// cdol are the data of CDOL1 for an amount in fen.
func cdol(t testing.TB, d card.MChipData, fen int64) ([]byte, map[tlv.Tag][]byte) {
	t.Helper()
	sent := map[tlv.Tag][]byte{}
	data, err := dol.Build(nil, d.CDOL1, func(g tlv.Tag) ([]byte, bool) {
		s, ok := terminal[g]
		if g == tag.AmountAuthorised {
			s = fmt.Sprintf("%012d", fen)
		}
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		sent[g] = b
		return b, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return data, sent
}

func generate(p1 byte, data []byte) []byte {
	return apdu.Command{CLA: 0x80, INS: apdu.InsGenerateAC, P1: p1, Data: data, Le: 256}.Append(nil)
}

func in77(t testing.TB, b []byte, g tlv.Tag) []byte {
	t.Helper()
	v, _ := tlv.Find(b, tag.ResponseFormat2, g)
	return v
}

// What is asked for, and what the card gives: never more than was asked, and at most what its policy allows.
func TestMChipDecides(t *testing.T) {
	const aac, tc, arqc = 0x00, 0x40, 0x80
	limit := func(d *card.MChipData) { d.Policy.OfflineLimit = 5000 }
	for _, c := range []struct {
		card  string
		set   func(*card.MChipData)
		fen   int64
		asked byte
		given byte
	}{
		{"mastercard", nil, 100, tc, arqc}, {"mastercard", nil, 100, arqc, arqc}, {"mastercard", nil, 100, aac, aac},
		{"mastercard", limit, 5000, tc, tc}, {"mastercard", limit, 5001, tc, arqc}, {"mastercard", limit, 100, arqc, arqc},
		{"mastercard-phone", nil, 100, arqc, arqc}, {"mastercard-phone-locked", nil, 100, arqc, aac}, {"mastercard-phone-locked", nil, 100, tc, aac},
	} {
		m := mchip(t, c.card, c.set)
		opened(t, m)
		data, _ := cdol(t, mchipData(t, c.card), c.fen)
		r := send(t, m, generate(c.asked, data), 0x9000)
		if got := in77(t, r, tag.CID); len(got) != 1 || got[0] != c.given {
			t.Errorf("%s, %d fen, asked %02X: given %X, want %02X", c.card, c.fen, c.asked, got, c.given)
		}
		if pcii := in77(t, r, 0xDF4B); (pcii != nil) != (c.card != "mastercard") {
			t.Errorf("%s: PCII %X", c.card, pcii)
		}
	}
}

// The cryptogram holds under the issuer's key for each version, over the counter of this
// transaction; the combined signature covers the whole answer.
func TestMChipCryptogram(t *testing.T) {
	keys := perso.TestIssuer().MasterKeys(perso.Mastercard)
	for _, v := range []cryptogram.MChip{cryptogram.MChip16, cryptogram.MChip17, cryptogram.MChip20, cryptogram.MChip21} {
		d := mchipData(t, "mastercard")
		pan := accountNamed(t, "mastercard").PAN
		udk, err := v.CardKey(keys.Cryptogram, pan, "01", cryptogram.OptionA)
		if err != nil {
			t.Fatal(err)
		}
		m := mchip(t, "mastercard", func(d *card.MChipData) { d.Version, d.Counters, d.UDK = v, 16, udk })
		for n := uint16(1); n <= 3; n++ {
			opened(t, m)
			data, sent := cdol(t, d, 8880)
			r := send(t, m, generate(0x80, data), 0x9000)
			mac := func(change tlv.Tag) []byte {
				signed, err := cryptogram.MChipData(func(g tlv.Tag) ([]byte, bool) {
					b, ok := sent[g]
					if g == tag.AIP {
						b, ok = d.AIP[:], true
					}
					if got := in77(t, r, g); got != nil {
						b, ok = got, true
					}
					if g == change {
						b = bytes.Clone(b)
						b[len(b)-1] ^= 1
					}
					return b, ok
				})
				if err != nil {
					t.Fatal(err)
				}
				key, err := v.SessionKey(udk, n, [4]byte(sent[tag.UN]))
				if err != nil {
					t.Fatal(err)
				}
				ac, err := v.MAC(key, signed)
				if err != nil {
					t.Fatal(err)
				}
				return ac[:]
			}
			ac := in77(t, r, tag.ApplicationCryptogram)
			if !bytes.Equal(ac, mac(0)) || !bytes.Equal(in77(t, r, tag.ATC), []byte{byte(n >> 8), byte(n)}) {
				t.Errorf("version %02X, tap %d: the cryptogram does not hold", byte(v), n)
			}
			for _, g := range []tlv.Tag{tag.AmountAuthorised, tag.TVR, tag.UN, tag.ATC, tag.AIP} {
				if bytes.Equal(ac, mac(g)) {
					t.Errorf("version %02X: %s is not under the cryptogram", byte(v), g)
				}
			}
		}
	}
}

func accountNamed(t testing.TB, name string) perso.Account {
	t.Helper()
	for _, a := range perso.TestIssuer().Accounts(func(string) string { return "1" }) {
		if a.Profile == name {
			return a
		}
	}
	t.Fatalf("no account %s", name)
	return perso.Account{}
}

// chipKey recovers the card's public key from its records, as a terminal does.
func chipKey(t testing.TB, c *card.MChip, gpo []byte) oda.PublicKey {
	t.Helper()
	objects, static := map[tlv.Tag][]byte{}, []byte{}
	for afl := in77(t, gpo, tag.AFL)[4:]; len(afl) >= 4; afl = afl[4:] { // behind the record of mag-stripe mode
		for n := afl[1]; n <= afl[2]; n++ {
			b := send(t, c, apdu.ReadRecord(afl[0]>>3, n), 0x9000)
			if err := tlv.Walk(b, func(_ int, o tlv.TLV) error { objects[o.Tag] = o.Value; return nil }); err != nil {
				t.Fatal(err)
			}
			if n < afl[1]+afl[3] {
				var err error
				if static, err = oda.AppendRecord(static, afl[0]>>3, b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	static = append(static, in77(t, gpo, tag.AIP)...)
	store, err := perso.TestIssuer().CAStore()
	if err != nil {
		t.Fatal(err)
	}
	ca, ok := store.Lookup(perso.MastercardRID, objects[tag.CAIndex][0])
	if !ok {
		t.Fatal("CA key unknown")
	}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	issuer, _, err := oda.RecoverIssuer(ca, objects[tag.IssuerCertificate], objects[tag.IssuerRemainder], objects[tag.IssuerExponent], fmt.Sprintf("%X", objects[tag.PAN]), now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := oda.RecoverICC(issuer, objects[tag.ICCCertificate], objects[tag.ICCRemainder], objects[tag.ICCExponent], objects[tag.PAN], static, now)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The combined signature: whole, over the relay resistance data where there were some, and by no other key.
func TestMChipSigns(t *testing.T) {
	m, d := mchip(t, "mastercard", nil), mchipData(t, "mastercard")
	key := chipKey(t, m, opened(t, m))
	for _, relayed := range []bool{false, true} {
		opened(t, m)
		if relayed {
			r := send(t, m, apdu.Command{CLA: 0x80, INS: apdu.InsExchangeRRD, Data: []byte{1, 2, 3, 4}, Le: 256}.Append(nil), 0x9000)
			if len(r) != 12 || r[0] != 0x80 || !bytes.Equal(r[6:], []byte{0, 10, 0, 250, 0, 24}) {
				t.Fatalf("relay resistance data %X", r)
			}
		}
		data, sent := cdol(t, d, 8880)
		r := send(t, m, generate(0x90, data), 0x9000)
		if in77(t, r, tag.ApplicationCryptogram) != nil {
			t.Error("the cryptogram stands in clear beside its signature")
		}
		signed, err := oda.VerifyDynamic(key, in77(t, r, tag.SDAD), sent[tag.UN])
		if err != nil {
			t.Fatal(err)
		}
		if n := len(signed.Data); (n > 3+1+8+20) != relayed {
			t.Errorf("relay %v: %d bytes of dynamic data", relayed, n)
		}
		if _, err := oda.VerifyDynamic(key, in77(t, r, tag.SDAD), []byte{9, 9, 9, 9}); err == nil {
			t.Error("the signature holds for another unpredictable number")
		}
	}
}

// One cryptogram a transaction; it comes again for who knows its transaction.
func TestMChipRecovers(t *testing.T) {
	m, d := mchip(t, "mastercard", nil), mchipData(t, "mastercard")
	recover := func(un, amount string) []byte {
		b, err := hex.DecodeString(un + amount)
		if err != nil {
			t.Fatal(err)
		}
		return apdu.Command{CLA: 0x80, INS: apdu.InsRecoverAC, Data: b, Le: 256}.Append(nil)
	}
	un, amount := terminal[tag.UN], "000000008880"
	opened(t, m)
	send(t, m, recover(un, amount), apdu.SWDataNotFound) // nothing was made yet
	data, _ := cdol(t, d, 8880)
	first := bytes.Clone(send(t, m, generate(0x90, data), 0x9000))
	send(t, m, generate(0x90, data), apdu.SWConditions) // once a transaction
	opened(t, m)
	send(t, m, recover(un, "000000008881"), apdu.SWDataNotFound)
	if got := send(t, m, recover(un, amount), 0x9000); !bytes.Equal(got, first) {
		t.Error("another cryptogram came back")
	}
	send(t, m, generate(0x90, data), apdu.SWConditions)
}

// Mag-stripe mode: the checksums are the issuer's for this number and counter; a locked phone gives none.
func TestMChipChecksum(t *testing.T) {
	ask := apdu.Command{CLA: 0x80, INS: apdu.InsChecksum, P1: 0x8E, P2: 0x80, Data: []byte{0, 0, 7, 0x31}, Le: 256}.Append(nil)
	for _, name := range []string{"mastercard", "mastercard-phone", "mastercard-phone-locked"} {
		m, d := mchip(t, name, nil), mchipData(t, name)
		opened(t, m)
		r := send(t, m, ask, 0x9000)
		if name == "mastercard-phone-locked" {
			if in77(t, r, 0x9F61) != nil || !bytes.Equal(in77(t, r, 0xDF4B), []byte{0, 1, 0}) {
				t.Errorf("locked: %X", r)
			}
			continue
		}
		for g, iv := range map[tlv.Tag][2]byte{0x9F60: d.IV1, 0x9F61: d.IV2} {
			want, err := cryptogram.CVC3(d.CVC3Key, iv, [4]byte{0, 0, 7, 0x31}, 1)
			if err != nil || !bytes.Equal(in77(t, r, g), want[:]) {
				t.Errorf("%s: %s is %X, want %X", name, g, in77(t, r, g), want)
			}
		}
		send(t, m, ask, apdu.SWConditions)
	}
	plain := mchip(t, "mastercard", func(d *card.MChipData) { d.CVC3Key = pay.Secret{} })
	opened(t, plain)
	send(t, plain, ask, apdu.SWUnknownINS)
}

// Commands out of their order or form, and the bounds of what a card takes.
func TestMChipRefuses(t *testing.T) {
	m, d := mchip(t, "mastercard", nil), mchipData(t, "mastercard")
	data, _ := cdol(t, d, 8880)
	rrd := apdu.Command{CLA: 0x80, INS: apdu.InsExchangeRRD, Data: []byte{1, 2, 3, 4}, Le: 256}.Append(nil)
	m.Reset()
	send(t, m, apdu.GPO(nil), apdu.SWConditions) // nothing is selected
	send(t, m, apdu.Select([]byte("2PAY.SYS.DDF02"), false), apdu.SWFileNotFound)
	send(t, m, apdu.Select(mcAID, true), apdu.SWFileNotFound) // there is no next one
	send(t, m, apdu.Select(mcAID[:5], false), 0x9000)         // by the beginning of its name
	send(t, m, generate(0x90, data), apdu.SWConditions)
	send(t, m, apdu.GPO([]byte{1}), apdu.SWWrongLength) // no PDOL, so no data
	opened(t, m)
	send(t, m, apdu.ReadRecord(9, 1), apdu.SWFileNotFound)
	send(t, m, apdu.ReadRecord(2, 9), apdu.SWRecordNotFound)
	send(t, m, generate(0xC0, data), apdu.SWWrongP1P2)
	send(t, m, generate(0x90, data[1:]), apdu.SWWrongLength)
	send(t, m, []byte{0x00, apdu.InsGenerateAC, 0x90, 0, 0}, apdu.SWUnknownCLA)
	send(t, m, []byte{0x80, 0xFE, 0, 0}, apdu.SWUnknownINS)
	for range 3 {
		send(t, m, rrd, 0x9000)
	}
	send(t, m, rrd, apdu.SWConditions) // three a transaction
	for i, put := range []struct {
		at  byte
		n   int
		sw  uint16
		get uint16
	}{{0x75, 8, 0x9000, 0x9000}, {0x79, 192, 0x9000, 0x9000}, {0x79, 193, apdu.SWWrongLength, 0x9000}, {0x7A, 8, apdu.SWDataNotFound, apdu.SWDataNotFound}} {
		send(t, m, apdu.Command{CLA: 0x80, INS: apdu.InsPutData, P1: 0x9F, P2: put.at, Data: bytes.Repeat([]byte{byte(i)}, put.n), Le: -1}.Append(nil), put.sw)
		send(t, m, []byte{0x80, apdu.InsGetData, 0x9F, put.at, 0}, put.get)
	}
	send(t, m, []byte{0x80, apdu.InsGetData, 0x9F, 0x50, 0}, apdu.SWDataNotFound) // no balance

	for name, change := range map[string]func(*card.MChipData){
		"no key":     func(d *card.MChipData) { d.Key = nil },
		"no UDK":     func(d *card.MChipData) { d.UDK = pay.Secret{} },
		"version":    func(d *card.MChipData) { d.Version = 0x12 },
		"counters":   func(d *card.MChipData) { d.Counters = 7 },
		"no records": func(d *card.MChipData) { d.Records = nil },
		"no CDOL1":   func(d *card.MChipData) { d.CDOL1 = nil },
		"CDOL1":      func(d *card.MChipData) { d.CDOL1 = []byte{0x9F} },
		"AID":        func(d *card.MChipData) { d.AID = d.AID[:4] },
		"record":     func(d *card.MChipData) { d.Records = []card.Record{{SFI: 31, Number: 1}} },
	} {
		bad := mchipData(t, "mastercard")
		change(&bad)
		if _, err := card.NewMChip(bad, card.NewMemoryState(), seeded()); !errors.Is(err, card.ErrData) {
			t.Errorf("%s: %v, want ErrData", name, err)
		}
	}
	if s := fmt.Sprintf("%v %+v %v", m, m, mchipData(t, "mastercard")); s != "[secret] [secret] [secret]" {
		t.Errorf("it prints as %s", s)
	}
}

// The counter is used up before anything made under it leaves, and at its end the card is over.
func TestMChipCounter(t *testing.T) {
	state := card.NewMemoryState()
	m, err := card.NewMChip(mchipData(t, "mastercard"), state, seeded())
	if err != nil {
		t.Fatal(err)
	}
	opened(t, m)
	opened(t, m)
	if n, err := state.Load(); err != nil || n.ATC != 2 {
		t.Errorf("counter %d, %v", n.ATC, err)
	}
	if err := state.Save(card.Counters{ATC: 0xFFFF}); err != nil {
		t.Fatal(err)
	}
	m.Reset()
	send(t, m, apdu.Select(mcAID, false), 0x9000)
	send(t, m, apdu.GPO(nil), apdu.SWConditions)
}

// Whatever it is sent, the card answers with a status word, and never a second cryptogram in one transaction.
func FuzzMChip(f *testing.F) {
	data, _ := cdol(f, mchipData(f, "mastercard"), 8880)
	f.Add(generate(0x90, data), generate(0x80, data))
	f.Add(apdu.GPO(nil), []byte{0x80, apdu.InsGetData, 0x9F, 0x36, 0})
	f.Add([]byte{}, apdu.Select(mcAID, false))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		m := mchip(t, "mastercard", nil)
		opened(t, m)
		made := 0
		for _, command := range [][]byte{one, two, one, two} {
			r, err := apdu.ParseResponse(m.Transmit(command))
			if err != nil {
				t.Fatalf("%X: %v", command, err)
			}
			if r.OK() && len(command) > 1 && command[1] == apdu.InsGenerateAC {
				made++
			}
			if r.OK() && len(command) > 1 && (command[1] == apdu.InsSelect || command[1] == apdu.InsGPO) {
				made = 0
			}
		}
		if made > 1 {
			t.Errorf("%d cryptograms in one transaction", made)
		}
	})
}
