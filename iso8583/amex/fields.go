package amex

import (
	"strings"

	"huika/iso8583"
	"huika/iso8583/scheme"
	"huika/pay"
)

// putDates sets F12 and F15, which have years here. F15's is that of Local.
func putDates(to *iso8583.Message, m *scheme.Message) error {
	if m.Local != "" {
		if len(m.Local) != 12 {
			return wrong("pack", "F12", "want YYMMDDhhmmss")
		}
		to.Set(12, m.Local)
	}
	if m.Settlement == "" {
		return nil
	}
	if m.Local == "" || len(m.Settlement) != 4 {
		return wrong("pack", "F15", "want MMDD, and F12 for its year")
	}
	v := [6]byte{m.Local[0], m.Local[1]}
	copy(v[2:], m.Settlement)
	to.SetBytes(15, v[:])
	return nil
}

// Positions of F22, counted from 0.
const (
	canAuthenticate = 1
	cardPresent     = 5
	inputMode       = 6
	authenticated   = 7
	pinCapture      = 11
)

// entries are positions 6 and 7 of F22: X is a contactless card.
var entries = [...]string{0: "00", scheme.Manual: "11", scheme.Stripe: "12", scheme.Scan: "13", scheme.Chip: "15", scheme.Contactless: "X5", scheme.ContactlessStripe: "X2"}

// putEntry sets F22: a terminal with a chip reader, attended, on the premises.
func putEntry(to *iso8583.Message, m *scheme.Message) error {
	if m.Entry == 0 && m.PINEntry == 0 {
		return nil
	}
	if int(m.Entry) >= len(entries) || m.PINEntry > scheme.PINNo {
		return wrong("pack", "F22", "no such entry")
	}
	v := [12]byte([]byte("560100000041"))
	v[cardPresent], v[inputMode] = entries[m.Entry][0], entries[m.Entry][1]
	switch m.PINEntry {
	case scheme.PINYes:
		v[canAuthenticate], v[pinCapture] = '1', 'C' // twelve digits
	case scheme.PINNo:
		v[canAuthenticate], v[pinCapture] = '0', '0'
	}
	if len(m.PINBlock) > 0 {
		v[authenticated] = '1'
	}
	to.SetBytes(22, v[:])
	return nil
}

func getEntry(from *scheme.In, m *scheme.Message) {
	v := from.Bytes(22)
	if len(v) != 12 {
		return
	}
	for e := range entries {
		if entries[e] == string(v[cardPresent:inputMode+1]) {
			m.Entry = scheme.Entry(e)
		}
	}
	switch v[pinCapture] {
	case '0':
		m.PINEntry = scheme.PINNo
	case '1': // not known
	default:
		m.PINEntry = scheme.PINYes
	}
}

