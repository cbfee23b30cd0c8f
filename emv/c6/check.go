package c6

import (
	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// read sends READ RECORD for everything that the AFL names (figure 18).
func (t *tap) read() *result {
	p := t.card.Read(t.card.Value(tag.AFL))
	switch {
	case p.Err != nil:
		return &result{err: p.Err}
	case p.Lost:
		return t.tryAgain("read")
	case p.SW != 0:
		return t.end("read", "status bytes", "the card refused READ RECORD", p.SW)
	case p.Why != "":
		return t.end("read", "parsing error", p.Why, 0)
	}
	t.card.Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK, Language: t.language})
	return nil
}

// check takes card number and expiry out of track 2 (57), which must be there
// (16.7; that it must be with records too is ours: the till and the issuer need
// it). Where the card gives 5A or 5F24 as well they must agree with it. (Ours.)
func (t *tap) check() *result {
	v := t.card.Value(tag.Track2)
	track, ok := book3.ParseTrack2(v)
	if !ok || len(v) > maxTrack2 {
		t.term.TVR.Set(book3.ICCDataMissing)
		return t.end("read", "card data missing", "57 is missing or malformed", 0)
	}
	t.number, t.expiry = track.Number, track.LastDay()
	if pan, given := t.card.Get(tag.PAN); given {
		if number, ok := book3.Number(pan); !ok || number != t.number {
			return t.end("read", "card data error", "5A and 57 are of different card numbers", 0)
		}
	}
	if date, given := t.card.Get(tag.ExpirationDate); given {
		if !book3.ValidDate(date) {
			return t.end("read", "card data error", "5F24 is malformed", 0)
		}
		if [2]byte(date) != track.Expiry {
			return t.end("read", "card data error", "5F24 and 57 are of different months", 0)
		}
		t.expiry = [3]byte(date)
	}
	return nil
}

// authenticate checks the combined signature of a TC (figure 21). D-PAS has
// neither SDA nor DDA, and no authentication of what goes online anyway.
func (t *tap) authenticate() *result {
	if t.kind != book3.TC {
		return nil
	}
	t.term.TVR.Clear(book3.NoODA) // 21.1
	t.term.TSI[0] |= book3.TSIODA
	verify := t.k.verify
	if verify == nil {
		verify = verifyCombined
	}
	if err := verify(t); err != nil {
		t.term.TVR.Set(book3.CDAFailed)
		if t.incomplete() { // 21.4
			t.term.TVR.Set(book3.ICCDataMissing)
		}
		t.oda = emv.ODAFailed
		return nil
	}
	t.oda = emv.ODACDA
	return nil
}

// incomplete reports that data for the signature's chain are missing, or name a key that the terminal has not.
func (t *tap) incomplete() bool {
	for _, g := range [...]tlv.Tag{tag.IssuerCertificate, tag.IssuerExponent, tag.ICCCertificate, tag.ICCExponent} {
		if len(t.card.Value(g)) == 0 {
			return true
		}
	}
	_, known := t.card.CAKey(t.k.CAKeys, t.in.AID)
	return !known
}

func verifyCombined(t *tap) error {
	return t.card.VerifyCombined(t.k.CAKeys, t.in.AID, t.number, t.in.Transaction.Time, t.term.UN, t.pdolData, t.response)
}

// restrict is figure 22: usage, dates, exception file and version. It sets bits
// of the TVR; what follows from them is for terminal action analysis.
func (t *tap) restrict() *result {
	t.term.TSI[0] |= book3.TSIRisk // 22.1
	get := t.card.Value
	if auc, country := get(tag.AUC), get(tag.IssuerCountry); len(auc) > 0 && len(country) > 0 { // 22.2
		if len(auc) != 2 || len(country) != 2 {
			t.term.TVR.Set(book3.ICCDataMissing)
			return t.end("restrict", "card data error", "9F07 or 5F28 has a wrong length", 0)
		}
		t.term.CheckUsage(auc, country)
	}
	t.term.CheckExpiry(t.expiry[:])                                              // 22.4
	t.term.CheckExceptionFile(t.number, get(tag.PSN), t.k.ExceptionFile)         // 22.6
	if len(get(tag.EffectiveDate)) > 0 && len(get(tag.ApplicationVersion)) > 0 { // 22.9
		t.term.CheckVersions(t.card)
		t.term.CheckEffective(t.card)
	}
	return nil
}
