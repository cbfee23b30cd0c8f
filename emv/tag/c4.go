package tag

import (
	"fmt"

	"huika/emv/tlv"
)

// Tags of kernel 4 that other kernels use otherwise, or not at all.
const (
	ReaderCapabilities   tlv.Tag = 0x9F6D // contactless reader capabilities
	EnhancedCapabilities tlv.Tag = 0x9F6E // enhanced contactless reader capabilities
	CardInterface        tlv.Tag = 0x9F70 // card interface and payment capabilities
	MobileCVM            tlv.Tag = 0x9F71 // mobile CVM results
)

// C4 is the dictionary of kernel 4 (Book C-4, American Express Expresspay, from public implementations and tag lists).
var C4 = &Dictionary{base: EMV, own: map[tlv.Tag]Info{
	AIP:                  {Name: "Application Interchange Profile", Explain: explainExpresspayAIP},
	ReaderCapabilities:   {Name: "Contactless Reader Capabilities", Explain: explainReaderCapabilities},
	EnhancedCapabilities: {Name: "Enhanced Contactless Reader Capabilities", Explain: explainEnhanced},
	CardInterface:        {Name: "Card Interface and Payment Capabilities", Explain: explainCardInterface},
	MobileCVM:            {Name: "Mobile CVM Results", Explain: explainMobileCVM},
	0x9F5A:               {Name: "Membership Product Identifier", Format: ANS},
	0x9F5B:               {Name: "Product Membership Number", Sensitive: true},
}}

func explainExpresspayAIP(v []byte) []string {
	if len(v) != 2 {
		return nil
	}
	return append(explainAIP([]byte{v[0], v[1] & 0x80}), explainBits([]bit{
		{2, 0x40, "Expresspay Mobile supported"}, {2, 0x20, "host card emulation supported"},
	}, v)...)
}

func explainReaderCapabilities(v []byte) []string {
	if len(v) != 1 {
		return nil
	}
	out := []string{[...]string{"Expresspay 1.0", "mag-stripe mode only", "Expresspay 2.0: EMV and mag-stripe mode", "Expresspay 3 or later: EMV and mag-stripe mode"}[v[0]>>6]}
	if v[0]&0x08 != 0 {
		out = append(out, "CVM required")
	}
	return out
}

func explainEnhanced(v []byte) []string {
	return explainBits([]bit{
		{1, 0x80, "contact mode supported"}, {1, 0x40, "mag-stripe mode supported"}, {1, 0x20, "EMV full online mode supported"},
		{1, 0x10, "EMV partial online mode supported"}, {1, 0x08, "Expresspay Mobile supported"},
		{2, 0x80, "mobile CVM supported"}, {2, 0x40, "online PIN supported"}, {2, 0x20, "signature supported"},
		{2, 0x10, "plaintext offline PIN supported"}, {3, 0x80, "terminal is offline only"}, {3, 0x40, "CVM required"},
	}, v)
}

func explainCardInterface(v []byte) []string {
	out := explainBits([]bit{
		{1, 0x80, "keyed entry supported (embossed or printed number)"}, {1, 0x40, "physical magnetic stripe"}, {1, 0x20, "contact EMV interface"},
		{1, 0x10, "contactless EMV interface"}, {1, 0x08, "mobile interface"},
	}, v)
	if len(v) > 1 {
		out = append(out, fmt.Sprintf("dynamic reader limit set %d", v[1]&0x0F))
	}
	return out
}

func explainMobileCVM(v []byte) []string {
	if len(v) != 3 {
		return nil
	}
	text := func(b byte, names map[byte]string) string {
		if s, ok := names[b]; ok {
			return s
		}
		return fmt.Sprintf("value %02X", b)
	}
	return []string{
		text(v[0], map[byte]string{0x01: "mobile CVM performed", 0x3F: "no CVM performed"}),
		text(v[1], map[byte]string{0x00: "mobile CVM not required", 0x03: "terminal required CVM"}),
		text(v[2], map[byte]string{0x00: "result unknown", 0x01: "mobile CVM failed", 0x02: "mobile CVM successful", 0x03: "mobile CVM blocked"}),
	}
}
