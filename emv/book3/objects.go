package book3

import (
	"huika/emv/tag"
	"huika/emv/tlv"
)

// MaxObjects bounds the data objects of one card.
const MaxObjects = 128

// Objects holds the card's data objects in the order in which they came: a card
// has some forty, so that a search through a small slice beats a map.
type Objects struct{ list []tlv.TLV }

// Get is the value of t; false where the card did not give it.
func (s *Objects) Get(t tlv.Tag) ([]byte, bool) {
	for i := range s.list {
		if s.list[i].Tag == t {
			return s.list[i].Value, true
		}
	}
	return nil, false
}

// Value is Get without the report.
func (s *Objects) Value(t tlv.Tag) []byte {
	v, _ := s.Get(t)
	return v
}

// Add keeps one object. False: it is there already, whatever its value (EMV Book 3, 10.2), or the store is full.
func (s *Objects) Add(t tlv.Tag, v []byte) bool {
	if _, there := s.Get(t); there || len(s.list) == MaxObjects {
		return false
	}
	s.list = append(s.list, tlv.TLV{Tag: t, Value: v})
	return true
}

// Replace keeps v as the value of t, whether it is there or not. What has no room is not kept.
func (s *Objects) Replace(t tlv.Tag, v []byte) {
	for i := range s.list {
		if s.list[i].Tag == t {
			s.list[i].Value = v
			return
		}
	}
	s.Add(t, v)
}

// AddAll keeps the primitive objects of a template's contents, those of inner
// templates too. Empty objects count as not given. It says what was wrong, or "".
func (s *Objects) AddAll(data []byte) string { return s.addLevel(data, 0) }

func (s *Objects) addLevel(data []byte, depth int) string {
	r := tlv.NewReader(data)
	for r.Next() {
		o := r.TLV()
		if o.Tag.Constructed() {
			if depth == tlv.MaxDepth {
				return "templates are nested too deeply"
			}
			if why := s.addLevel(o.Value, depth+1); why != "" {
				return why
			}
			continue
		}
		if len(o.Value) > 0 && !s.Add(o.Tag, o.Value) {
			return "a data object comes twice, or there are too many"
		}
	}
	if r.Err() != nil {
		return "card data is not TLV"
	}
	return ""
}

// Template keeps the contents of a response that must be one template of the given tag.
func (s *Objects) Template(data []byte, want tlv.Tag) string {
	body, why := only(data, want)
	if why != "" {
		return why
	}
	return s.AddAll(body)
}

// only is the value of the one object that data must be.
func only(data []byte, want tlv.Tag) (value []byte, why string) {
	r := tlv.NewReader(data)
	if !r.Next() || r.TLV().Tag != want {
		return nil, "the response is no template " + want.String()
	}
	value = r.TLV().Value
	if r.Next() || r.Err() != nil {
		return nil, "there are bytes after the template"
	}
	return value, ""
}

// Options keeps the answer of GET PROCESSING OPTIONS: format 2 (77) as it stands,
// format 1 (80) as AIP and AFL (EMV Book 3, 6.5.8.4).
func (s *Objects) Options(data []byte) string {
	if len(data) == 0 || data[0] != byte(tag.ResponseFormat1) {
		return s.Template(data, tag.ResponseFormat2)
	}
	body, why := only(data, tag.ResponseFormat1)
	switch {
	case why != "":
		return why
	case len(body) < 6 || len(body)%4 != 2:
		return "format 1 has a wrong length"
	case !s.Add(tag.AIP, body[:2]) || !s.Add(tag.AFL, body[2:]):
		return "82 or 94 comes twice"
	}
	return ""
}

// Generated keeps the answer of GENERATE AC: format 2 (77), or format 1 (80): CID ‖
// ATC ‖ AC ‖ IAD of up to 32 bytes (EMV Book 3, 6.5.5.4).
func (s *Objects) Generated(data []byte) string {
	if len(data) == 0 || data[0] != byte(tag.ResponseFormat1) {
		return s.Template(data, tag.ResponseFormat2)
	}
	body, why := only(data, tag.ResponseFormat1)
	if why != "" {
		return why
	}
	if len(body) < 11 || len(body) > 11+32 {
		return "format 1 has a wrong length"
	}
	for _, o := range [...]tlv.TLV{
		{Tag: tag.CID, Value: body[:1]}, {Tag: tag.ATC, Value: body[1:3]}, {Tag: tag.ApplicationCryptogram, Value: body[3:11]},
		{Tag: tag.IAD, Value: body[11:]},
	} {
		if len(o.Value) > 0 && !s.Add(o.Tag, o.Value) {
			return o.Tag.String() + " comes twice"
		}
	}
	return ""
}

// Append appends the objects that the card gave of tags to b.
func (s *Objects) Append(b []byte, tags []tlv.Tag) []byte {
	for _, t := range tags {
		if v, ok := s.Get(t); ok {
			b = tlv.Append(b, t, v)
		}
	}
	return b
}
