package tag_test

import (
	"strings"
	"testing"

	"huika/emv/tag"
	"huika/emv/tlv"
)

// Kernel 2's own meanings, and what of it may never be shown.
func TestC2(t *testing.T) {
	for g, want := range map[tlv.Tag]bool{
		0x57: true, 0x5A: true, 0x56: true, 0x9F6B: true, 0x5F20: true, 0x90: true, 0x92: true, 0x9F46: true, 0x9F5E: true, 0xDF812A: true,
		0xDF812B: true, 0xFF8105: true, 0x9F26: false, 0x9F66: false, 0xDF8115: false,
	} {
		if info, ok := tag.C2.Lookup(g); !ok || info.Sensitive != want {
			t.Errorf("%s: known %v, sensitive %v, want %v", g, ok, info.Sensitive, want)
		}
	}
	for _, c := range []struct {
		tag         tlv.Tag
		value, want string
	}{
		{0x9F5D, "020105", "data storage version 2; CDA over TC, ARQC and AAC"},
		{0x9F5D, "020600", "data storage version 2; field off detection supported; balance reading supported"},
		{0x9F6E, "01560000303100", "device type: mobile phone"}, {0x9F6E, "0156000030330000", "device type: watch"},
		{0x9F6E, "015680003031", ""}, {0x9F6E, "015600003939", "device type 3939"},
		{0xDF4B, "001000", "offline PIN verification successful"},
		{0xDF4B, "000100", "the holder must act on the device and present it again"},
		{0xDF8115, "0003006985FF", "L2: status bytes; SW 6985"}, {0xDF8115, "020001000021", "L1: transmission error; L3: time out"},
		{0xDF8306, "0123", "29.1 ms"},
	} {
		info, _ := tag.C2.Lookup(c.tag)
		if got := strings.Join(info.Explain(unhex(t, c.value)), "; "); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.tag, c.value, got, c.want)
		}
		if info.Explain(nil) != nil {
			t.Errorf("%s explains nothing", c.tag)
		}
	}
}
