package tag_test

import (
	"strings"
	"testing"

	"huika/emv/tag"
	"huika/emv/tlv"
)

// What kernels 4, 5 and 6 read in tags that other kernels read otherwise.
func TestC456(t *testing.T) {
	for _, c := range []struct {
		dictionary *tag.Dictionary
		tag        tlv.Tag
		value      string
		want       string
	}{
		{tag.C4, 0x9F6D, "C8", "Expresspay 3 or later: EMV and mag-stripe mode; CVM required"},
		{tag.C4, 0x9F6D, "40", "mag-stripe mode only"},
		{tag.C4, 0x9F6E, "D8E0C000", "contact mode supported; mag-stripe mode supported; EMV partial online mode supported; Expresspay Mobile supported; " +
			"mobile CVM supported; online PIN supported; signature supported; terminal is offline only; CVM required"},
		{tag.C4, 0x9F70, "3803", "contact EMV interface; contactless EMV interface; mobile interface; dynamic reader limit set 3"},
		{tag.C4, 0x9F71, "010302", "mobile CVM performed; terminal required CVM; mobile CVM successful"},
		{tag.C4, 0x9F71, "3F0003", "no CVM performed; mobile CVM not required; mobile CVM blocked"},
		{tag.C4, 0x9F71, "020503", "value 02; value 05; mobile CVM blocked"},
		{tag.C4, 0x82, "01E0", "CDA supported; EMV mode supported; Expresspay Mobile supported; host card emulation supported"},
		{tag.C5, 0x9F50, "00", "no CVM"}, {tag.C5, 0x9F50, "10", "signature"}, {tag.C5, 0x9F50, "20", "online PIN"},
		{tag.C5, 0x9F50, "31", "verified on the device"}, {tag.C5, 0x9F50, "F0", "no preference"}, {tag.C5, 0x9F50, "41", "status 41"},
		{tag.C5, 0x9F52, "03", "mag-stripe mode supported; EMV mode supported"},
		{tag.C5, 0x9F53, "F08000", "CVM required by reader; signature supported; online PIN supported; on-device CVM supported; issuer update supported"},
		{tag.C5, 0x9F60, "02", "two presentments"}, {tag.C5, 0x9F60, "03", ""},
		{tag.C6, 0x9F71, "D0D3", "online PIN required; signature required; consumer device CVM performed; switch to another interface if unable to process online; " +
			"process online if CDA failed; issuer update processing supported; CVM fallback to signature allowed; CVM fallback to no CVM allowed"},
		{tag.C6, 0x9F66, "2600C000", "EMV mode supported; online PIN supported; signature supported; issuer update processing supported; consumer device CVM supported"},
		{tag.C6, 0x9F10, "0105A012000000000000", "domestic transaction; confirmation code verification performed"},
	} {
		info, ok := c.dictionary.Lookup(c.tag)
		if got := strings.Join(info.Explain(unhex(t, c.value)), "; "); !ok || got != c.want {
			t.Errorf("%s %s: %q, want %q", c.tag, c.value, got, c.want)
		}
		if info.Explain(nil) != nil {
			t.Errorf("%s explains nothing", c.tag)
		}
	}
	for _, d := range []*tag.Dictionary{tag.C4, tag.C5, tag.C6} {
		for g, want := range map[tlv.Tag]bool{0x57: true, 0x5A: true, 0x90: true, 0x9F46: true, 0x5F20: true, 0x9F26: false, 0x9F71: false} {
			if info, _ := d.Lookup(g); info.Sensitive != want {
				t.Errorf("%s sensitive: %v", g, info.Sensitive)
			}
		}
	}
}
