package c2

import (
	"context"
	"errors"

	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Exchange is the terminal's end of data exchange (Book C-2, 3.4): one call is
// a DEK signal and the DET signal that answers it.
type Exchange interface {
	// Exchange takes what the kernel sends (TLV) and the tags that it needs, and
	// returns the terminal's data (TLV; nil: none). The kernel waits for it; an
	// answer that does not come within the terminal's time-out is ErrTimeOut.
	Exchange(ctx context.Context, toSend []byte, needed []tlv.Tag) (answer []byte, err error)
}

// ErrTimeOut is an Exchange that ended without an answer (L3, time out).
var ErrTimeOut = errors.New("kernel 2: data exchange timed out")

// fromTerminal are the tags that the terminal may give or change during data
// exchange (update condition DET). Which ones the book marks so was not at hand
// as a whole: what is the terminal's own, and no limit, key or result.
var fromTerminal = [...]tlv.Tag{
	tag.AmountAuthorised, tag.AmountOther, tag.CustomerExclusive, tagCategory, tag.AcquirerID, tag.MerchantID,
	tag.TerminalID, tag.MerchantCategory, tag.MerchantName, tagRiskData, tagOperatorID, tagInputCard, tagODSInfo, tagODSTerm,
	tagBalanceBefore, tagBalanceAfter, tagDSACType, tagInputTerm, tagODSInfoReader, tagDSVNTerm, tagFirstWrite,
	tagTagsToRead, tagWriteBefore, tagWriteAfter,
}

func mayGive(g tlv.Tag) bool {
	for _, f := range fromTerminal {
		if f == g {
			return true
		}
	}
	return false
}

// startLists fills the working lists from the terminal's data (S1.10, S1.16).
func (t *tap) startLists() {
	if v, ok := t.given.get(tagTagsToRead); ok {
		t.want(v)
		if len(v) == 0 {
			t.needed = append(t.needed, tagTagsToRead)
		}
	}
	for _, l := range [...]struct {
		tag  tlv.Tag
		list *[]byte
	}{{tagWriteBefore, &t.writeBefore}, {tagWriteAfter, &t.writeAfter}} {
		v, ok := t.given.get(l.tag)
		*l.list = v
		if ok && len(v) == 0 {
			t.needed = append(t.needed, l.tag)
		}
	}
}

// want adds a list of tags to those that are read yet.
func (t *tap) want(list []byte) {
	for len(list) > 0 && len(t.toRead) < MaxObjects {
		g, n, err := tlv.ParseTag(list)
		if err != nil {
			return // what can't be read of the terminal's own list is not asked for
		}
		list = list[n:]
		t.toRead = append(t.toRead, g)
	}
}

// fetch waits for what a data object list asks for and the terminal has left
// empty (S1.12, S2.7). Without an Exchange nothing is waited for.
func (t *tap) fetch(list []byte) *result {
	for t.k.Exchange != nil && t.addMissing(list) {
		if r := t.exchange(); r != nil {
			return r
		}
	}
	return nil
}

// addMissing adds to the data needed what a list asks for, the terminal may
// give and has left empty. It reports whether there is any.
func (t *tap) addMissing(list []byte) (missing bool) {
	for len(list) > 0 {
		e, rest, err := dol.Next(list)
		if err != nil {
			return missing
		}
		list = rest
		if v, there := t.value(e.Tag); there && len(v) == 0 && mayGive(e.Tag) {
			t.needed = append(t.needed, e.Tag)
			missing = true
		}
	}
	return missing
}

// resolve moves what is there by now from the tags to read to the data to send (S1.15, S456.2).
func (t *tap) resolve() {
	left := t.toRead[:0]
	for _, g := range t.toRead {
		if v, ok := t.value(g); ok && len(v) > 0 {
			t.toSend = tlv.Append(t.toSend, g, v)
		} else {
			left = append(left, g)
		}
	}
	t.toRead = left
}

// offer exchanges data where there is something to say: data needed, or data to
// send with nothing left to read (S3R1.15, S456.3, S456.8).
func (t *tap) offer() *result {
	t.resolve()
	if len(t.needed) > 0 || (len(t.toSend) > 0 && len(t.toRead) == 0) {
		return t.exchange()
	}
	return nil
}

// exchange is one DEK signal and its DET answer, which is taken at once.
func (t *tap) exchange() *result {
	toSend, needed := t.toSend, t.needed
	t.toSend, t.needed = nil, nil
	if t.k.Exchange == nil {
		return nil
	}
	if t.exchanges++; t.exchanges > MaxExchanges {
		t.errors.l3 = timeOut
		return t.end(t.silent("data exchange does not end"))
	}
	answer, err := t.k.Exchange.Exchange(t.ctx, toSend, needed)
	if errors.Is(err, ErrTimeOut) {
		t.errors.l3 = timeOut // S2.3, S6.3, S8.2
		return t.end(t.silent("the terminal gave no data in time"))
	}
	if err != nil {
		return &result{err: err}
	}
	list, err := tlv.Parse(answer)
	if err != nil {
		return &result{err: errors.Join(errors.New("kernel 2: data exchange"), err)}
	}
	for _, o := range list {
		if r := t.take(o); r != nil {
			return r
		}
	}
	return nil
}

// take is UpdateWithDetData for one object.
func (t *tap) take(o tlv.TLV) *result {
	if !mayGive(o.Tag) {
		return nil
	}
	switch o.Tag {
	case tag.AmountAuthorised:
		n, ok := fromBCD(o.Value)
		if !ok || len(o.Value) != 6 {
			return &result{err: errors.New("kernel 2: data exchange: the amount is not 12 digits")}
		}
		t.term.minor, t.term.amount = n, [6]byte(o.Value)
		return nil
	case tagTagsToRead:
		t.want(o.Value)
	case tagWriteBefore:
		t.writeBefore = append(t.writeBefore[:len(t.writeBefore):len(t.writeBefore)], o.Value...)
	case tagWriteAfter:
		t.writeAfter = append(t.writeAfter[:len(t.writeAfter):len(t.writeAfter)], o.Value...)
	}
	if !t.given.set(o.Tag, o.Value) {
		return &result{err: errors.New("kernel 2: data exchange: too many objects")}
	}
	return nil
}

// firstWrite waits until the terminal lets the kernel go on (proceed to first
// write flag; S456.5 to S456.11, S78.1 to S78.7). A flag that is not there lets it.
func (t *tap) firstWrite() *result {
	for {
		v, there := t.given.get(tagFirstWrite)
		if !there || (len(v) > 0 && v[0] != 0) || t.k.Exchange == nil {
			return nil
		}
		if len(v) == 0 {
			t.needed = append(t.needed, tagFirstWrite)
		}
		t.resolve()
		if r := t.exchange(); r != nil {
			return r
		}
		if r := t.readTags(); r != nil { // S6.8: tags that the answer asked for
			return r
		}
	}
}

// sendRest answers every tag that is still to be read, empty where the card has none (S456.21 to S456.23).
func (t *tap) sendRest() *result {
	for _, g := range t.toRead {
		v, _ := t.value(g)
		t.toSend = tlv.Append(t.toSend, g, v)
	}
	t.toRead = nil
	if len(t.toSend) == 0 {
		return nil
	}
	return t.exchange()
}

// fromGetData are the tags that a card gives by GET DATA: the offline balance
// and the protected and unprotected data envelopes.
func fromGetData(g tlv.Tag) bool { return g == tagBalance || (g >= 0x9F70 && g <= 0x9F79) }

// readTags sends GET DATA for the tags to read that a card gives so (S3R1.1 to S3R1.4, S4.15, S5).
func (t *tap) readTags() *result {
	for i := 0; i < len(t.toRead); {
		g := t.toRead[i]
		if !fromGetData(g) || t.getData == MaxGetData {
			i++
			continue
		}
		t.toRead = append(t.toRead[:i], t.toRead[i+1:]...)
		t.getData++
		r, lost, err := t.send(getData(g))
		switch {
		case err != nil:
			return &result{err: err}
		case lost:
			return t.lostCard("get data") // S5.6
		}
		value, ok := tlv.Find(r.Data, g)
		if !r.OK() || !ok {
			value = nil // S5.24
		}
		t.toSend = tlv.Append(t.toSend, g, value)
	}
	return nil
}

func getData(g tlv.Tag) []byte {
	return apdu.Command{CLA: 0x80, INS: apdu.InsGetData, P1: byte(g >> 8), P2: byte(g), Le: 256}.Append(make([]byte, 0, 5))
}

// putData sends PUT DATA for every object of a list (S12, S15) and reports whether all
// were taken. An object whose tag has more than two bytes can't be put and counts as refused.
func (t *tap) putData(list []byte) (done, lost bool, err error) {
	r := tlv.NewReader(list)
	for n := 0; r.Next(); n++ {
		o := r.TLV()
		if n == MaxPutData || o.Tag.Len() > 2 || len(o.Value) == 0 || len(o.Value) > apdu.MaxData {
			return false, false, nil
		}
		a, lost, err := t.send(apdu.Command{CLA: 0x80, INS: apdu.InsPutData, P1: byte(o.Tag >> 8), P2: byte(o.Tag), Data: o.Value, Le: -1}.Append(nil))
		if lost || err != nil || !a.OK() {
			return false, lost, err
		}
	}
	return r.Err() == nil, false, nil
}

// putBefore writes the tags to write before GENERATE AC (S456.50, S12).
func (t *tap) putBefore() *result {
	if len(t.writeBefore) == 0 {
		return nil
	}
	done, lost, err := t.putData(t.writeBefore)
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.lostCard("put data") // S12.6
	}
	t.note(tagPutBefore, status(done))
	return nil
}

// status is the one bit of a put data status (DF810E, DF810F).
func status(done bool) []byte {
	if done {
		return []byte{0x80}
	}
	return []byte{0x00}
}

// note keeps an object that the kernel makes. There are fewer than MaxObjects of them.
func (t *tap) note(g tlv.Tag, v []byte) { t.made.set(g, v) }
