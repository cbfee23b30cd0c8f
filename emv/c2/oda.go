package c2

import (
	"bytes"
	"crypto/sha1"
	"errors"

	"huika/emv"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

var (
	errNoCAKey    = errors.New("kernel 2: no such CA key")
	errNoUN       = errors.New("kernel 2: CDOL1 does not ask for 9F37")
	errDynamic    = errors.New("kernel 2: ICC dynamic data")
	errSummary    = errors.New("kernel 2: data storage summaries are missing from the signature")
	errRelayData  = errors.New("kernel 2: the signature is about another relay resistance exchange")
	errCryptogram = errors.New("kernel 2: the signature is about another cryptogram")
)

// caKey is the CA key that the card names.
func (t *tap) caKey() (oda.CAKey, bool) {
	index := t.card.value(tag.CAIndex)
	if t.k.CAKeys == nil || len(index) != 1 || len(t.in.AID) < 5 {
		return oda.CAKey{}, false
	}
	return t.k.CAKeys.Lookup([5]byte(t.in.AID[:5]), index[0])
}

// signed is a response with a combined signature (S910.1 to S910.19).
func (t *tap) signed(response []byte) *result {
	verify := t.k.verify
	if verify == nil {
		verify = verifyCDA
	}
	data, err := verify(t, response)
	if err == nil {
		err = t.dynamic(data, response)
	}
	if err != nil {
		t.term.tvr[0] |= tvr1CDAFailed
		t.oda = emv.ODAFailed
		return t.refuse(camFailed, "oda", "the card could not be authenticated") // S910.7
	}
	t.oda = emv.ODACDA
	if !t.idsRead {
		return nil
	}
	summary2, there := t.made.get(tagSummary2)
	switch {
	case !there:
		return t.refuse(cardDataMissing, "ids", "DS Summary 2 is missing") // S910.9
	case !bytes.Equal(t.card.value(tagSummary1), summary2):
		return t.refuse(idsReadError, "ids", "what was read is not what the card signs") // S910.11
	}
	t.note(tagSummaryStatus, []byte{summaryRead}) // before an outcome takes the discretionary data
	if !t.idsWrite {
		return nil
	}
	summary3, there := t.made.get(tagSummary3)
	info := t.given.value(tagODSInfoReader)
	switch {
	case !there:
		return t.refuse(cardDataMissing, "ids", "DS Summary 3 is missing") // S910.15
	case !bytes.Equal(summary2, summary3):
		t.note(tagSummaryStatus, []byte{summaryRead | summaryWrite}) // S910.17
	case len(info) > 0 && info[0]&infoStopNoWrite != 0:
		return t.invalid(idsWriteError, "ids", "the card did not write") // S910.62
	}
	return nil
}

// verifyCDA recovers the chain CA, issuer, card and opens the signature (EMV
// Book 2, 6.6.2). It gives the ICC dynamic data.
func verifyCDA(t *tap, _ []byte) ([]byte, error) {
	get := t.card.value
	ca, ok := t.caKey()
	if !ok {
		return nil, errNoCAKey
	}
	if !asksFor(get(tag.CDOL1), tag.UN) {
		return nil, errNoUN
	}
	number, _ := panDigits(get(tag.PAN))
	now := t.in.Transaction.Time
	issuer, info, err := oda.RecoverIssuer(ca, get(tag.IssuerCertificate), get(tag.IssuerRemainder), get(tag.IssuerExponent), number, now)
	if err != nil {
		return nil, err
	}
	if t.k.CAKeys.Revoked(ca.RID, ca.Index, info.Serial) {
		return nil, oda.ErrRevoked
	}
	icc, err := oda.RecoverICC(issuer, get(tag.ICCCertificate), get(tag.ICCRemainder), get(tag.ICCExponent), get(tag.PAN), t.static, now)
	if err != nil {
		return nil, err
	}
	d, err := oda.VerifyDynamic(icc, get(tag.SDAD), t.term.un[:])
	if err != nil {
		return nil, err
	}
	return d.Data, nil
}

// dynamic checks what the signature says: number ‖ 9F27 ‖ cryptogram ‖ hash of the
// transaction ‖ [DS Summary 2 ‖ DS Summary 3] ‖ [relay resistance data] (S910.3, S910.4).
func (t *tap) dynamic(data, response []byte) error {
	if len(data) == 0 || data[0] < 2 || data[0] > 8 || len(data) < 1+int(data[0])+29 {
		return errDynamic
	}
	number, rest := data[1:1+data[0]], data[1+data[0]:]
	if rest[0] != t.cid {
		return errCryptogram
	}
	hash := t.transactionHash(response)
	if !bytes.Equal(hash[:], rest[9:29]) {
		return oda.ErrHash
	}
	if clear := t.card.value(tag.ApplicationCryptogram); len(clear) > 0 && !bytes.Equal(clear, rest[1:9]) {
		return errCryptogram // 9F26 beside the signature is another one (ours)
	}
	extra := rest[29:]
	relayed := t.term.tvr[4]&tvr5RelayDone != 0
	if t.idsRead {
		var err error
		if extra, err = t.summaries(extra, relayed); err != nil {
			return err
		}
	}
	if relayed {
		var want [14]byte
		if !bytes.HasPrefix(extra, t.relayData(want[:0])) {
			return errRelayData
		}
	}
	t.card.set(tag.ApplicationCryptogram, rest[1:9])
	t.note(tag.ICCDynamicNumber, number)
	return nil
}

// summaries takes DS Summary 2 and 3 off the front. With relay resistance data behind them both must be there.
func (t *tap) summaries(extra []byte, both bool) ([]byte, error) {
	n := 8
	if t.storageVersion() == storageVersion2 {
		n = 16
	}
	for _, g := range [...]tlv.Tag{tagSummary2, tagSummary3} {
		if len(extra) < n {
			if both {
				return nil, errSummary
			}
			return nil, nil
		}
		t.note(g, extra[:n])
		extra = extra[n:]
	}
	return extra, nil
}

// transactionHash is over PDOL data ‖ CDOL1 data ‖ the response's objects but 9F4B, as they came.
func (t *tap) transactionHash(response []byte) [sha1.Size]byte {
	h := sha1.New()
	h.Write(t.pdolData)
	h.Write(t.cdolData)
	body, _ := tlv.Find(response, tag.ResponseFormat2)
	for r := tlv.NewReader(body); r.Next(); {
		if r.TLV().Tag != tag.SDAD {
			h.Write(r.Raw())
		}
	}
	return [sha1.Size]byte(h.Sum(nil))
}
