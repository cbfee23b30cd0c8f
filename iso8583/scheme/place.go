package scheme

import (
	"strings"

	"huika/iso8583"
)

// PlaceForm is how a scheme lays out the 40 characters of F43.
type PlaceForm struct {
	Name, City int // characters
	Gap        int // spaces after the name and after the city
	Letters    int // of the country: 2 or 3
}

// PlaceSize is the length of F43 in the 1987 version.
const PlaceSize = 40

// PutPlace sets F43, and F19 where the dialect has it; an absent Place leaves both out.
func PutPlace(to *iso8583.Message, p *Place, form PlaceForm, f19 bool) error {
	if *p == (Place{}) {
		return nil
	}
	entry := country(p.Country, 0)
	switch {
	case entry == "" || len(p.Country) != 2:
		return wrong("pack", 43, "no such country")
	case !fits(p.Name, MaxName) || !fits(p.City, MaxCity):
		return wrong("pack", 43, "name or city too long, or ends in a space")
	}
	if f19 {
		to.Set(19, entry[5:])
	}
	var room [PlaceSize]byte
	for i := range room {
		room[i] = ' '
	}
	copy(room[:], p.Name)
	copy(room[form.Name+form.Gap:], p.City)
	letters := entry[:2]
	if form.Letters == 3 {
		letters = entry[2:5]
	}
	copy(room[PlaceSize-form.Letters:], letters)
	to.SetBytes(43, room[:])
	return nil
}

func fits(s string, size int) bool { return len(s) <= size && (s == "" || s[len(s)-1] != ' ') }

// GetPlace reads what PutPlace writes. Letters of no country, and a name or city
// longer than a Place may hold, leave the Place absent: nothing is decided by it.
func GetPlace(from *In, m *Message, form PlaceForm) {
	v := from.Get(43)
	if len(v) != PlaceSize {
		return
	}
	at := 0
	if form.Letters == 3 {
		at = 2
	}
	entry := country(v[PlaceSize-form.Letters:], at)
	p := Place{
		Name: strings.TrimRight(v[:form.Name], " "),
		City: strings.TrimRight(v[form.Name+form.Gap:form.Name+form.Gap+form.City], " "),
	}
	if entry == "" || len(p.Name) > MaxName || len(p.City) > MaxCity {
		return
	}
	p.Country = entry[:2]
	m.Place = p
}
