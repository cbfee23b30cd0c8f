package book3

// Track2 is track 2 equivalent data (57): card number, D, expiry YYMM, service code and the rest.
type Track2 struct {
	Number string
	Expiry [2]byte // YYMM, BCD
}

// ParseTrack2 reads 57; false where it is no track 2.
func ParseTrack2(b []byte) (Track2, bool) {
	nibble := func(i int) byte {
		if i%2 == 0 {
			return b[i/2] >> 4
		}
		return b[i/2] & 15
	}
	var t Track2
	var number [19]byte
	i := 0
	for ; i < 2*len(b) && nibble(i) <= 9; i++ {
		if i == len(number) {
			return t, false
		}
		number[i] = '0' + nibble(i)
	}
	if i < 8 || i+4 >= 2*len(b) || nibble(i) != 0xD {
		return t, false
	}
	for j := range 4 {
		d := nibble(i + 1 + j)
		if d > 9 {
			return t, false
		}
		t.Expiry[j/2] = t.Expiry[j/2]<<4 | d
	}
	t.Number = string(number[:i])
	return t, t.Expiry[1] >= 0x01 && t.Expiry[1] <= 0x12
}

// LastDay is the last day of the expiry month as 5F24 codes it.
func (t Track2) LastDay() [3]byte {
	day := byte(0x31)
	switch t.Expiry[1] {
	case 0x04, 0x06, 0x09, 0x11:
		day = 0x30
	case 0x02:
		day = 0x28
		if year := int(t.Expiry[0]>>4)*10 + int(t.Expiry[0]&15); year%4 == 0 { // 1950 to 2049: 2000 is a leap year
			day = 0x29
		}
	}
	return [3]byte{t.Expiry[0], t.Expiry[1], day}
}

// Number are the digits of 5A (compressed numeric); false where it is none of 8 to 19.
func Number(pan []byte) (string, bool) {
	var b [20]byte
	n, ended := 0, false
	for i := range 2 * len(pan) {
		d := pan[i/2] >> 4
		if i%2 == 1 {
			d = pan[i/2] & 15
		}
		switch {
		case d == 0xF:
			ended = true
		case ended || d > 9 || n == len(b):
			return "", false
		default:
			b[n] = '0' + d
			n++
		}
	}
	return string(b[:n]), n >= 8 && n <= 19
}

// Compressed is a card number as 5A codes it.
func Compressed(number string) []byte {
	b := make([]byte, (len(number)+1)/2)
	for i := range len(number) {
		b[i/2] = b[i/2]<<4 | (number[i] - '0')
	}
	if len(number)%2 == 1 {
		b[len(number)/2] = b[len(number)/2]<<4 | 0x0F
	}
	return b
}
