package c3

import "huika/emv/tlv"

// store holds the card's data objects in the order in which they came: a card
// has some thirty, so that a search through a small array beats a map and
// costs no allocation.
type store struct {
	n       int
	objects [MaxObjects]tlv.TLV
}

// add keeps one object. It reports false beyond MaxObjects and for a tag that
// is there already, whatever its value (5.4.2.2; EMV Book 3, 10.2).
func (s *store) add(t tlv.TLV) bool {
	if _, there := s.get(t.Tag); there || s.n == MaxObjects {
		return false
	}
	s.objects[s.n] = t
	s.n++
	return true
}

// get is the value of t; false where the card did not give it.
func (s *store) get(t tlv.Tag) ([]byte, bool) {
	for i := range s.n {
		if s.objects[i].Tag == t {
			return s.objects[i].Value, true
		}
	}
	return nil, false
}

// value is get without the report.
func (s *store) value(t tlv.Tag) []byte {
	v, _ := s.get(t)
	return v
}

// addAll keeps every object of one template's contents. Empty objects count as
// not given. It says what was wrong, or "".
func (s *store) addAll(data []byte) string {
	r := tlv.NewReader(data)
	for r.Next() {
		if t := r.TLV(); len(t.Value) > 0 && !s.add(t) {
			return "a data object comes twice, or there are too many"
		}
	}
	if r.Err() != nil {
		return "card data is not TLV"
	}
	return ""
}
