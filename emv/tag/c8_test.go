package tag_test

import (
	"strings"
	"testing"

	"huika/emv/tag"
	"huika/emv/tlv"
)

// Kernel 8's own meanings, and what of it may never be shown.
func TestC8(t *testing.T) {
	for g, want := range map[tlv.Tag]bool{
		0x57: true, 0x5A: true, 0x5F20: true, 0xBF8102: true, 0x9F26: false, 0x9F8103: false, 0x9F8109: false, 0x9F8111: false, 0x9F811A: false,
	} {
		if info, ok := tag.C8.Lookup(g); !ok || info.Sensitive != want {
			t.Errorf("%s: known %v, sensitive %v, want %v", g, ok, info.Sensitive, want)
		}
	}
	for _, c := range []struct {
		tag         tlv.Tag
		value, want string
	}{
		{0x95, "8000000081", "local authentication was not performed; kernel 8 processing and TVR format; relay resistance not performed"},
		{0x95, "0400048080", "local authentication failed; online CVM captured; transaction exceeds floor limit; kernel 8 processing and TVR format"},
		{0x95, "0400000000", "CDA failed"}, // without kernel 8's mark
		{0x9F8104, "00500000C0", "expired application; requested service not allowed; kernel 8 processing and TVR format; AID mismatch"},
		{0x9F1D, "4C80000000000000", "online PIN (contactless); no CVM (contactless); CDCVM (contactless); CVM limit exceeded"},
		{0x9F2B, "02800010FFFF0000", "version 2; local authentication enabled"}, {0x9F2B, "0200001000", "version 2"},
		{0x9F2C, "0100FFFF800000", "version 1; field off detection supported"},
		{0x9F8102, "03", "CDCVM"}, {0x9F8102, "FF", "cardholder verification failed"}, {0x9F8102, "07", "decision 07"},
		{0x9F8108, "2020", "restart at B; message 20"}, {0x9F8108, "3100", "try another interface"},
		{0x9F8204, "0013000000FF", "L2: EDA MAC failed"}, {0x9F8204, "0003006985FF", "L2: status bytes; SW 6985"}, {0x9F8204, "000F00000000", "L2: terminal data error"},
		{0x9F810C, "0123", "29.1 ms"},
	} {
		info, _ := tag.C8.Lookup(c.tag)
		if got := strings.Join(info.Explain(unhex(t, c.value)), "; "); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.tag, c.value, got, c.want)
		}
		if info.Explain(nil) != nil {
			t.Errorf("%s explains nothing", c.tag)
		}
	}
}
