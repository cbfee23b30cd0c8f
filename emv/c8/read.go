package c8

import (
	"errors"

	"huika/emv/apdu"
	"huika/emv/bdh"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Short file identifiers (EMV Book 3, 5.3.2.2): 1 to 10 are governed by EMV, up to 30 is allowed.
const (
	sfiEMV = 10
	sfiMax = 30
)

// read sends READ RECORD for everything that the AFL names.
func (t *tap) read() *result {
	afl := t.card.value(tag.AFL)
	if why := checkAFL(afl); why != "" {
		return t.invalid(parsingError, "read", why)
	}
	for ; len(afl) >= 4; afl = afl[4:] {
		sfi, signed := afl[0]>>3, afl[3]
		for n := int(afl[1]); n <= int(afl[2]); n++ {
			if r := t.record(sfi, byte(n), n-int(afl[1]) < int(signed)); r != nil {
				return r
			}
		}
	}
	return nil
}

// record reads one record, deciphers it where it is enciphered (DA in place of
// 70), and keeps its objects. The card's message counter moves with enciphered
// records only.
func (t *tap) record(sfi, n byte, signed bool) *result {
	r, lost, err := t.send(apdu.ReadRecord(sfi, n))
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.lostCard("read")
	case !r.OK():
		t.errors.sw = r.SW
		return t.invalid(statusBytes, "read", "the card refused READ RECORD")
	}
	body, why := contents(r.Data, tag.EncryptedRecord)
	if why != "" {
		if body, why = contents(r.Data, tag.RecordTemplate); why != "" {
			return t.invalid(parsingError, "read", why)
		}
	} else if err := t.channel.FromCard(body, body); err != nil {
		return t.invalid(decryptionFailed, "read", "the card's messages are used up")
	}
	if signed {
		t.sign(sfi, body)
	}
	if why := t.addLevel(body, 0); why != "" {
		return t.invalid(parsingError, "read", why)
	}
	return nil
}

// sign takes a record, in clear, for local authentication (EMV Book 3, 10.3): its
// contents, above file 10 with the template around them. One that does not fit makes local
// authentication fail, not the transaction.
func (t *tap) sign(sfi byte, body []byte) {
	if t.static == nil {
		t.static = make([]byte, 0, recordSize)
	}
	if sfi > sfiEMV {
		t.static = tlv.Append(t.static, tag.RecordTemplate, body)
	} else {
		t.static = append(t.static, body...)
	}
	if _, there := tlv.Find(body, tag.CDOL1); there {
		t.cdolOwned = true
	}
	t.staticBad = t.staticBad || len(t.static) > MaxStaticData
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

// readData sends READ DATA for the data envelopes that the terminal wants (5.5).
// What can't be read leaves the status at "not completed" and ends nothing.
// After a message that does not verify nothing more is asked for: the two
// counters are out of step. (The last is ours.)
func (t *tap) readData() *result {
	for n, g := range t.k.Read {
		if n == MaxReadData || g < tag.DataEnvelope1 || g > tag.DataEnvelope10 {
			t.unread = true
			return nil
		}
		r, lost, err := t.send(apdu.Command{CLA: 0x84, INS: apdu.InsReadData, Data: tlv.AppendTag(nil, g), Le: 256}.Append(nil))
		switch {
		case err != nil:
			return &result{err: err}
		case lost:
			return t.lostCard("read data")
		case !r.OK():
			t.unread = true
			continue
		}
		plain, err := t.channel.OpenData(r.Data)
		if errors.Is(err, bdh.ErrMAC) || errors.Is(err, bdh.ErrCounter) {
			t.unread = true
			return nil
		}
		if value, why := contents(plain, g); why != "" || len(value) > maxEnvelope {
			t.unread = true
			continue
		}
		t.envelopes = append(t.envelopes, plain...)
	}
	return nil
}

// writeData sends WRITE DATA for the data envelopes that the terminal gave (5.7).
// A card that has left, or does not confirm, keeps its outcome.
func (t *tap) writeData() *result {
	if len(t.k.Write) == 0 {
		return nil
	}
	t.unwritten = true
	list := tlv.NewReader(t.k.Write)
	for n, more := 0, list.Next(); more; n++ {
		o, object := list.TLV(), list.Raw()
		more = list.Next()
		if n == MaxWriteData || o.Tag < tag.DataEnvelope1 || o.Tag > tag.DataEnvelope10 || len(o.Value) > maxEnvelope {
			return nil
		}
		sealed := make([]byte, len(object))
		if err := t.channel.FromKernel(sealed, object); err != nil {
			return nil // the counter is used up
		}
		c := apdu.Command{CLA: 0x84, INS: apdu.InsWriteData, Data: sealed, Le: 256}
		if more {
			c.P2 = moreCommands
		}
		r, lost, err := t.send(c.Append(nil))
		if err != nil {
			return &result{err: err}
		}
		if lost || !r.OK() || t.channel.CheckReceipt(object, r.Data) != nil {
			return nil
		}
	}
	t.unwritten = list.Err() != nil
	t.cardRead()
	return nil
}

// moreCommands in P2 of GENERATE AC and WRITE DATA: a WRITE DATA follows.
const moreCommands = 0x80
