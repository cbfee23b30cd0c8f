package c5

import (
	"huika/emv/book3"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// read sends READ RECORD for everything that the AFL names and looks for what must be there (5.4).
func (t *tap) read() *result {
	if why, sw, r := t.readRecords(); r != nil || why != "" {
		if r != nil {
			return r
		}
		return t.selectNext("read", why, sw)
	}
	if why := t.check(); why != "" {
		return t.selectNext("read", why, 0)
	}
	if t.signs() {
		for _, g := range [...]tlv.Tag{tag.CAIndex, tag.IssuerCertificate, tag.IssuerExponent, tag.ICCCertificate, tag.ICCExponent} {
			if len(t.card.Value(g)) == 0 { // 5.4.1.3
				t.term.TVR.Set(book3.ICCDataMissing, book3.CDAFailed)
			}
		}
		if _, ok := t.card.CAKey(t.k.CAKeys, t.in.AID); !ok { // 5.4.1.4
			t.term.TVR.Set(book3.CDAFailed)
		}
	}
	return nil
}

func (t *tap) readRecords() (why string, sw uint16, r *result) {
	p := t.card.Read(t.card.Value(tag.AFL))
	switch {
	case p.Err != nil:
		return "", 0, &result{err: p.Err}
	case p.Lost:
		return "", 0, t.lost("read", nil)
	case p.SW != 0:
		return "the card refused READ RECORD", p.SW, nil
	}
	return p.Why, 0, nil
}

// check looks for 8C, 57 and 5F24 (5.4.1.2) and at the form of what later steps
// read. That 5A, where it is there, must be the number of 57 is ours: the host books on 57.
func (t *tap) check() string {
	get := t.card.Value
	if _, err := dol.Size(get(tag.CDOL1)); err != nil || len(get(tag.CDOL1)) == 0 {
		return "8C is missing or can't be read"
	}
	track, ok := book3.ParseTrack2(get(tag.Track2))
	if !ok || len(get(tag.Track2)) > 19 {
		return "57 is missing or malformed"
	}
	t.number = track.Number
	if pan, given := t.card.Get(tag.PAN); given {
		if number, ok := book3.Number(pan); !ok || number != t.number {
			return "5A and 57 are of different card numbers"
		}
	}
	if !book3.ValidDate(get(tag.ExpirationDate)) {
		return "5F24 is missing or malformed"
	}
	if v, given := t.card.Get(tag.EffectiveDate); given && !book3.ValidDate(v) {
		return "5F25 is malformed"
	}
	for _, f := range [...]struct {
		tag tlv.Tag
		len int
	}{
		{tag.AUC, 2}, {tag.IssuerCountry, 2}, {tag.JCBCountry, 2}, {tag.PSN, 1}, {tag.IACDefault, 5}, {tag.IACDenial, 5}, {tag.IACOnline, 5},
	} {
		if v, given := t.card.Get(f.tag); given && len(v) != f.len {
			return f.tag.String() + " has a wrong length"
		}
	}
	return ""
}
