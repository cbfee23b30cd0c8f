package tag

import "fmt"

// bit is one bit of a row of bytes with its meaning.
type bit struct {
	byte int  // from 1
	mask byte // one bit
	text string
}

func explainBits(bits []bit, value []byte) []string {
	var out []string
	for _, b := range bits {
		if b.byte <= len(value) && value[b.byte-1]&b.mask != 0 {
			out = append(out, b.text)
		}
	}
	return out
}

// TVR: EMV Book 3, Annex C5.
var tvrBits = []bit{
	{1, 0x80, "offline data authentication was not performed"}, {1, 0x40, "SDA failed"}, {1, 0x20, "ICC data missing"},
	{1, 0x10, "card appears on terminal exception file"}, {1, 0x08, "DDA failed"}, {1, 0x04, "CDA failed"}, {1, 0x02, "SDA selected"},
	{2, 0x80, "ICC and terminal have different application versions"}, {2, 0x40, "expired application"},
	{2, 0x20, "application not yet effective"}, {2, 0x10, "requested service not allowed for card product"}, {2, 0x08, "new card"},
	{3, 0x80, "cardholder verification was not successful"}, {3, 0x40, "unrecognised CVM"}, {3, 0x20, "PIN try limit exceeded"},
	{3, 0x10, "PIN entry required and PIN pad not present or not working"},
	{3, 0x08, "PIN entry required, PIN pad present, but PIN was not entered"}, {3, 0x04, "online PIN entered"},
	{4, 0x80, "transaction exceeds floor limit"}, {4, 0x40, "lower consecutive offline limit exceeded"},
	{4, 0x20, "upper consecutive offline limit exceeded"}, {4, 0x10, "transaction selected randomly for online processing"},
	{4, 0x08, "merchant forced transaction online"},
	{5, 0x80, "default TDOL used"}, {5, 0x40, "issuer authentication failed"}, {5, 0x20, "script failed before final GENERATE AC"},
	{5, 0x10, "script failed after final GENERATE AC"}, {5, 0x08, "relay resistance threshold exceeded"},
	{5, 0x04, "relay resistance time limits exceeded"}, {5, 0x02, "relay resistance performed"},
}

func explainTVR(v []byte) []string { return explainBits(tvrBits, v) }

// TTQ: public descriptions of kernels 3 and 7.
var ttqBits = []bit{
	{1, 0x80, "mag-stripe mode supported"}, {1, 0x20, "EMV mode (qPBOC) supported"}, {1, 0x10, "EMV contact chip supported"},
	{1, 0x08, "offline-only reader"}, {1, 0x04, "online PIN supported"}, {1, 0x02, "signature supported"},
	{1, 0x01, "offline data authentication for online authorisations supported"},
	{2, 0x80, "online cryptogram required"}, {2, 0x40, "CVM required"}, {2, 0x20, "contact chip offline PIN supported"},
	{3, 0x80, "issuer update processing supported"}, {3, 0x40, "consumer device CVM supported"},
	{4, 0x80, "fDDA version 01 supported"},
}

func explainTTQ(v []byte) []string { return explainBits(ttqBits, v) }

// CTQ: public descriptions of kernels 3 and 7.
var ctqBits = []bit{
	{1, 0x80, "online PIN required"}, {1, 0x40, "signature required"},
	{1, 0x20, "go online if offline data authentication fails and reader is online capable"},
	{1, 0x10, "switch interface if offline data authentication fails and reader supports contact chip"},
	{1, 0x08, "go online if application expired"}, {1, 0x04, "switch interface for cash"}, {1, 0x02, "switch interface for cashback"},
	{2, 0x80, "consumer device CVM performed"}, {2, 0x40, "card supports issuer update processing at the POS"},
}

func explainCTQ(v []byte) []string { return explainBits(ctqBits, v) }

// AIP: EMV Book 3, Annex C1, and Book C-2 for byte 2.
var aipBits = []bit{
	{1, 0x40, "SDA supported"}, {1, 0x20, "DDA supported"}, {1, 0x10, "cardholder verification supported"},
	{1, 0x08, "terminal risk management to be performed"}, {1, 0x04, "issuer authentication supported"},
	{1, 0x02, "on-device cardholder verification supported"}, {1, 0x01, "CDA supported"},
	{2, 0x80, "EMV mode supported"}, {2, 0x01, "relay resistance protocol supported"},
}

func explainAIP(v []byte) []string { return explainBits(aipBits, v) }

// AUC: EMV Book 3, Annex C2.
var aucBits = []bit{
	{1, 0x80, "domestic cash"}, {1, 0x40, "international cash"}, {1, 0x20, "domestic goods"}, {1, 0x10, "international goods"},
	{1, 0x08, "domestic services"}, {1, 0x04, "international services"}, {1, 0x02, "ATMs"}, {1, 0x01, "terminals other than ATMs"},
	{2, 0x80, "domestic cashback"}, {2, 0x40, "international cashback"},
}

