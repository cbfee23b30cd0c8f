package issuer

import (
	"bytes"
	"crypto/hmac"
	"strconv"
	"time"

	"huika/iso8583"
	"huika/keys"
	"huika/pay"
)

// Response codes (F39) of this issuer; doc.go says when each is given.
const (
	codeAuthentication = "05"
	codeTransaction    = "12"
	codeAmount         = "13"
	codeCard           = "14"
	codeUnknown        = "25"
	codeFormat         = "30"
	codeLost           = "41"
	codeStolen         = "43"
	codeBalance        = "51"
	codeExpired        = "54"
	codePIN            = "55"
	codeNotPermitted   = "57"
	codeAmountLimit    = "61"
	codeRestricted     = "62"
	codeOriginalAmount = "64"
	codePINTries       = "75"
	codeDuplicate      = "94"
	codeMAC            = "A0"
)

// verdict is what the checks of one request found: F39, the reason for the log,
// and what the request used up.
type verdict struct {
	code     string
	reason   string // a stable phrase without card data
	account  *account
	original string // key of what it follows
	amount   int64
	hasATC   bool // the cryptogram was right
	atc      uint16
	pin      PINUse
	icc      icc // of a request with a good cryptogram
}

func (v verdict) refuse(code, reason string) verdict {
	v.code, v.reason = code, reason
	return v
}

// judge makes every check of a request with its card (a sale, a
// pre-authorisation, a balance inquiry) that is neither a duplicate nor reversed
// already. It changes nothing.
func (i *Issuer) judge(m *iso8583.Message, r rule, now time.Time) (v verdict) {
	s, bad := parseSale(m, r)
	if bad != "" {
		return v.refuse(codeFormat, bad)
	}
	v.amount = s.amount
	if v = i.checkClaims(v, s, r, now); v.code != "" {
		return v
	}
	if v = i.checkCryptogram(v, s); v.code != "" {
		return v
	}
	if v = i.checkHolder(v, s); v.code != "" {
		return v
	}
	if i.forced != "" {
		return v.refuse(i.forced, "forced by command")
	}
	if r.effect != asks && v.account.available() < s.amount {
		return v.refuse(codeBalance, "balance short")
	}
	v.code, v.reason = approved, "approved"
	return v
}

// checkClaims compares the message with itself, the clock and the account.
func (i *Issuer) checkClaims(v verdict, s sale, r rule, now time.Time) verdict {
	switch {
	case s.trackPAN != s.pan:
		return v.refuse(codeCard, "F2 differs from track 2")
	case s.amount != s.icc.amount || (s.amount == 0) != (r.effect == asks):
		return v.refuse(codeAmount, "F4 differs from 9F02, or is zero; or an inquiry with an amount")
	case s.currency != s.icc.currency || s.currency != i.config.Currency:
		return v.refuse(codeTransaction, "currency differs from 5F2A or from the card's")
	case expired(s.expiry, now.In(shanghai)):
		return v.refuse(codeExpired, "expired")
	}
	if v.account = i.state.byPAN[s.pan]; v.account == nil {
		return v.refuse(codeCard, "no such card")
	}
	switch {
	case s.icc.scheme != v.account.Scheme:
		return v.refuse(codeCard, "the application is of another scheme than the card")
	case s.psn != "" && s.psn != v.account.PSN:
		return v.refuse(codeCard, "no card of that sequence number")
	case s.expiry != v.account.Expiry:
		return v.refuse(codeExpired, "not the card's expiry date")
	case s.icc.country != i.config.Country:
		return v.refuse(codeNotPermitted, "domestic card used abroad")
	case !bytes.Contains(r.types, []byte{s.icc.kind}):
		return v.refuse(codeNotPermitted, "9C is not of this transaction")
	}
	switch v.account.Status {
	case "ok":
		return v
	case "lost":
		return v.refuse(codeLost, "lost card")
	case "stolen":
		return v.refuse(codeStolen, "stolen card")
	}
	return v.refuse(codeRestricted, "card restricted")
}

