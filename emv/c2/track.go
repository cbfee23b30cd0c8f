package c2

import (
	"bytes"
	"fmt"

	"huika/emv/tag"
)

// splitTrack2 is the card number and the discretionary data of a track 2, both as digits (ISO/IEC 7813).
func splitTrack2(b []byte) (pan, dd []byte, ok bool) {
	digits := make([]byte, 0, 2*len(b))
	for _, c := range b {
		digits = append(digits, hexDigit(c>>4), hexDigit(c&15))
	}
	if n := len(digits); n > 0 && digits[n-1] == 'F' {
		digits = digits[:n-1]
	}
	i := bytes.IndexByte(digits, 'D')
	if i < 8 || i > 19 || len(digits) < i+8 {
		return nil, nil, false
	}
	for _, part := range [][]byte{digits[:i], digits[i+1:]} {
		for _, c := range part {
			if c > '9' {
				return nil, nil, false
			}
		}
	}
	return digits[:i], digits[i+8:], true
}

func hexDigit(n byte) byte { return "0123456789ABCDEF"[n] }

// packDigits packs digits two a byte, padded with F.
func packDigits(digits []byte) []byte {
	b := make([]byte, (len(digits)+1)/2)
	for i := range b {
		b[i] = (digits[2*i]-'0')<<4 | 0x0F
		if 2*i+1 < len(digits) {
			b[i] = b[i]&0xF0 | (digits[2*i+1]-'0')&15
		}
	}
	return b
}

// joinTrack2 is b with other discretionary data of the same length.
func joinTrack2(b, dd []byte) []byte {
	out := bytes.Clone(b)
	end := 2 * len(out)
	if len(out) > 0 && out[len(out)-1]&15 == 15 {
		end--
	}
	for i, c := range dd {
		at := end - len(dd) + i
		if at%2 == 0 {
			out[at/2] = out[at/2]&0x0F | (c-'0')<<4
		} else {
			out[at/2] = out[at/2]&0xF0 | (c-'0')&15
		}
	}
	return out
}

// splitTrack1 is where the discretionary data of a track 1 begins: behind the second ^, expiry and service code.
func splitTrack1(b []byte) (from int, ok bool) {
	first := bytes.IndexByte(b, '^')
	if first < 0 {
		return 0, false
	}
	second := bytes.IndexByte(b[first+1:], '^')
	from = first + 1 + second + 1 + 7
	return from, second >= 0 && from < len(b)
}

// fillTracks puts CVC3, unpredictable number, ATC and the number of digits into both tracks (S13.18 to S13.22).
func (t *tap) fillTracks(verified bool) {
	last := byte(t.nUN)
	if verified {
		last = byte((t.nUN + 5) % 10) // S13.14, S14.24
	}
	get := t.card.value
	atc := get(tag.ATC)
	f := filler{un: t.term.unNumeric, atc: uint16(atc[0])<<8 | uint16(atc[1]), nUN: t.nUN, last: last}
	track2 := get(tagTrack2Data)
	_, dd, _ := splitTrack2(track2)
	f.fill(dd, get(tagPCVC3Track2), get(tagPUNATCTrack2), get(tagCVC3Track2))
	t.card.set(tagTrack2Data, joinTrack2(track2, dd))
	if track1 := bytes.Clone(get(tag.Track1)); len(track1) > 0 {
		from, _ := splitTrack1(track1)
		f.fill(track1[from:], get(tagPCVC3Track1), get(tagPUNATCTrack1), get(tagCVC3Track1))
		t.card.set(tag.Track1, track1)
	}
}

// filler is what goes into the discretionary data of a track.
type filler struct {
	un   [4]byte // BCD
	atc  uint16
	nUN  int
	last byte // nUN, or nUN+5 mod 10 after on-device verification
}

// fill writes digits to the positions that the bitmaps name, counted from the
// right, least significant digits first: CVC3 by pcvc3, then the
// unpredictable number and left of it the ATC by punatc. The last character is the number of digits.
func (f filler) fill(dd, pcvc3, punatc, cvc3 []byte) {
	checksum := fmt.Appendf(nil, "%05d", uint16(cvc3[0])<<8|uint16(cvc3[1]))
	place(dd, pcvc3, 0, ones(pcvc3), checksum)
	place(dd, punatc, 0, f.nUN, fmt.Appendf(nil, "%X", f.un[:]))
	place(dd, punatc, f.nUN, ones(punatc)-f.nUN, fmt.Appendf(nil, "%05d", f.atc))
	dd[len(dd)-1] = '0' + f.last
}

// place writes the last n digits to the set bits skip to skip+n of a bitmap.
// Digits that are not there are zeros.
func place(dd, bitmap []byte, skip, n int, digits []byte) {
	seen := 0
	for i := 0; i < 8*len(bitmap) && i < len(dd); i++ {
		if bitmap[len(bitmap)-1-i/8]>>(i%8)&1 == 0 {
			continue
		}
		if k := seen - skip; k >= 0 && k < n {
			c := byte('0')
			if k < len(digits) {
				c = digits[len(digits)-1-k]
			}
			dd[len(dd)-1-i] = c
		}
		seen++
	}
}

// relayInTrack2 puts the relay resistance exchange into the discretionary data
// of 57, for a card that does not sign (S910.39): CA key index, RRP counter,
// device entropy (5 digits, for card numbers of up to 16 digits 3 more), milliseconds (3 digits).
func (t *tap) relayInTrack2() {
	track2 := t.card.value(tag.Track2)
	pan, _, ok := splitTrack2(track2)
	if !ok {
		return
	}
	index := byte('0')
	if v := t.card.value(tag.CAIndex); len(v) == 1 && v[0] < 10 {
		index += v[0]
	}
	entropy, took := t.made.value(tagRelayDevice), t.made.value(tagRelayMeasured)
	dd := append([]byte{index, '0' + t.made.value(tagRelayCounter)[0]}, fmt.Appendf(nil, "%05d", uint16(entropy[2])<<8|uint16(entropy[3]))...)
	if len(pan) <= 16 {
		dd = fmt.Appendf(dd, "%03d", entropy[1])
	}
	dd = fmt.Appendf(dd, "%03d", min(999, (int(took[0])<<8|int(took[1]))/10))
	head := make([]byte, 0, 40)
	for i := range len(pan) + 8 { // number, separator, expiry and service code
		c := track2[i/2] >> 4
		if i%2 == 1 {
			c = track2[i/2] & 15
		}
		head = append(head, hexDigit(c))
	}
	out := make([]byte, 0, 19)
	digits := append(head, dd...)
	if len(digits)%2 == 1 {
		digits = append(digits, 'F')
	}
	for i := 0; i < len(digits); i += 2 {
		out = append(out, nibble(digits[i])<<4|nibble(digits[i+1]))
	}
	t.note(tag.Track2, out)
}

func nibble(c byte) byte {
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}
