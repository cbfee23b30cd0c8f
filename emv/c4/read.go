package c4

import (
	"bytes"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// read sends READ RECORD for everything that the AFL names and looks for what must be there.
func (t *tap) read() *result {
	p := t.card.Read(t.card.Value(tag.AFL))
	switch {
	case p.Err != nil:
		return &result{err: p.Err}
	case p.Lost:
		return t.lost("read")
	case p.SW != 0:
		return t.end("read", "the card refused READ RECORD", p.SW)
	case p.Why != "":
		return t.end("read", p.Why, 0)
	}
	if why := t.check(); why != "" {
		return t.end("read", why, 0)
	}
	if v := t.card.Value(tag.MobileCVM); t.mobile() && len(v) == 3 && v[2] == mobileBlocked {
		t.term.TVR.Set(book3.PINTryLimit)
	}
	return nil
}

// check looks for 5A, 5F24 and 8C and at the form of what later steps read. That
// 57, where it is there, must be of the number of 5A is ours: the host books on it.
func (t *tap) check() string {
	get := t.card.Value
	var ok bool
	if t.number, ok = book3.Number(get(tag.PAN)); !ok {
		return "5A is missing or malformed"
	}
	if v, given := t.card.Get(tag.Track2); given {
		if track, ok := book3.ParseTrack2(v); !ok || len(v) > 19 || track.Number != t.number {
			return "57 is malformed or of another card number"
		}
	}
	if !book3.ValidDate(get(tag.ExpirationDate)) {
		return "5F24 is missing or malformed"
	}
	if v, given := t.card.Get(tag.EffectiveDate); given && !book3.ValidDate(v) {
		return "5F25 is malformed"
	}
	if _, err := dol.Size(get(tag.CDOL1)); err != nil || len(get(tag.CDOL1)) == 0 {
		return "8C is missing or can't be read"
	}
	if v, given := t.card.Get(tag.CVMList); given && (len(v) < 8 || len(v)%2 != 0) {
		return "8E has a wrong length"
	}
	for _, f := range [...]struct {
		tag tlv.Tag
		len int
	}{
		{tag.AUC, 2}, {tag.IssuerCountry, 2}, {tag.PSN, 1}, {tag.ApplicationVersion, 2}, {tag.CardInterface, 2}, {tag.MobileCVM, 3},
		{tag.IACDefault, 5}, {tag.IACDenial, 5}, {tag.IACOnline, 5},
	} {
		if v, given := t.card.Get(f.tag); given && len(v) != f.len {
			return f.tag.String() + " has a wrong length"
		}
	}
	return ""
}

// authenticate is offline data authentication as far as it can go before
// GENERATE AC: the data for it, and SDA (EMV Book 2, 5; EMV Book 3, 10.3).
func (t *tap) authenticate() *result {
	failed := book3.CDAFailed
	switch t.signs {
	case authNone:
		return nil
	case authSDA:
		t.term.TVR.Set(book3.SDASelected)
		failed = book3.SDAFailed
	}
	bad := len(t.card.Value(tag.CAIndex)) == 0
	if bad {
		t.term.TVR.Set(book3.ICCDataMissing)
	}
	if _, ok := t.card.CAKey(t.k.CAKeys, t.in.AID); !ok {
		bad = true
	}
	if v, given := t.card.Get(tag.SDATagList); given && !bytes.Equal(v, []byte{byte(tag.AIP)}) {
		bad = true
	}
	if t.signs == authSDA && !bad {
		bad = t.card.VerifyStatic(t.k.CAKeys, t.in.AID, t.number, t.in.Transaction.Time) != nil
	}
	switch {
	case bad:
		t.term.TVR.Set(failed)
		t.oda = emv.ODAFailed
	case t.signs == authSDA:
		t.oda = emv.ODASDA
	}
	return nil
}
