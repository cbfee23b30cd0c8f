package tag

import (
	"fmt"

	"huika/emv/tlv"
)

// Tags of kernel 5 that other kernels use otherwise, or not at all.
const (
	CVMStatus       tlv.Tag = 0x9F50 // cardholder verification status
	Compatibility   tlv.Tag = 0x9F52 // terminal compatibility indicator
	Interchange     tlv.Tag = 0x9F53 // terminal interchange profile
	JCBCountry      tlv.Tag = 0x9F57 // issuer country code
	MDOL            tlv.Tag = 0x9F5C
	JCBBalance      tlv.Tag = 0x9F5F // offline balance
	UpdateParameter tlv.Tag = 0x9F60 // issuer update parameter
)

// C5 is the dictionary of kernel 5 (Book C-5, JCB J/Speedy, from public implementations).
var C5 = &Dictionary{base: EMV, own: map[tlv.Tag]Info{
	CVMStatus:       {Name: "Cardholder Verification Status", Explain: explainCVMStatus},
	Compatibility:   {Name: "Terminal Compatibility Indicator", Explain: explainCompatibility},
	Interchange:     {Name: "Terminal Interchange Profile", Explain: explainInterchange},
	JCBCountry:      {Name: "Issuer Country Code", Format: N},
	MDOL:            {Name: "Magstripe Data Object List (MDOL)"},
	JCBBalance:      {Name: "Offline Balance", Format: N},
	UpdateParameter: {Name: "Issuer Update Parameter", Explain: explainUpdateParameter},
	FormFactor:      {Name: "Device Information"},
}}

func explainCVMStatus(v []byte) []string {
	if len(v) != 1 {
		return nil
	}
	switch {
	case v[0] == 0x00:
		return []string{"no CVM"}
	case v[0] == 0x10:
		return []string{"signature"}
	case v[0] == 0x20:
		return []string{"online PIN"}
	case v[0]&0xF0 == 0x30:
		return []string{"verified on the device"}
	case v[0] == 0xF0:
		return []string{"no preference"}
	}
	return []string{fmt.Sprintf("status %02X", v[0])}
}

func explainCompatibility(v []byte) []string {
	return explainBits([]bit{{1, 0x01, "mag-stripe mode supported"}, {1, 0x02, "EMV mode supported"}}, v)
}

func explainInterchange(v []byte) []string {
	return explainBits([]bit{
		{1, 0x80, "CVM required by reader"}, {1, 0x40, "signature supported"}, {1, 0x20, "online PIN supported"},
		{1, 0x10, "on-device CVM supported"}, {2, 0x80, "issuer update supported"},
	}, v)
}

func explainUpdateParameter(v []byte) []string {
	if len(v) != 1 || v[0] > 2 {
		return nil
	}
	return []string{[...]string{"issuer update not supported", "present and hold", "two presentments"}[v[0]]}
}
