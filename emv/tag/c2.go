package tag

import (
	"fmt"

	"huika/emv/tlv"
)

// C2 is the dictionary of kernel 2 (Book C-2, Annex A; public description).
var C2 = &Dictionary{base: EMV, own: map[tlv.Tag]Info{
	0x56:     {Name: "Track 1 Data", Format: ANS, Sensitive: true},
	0x9F19:   {Name: "Token Requestor ID", Format: N},
	0x9F1D:   {Name: "Terminal Risk Management Data"},
	0x9F50:   {Name: "Offline Accumulator Balance", Format: N},
	0x9F51:   {Name: "DRDOL"},
	0x9F53:   {Name: "Transaction Category Code", Format: AN},
	0x9F54:   {Name: "DS ODS Card"},
	0x9F5B:   {Name: "DSDOL"},
	0x9F5C:   {Name: "DS Requested Operator ID"},
	0x9F5D:   {Name: "Application Capabilities Information", Explain: explainCapabilitiesInformation},
	0x9F5E:   {Name: "DS ID", Format: N, Sensitive: true}, // the card number and its sequence number
	0x9F5F:   {Name: "DS Slot Availability"},
	0x9F60:   {Name: "CVC3 (Track 1)"},
	0x9F61:   {Name: "CVC3 (Track 2)"},
	0x9F62:   {Name: "PCVC3 (Track 1)"},
	0x9F63:   {Name: "PUNATC (Track 1)"},
	0x9F64:   {Name: "NATC (Track 1)"},
	0x9F65:   {Name: "PCVC3 (Track 2)"},
	0x9F66:   {Name: "PUNATC (Track 2)"},
	0x9F67:   {Name: "NATC (Track 2)"},
	0x9F69:   {Name: "UDOL"},
	0x9F6A:   {Name: "Unpredictable Number (Numeric)", Format: N},
	0x9F6B:   {Name: "Track 2 Data", Sensitive: true},
	0x9F6C:   {Name: "Mag-stripe Application Version Number (Card)"},
	0x9F6D:   {Name: "Mag-stripe Application Version Number (Reader)"},
	0x9F6E:   {Name: "Third Party Data", Explain: explainThirdParty},
	0x9F6F:   {Name: "DS Slot Management Control"},
	0x9F70:   {Name: "Protected Data Envelope 1"},
	0x9F71:   {Name: "Protected Data Envelope 2"},
	0x9F72:   {Name: "Protected Data Envelope 3"},
	0x9F73:   {Name: "Protected Data Envelope 4"},
	0x9F74:   {Name: "Protected Data Envelope 5"},
	0x9F75:   {Name: "Unprotected Data Envelope 1"},
	0x9F76:   {Name: "Unprotected Data Envelope 2"},
	0x9F77:   {Name: "Unprotected Data Envelope 3"},
	0x9F78:   {Name: "Unprotected Data Envelope 4"},
	0x9F79:   {Name: "Unprotected Data Envelope 5"},
	0x9F7C:   {Name: "Merchant Custom Data"},
	0x9F7D:   {Name: "DS Summary 1"},
	0x9F7E:   {Name: "Mobile Support Indicator"},
	0x9F7F:   {Name: "DS Unpredictable Number"},
	0xDF4B:   {Name: "POS Cardholder Interaction Information", Explain: explainPCII},
	0xDF60:   {Name: "DS Input (Card)"},
	0xDF61:   {Name: "DS Digest H"},
	0xDF62:   {Name: "DS ODS Info"},
	0xDF63:   {Name: "DS ODS Term"},
	0xDF8101: {Name: "DS Summary 2"},
	0xDF8102: {Name: "DS Summary 3"},
	0xDF8104: {Name: "Balance Read Before Gen AC", Format: N},
	0xDF8105: {Name: "Balance Read After Gen AC", Format: N},
	0xDF8106: {Name: "Data Needed"},
	0xDF8107: {Name: "CDOL1 Related Data"},
	0xDF8108: {Name: "DS AC Type"},
	0xDF8109: {Name: "DS Input (Term)"},
	0xDF810A: {Name: "DS ODS Info For Reader"},
	0xDF810B: {Name: "DS Summary Status"},
	0xDF810D: {Name: "DSVN Term"},
	0xDF810E: {Name: "Post-Gen AC Put Data Status"},
	0xDF810F: {Name: "Pre-Gen AC Put Data Status"},
	0xDF8110: {Name: "Proceed To First Write Flag"},
	0xDF8111: {Name: "PDOL Related Data"},
	0xDF8112: {Name: "Tags To Read"},
	0xDF8113: {Name: "DRDOL Related Data"},
	0xDF8114: {Name: "Reference Control Parameter"},
	0xDF8115: {Name: "Error Indication", Explain: explainErrorIndication},
	0xDF8128: {Name: "IDS Status"},
	0xDF812A: {Name: "DD Card (Track 1)", Format: ANS, Sensitive: true},
	0xDF812B: {Name: "DD Card (Track 2)", Sensitive: true},
	0xDF8301: {Name: "Terminal Relay Resistance Entropy"},
	0xDF8302: {Name: "Device Relay Resistance Entropy"},
	0xDF8303: {Name: "Min Time For Processing Relay Resistance APDU"},
	0xDF8304: {Name: "Max Time For Processing Relay Resistance APDU"},
	0xDF8305: {Name: "Device Estimated Transmission Time For Relay Resistance R-APDU"},
	0xDF8306: {Name: "Measured Relay Resistance Processing Time", Explain: explainRelayTime},
	0xDF8307: {Name: "RRP Counter"},
	0xFF8101: {Name: "Torn Record"},
	0xFF8102: {Name: "Tags To Write Before Gen AC"},
	0xFF8103: {Name: "Tags To Write After Gen AC"},
	0xFF8104: {Name: "Data To Send"},
	0xFF8105: {Name: "Data Record", Sensitive: true},
	0xFF8106: {Name: "Discretionary Data"},
}}

