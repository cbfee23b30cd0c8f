package c2

import (
	"huika/emv/apdu"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Short file identifiers (EMV Book 3, 5.3.2.2): 1 to 10 are governed by EMV, up to 30 is allowed.
const (
	sfiEMV = 10
	sfiMax = 30
)

// startReading is S3R1: what the terminal may know now, and whether CDA is done.
func (t *tap) startReading() *result {
	if len(t.afl) == 0 {
		return t.invalid(cardDataError, "read", "the AFL names no record for EMV mode") // S3R1.6
	}
	if r := t.readTags(); r != nil {
		return r
	}
	t.readStorage()
	if r := t.offer(); r != nil {
		return r
	}
	t.wantCDA = t.idsRead || (t.aip[0]&aip1CDA != 0 && t.term.capabilities[2]&cap3CDA != 0) // S3R1.17 to 19
	if !t.wantCDA {
		t.term.tvr[0] |= tvr1NoODA // S3R1.20
	}
	return nil
}

const cap3CDA = 0x08 // terminal capabilities byte 3: CDA

// read sends READ RECORD for everything that the AFL names (S4).
func (t *tap) read() *result {
	if why := checkAFL(t.afl); why != "" {
		return t.invalid(cardDataError, "read", why)
	}
	for ; len(t.afl) >= 4; t.afl = t.afl[4:] {
		sfi, signed := t.afl[0]>>3, t.afl[3]
		for n := int(t.afl[1]); n <= int(t.afl[2]); n++ {
			data, res := t.record(sfi, byte(n))
			if res != nil {
				return res
			}
			if t.wantCDA && n-int(t.afl[1]) < int(signed) {
				t.sign(sfi, data) // S4.34
			}
			t.addMissingFrom(tag.CDOL1) // S4.29
			if t.idsRead && !t.slotLocked() {
				t.addMissingFrom(tagDSDOL) // S4.33
			}
			if r := t.readTags(); r != nil {
				return r
			}
			t.resolve()
			if len(t.toSend) > 0 && len(t.toRead) == 0 { // S456.3
				if r := t.exchange(); r != nil {
					return r
				}
			}
		}
	}
	return t.offer() // S456.8
}

// addMissingFrom adds to the data needed what a list asks for, once.
func (t *tap) addMissingFrom(list tlv.Tag) {
	if v, ok := t.card.get(list); ok && t.k.Exchange != nil {
		if _, asked := t.made.get(list); !asked {
			t.addMissing(v)
			t.note(list, v)
		}
	}
}

// record reads one record and keeps its objects. Records of files 1 to 10 are a
// template 70; those above are beyond the book and are kept where they look like one.
func (t *tap) record(sfi, n byte) ([]byte, *result) {
	r, lost, err := t.send(apdu.ReadRecord(sfi, n))
	switch {
	case err != nil:
		return nil, &result{err: err}
	case lost:
		return nil, t.lostCard("read") // S4.6
	case !r.OK():
		t.errors.sw = r.SW
		return nil, t.invalid(statusBytes, "read", "the card refused READ RECORD") // S4.10
	}
	if d := tlv.NewReader(r.Data); sfi > sfiEMV && (!d.Next() || d.TLV().Tag != tag.RecordTemplate) {
		return r.Data, nil
	}
	if why := t.template(r.Data, tag.RecordTemplate); why != "" {
		return nil, t.invalid(parsingError, "read", why) // S4.27
	}
	if cvm := t.card.value(tag.CVMList); len(cvm)%2 != 0 {
		return nil, t.invalid(cardDataError, "read", "the CVM list has an odd length")
	}
	return r.Data, nil
}

// sign takes a record for offline data authentication; one that can't be taken makes CDA fail (S4.35).
func (t *tap) sign(sfi byte, data []byte) {
	static, err := oda.AppendRecord(t.static, sfi, data)
	if err != nil || len(static) > MaxStaticData {
		t.term.tvr[0] |= tvr1CDAFailed
		return
	}
	t.static = static
}

// checkAFL says what is wrong with an AFL (EMV Book 3, 10.2), or "".
func checkAFL(afl []byte) string {
	if len(afl)%4 != 0 {
		return "AFL is not made of entries of 4 bytes"
	}
	records := 0
	for ; len(afl) >= 4; afl = afl[4:] {
		sfi, first, last, signed := afl[0]>>3, int(afl[1]), int(afl[2]), int(afl[3])
		switch {
		case afl[0]&0x07 != 0 || sfi < 1 || sfi > sfiMax:
			return "AFL names a file that can't be"
		case first == 0 || last < first:
			return "AFL names records that can't be"
		case signed > last-first+1:
			return "AFL signs more records than it names"
		}
		if records += last - first + 1; records > MaxRecords {
			return "AFL names too many records"
		}
	}
	return ""
}
