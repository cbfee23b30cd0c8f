package c3

import (
	"context"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/book3"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// sfiEMV: files 1 to 10 are governed by EMV (EMV Book 3, 5.3.2.2).
const sfiEMV = 10

// read sends READ RECORD for everything that the AFL names (EMV Book 3, 10.2).
// A card without AFL gave all it has in the GPO response.
func (t *tap) read(ctx context.Context, card emv.Transceiver) (emv.Outcome, bool, error) {
	afl := t.card.value(tag.AFL)
	if why := book3.CheckAFL(afl); why != "" {
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
