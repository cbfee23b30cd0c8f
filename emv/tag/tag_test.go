package tag_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"huika/emv/tag"
	"huika/emv/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What every masked view must leave out is marked in every dictionary.
func TestSensitive(t *testing.T) {
	for _, d := range []*tag.Dictionary{tag.EMV, tag.C7} {
		for _, s := range []tlv.Tag{0x57, 0x5A, 0x56, 0x9F6B, 0x5F20, 0x90, 0x92, 0x9F46} {
			if info, ok := d.Lookup(s); !ok || !info.Sensitive {
				t.Errorf("%s is not marked sensitive", s)
			}
		}
		for _, s := range []tlv.Tag{0x9F26, 0x9F10, 0x95, 0x82, 0x94, 0x4F} {
			if info, ok := d.Lookup(s); !ok || info.Sensitive {
				t.Errorf("%s: %v %v", s, ok, info.Sensitive)
			}
		}
	}
}

// A kernel's dictionary has its own meanings over the common ones.
func TestDictionaries(t *testing.T) {
	if _, ok := tag.EMV.Lookup(tag.TTQ); ok {
		t.Error("9F66 means different things in different kernels and stands in the common dictionary")
	}
	if i, ok := tag.C7.Lookup(tag.TTQ); !ok || i.Name != "Terminal Transaction Qualifiers" {
		t.Error("9F66 is not in kernel 7's dictionary")
	}
	if i, ok := tag.C7.Lookup(tag.PAN); !ok || i.Format != tag.CN {
		t.Error("5A is not inherited")
	}
	if _, ok := tag.C7.Lookup(0xDF7E); ok {
		t.Error("an unknown tag was found")
	}
	if tag.N.String() != "n" || tag.CN.String() != "cn" || tag.B.String() != "b" || tag.ANS.String() != "ans" {
		t.Error("names of formats")
	}
}

// Words for the bits, checked against the books' tables.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		tag   tlv.Tag
		value string
		want  string
	}{
		{tag.TVR, "0000000000", ""},
		{tag.TVR, "8840040000", "offline data authentication was not performed, DDA failed, expired application, online PIN entered"},
		{tag.TVR, "0008000008", "new card, relay resistance threshold exceeded"},
		{tag.TTQ, "26C04080", "EMV mode (qPBOC) supported, online PIN supported, signature supported, online cryptogram required, CVM required, consumer device CVM supported, fDDA version 01 supported"},
		{tag.TTQ, "01000000", "offline data authentication for online authorisations supported"},
		{tag.CTQ, "A080", "online PIN required, go online if offline data authentication fails and reader is online capable, consumer device CVM performed"},
		{tag.CTQ, "0000", ""},
		{tag.AIP, "7C00", "SDA supported, DDA supported, cardholder verification supported, terminal risk management to be performed, issuer authentication supported"},
		{tag.AUC, "2980", "domestic goods, domestic services, terminals other than ATMs, domestic cashback"},
		{tag.CID, "80", "ARQC: online authorisation requested"},
		{tag.CID, "40", "TC: approved offline"},
		{tag.CID, "00", "AAC: declined"},
		{tag.CVMResults, "1F0302", "no CVM required, successful"},
		{tag.CVMResults, "420300", "enciphered PIN verified online, result unknown"},
		{tag.CVMResults, "1E", ""},
		{tag.IAD, "07010103A0000201", "derivation key index 01, cryptogram version 01, ARQC: online authorisation requested, DDA performed"},
		{tag.IAD, "0701010384000001", "derivation key index 01, cryptogram version 01, AAC: declined, cardholder verified by the card or device"},
		{tag.IAD, "0701", ""},
		{tag.CardAuthData, "01AABBCCDD0080", "fDDA version 01, signed CTQ: consumer device CVM performed"},
		{tag.CardAuthData, "", ""},
		{tag.AFL, "0801010110010200", "SFI 1 records 1 to 1, 1 of them for offline data authentication, SFI 2 records 1 to 2, 0 of them for offline data authentication"},
		{tag.TransactionType, "20", "refund"},
		{tag.TerminalCapabilities, "E0E8C8", "manual key entry, magnetic stripe, IC with contacts, plaintext PIN for ICC verification, enciphered PIN for online verification, signature, no CVM required, SDA, DDA, CDA"},
	} {
		info, ok := tag.C7.Lookup(c.tag)
		if !ok || info.Explain == nil {
			t.Errorf("%s has no explanation", c.tag)
			continue
		}
		if got := strings.Join(info.Explain(unhex(t, c.value)), ", "); got != c.want {
			t.Errorf("%s %s:\n  %s\nwant\n  %s", c.tag, c.value, got, c.want)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		tag         tlv.Tag
		value, want string
	}{
		{tag.AmountAuthorised, "000000008880", "000000008880"}, {tag.ApplicationLabel, "50424F43", "PBOC"},
		{tag.ApplicationLabel, "5042FF", "5042FF"}, {tag.UN, "01AB", "01AB"},
	} {
		info, _ := tag.C7.Lookup(c.tag)
		if got := info.Text(unhex(t, c.value)); got != c.want {
			t.Errorf("%s: %s", c.tag, got)
		}
	}
}

// No value of any length makes an explanation panic.
func FuzzExplain(f *testing.F) {
	f.Add(uint32(tag.IAD), unhex(f, "07010103A0000201"))
	f.Add(uint32(tag.AFL), unhex(f, "08010101"))
	f.Add(uint32(tag.CVMResults), []byte{})
	f.Fuzz(func(t *testing.T, g uint32, value []byte) {
		if info, ok := tag.C7.Lookup(tlv.Tag(g)); ok {
			if info.Explain != nil {
				info.Explain(value)
			}
			info.Text(value)
		}
	})
}
