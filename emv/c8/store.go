package c8

import (
	"bytes"

	"huika/emv/tag"
	"huika/emv/tlv"
)

// store holds data objects in the order in which they came. A card has some
// forty: a search through a small slice beats a map.
type store struct{ objects []tlv.TLV }

// get is the value of t; false where it is not there.
func (s *store) get(t tlv.Tag) ([]byte, bool) {
	for i := range s.objects {
		if s.objects[i].Tag == t {
			return s.objects[i].Value, true
		}
	}
	return nil, false
}

// value is get without the report; an empty value counts as none.
func (s *store) value(t tlv.Tag) []byte {
	v, _ := s.get(t)
	return v
}

// lengths are the lengths that Annex A allows for the card's objects: an object
// of another length is a parsing error (4.1.3, ParseAndStoreCardResponse).
func lengths(t tlv.Tag) (least, most int) {
	switch t {
	case tag.AIP, tag.ATC, tag.AUC, tag.ApplicationCurrency, tag.ServiceCode, tag.LogEntry, tag.CardCapabilities, tag.IssuerCountry:
		return 2, 2
	case tag.CID, tag.CAIndex, tag.PSN, tag.IssuerCodeTable, tag.CVDecision, tag.IADMACOffset, tag.ApplicationPriority, tag.CurrencyExponentCard:
		return 1, 1
	case tag.ExpirationDate, tag.EffectiveDate:
		return 3, 3
	case tag.CardTVR:
		return 5, 5
	case tag.TokenRequestor:
		return 6, 6
	case tag.CardQualifier:
		return 7, 7
	case tag.ApplicationCryptogram, tag.EDAMAC:
		return 8, 8
	case tag.PAR:
		return 29, 29
	case tag.PAN:
		return 1, 10
	case tag.RestartIndicator:
		return 2, 5
	case tag.DFName:
		return 5, 16
	case tag.Track2:
		return 0, 19
	case tag.IAD:
		return 0, 32
	case tag.CardKeyData:
		return 64, 132
	case tag.AuthenticatedData:
		return 0, 128
	case tag.CDOL1:
		return 0, 250
	case tag.PDOL:
		return 0, 240
	}
	if t >= tag.DataEnvelope1 && t <= tag.DataEnvelope10 {
		return 0, maxEnvelope
	}
	return 0, tlv.MaxLength
}

// maxEnvelope is the longest data envelope (A.1.40).
const maxEnvelope = 243

// addLevel keeps the objects of a template's contents. It says what was wrong, or
// "". An object of the terminal's, and a second value for one that is there, are errors; the
// same value again is not (4.1.3). An object without a value is not kept.
func (t *tap) addLevel(data []byte, depth int) string {
	r := tlv.NewReader(data)
	for r.Next() {
		o := r.TLV()
		if o.Tag.Constructed() { // FCI: A5 and BF0C
			if depth == tlv.MaxDepth {
				return "templates are nested too deeply"
			}
			if why := t.addLevel(o.Value, depth+1); why != "" {
				return why
			}
			continue
		}
		if len(o.Value) == 0 {
			continue
		}
		if least, most := lengths(o.Tag); len(o.Value) < least || len(o.Value) > most {
			return o.Tag.String() + " has a length that the book does not allow"
		}
		if _, ours := t.term.get(o.Tag); ours {
			return o.Tag.String() + " is the terminal's, not the card's"
		}
		if v, there := t.card.get(o.Tag); there {
			if !bytes.Equal(v, o.Value) {
				return o.Tag.String() + " comes twice"
			}
			continue
		}
		if len(t.card.objects) == MaxObjects {
			return "the card gives too many data objects"
		}
		t.card.objects = append(t.card.objects, o)
	}
	if r.Err() != nil {
		return "card data is not TLV"
	}
	return ""
}

// template keeps the contents of a response that must be one template of the given tag.
func (t *tap) template(data []byte, want tlv.Tag) string {
	body, why := contents(data, want)
	if why != "" {
		return why
	}
	return t.addLevel(body, 0)
}

// contents is the value of the one object that data must be.
func contents(data []byte, want tlv.Tag) (body []byte, why string) {
	r := tlv.NewReader(data)
	if !r.Next() || r.TLV().Tag != want {
		return nil, "the response is no template " + want.String()
	}
	body = r.TLV().Value
	if r.Next() || r.Err() != nil {
		return nil, "there are bytes after the template"
	}
	return body, ""
}

// value is a data object by tag, whoever gave it. The terminal's own stand before the card's.
func (t *tap) value(g tlv.Tag) ([]byte, bool) {
	if v, ok := t.term.get(g); ok {
		return v, true
	}
	return t.card.get(g)
}