// F43 is name, street, city, then postal code, region and country in fixed columns.
const (
	postalAndRegion = "             " // 10 and 3
	placeSeparator  = `\`
)

func putPlace(to *iso8583.Message, m *scheme.Message) error {
	p := &m.Place
	if *p == (scheme.Place{}) {
		return nil
	}
	number, letters := scheme.CountryNumber(p.Country), scheme.CountryLetters(p.Country)
	switch {
	case number == "":
		return wrong("pack", "F43", "no such country")
	case len(p.Name) > scheme.MaxName || len(p.City) > scheme.MaxCity || strings.HasSuffix(p.Name, " ") || strings.HasSuffix(p.City, " "):
		return wrong("pack", "F43", "name or city too long, or ends in a space")
	case strings.Contains(p.Name, placeSeparator) || strings.Contains(p.City, placeSeparator):
		return wrong("pack", "F43", "backslash in name or city")
	}
	to.Set(19, number)
	var room [64]byte
	v := append(append(room[:0], p.Name...), placeSeparator+placeSeparator...) // no street
	v = append(append(append(v, p.City...), placeSeparator...), postalAndRegion...)
	to.SetBytes(43, append(v, letters...))
	return nil
}

func getPlace(from *scheme.In, m *scheme.Message) {
	parts := strings.Split(from.Get(43), placeSeparator)
	if len(parts) != 4 || len(parts[3]) != len(postalAndRegion)+3 {
		return // nothing is decided by it
	}
	p := scheme.Place{
		Name: strings.TrimRight(parts[0], " "), City: strings.TrimRight(parts[2], " "),
		Country: scheme.CountryOfLetters(parts[3][len(postalAndRegion):]),
	}
	if p.Country != "" && len(p.Name) <= scheme.MaxName && len(p.City) <= scheme.MaxCity {
		m.Place = p
	}
}

// iccHeader is AGNS in EBCDIC and version 0001.
const iccHeader = "\xC1\xC7\xD5\xE2\x00\x01"

func putICC(to *iso8583.Message, m *scheme.Message) error {
	if len(m.ICC) == 0 {
		return nil
	}
	var room [len(iccHeader) + scheme.MaxICC]byte
	to.SetBytes(55, append(append(room[:0], iccHeader...), m.ICC...))
	return nil
}

func getICC(from *scheme.In, m *scheme.Message) error {
	if !from.Has(55) {
		return nil
	}
	if len(m.ICC) <= len(iccHeader) || string(m.ICC[:len(iccHeader)]) != iccHeader {
		return wrong("unpack", "F55", "want a header AGNS 0001 and data")
	}
	m.ICC = m.ICC[len(iccHeader):]
	return nil
}

// f56Head is type 4, STAN 6, local date and time 12, and two digits of length of
// the acquiring institution that follows.
const f56Head = 4 + 6 + 12 + 2

// f63Head is function code 3 and F7 10 of the original; its forwarder follows.
const f63Head = 3 + 10

func putOriginal(to *iso8583.Message, m *scheme.Message) error {
	o := &m.Original
	if *o == (scheme.Original{}) {
		return nil
	}
	row := rows.Of(o.Transaction)
	if row == nil || len(o.Local) != 12 || len(o.Transmission) != 10 || o.STAN > 999_999 || len(o.Acquirer) > 11 || len(o.Forwarder) > 11 {
		return wrong("pack", "F56", "want transaction, STAN, local and transmission time, and institutions of the original")
	}
	var room [48]byte
	v := scheme.AppendNumber(append(room[:0], row.MTI...), uint64(o.STAN), 6)
	v = scheme.AppendNumber(append(v, o.Local...), uint64(len(o.Acquirer)), 2)
	to.SetBytes(56, append(v, o.Acquirer...))
	v = append(append(append(room[:0], row.Mark...), o.Transmission...), o.Forwarder...)
	to.SetBytes(63, v)
	return nil
}

func getOriginal(from *scheme.In, m *scheme.Message) error {
	if m.Kind == scheme.Reversal {
		m.Transaction = rows.Find("", from.Get(3), "")
	}
	if !from.Has(56) {
		return nil
	}
	v := from.Get(56)
	if len(v) < f56Head || v[22:24] != twoDigits(len(v)-f56Head) {
		return wrong("unpack", "F56", "shorter or longer than its parts")
	}
	stan, _ := scheme.Number([]byte(v[4:10])) // F56 holds digits only
	m.Original = scheme.Original{STAN: pay.STAN(stan), Local: v[10:22], Acquirer: v[f56Head:]}
	ours, mark := from.Get(63), ""
	if len(ours) >= f63Head {
		mark = ours[:3]
		m.Original.Transmission, m.Original.Forwarder = ours[3:f63Head], ours[f63Head:]
	}
	if m.Kind == scheme.Reversal {
		m.Transaction = rows.Find(v[:4], from.Get(3), mark)
	}
	m.Original.Transaction = rows.Original(m, v[:4])
	return nil
}

func twoDigits(n int) string { return string([]byte{byte('0' + n/10%10), byte('0' + n%10)}) }

// checkSize is the bytes of a check value in F96.
const checkSize = 4

func putKey(to *iso8583.Message, m *scheme.Message) error {
	if m.Key.Use == 0 && len(m.Key.Wrapped) == 0 {
		return nil
	}
	if m.Key.Use != scheme.PINKey && m.Key.Use != scheme.MACKey || len(m.Key.Wrapped) != 16 && len(m.Key.Wrapped) != scheme.MaxKey {
		return wrong("pack", "F96", "want a PIN or MAC key of 16 or 24 bytes")
	}
	var room [1 + scheme.MaxKey + checkSize]byte
	v := append(append(room[:0], "PM"[m.Key.Use-scheme.PINKey]), m.Key.Wrapped...)
	to.SetBytes(96, append(v, m.Key.Check[:]...))
	return nil
}

func getKey(from *scheme.In, m *scheme.Message) error {
	if !from.Has(96) || m.Function != scheme.KeyExchange {
		return nil
	}
	v := from.Get(96)
	n := len(v) - 1 - checkSize
	if n != 16 && n != scheme.MaxKey || v[0] != 'P' && v[0] != 'M' {
		return wrong("unpack", "F96", "no key")
	}
	m.Key.Use = scheme.PINKey
	if v[0] == 'M' {
		m.Key.Use = scheme.MACKey
	}
	m.Key.Wrapped = []byte(v[1 : 1+n])
	copy(m.Key.Check[:], v[1+n:])
	return nil
}