func explainCapabilitiesInformation(v []byte) []string {
	if len(v) != 3 {
		return nil
	}
	out := []string{fmt.Sprintf("data storage version %d", v[0]&0x0F)}
	return append(out, explainBits([]bit{
		{2, 0x04, "field off detection supported"}, {2, 0x02, "balance reading supported"}, {2, 0x01, "CDA over TC, ARQC and AAC"},
	}, v)...)
}

// explainThirdParty reads country(2) ‖ unique identifier(2) ‖ device type(2), the last where bit 8 of the identifier is clear.
func explainThirdParty(v []byte) []string {
	if len(v) < 6 || v[2]&0x80 != 0 {
		return nil
	}
	if s, ok := map[string]string{"00": "card", "01": "mobile phone", "02": "key fob", "03": "watch", "04": "mobile tag", "05": "wristband"}[string(v[4:6])]; ok {
		return []string{"device type: " + s}
	}
	return []string{fmt.Sprintf("device type %X", v[4:6])}
}

func explainPCII(v []byte) []string {
	if len(v) != 3 {
		return nil
	}
	out := explainBits([]bit{{2, 0x10, "offline PIN verification successful"}}, v)
	if v[1]&0x03 != 0 || v[2]&0x0F != 0 {
		out = append(out, "the holder must act on the device and present it again")
	}
	return out
}

func explainErrorIndication(v []byte) []string {
	if len(v) != 6 {
		return nil
	}
	var out []string
	if v[0] != 0 {
		out = append(out, [...]string{"", "L1: time out", "L1: transmission error", "L1: protocol error"}[min(v[0], 3)])
	}
	names := [...]string{"", "card data missing", "CAM failed", "status bytes", "parsing error", "max limit exceeded", "card data error",
		"mag-stripe not supported", "no PPSE", "PPSE fault", "empty candidate list", "IDS read error", "IDS write error", "IDS data error",
		"IDS no matching AC", "terminal data error"}
	if n := int(v[1]); n > 0 && n < len(names) {
		out = append(out, "L2: "+names[n])
	}
	if n := int(v[2]); n > 0 && n < 4 {
		out = append(out, "L3: "+[...]string{"", "time out", "stop", "amount not present"}[n])
	}
	if v[3] != 0 || v[4] != 0 {
		out = append(out, fmt.Sprintf("SW %02X%02X", v[3], v[4]))
	}
	return out
}

func explainRelayTime(v []byte) []string {
	if len(v) != 2 {
		return nil
	}
	n := int(v[0])<<8 | int(v[1])
	return []string{fmt.Sprintf("%d.%d ms", n/10, n%10)}
}
