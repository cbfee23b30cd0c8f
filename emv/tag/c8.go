package tag

import (
	"fmt"

	"huika/emv/tlv"
)

// Tags of kernel 8 (Book C-8, Annex A; public implementation).
const (
	CardQualifier       tlv.Tag = 0x9F2C
	KernelKeyData       tlv.Tag = 0x9E     // x ‖ y of the kernel's key
	EncryptedRecord     tlv.Tag = 0xDA     // what stands in place of template 70
	TokenRequestor      tlv.Tag = 0x9F19   // token requestor ID
	RiskManagementData  tlv.Tag = 0x9F1D   // terminal risk management data
	CVDecision          tlv.Tag = 0x9F8102 // cardholder verification decision
	CardKeyData         tlv.Tag = 0x9F8103
	CardTVR             tlv.Tag = 0x9F8104
	EDAMAC              tlv.Tag = 0x9F8105 // enhanced data authentication MAC
	AuthenticatedData   tlv.Tag = 0x9F8106 // authenticated application data
	IADMACOffset        tlv.Tag = 0x9F8107
	RestartIndicator    tlv.Tag = 0x9F8108
	IADMAC              tlv.Tag = 0x9F8109 // issuer application data MAC
	ExtendedSDATagList  tlv.Tag = 0x9F810A
	RelayTimeExcess     tlv.Tag = 0x9F810C
	CardCapabilities    tlv.Tag = 0x9F810D
	DataEnvelope1       tlv.Tag = 0x9F8111 // data envelopes 1 to 10
	DataEnvelope10      tlv.Tag = 0x9F811A
	ErrorIndicationC8   tlv.Tag = 0x9F8204
	WriteDataStatus     tlv.Tag = 0x9F821B
	ReadDataStatus      tlv.Tag = 0x9F821C
	MeasuredRelayTimeC8 tlv.Tag = 0xDF8306 // no tag of kernel 8 is known for it; kernel 2's
)

// C8 is the dictionary of kernel 8.
var C8 = &Dictionary{base: EMV, own: map[tlv.Tag]Info{
	0x95:     {Name: "Terminal Verification Results", Explain: explainTVRC8},
	0x9E:     {Name: "Kernel Key Data"},
	0xDA:     {Name: "Encrypted Record"},
	0x9F19:   {Name: "Token Requestor ID", Format: N},
	0x9F1D:   {Name: "Terminal Risk Management Data", Explain: explainRiskData},
	0x9F2B:   {Name: "Kernel Qualifier", Explain: explainKernelQualifier},
	0x9F2C:   {Name: "Card Qualifier", Explain: explainCardQualifier},
	0x9F8102: {Name: "Cardholder Verification Decision", Explain: explainCVDecision},
	0x9F8103: {Name: "Card Key Data"},
	0x9F8104: {Name: "Card TVR", Explain: explainTVRC8},
	0x9F8105: {Name: "Enhanced Data Authentication MAC"},
	0x9F8106: {Name: "Authenticated Application Data"},
	0x9F8107: {Name: "IAD MAC Offset"},
	0x9F8108: {Name: "Restart Indicator", Explain: explainRestart},
	0x9F8109: {Name: "Issuer Application Data MAC"},
	0x9F810A: {Name: "Extended SDA Tag List"},
	0x9F810B: {Name: "ICC ECC Public Key (for RSA Certificates)"},
	0x9F810C: {Name: "Relay Resistance Time Excess", Explain: explainRelayTime},
	0x9F810D: {Name: "Card Capabilities Information"},
	0x9F8111: {Name: "Data Envelope 1"},
	0x9F8112: {Name: "Data Envelope 2"},
	0x9F8113: {Name: "Data Envelope 3"},
	0x9F8114: {Name: "Data Envelope 4"},
	0x9F8115: {Name: "Data Envelope 5"},
	0x9F8116: {Name: "Data Envelope 6"},
	0x9F8117: {Name: "Data Envelope 7"},
	0x9F8118: {Name: "Data Envelope 8"},
	0x9F8119: {Name: "Data Envelope 9"},
	0x9F811A: {Name: "Data Envelope 10"},
	0x9F8201: {Name: "Data Needed"},
	0x9F8202: {Name: "Proceed To First Write Flag"},
	0x9F8203: {Name: "Tags To Read"},
	0x9F8204: {Name: "Error Indication", Explain: explainErrorC8},
	0x9F8206: {Name: "Card Data Input Capability"},
	0x9F8207: {Name: "CVM Capability - CVM Required"},
	0x9F8208: {Name: "CVM Capability - No CVM Required"},
	0x9F8209: {Name: "Kernel Configuration"},
	0x9F820A: {Name: "Security Capability"},
	0x9F820B: {Name: "Terminal Action Code - Denial", Explain: explainTVRC8},
	0x9F820C: {Name: "Terminal Action Code - Online", Explain: explainTVRC8},
	0x9F820D: {Name: "Reader Contactless Floor Limit", Format: N},
	0x9F820E: {Name: "Reader CVM Required Limit", Format: N},
	0x9F820F: {Name: "Timeout Value"},
	0x9F8210: {Name: "Outcome Parameter Set"},
	0x9F8211: {Name: "Message Hold Time", Format: N},
	0x9F8212: {Name: "Hold Time Value"},
	0x9F8213: {Name: "Minimum Relay Resistance Grace Period"},
	0x9F8214: {Name: "Maximum Relay Resistance Grace Period"},
	0x9F8215: {Name: "Terminal Expected Transmission Time For Relay Resistance C-APDU"},
	0x9F8216: {Name: "Terminal Expected Transmission Time For Relay Resistance R-APDU"},
	0x9F8217: {Name: "Relay Resistance Accuracy Threshold"},
	0x9F8218: {Name: "Relay Resistance Transmission Time Mismatch Threshold"},
	0x9F821A: {Name: "Kernel Reserved TVR Mask"},
	0x9F821B: {Name: "Write Data Status"},
	0x9F821C: {Name: "Read Data Status"},
	0x9F821D: {Name: "Message Identifiers On Restart"},
	0x9F821E: {Name: "Default IAD MAC Offset"},
	0x9F821F: {Name: "Discretionary Data Tag List"},
	0x9F8220: {Name: "Default CDOL1"},
	0x9F8221: {Name: "Tag Mapping List"},
	0xBF8101: {Name: "Data To Send", Sensitive: true},
	0xBF8102: {Name: "Data Record", Sensitive: true},
	0xBF8103: {Name: "Discretionary Data", Sensitive: true},
	0xBF8104: {Name: "Data Envelopes To Write"},
	0xDF8306: {Name: "Measured Relay Resistance Processing Time", Explain: explainRelayTime},
}}

