package issuer

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// icc is what the issuer needs of F55 (EMV Book 3, annex A).
type icc struct {
	scheme     string // whose application made it
	says       statement
	cryptogram [8]byte
	isARQC     bool
	atc        uint16
	un         [4]byte
	amount     int64
	currency   pay.Currency
	country    uint16
	kind       byte // 9C
	tvr        [5]byte
	cvm        byte // 9F34 byte 1, its method; noCVMResults where it is missing
}

// needed are the objects that the checks read, whether or not the version of the cryptogram covers them.
var needed = [...]struct {
	tag tlv.Tag
	len int
}{
	{tag.AmountAuthorised, 6}, {tag.TransactionCurrency, 2}, {tag.TerminalCountry, 2}, {tag.TransactionType, 1}, {tag.TVR, 5},
	{tag.ATC, 2}, {tag.UN, 4},
}

// parseICC reads F55. bad names what is missing or malformed.
func parseICC(f55 []byte) (c icc, bad string) {
	if len(f55) == 0 {
		return c, "F55 is missing"
	}
	list, err := tlv.Parse(f55)
	if err != nil {
		return c, "F55 is not TLV"
	}
	s, known := schemeOf(list)
	if !known {
		return c, "F55: 84 names no application of this issuer"
	}
	c.scheme = s.name
	if c.says, err = s.read(list.Find); err != nil {
		return c, "F55: " + err.Error() // names tags and lengths only
	}
	for _, f := range needed {
		if v, ok := list.Find(f.tag); !ok || len(v) != f.len {
			return c, fmt.Sprintf("F55: %s: want %d bytes, have %d", f.tag, f.len, len(v))
		}
	}
	get := func(t tlv.Tag) []byte {
		value, _ := list.Find(t)
		return value
	}
	var currency, country int64
	for _, n := range []struct {
		to  *int64
		tag tlv.Tag
	}{{&c.amount, tag.AmountAuthorised}, {&currency, tag.TransactionCurrency}, {&country, tag.TerminalCountry}} {
		if *n.to, err = strconv.ParseInt(hex.EncodeToString(get(n.tag)), 10, 64); err != nil {
			return c, "F55: " + n.tag.String() + " is not digits"
		}
	}
	c.currency, c.country = pay.Currency(currency), uint16(country)
	c.kind = get(tag.TransactionType)[0]
	c.tvr = [5]byte(get(tag.TVR))
	c.atc = binary.BigEndian.Uint16(get(tag.ATC))
	c.un = [4]byte(get(tag.UN))
	ac, ok := list.Find(tag.ApplicationCryptogram)
	if !ok || len(ac) != len(c.cryptogram) {
		return c, "F55: 9F26 is missing or has another length"
	}
	c.cryptogram = [8]byte(ac)
	// 9F27 may be missing in kernels 3 and 7: the CVR then says the type alone.
	cid, ok := list.Find(tag.CID)
	if ok && len(cid) != 1 {
		return c, "F55: 9F27 has another length"
	}
	c.isARQC = c.says.kind == cryptogram.ARQC && (!ok || cid[0]&cidType == cryptogram.ARQC.CID())
	c.cvm = noCVMResults
	if results, ok := list.Find(tag.CVMResults); ok {
		if len(results) != 3 {
			return c, "F55: 9F34 has another length"
		}
		c.cvm = results[0] & cvmMethod
	}
	return c, ""
}

// Codes of 9F27 and of 9F34 byte 1 (EMV Book 3, annexes and C3).
const (
	cidType = 0xC0

	cvmMethod    = 0x3F
	cvmByCard    = 0x01 // "plaintext PIN verified by ICC": how a terminal reports CDCVM
	cvmOnlinePIN = 0x02
	noCVMResults = 0xFF
)

// claimsCDCVM reports that the terminal says: the customer's device verified the customer.
func (c icc) claimsCDCVM() bool { return c.cvm == cvmByCard }

// claimsOnlinePIN reports that the terminal says: the PIN is in this message.
func (c icc) claimsOnlinePIN() bool { return c.cvm == cvmOnlinePIN }

// tvrVerdict reads what the terminal holds against the card (EMV Book 3, C5).
// Most of it can't come online; what does is believed.
func (c icc) tvrVerdict() (code, reason string) {
	for _, bit := range [...]struct {
		byte         int
		mask         byte
		code, reason string
	}{
		{0, 0x40, codeAuthentication, "TVR: SDA failed"},
		{0, 0x10, codeAuthentication, "TVR: card in the exception file"},
		{0, 0x08, codeAuthentication, "TVR: DDA failed"},
		{0, 0x04, codeAuthentication, "TVR: CDA failed"},
		{1, 0x40, codeExpired, "TVR: expired application"},
		{1, 0x10, codeNotPermitted, "TVR: service not allowed"},
		{2, 0x80, codeAuthentication, "TVR: cardholder verification failed"},
	} {
		if c.tvr[bit.byte]&bit.mask != 0 {
			return bit.code, bit.reason
		}
	}
	return "", ""
}

// splitTrack2 takes PAN and expiry (YYMM) from track 2, '=' between them.
func splitTrack2(track string) (pan, expiry string, ok bool) {
	pan, rest, found := strings.Cut(track, "=")
	if !found || len(rest) < 4 {
		return "", "", false
	}
	return pan, rest[:4], true
}