// checkCryptogram proves that the card's own key signed this amount, and that
// nobody replays it.
func (i *Issuer) checkCryptogram(v verdict, s sale) verdict {
	if !s.icc.isARQC {
		return v.refuse(codeAuthentication, "the cryptogram is not an ARQC")
	}
	mac, err := s.icc.says.by.cryptogram(i.state.keys[v.account.Scheme], &v.account.Account, &s.icc)
	if err != nil || !hmac.Equal(mac[:], s.icc.cryptogram[:]) {
		return v.refuse(codeAuthentication, "wrong cryptogram")
	}
	if !v.account.atc.fresh(s.icc.atc) {
		return v.refuse(codeAuthentication, "ATC used before")
	}
	v.hasATC, v.atc, v.icc = true, s.icc.atc, s.icc
	if code, reason := s.icc.tvrVerdict(); code != "" {
		return v.refuse(code, reason)
	}
	return v
}

// checkHolder asks whether the customer was verified as the amount demands.
// The terminal's word for CDCVM counts only where the card's CVR, which the
// cryptogram covers, says the same: CTQ and TTQ can be edited on the air.
func (i *Issuer) checkHolder(v verdict, s sale) verdict {
	onDevice := s.icc.says.cdcvm && v.account.CDCVMDevice
	if s.icc.claimsCDCVM() && !onDevice {
		return v.refuse(codeAuthentication, "CDCVM claimed, CVR says none")
	}
	if s.icc.claimsOnlinePIN() && len(s.pinBlock) == 0 {
		return v.refuse(codeAuthentication, "online PIN claimed, none sent")
	}
	if s.icc.says.onlinePIN && len(s.pinBlock) == 0 {
		return v.refuse(codeAuthentication, "the card asked for the online PIN, none sent")
	}
	if len(s.pinBlock) == 0 && !onDevice && (s.amount > i.config.FreeLimit || v.account.PINAlways) {
		return v.refuse(codeAmountLimit, "above the limit without PIN or CDCVM")
	}
	if len(s.pinBlock) == 0 {
		return v
	}
	if v.account.tries == 0 {
		return v.refuse(codePINTries, "PIN tries used up")
	}
	if i.pinMatches(v.account, s) {
		v.pin = PINRight
		return v
	}
	v.pin = PINWrong
	if v.account.tries == 1 {
		return v.refuse(codePINTries, "wrong PIN, last try")
	}
	return v.refuse(codePIN, "wrong PIN")
}

func (i *Issuer) pinMatches(a *account, s sale) bool {
	given, err := keys.DecryptPIN(s.pinBlock, a.PAN, i.config.ZPK)
	if err != nil {
		return false // not a PIN block under this key for this card: a wrong PIN
	}
	defer given.Wipe()
	return hmac.Equal(given.Reveal(), a.PIN.Reveal())
}

// expired reports whether a card's last month (YYMM) is over. Years 50 to 99
// are of the 20th century (EMV Book 4, 6.7.3).
func expired(expiry string, now time.Time) bool {
	century := "20"
	if expiry >= "50" {
		century = "19"
	}
	return century+expiry < now.Format("200601")
}

// sale is what the checks need of a sale, a pre-authorisation or a balance inquiry.
type sale struct {
	pan      string
	trackPAN string
	expiry   string // YYMM of track 2; equal to F14 where that is there
	psn      string // F23's two last digits, "" where it is missing
	amount   int64
	currency pay.Currency
	pinBlock []byte
	icc      icc
}

// parseSale takes a request with its card apart. bad names the field that is missing or malformed.
func parseSale(m *iso8583.Message, r rule) (s sale, bad string) {
	pan, err := pay.ParsePAN(m.Get(2))
	if err != nil {
		return s, "F2 is not a card number"
	}
	s.pan = pan.Reveal()
	if m.Has(4) || r.effect != asks { // an inquiry may leave its amount of zero out
		if s.amount, err = strconv.ParseInt(m.Get(4), 10, 64); err != nil || s.amount < 0 || s.amount > pay.MaxMinor {
			return s, "F4 is not an amount"
		}
	}
	if s.currency, err = pay.ParseCurrency(m.Get(49)); err != nil {
		return s, "F49 is not a currency"
	}
	var ok bool
	if s.trackPAN, s.expiry, ok = splitTrack2(m.Get(35)); !ok {
		return s, "F35 is not track 2"
	}
	if m.Has(14) && m.Get(14) != s.expiry {
		return s, "F14 differs from track 2"
	}
	if seq := m.Get(23); seq != "" {
		if len(seq) != 3 {
			return s, "F23 is not a card sequence number"
		}
		s.psn = seq[1:]
	}
	if m.Has(52) {
		if s.pinBlock = m.Bytes(52); len(s.pinBlock) != 8 {
			return s, "F52 is not a PIN block"
		}
	}
	s.icc, bad = parseICC(m.Bytes(55))
	return s, bad
}