func explainAUC(v []byte) []string { return explainBits(aucBits, v) }

// Terminal capabilities: EMV Book 4, Annex A2.
var capabilityBits = []bit{
	{1, 0x80, "manual key entry"}, {1, 0x40, "magnetic stripe"}, {1, 0x20, "IC with contacts"},
	{2, 0x80, "plaintext PIN for ICC verification"}, {2, 0x40, "enciphered PIN for online verification"}, {2, 0x20, "signature"},
	{2, 0x10, "enciphered PIN for offline verification"}, {2, 0x08, "no CVM required"},
	{3, 0x80, "SDA"}, {3, 0x40, "DDA"}, {3, 0x20, "card capture"}, {3, 0x08, "CDA"},
}

func explainCapabilities(v []byte) []string { return explainBits(capabilityBits, v) }

func cryptogramType(b byte) string {
	return [...]string{"AAC: declined", "TC: approved offline", "ARQC: online authorisation requested", "reserved cryptogram type"}[b&3]
}

// CID: EMV Book 3, 6.5.5.4.
func explainCID(v []byte) []string {
	if len(v) != 1 {
		return nil
	}
	out := []string{cryptogramType(v[0] >> 6)}
	if v[0]&0x08 != 0 {
		out = append(out, "advice required")
	}
	return out
}

// UnionPay IAD, public description: length, derivation key index, cryptogram
// version, CVR (its length first), algorithm. Bits 6-5 of byte 5 are the
// cryptogram type. CVR bits: cryptogram.CVR.
func explainUnionPayIAD(v []byte) []string {
	if len(v) < 7 {
		return nil
	}
	out := []string{fmt.Sprintf("derivation key index %02X, cryptogram version %02X", v[1], v[2]), cryptogramType(v[4] >> 4)}
	if len(v) > 7 && v[7] == 0x04 {
		out = append(out, "SM4")
	}
	return append(out, explainBits([]bit{
		{5, 0x04, "cardholder verified by the card or device"}, {5, 0x02, "cardholder verification by the card failed"},
		{5, 0x01, "unable to go online"},
		{6, 0x80, "last online transaction not completed"}, {6, 0x40, "PIN try limit exceeded"}, {6, 0x20, "velocity counters exceeded"},
		{6, 0x10, "new card"}, {6, 0x08, "issuer authentication failed on last online transaction"},
		{7, 0x08, "issuer script failed"}, {7, 0x04, "DDA failed on last transaction"}, {7, 0x02, "DDA performed"},
		{7, 0x01, "PIN expected and not verified by the card"},
	}, v)...)
}

// DF69, public description.
func explainSMSupport(v []byte) []string {
	switch {
	case len(v) != 1:
		return nil
	case v[0] == 0:
		return []string{"the terminal has no SM algorithms"}
	}
	return []string{"the terminal has SM2, SM3 and SM4"}
}

// 9F69 of fDDA version 01: version, card unpredictable number, CTQ.
func explainCardAuthData(v []byte) []string {
	if len(v) < 1 {
		return nil
	}
	out := []string{fmt.Sprintf("fDDA version %02X", v[0])}
	if len(v) >= 7 {
		for _, s := range explainCTQ(v[5:7]) {
			out = append(out, "signed CTQ: "+s)
		}
	}
	return out
}

// CVM results: EMV Book 4, A4, and Book 3, Annex C3.
func explainCVMResults(v []byte) []string {
	if len(v) != 3 {
		return nil
	}
	method, ok := map[byte]string{
		0x00: "fail CVM processing", 0x01: "plaintext PIN verified by ICC", 0x02: "enciphered PIN verified online",
		0x03: "plaintext PIN verified by ICC and signature", 0x04: "enciphered PIN verified by ICC",
		0x05: "enciphered PIN verified by ICC and signature", 0x1E: "signature", 0x1F: "no CVM required", 0x3F: "no CVM performed",
	}[v[0]&0x3F]
	if !ok {
		method = fmt.Sprintf("CVM %02X", v[0]&0x3F)
	}
	result, ok := map[byte]string{0: "result unknown", 1: "failed", 2: "successful"}[v[2]]
	if !ok {
		result = fmt.Sprintf("result %02X", v[2])
	}
	return []string{method, result}
}

// Transaction type: ISO 8583 processing code, first two digits.
func explainType(v []byte) []string {
	if len(v) != 1 {
		return nil
	}
	if s, ok := map[byte]string{0x00: "purchase", 0x01: "cash", 0x09: "purchase with cashback", 0x20: "refund"}[v[0]]; ok {
		return []string{s}
	}
	return nil
}

// AFL: EMV Book 3, 10.2.
func explainAFL(v []byte) []string {
	var out []string
	for ; len(v) >= 4; v = v[4:] {
		out = append(out, fmt.Sprintf("SFI %d records %d to %d, %d of them for offline data authentication", v[0]>>3, v[1], v[2], v[3]))
	}
	return out
}
