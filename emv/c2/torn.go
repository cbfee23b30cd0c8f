package c2

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// TornCard names a card in a torn transaction log: a hash of 5A and 5F34.
type TornCard [sha256.Size]byte

// TornLog is the torn transaction log (Book C-2, 3.7 and 4.3): what is needed to ask a
// card again for a cryptogram whose answer was lost. It has its own bound
// (DF811D) and lifetime (DF811C). A record holds card data; it is a pay.Secret.
type TornLog interface {
	// Find is the record of a card; false where there is none that is still alive.
	Find(card TornCard) (pay.Secret, bool)
	// Add keeps a record in place of the card's older one. Where the log is
	// full the oldest record goes and is returned; else the zero Secret.
	Add(card TornCard, record pay.Secret) (evicted pay.Secret)
	Remove(card TornCard)
}

// memoryLog is a TornLog that lives as long as the program.
type memoryLog struct {
	mu       sync.Mutex
	most     int
	lifetime time.Duration
	now      func() time.Duration
	records  []tornEntry // oldest first
}

type tornEntry struct {
	card   TornCard
	at     time.Duration
	record pay.Secret
}

// NewTornLog is a TornLog in memory of at most most records (1 or more), each for lifetime by the monotonic clock now.
func NewTornLog(most int, lifetime time.Duration, now func() time.Duration) TornLog {
	return &memoryLog{most: max(1, most), lifetime: lifetime, now: now}
}

func (l *memoryLog) Find(card TornCard) (pay.Secret, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.records = slices.DeleteFunc(l.records, func(e tornEntry) bool { return now-e.at > l.lifetime })
	for _, e := range l.records {
		if e.card == card {
			return e.record, true
		}
	}
	return pay.Secret{}, false
}

func (l *memoryLog) Add(card TornCard, record pay.Secret) (evicted pay.Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(card)
	if len(l.records) == l.most {
		evicted = l.records[0].record
		l.records = slices.Delete(l.records, 0, 1)
	}
	l.records = append(l.records, tornEntry{card, l.now(), record})
	return evicted
}

func (l *memoryLog) Remove(card TornCard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(card)
}

func (l *memoryLog) drop(card TornCard) {
	l.records = slices.DeleteFunc(l.records, func(e tornEntry) bool { return e.card == card })
}

// tornTags are the objects of a torn record (table 4.2), beside those that the kernel makes.
var tornTags = [...]tlv.Tag{
	tag.AmountAuthorised, tag.AmountOther, tag.PAN, tag.PSN, tag.CVMResults, tag.IFDSerial, tag.TerminalCapabilities, tag.TerminalCountry,
	tag.TerminalType, tag.TVR, tagCategory, tag.TransactionCurrency, tag.TransactionDate, tag.TransactionTime,
	tag.TransactionType, tag.UN, tagSummary1, tagBalanceBefore, tagRelayTerminal, tagRelayDevice, tagRelayMin, tagRelayMax,
	tagRelayReply, tagRelayMeasured, tagRelayCounter,
}

// tornCard names this card; false where recovery is not done for it.
func (t *tap) tornCard() (TornCard, bool) {
	pan, drdol := t.card.value(tag.PAN), t.card.value(tagDRDOL)
	if t.k.Torn == nil || len(drdol) == 0 || len(pan) == 0 {
		return TornCard{}, false
	}
	h := sha256.New()
	h.Write([]byte{byte(len(pan))})
	h.Write(pan)
	h.Write(t.card.value(tag.PSN))
	return TornCard(h.Sum(nil)), true
}

// findTorn looks for a torn transaction of this card (S456.44). The book matches
// card and sequence number; that amounts, currency and type are the same
// too is ours: a recovered cryptogram pays the amount that it was made for.
func (t *tap) findTorn() (key TornCard, record []byte, found bool) {
	key, ok := t.tornCard()
	if !ok {
		return key, nil, false
	}
	secret, ok := t.k.Torn.Find(key)
	if !ok {
		return key, nil, false
	}
	record = secret.Reveal()
	for _, g := range [...]tlv.Tag{tag.AmountAuthorised, tag.AmountOther, tag.TransactionCurrency, tag.TransactionType} {
		then, _ := tlv.Find(record, g)
		if now, _ := t.value(g); !bytes.Equal(then, now) {
			return key, nil, false
		}
	}
	return key, record, true
}