// explainTVRC8: kernel 8's bits differ from EMV Book 3 in bytes 1 and 5; byte 5, bit 8 says so.
func explainTVRC8(v []byte) []string {
	if len(v) != 5 || v[4]&0x80 == 0 {
		return explainTVR(v)
	}
	return explainBits([]bit{
		{1, 0x80, "local authentication was not performed"}, {1, 0x04, "local authentication failed"},
		{2, 0x80, "different application versions"}, {2, 0x40, "expired application"}, {2, 0x20, "application not yet effective"},
		{2, 0x10, "requested service not allowed"},
		{3, 0x80, "cardholder verification was not successful"}, {3, 0x04, "online CVM captured"},
		{4, 0x80, "transaction exceeds floor limit"},
		{5, 0x80, "kernel 8 processing and TVR format"}, {5, 0x40, "AID mismatch"}, {5, 0x08, "relay resistance threshold exceeded"},
		{5, 0x04, "relay resistance time limits exceeded"}, {5, 0x02, "relay resistance performed"}, {5, 0x01, "relay resistance not performed"},
	}, v)
}

func explainRiskData(v []byte) []string {
	return explainBits([]bit{
		{1, 0x40, "online PIN (contactless)"}, {1, 0x20, "signature (contactless)"}, {1, 0x08, "no CVM (contactless)"}, {1, 0x04, "CDCVM (contactless)"},
		{2, 0x80, "CVM limit exceeded"}, {2, 0x40, "online PIN (contact)"}, {2, 0x20, "signature (contact)"}, {2, 0x10, "enciphered offline PIN (contact)"},
		{2, 0x08, "no CVM (contact)"}, {2, 0x04, "CDCVM (contact)"}, {2, 0x02, "plaintext offline PIN (contact)"},
		{4, 0x80, "CDCVM bypass requested"}, {4, 0x40, "exempt from strong customer authentication"},
	}, v)
}

func explainKernelQualifier(v []byte) []string {
	if len(v) < 2 {
		return nil
	}
	out := []string{fmt.Sprintf("version %d", v[0])}
	return append(out, explainBits([]bit{{2, 0x80, "local authentication enabled"}}, v)...)
}

func explainCardQualifier(v []byte) []string {
	if len(v) != 7 {
		return nil
	}
	out := []string{fmt.Sprintf("version %d", v[0])}
	return append(out, explainBits([]bit{{5, 0x80, "field off detection supported"}}, v)...)
}

func explainCVDecision(v []byte) []string {
	if len(v) != 1 {
		return nil
	}
	if s, ok := map[byte]string{0x00: "no CVM", 0x01: "signature", 0x02: "online PIN", 0x03: "CDCVM", 0x0F: "not applicable",
		0xFF: "cardholder verification failed"}[v[0]]; ok {
		return []string{s}
	}
	return []string{fmt.Sprintf("decision %02X", v[0])}
}

func explainRestart(v []byte) []string {
	if len(v) < 2 {
		return nil
	}
	var out []string
	switch v[0] & 0xF0 {
	case 0x20:
		out = append(out, "restart at B")
	case 0x30:
		out = append(out, "try another interface")
	}
	if v[1] != 0 {
		out = append(out, fmt.Sprintf("message %02X", v[1]))
	}
	return out
}

func explainErrorC8(v []byte) []string {
	if len(v) != 6 {
		return nil
	}
	out := explainErrorIndication(v)
	if s, ok := map[byte]string{0x10: "decryption failed", 0x12: "IAD MAC failed", 0x13: "EDA MAC failed"}[v[1]]; ok { // below 10: as kernel 2
		out = append(out, "L2: "+s)
	}
	return out
}
