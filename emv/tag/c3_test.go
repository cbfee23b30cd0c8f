package tag_test

import (
	"strings"
	"testing"

	"huika/emv/tag"
	"huika/emv/tlv"
)

// Kernel 3's own meanings, and what of it may never be shown.
func TestC3(t *testing.T) {
	for g, want := range map[tlv.Tag]bool{0x57: true, 0x5A: true, 0x90: true, 0x9F46: true, 0x86: true, 0x9F5A: false, 0x9F6C: false, 0x9F6B: false} {
		if info, ok := tag.C3.Lookup(g); !ok || info.Sensitive != want {
			t.Errorf("%s: known %v, sensitive %v, want %v", g, ok, info.Sensitive, want)
		}
	}
	for _, c := range []struct {
		tag         tlv.Tag
		value, want string
	}{
		{0x9F6E, "23880000", "mobile phone; passcode capable; two-way messaging; proximity contactless"},
		{0x9F6E, "24820000", "wrist-worn device; passcode capable; biometric capable; proximity contactless"},
		{0x9F6E, "1F000001", "form factor 1F"},
		{0x9F10, "06011103A00000", "derivation key index 01, cryptogram version 11; ARQC: online authorisation requested"},
		{0x9F10, "1F220103940002", "derivation key index 01, cryptogram version 22; TC: approved offline; cardholder verified by the card or device; DDA performed"},
		{0x9F5B, "2000000001" + "12000000AA" + "0000000000", "script 00000001: successful; script 000000AA: failed at command 2; script 00000000: not sent"},
		{0x9F6C, "8040", "online PIN required; card supports issuer update processing at the POS"},
		{0x9F69, "01AABBCCDD0080", "fDDA version 01; signed CTQ: consumer device CVM performed"},
	} {
		info, _ := tag.C3.Lookup(c.tag)
		if got := strings.Join(info.Explain(unhex(t, c.value)), "; "); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.tag, c.value, got, c.want)
		}
		if info.Explain(nil) != nil {
			t.Errorf("%s explains nothing", c.tag)
		}
	}
}
