package tag

import (
	"fmt"

	"huika/emv/tlv"
)

// Tags of kernel 3 that other kernels use otherwise, or not at all.
const (
	ApplicationProgramID tlv.Tag = 0x9F5A // names the dynamic reader limits
	ScriptResults        tlv.Tag = 0x9F5B // issuer script results
	ScriptID             tlv.Tag = 0x9F18 // issuer script identifier
	ScriptCommand        tlv.Tag = 0x86   // issuer script command
)

// C3 is the dictionary of kernel 3 (Book C-3 and VIS, from public descriptions).
var C3 = &Dictionary{base: EMV, own: map[tlv.Tag]Info{
	IAD:                  {Name: "Issuer Application Data (Visa)", Explain: explainVisaIAD},
	AvailableOffline:     {Name: "Available Offline Spending Amount", Format: N},
	ApplicationProgramID: {Name: "Application Program Identifier"},
	ScriptResults:        {Name: "Issuer Script Results", Explain: explainScriptResults},
	ScriptID:             {Name: "Issuer Script Identifier"},
	ScriptCommand:        {Name: "Issuer Script Command", Sensitive: true}, // may carry a PIN block
	TTQ:                  {Name: "Terminal Transaction Qualifiers", Explain: explainTTQ},
	CTQ:                  {Name: "Card Transaction Qualifiers", Explain: explainCTQ},
	CardAuthData:         {Name: "Card Authentication Related Data", Explain: explainCardAuthData},
	FormFactor:           {Name: "Form Factor Indicator", Explain: explainFormFactor},
	CustomerExclusive:    {Name: "Customer Exclusive Data"},
	0x9F51:               {Name: "Application Currency Code", Format: N},
	0x9F53:               {Name: "Consecutive Transaction Counter International Limit"},
	0x9F54:               {Name: "Cumulative Total Transaction Amount Limit", Format: N},
	0x9F56:               {Name: "Issuer Authentication Indicator"},
	0x9F57:               {Name: "Issuer Country Code", Format: N},
	0x9F58:               {Name: "Consecutive Transaction Counter Limit"},
	0x9F59:               {Name: "Consecutive Transaction Counter Upper Limit"},
	0x9F5C:               {Name: "Cumulative Total Transaction Amount Upper Limit", Format: N},
	0x9F68:               {Name: "Card Additional Processes"},
	0x9F6B:               {Name: "Card CVM Limit", Format: N},
	0x9F6D:               {Name: "VLP Reset Threshold", Format: N},
}}

// explainVisaIAD reads 06 ‖ key index ‖ version ‖ CVR (formats 0, 1, 3) and 1F ‖
// version ‖ key index ‖ CVR (format 2). Byte 5 is the CVR's second either way.
func explainVisaIAD(v []byte) []string {
	if len(v) < 7 {
		return nil
	}
	index, version := v[1], v[2]
	if v[0] == 0x1F {
		index, version = version, index
	}
	out := []string{fmt.Sprintf("derivation key index %02X, cryptogram version %02X", index, version), cryptogramType(v[4] >> 4)}
	return append(out, explainBits([]bit{
		{5, 0x04, "cardholder verified by the card or device"}, {5, 0x02, "cardholder verification by the card failed"},
		{5, 0x01, "unable to go online"},
		{6, 0x80, "last online transaction not completed"}, {6, 0x40, "PIN try limit exceeded"}, {6, 0x20, "velocity counters exceeded"},
		{6, 0x10, "new card"}, {6, 0x08, "issuer authentication failed on last online transaction"},
		{7, 0x08, "issuer script failed"}, {7, 0x04, "DDA failed on last transaction"}, {7, 0x02, "DDA performed"},
		{7, 0x01, "PIN expected and not verified by the card"},
	}, v)...)
}

// explainFormFactor: what the payment device is, what it can, and how it talks.
func explainFormFactor(v []byte) []string {
	if len(v) != 4 {
		return nil
	}
	form := v[0] & 0x1F
	forms := [...]string{"standard card", "mini card", "no card", "mobile phone", "wrist-worn device"}
	out := []string{fmt.Sprintf("form factor %02X", form)}
	if int(form) < len(forms) {
		out[0] = forms[form]
	}
	out = append(out, explainBits([]bit{
		{2, 0x80, "passcode capable"}, {2, 0x40, "signature panel"}, {2, 0x20, "hologram"}, {2, 0x10, "CVV2"}, {2, 0x08, "two-way messaging"},
		{2, 0x04, "cloud-based credentials"}, {2, 0x02, "biometric capable"},
	}, v)...)
	if v[3]&0x0F == 0 {
		out = append(out, "proximity contactless")
	}
	return out
}

// explainScriptResults reads entries of 5 bytes: result and sequence number, then
// the script identifier (EMV Book 4, annex A5).
func explainScriptResults(v []byte) []string {
	var out []string
	for ; len(v) >= 5; v = v[5:] {
		result, ok := map[byte]string{0: "not sent", 1: "failed", 2: "successful"}[v[0]>>4]
		if !ok {
			result = fmt.Sprintf("result %X", v[0]>>4)
		}
		if n := v[0] & 0x0F; n > 0 {
			result += fmt.Sprintf(" at command %d", n)
		}
		out = append(out, fmt.Sprintf("script %X: %s", v[1:5], result))
	}
	return out
}
