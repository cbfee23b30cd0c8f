package card_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// smData is a named card and its account.
func smData(t testing.TB, name string) (card.Data, pay.PAN, string) {
	t.Helper()
	i := perso.TestIssuer()
	d, err := i.UnionPayData(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range i.Accounts(func(string) string { return "123456" }) {
		if a.Profile == name {
			return d, a.PAN, a.PSN
		}
	}
	t.Fatalf("no account %s", name)
	return d, pay.PAN{}, ""
}

func newCard(t testing.TB, d card.Data) *card.Card {
	t.Helper()
	c, err := card.New(d, card.NewMemoryState(), seeded())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The card chooses by DF69; certificates, signature and cryptogram are of one family, and each answer fits one response.
func TestSMChoice(t *testing.T) {
	d, account, psn := smData(t, "unionpay-sm")
	smOnly := d
	smOnly.Key, smOnly.UDK, smOnly.Records = nil, pay.Secret{}, nil
	for _, c := range []struct {
		name string
		data card.Data
		df69 string
		sm   bool
	}{{"both, terminal has SM", d, "01", true}, {"both, terminal has RSA alone", d, "00", false}, {"SM alone, terminal has SM", smOnly, "01", true}, {"SM alone, terminal has RSA alone", smOnly, "00", true}} {
		p := drive(t, newCard(t, c.data), map[tlv.Tag]string{tag.SMSupport: c.df69})
		o := p.objects
		iad, err := cryptogram.ParseIAD(o[tag.IAD])
		if err != nil || (iad.Algorithm == cryptogram.AlgorithmSM4) != c.sm || oda.IsSM2Issuer(o[tag.IssuerCertificate]) != c.sm || (len(o[tag.IssuerExponent]) == 0) != c.sm || p.longest > 256 {
			t.Errorf("%s: IAD %+v %v, longest answer %d", c.name, iad, err, p.longest)
		}
		if _, ok, err := cryptogram.VerifyPBOC(perso.TestIssuer().MasterKeys(perso.UnionPay).PBOC(), account, psn, func(g tlv.Tag) ([]byte, bool) { v, ok := o[g]; return v, ok }); !ok || err != nil {
			t.Errorf("%s: cryptogram %v %v", c.name, ok, err)
		}
		if !c.sm {
			if err := p.authenticate(t); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		keys, err := perso.TestIssuer().SM2CAKeys()
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		issuer, _, err := oda.VerifySM2Issuer(keys[0], o[tag.IssuerCertificate], o[tag.PAN], now)
		if err != nil {
			t.Fatal(err)
		}
		static, err := oda.StaticData(p.records, o[tag.SDATagList], o[tag.AIP])
		if err != nil {
			t.Fatal(err)
		}
		icc, err := oda.VerifySM2ICC(issuer, o[tag.ICCCertificate], o[tag.PAN], static, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := oda.VerifySM2Dynamic(icc, o[tag.SDAD], oda.FDDAData(nil, o[tag.UN], o[tag.AmountAuthorised], o[tag.TransactionCurrency], o[tag.CardAuthData])); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// answered is a card whose last ARQC waits for its issuer, and what it said.
func answered(t testing.TB, d card.Data, df69 string) (*card.Card, map[tlv.Tag][]byte) {
	t.Helper()
	c := newCard(t, d)
	p := drive(t, c, map[tlv.Tag]string{tag.SMSupport: df69})
	c.Reset()
	send(t, c, apdu.Select(d.AID, false), 0x9000)
	return c, p.objects
}

// The card takes the issuer's answer and scripts under both families, once and only as made.
func TestUnionPayUpdate(t *testing.T) {
	for _, df69 := range []string{"00", "01"} {
		for _, version := range []byte{cryptogram.VersionPBOC01, cryptogram.VersionPBOC17} {
			d, account, psn := smData(t, "unionpay-sm")
			d.IssuerUpdate, d.Version = true, version
			c, o := answered(t, d, df69)
			if o[tag.CTQ][1]&0x40 == 0 || !bytes.Equal(o[tag.CTQ], o[tag.CardAuthData][5:]) {
				t.Errorf("CTQ %X, 9F69 %X", o[tag.CTQ], o[tag.CardAuthData])
			}
			iad, err := cryptogram.ParseIAD(o[tag.IAD])
			if err != nil || iad.Version != version {
				t.Fatal(iad, err)
			}
			cipher, _ := cryptogram.PBOCOf(iad.Algorithm)
			keys := perso.TestIssuer().MasterKeys(perso.UnionPay)
			master, scriptMaster := keys.Cryptogram, keys.Script
			if df69 == "01" {
				master, scriptMaster = keys.SM4, keys.SM4Script
			}
			udk, err := cipher.CardKey(master, account, psn)
			if err != nil {
				t.Fatal(err)
			}
			atc := uint16(o[tag.ATC][0])<<8 | uint16(o[tag.ATC][1])
			session, err := cipher.SessionKey(udk, atc)
			if err != nil {
				t.Fatal(err)
			}
			ac := [8]byte(o[tag.ApplicationCryptogram])
			arpc, err := cipher.ARPC(session, ac, [2]byte{'0', '0'})
			if err != nil {
				t.Fatal(err)
			}
			auth := func(data []byte) []byte {
				return apdu.Command{INS: apdu.InsExternalAuth, Data: data, Le: -1}.Append(nil)
			}
			good := append(arpc[:], '0', '0')
			send(t, c, auth(good[:9]), 0x6700)
			send(t, c, auth(good), 0x9000)
			send(t, c, auth(good), 0x6985) // one answer for one request
			scriptKey, err := cipher.CardKey(scriptMaster, account, psn)
			if err != nil {
				t.Fatal(err)
			}
			block := func(ins byte) []byte {
				mac, err := cryptogram.PBOCScriptMAC(cipher, scriptKey, []byte{0x84, ins, 0, 0, 4}, atc, ac, nil)
				if err != nil {
					t.Fatal(err)
				}
				return apdu.Command{CLA: 0x84, INS: ins, Data: mac[:4], Le: -1}.Append(nil)
			}
			send(t, c, block(0x1E), 0x9000)
			gpo, _ := pdolData(t, card.PDOLSM, map[tlv.Tag]string{tag.SMSupport: df69})
			send(t, c, apdu.GPO(gpo), 0x6985)
			send(t, c, block(0x18), 0x9000)
			wrong := block(0x1E)
			wrong[len(wrong)-1] ^= 1
			send(t, c, wrong, 0x6988)
			// The next cryptogram says that a script failed, once; then a wrong ARPC.
			c.Reset()
			next := drive(t, c, map[tlv.Tag]string{tag.SMSupport: df69}).objects
			if iad, err := cryptogram.ParseIAD(next[tag.IAD]); err != nil || !iad.CVR.ScriptFailed() || iad.CVR.IssuerAuthFailed() {
				t.Errorf("CVR %X %v", iad.CVR, err)
			}
			c.Reset()
			send(t, c, apdu.Select(d.AID, false), 0x9000)
			send(t, c, block(0x1E), 0x6988) // the MAC of an earlier cryptogram
			send(t, c, auth(good), 0x6300)
			last := drive(t, c, map[tlv.Tag]string{tag.SMSupport: df69}).objects
			if iad, err := cryptogram.ParseIAD(last[tag.IAD]); err != nil || !iad.CVR.IssuerAuthFailed() {
				t.Errorf("CVR %X %v", iad.CVR, err)
			}
		}
	}
}

func TestUnionPayUpdateRefuses(t *testing.T) {
	d, _, _ := smData(t, "unionpay-sm")
	auth := apdu.Command{INS: apdu.InsExternalAuth, Data: make([]byte, 10), Le: -1}.Append(nil)
	block := apdu.Command{CLA: 0x84, INS: 0x1E, Data: make([]byte, 4), Le: -1}.Append(nil)
	c := newCard(t, d)
	send(t, c, apdu.Select(d.AID, false), 0x9000)
	send(t, c, auth, 0x6985) // nothing was asked
	send(t, c, block, 0x6985)
	c, _ = answered(t, d, "01")
	send(t, c, append([]byte{0, 0x82, 1}, auth[3:]...), 0x6A86)
	send(t, c, append([]byte{0x80}, block[1:]...), 0x6E00)
	d.SM.ScriptK = pay.Secret{}
	c, _ = answered(t, d, "01")
	send(t, c, block, 0x6985) // this card takes no scripts
}

func TestSMPersonalisationRefused(t *testing.T) {
	for name, change := range map[string]func(*card.Data){
		"no key at all":      func(d *card.Data) { d.Key, d.SM = nil, nil },
		"no SM2 key":         func(d *card.Data) { d.SM.Key = nil },
		"no SM4 key":         func(d *card.Data) { d.SM.UDK = pay.Secret{} },
		"no SM records":      func(d *card.Data) { d.SM.Records = nil },
		"too many":           func(d *card.Data) { d.SM.Records = make([]card.Record, card.MaxRecords+1) },
		"SM record 0":        func(d *card.Data) { d.SM.Records[1].Number = 0 },
		"cryptogram version": func(d *card.Data) { d.Version = 0x18 },
	} {
		d, _, _ := smData(t, "unionpay-sm")
		change(&d)
		if _, err := card.New(d, card.NewMemoryState(), seeded()); !errors.Is(err, card.ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
