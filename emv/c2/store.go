package c2

import (
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

// set adds or replaces. False: the store is full.
func (s *store) set(t tlv.Tag, v []byte) bool {
	for i := range s.objects {
		if s.objects[i].Tag == t {
			s.objects[i].Value = v
			return true
		}
	}
	if len(s.objects) == MaxObjects {
		return false
	}
	s.objects = append(s.objects, tlv.TLV{Tag: t, Value: v})
	return true
}

// lengths are the lengths that Annex A allows for the card's objects: an object
// of another length is a parsing error (4.5, ParseAndStoreCardResponse).
func lengths(t tlv.Tag) (least, most int) {
	switch t {
	case tag.AIP, tag.ATC, tag.AUC, tag.ApplicationVersion, tag.IssuerCountry, tag.ApplicationCurrency,
		tagCVC3Track1, tagCVC3Track2, tagPCVC3Track2, tagPUNATCTrack2, tag.DataAuthCode:
		return 2, 2
	case tag.CID, tag.CAIndex, tag.PSN, tagNATCTrack1, tagNATCTrack2, tag.IssuerCodeTable, tagSlotManagement:
		return 1, 1
	case tag.ExpirationDate, tag.EffectiveDate, tagPCII, tagCapabilities:
		return 3, 3
	case tag.IACDefault, tag.IACDenial, tag.IACOnline:
		return 5, 5
	case tagPCVC3Track1, tagPUNATCTrack1, tagBalance:
		return 6, 6
	case tag.ApplicationCryptogram:
		return 8, 8
	case tag.PAN:
		return 0, 10
	case tag.Track2, tagTrack2Data:
		return 0, 19
	case tag.Track1:
		return 0, 76
	case tag.IAD:
		return 0, 32
	case tag.CVMList:
		return 10, 250
	case tag.DFName:
		return 5, 16
	case tag.PAR:
		return 29, 29
	case tagThirdParty:
		return 5, 32
	case tagDSID:
		return 8, 11
	case tagSummary1:
		return 8, 16
	}
	return 0, tlv.MaxLength
}

// addCard keeps the objects of a template's contents. It says what was wrong, or
// "". A second value for an object that is there is an error; an object
// without a value is not kept.
func (t *tap) addCard(data []byte) string {
	return t.addLevel(data, 0)
}

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
		if _, there := t.card.get(o.Tag); there {
			return o.Tag.String() + " comes twice"
		}
		if !t.card.set(o.Tag, o.Value) {
			return "the card gives too many data objects"
		}
	}
	if r.Err() != nil {
		return "card data is not TLV"
	}
	return ""
}

// template keeps the contents of a response that must be one template of the given tag.
func (t *tap) template(data []byte, want tlv.Tag) string {
	r := tlv.NewReader(data)
	if !r.Next() || r.TLV().Tag != want {
		return "the response is no template " + want.String()
	}
	body := r.TLV().Value
	if r.Next() || r.Err() != nil {
		return "there are bytes after the template"
	}
	return t.addCard(body)
}
