package c3

import (
	"context"

	"huika/emv"
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

// read sends READ RECORD for everything that the AFL names (EMV Book 3, 10.2).
// A card without AFL gave all it has in the GPO response.
func (t *tap) read(ctx context.Context, card emv.Transceiver) (emv.Outcome, bool, error) {
	afl := t.card.value(tag.AFL)
	if why := checkAFL(afl); why != "" {
		return endApplication("read", "parsing error", why), true, nil
	}
	for ; len(afl) >= 4; afl = afl[4:] {
		sfi, signed := afl[0]>>3, afl[3]
		for n := int(afl[1]); n <= int(afl[2]); n++ {
			r, o, done, err := t.send(ctx, card, apdu.ReadRecord(sfi, byte(n)), "read")
			if done || err != nil {
				return o, done, err
			}
			if !r.OK() {
				return statusError("read", r.SW), true, nil
			}
			if why := t.record(sfi, r.Data); why != "" {
				return endApplication("read", "parsing error", why), true, nil
			}
			if n-int(afl[1]) < int(signed) {
				t.sign(sfi, r.Data)
			}
		}
	}
	return emv.Outcome{}, false, nil
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

// record keeps the data objects of one record. Records of files 1 to 10 are a
// template 70; those above are the issuer's own: taken where they look like one.
func (t *tap) record(sfi byte, data []byte) string {
	if r := tlv.NewReader(data); sfi > sfiEMV && (!r.Next() || r.TLV().Tag != tag.RecordTemplate) {
		return ""
	}
	return t.template(data, tag.RecordTemplate)
}

// sign takes a record for offline data authentication. A record that can't be
// taken makes authentication fail, not the transaction (EMV Book 3, 10.3).
func (t *tap) sign(sfi byte, data []byte) {
	static, err := oda.AppendRecord(t.static, sfi, data)
	if err != nil {
		t.staticBad = true
		return
	}
	t.static = static
}
