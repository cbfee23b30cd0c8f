package c4

import (
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// limit takes the limits that count for this card: with dynamic reader limits
// those of the set that the lower half of 9F70 byte 2 names. The transaction
// limit ends the tap.
func (t *tap) limit() *result {
	if d := t.k.Dynamic; d != nil {
		l := d.Default
		if v := t.card.Value(tag.CardInterface); len(v) == 2 && d.Sets[v[1]&0x0F] != nil {
			l = *d.Sets[v[1]&0x0F]
		}
		t.apply(l)
	}
	if max := t.limits.Transaction; max != nil && t.term.Minor > *max {
		return t.otherInterface("limits", "the amount is above the reader's limit", 0)
	}
	return nil
}

// restrict is the processing restrictions (EMV Book 3, 10.4).
func (t *tap) restrict() *result {
	t.term.CheckVersions(t.card)
	t.term.CheckUsage(t.card.Value(tag.AUC), t.card.Value(tag.IssuerCountry))
	t.term.CheckEffective(t.card)
	t.term.CheckExpiry(t.card.Value(tag.ExpirationDate))
	return nil
}

// manageRisk is terminal risk management: floor limit and exception file (EMV Book 3, 10.6).
func (t *tap) manageRisk() *result {
	if t.aboveFloor {
		t.term.TVR.Set(book3.FloorLimit)
	}
	t.term.CheckExceptionFile(t.number, t.card.Value(tag.PSN), t.k.ExceptionFile)
	return nil
}

// analyse is terminal action analysis (EMV Book 3, 10.7): which cryptogram to ask
// for. The book's default codes at an offline-only terminal stand where the public
// implementation looks at none.
func (t *tap) analyse() *result {
	tvr, c := t.term.TVR, &t.k.Config
	matches := func(tac [5]byte, iac tlv.Tag, absent byte) bool { return tvr.Matches(tac, t.card.Value(iac), absent) }
	kind := t.term.Kind()
	switch {
	case matches(c.TACDenial, tag.IACDenial, book3.AbsentDenial):
		t.asked = book3.AAC
	case c.CannotGoOnline && kind == book3.OnlineOnly:
		t.asked = book3.AAC
	case kind == book3.OnlineOnly:
		t.asked = book3.ARQC
	case c.CannotGoOnline, kind == book3.OfflineOnly:
		t.asked = book3.TC
		if matches(c.TACDefault, tag.IACDefault, book3.AbsentOnline) {
			t.asked = book3.AAC
		}
	case matches(c.TACOnline, tag.IACOnline, book3.AbsentOnline):
		t.asked = book3.ARQC
	default:
		t.asked = book3.TC
	}
	if t.signs == authCDA { // after the analysis, as the public implementation has it: it counts in what the card is told
		for _, g := range [...]tlv.Tag{tag.IssuerCertificate, tag.IssuerExponent, tag.ICCCertificate, tag.ICCExponent} {
			if len(t.card.Value(g)) == 0 {
				t.term.TVR.Set(book3.ICCDataMissing)
			}
		}
	}
	return nil
}