// keepTorn puts this transaction into the log (S9.11 to S9.13). False: recovery is not done for this card.
func (t *tap) keepTorn() bool {
	key, ok := t.tornCard()
	if !ok {
		return false
	}
	drdol, err := dol.Build(nil, t.card.value(tagDRDOL), t.value)
	if err != nil {
		return false
	}
	var b []byte
	for _, g := range tornTags {
		if v, ok := t.value(g); ok && len(v) > 0 {
			b = tlv.Append(b, g, v)
		}
	}
	b = tlv.Append(b, tagCDOL1Data, t.cdolData)
	b = tlv.Append(b, tagPDOLData, t.pdolData)
	b = tlv.Append(b, tagDRDOLData, drdol)
	b = tlv.Append(b, tagRCP, []byte{t.rcp})
	b = tlv.Append(b, tagIDSStatus, []byte{t.idsStatus()})
	if old := t.k.Torn.Add(key, pay.NewSecret(b)); old.Len() > 0 {
		t.torn = shown(old.Reveal()) // FF8101 of the discretionary data
	}
	return true
}

// shown is a torn record without the card number: discretionary data is not
// sealed as the data record is. (Ours.)
func shown(record []byte) []byte {
	var b []byte
	for r := tlv.NewReader(record); r.Next(); {
		if g := r.TLV().Tag; g != tag.PAN && g != tagCDOL1Data && g != tagPDOLData && g != tagDRDOLData {
			b = append(b, r.Raw()...)
		}
	}
	return b
}

func (t *tap) idsStatus() (s byte) {
	if t.idsRead {
		s |= idsStatusRead
	}
	if t.idsWrite {
		s |= idsStatusWrite
	}
	return s
}

// recover asks for the cryptogram of the torn transaction (S10); a card that does not have it is asked for a new one (S11).
func (t *tap) recover(key TornCard, record []byte) *result {
	drdol, _ := tlv.Find(record, tagDRDOLData)
	r, lost, err := t.send(apdu.Command{CLA: 0x80, INS: apdu.InsRecoverAC, Data: drdol, Le: 256}.Append(nil))
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.lostCard("recover ac") // S10.6: the record stays
	case r.OK():
		t.k.Torn.Remove(key) // S10.10
		t.restore(record)
		return t.answered(r, false)
	}
	return t.secondAC(key, record)
}

// secondAC is GENERATE AC after a card refused to recover (S10.8, S11).
func (t *tap) secondAC(key TornCard, record []byte) *result {
	data, res := t.prepare()
	if res != nil {
		return res
	}
	r, lost, err := t.send(generateAC(t.rcp, data))
	if err != nil {
		return &result{err: err}
	}
	if lost {
		if !t.keepTorn() { // in place of the older record, S11.12 to S11.15
			t.k.Torn.Remove(key)
		}
		return t.lostCard("generate ac")
	}
	t.k.Torn.Remove(key) // S11.5
	res = t.answered(r, true)
	if s, ok := tlv.Find(record, tagIDSStatus); ok && len(s) == 1 && s[0]&idsStatusWrite != 0 && res.err == nil && res.o.Error.L2 != "" {
		// S11.92: what the torn transaction wrote goes to the terminal.
		res.o.Discretionary = tlv.Append(res.o.Discretionary, tagTornRecord, shown(record))
	}
	return res
}

// restore puts the torn transaction's data in the place of this tap's, so that
// the data record says what the cryptogram says (S10.11).
func (t *tap) restore(record []byte) {
	for r := tlv.NewReader(record); r.Next(); {
		o := r.TLV()
		switch o.Tag {
		case tagCDOL1Data:
			t.cdolData = o.Value
		case tagPDOLData:
			t.pdolData = o.Value
		case tagRCP:
			t.rcp = o.Value[0]
		case tagIDSStatus:
			t.idsRead, t.idsWrite = o.Value[0]&idsStatusRead != 0, o.Value[0]&idsStatusWrite != 0
		case tag.TVR:
			t.term.tvr = [5]byte(o.Value)
		case tag.CVMResults:
			t.term.cvmResults = [3]byte(o.Value)
		case tag.TerminalCapabilities:
			t.term.capabilities = [3]byte(o.Value)
		case tag.TransactionDate:
			t.term.date = [3]byte(o.Value)
		case tag.TransactionTime:
			t.term.clock = [3]byte(o.Value)
		case tag.UN:
			t.term.un = [4]byte(o.Value)
		case tagRelayTerminal, tagRelayDevice, tagRelayMin, tagRelayMax, tagRelayReply, tagRelayMeasured, tagRelayCounter:
			t.note(o.Tag, o.Value)
		}
	}
}
