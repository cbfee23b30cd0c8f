package c5

import (
	"bytes"
	"fmt"

	"huika/emv/apdu"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/pay"
)

// torn is a transaction whose card was lost at GENERATE AC. It goes through
// Outcome.Memory to the next presentation.
type torn struct {
	term     book3.Terminal
	tip      [3]byte
	asked    book3.Cryptogram
	p1       byte
	track2   pay.Secret
	pdolData []byte
	cdolData []byte
}

func (t *tap) tear() *torn {
	return &torn{term: t.term, tip: t.tip, asked: t.asked, p1: t.p1, track2: pay.NewSecret(bytes.Clone(t.card.Value(tag.Track2))),
		pdolData: t.pdolData, cdolData: bytes.Clone(t.cdolData)}
}

// echo asks the card for its last cryptogram again.
var echo = []byte{0x80, insEcho, 0x00, 0x00, 0x00}

const insEcho = 0xDF

// recover asks for the cryptogram of the torn transaction (5.14). nil: the card has none, and the
// transaction is done from its beginning. What belongs to the cryptogram — number,
// TVR, date and lists as they were sent — is the torn transaction's.
func (t *tap) recover(was *torn) *result {
	if why := t.readFCI(); why != "" { // 5.14.1.1
		return t.end("select", why, 0)
	}
	if !asksFor(t.pdol, tag.Compatibility) { // 5.14.1.2
		return t.end("select", "the card knows legacy mode only", 0)
	}
	r, lost, err := t.card.Send(echo) // 5.14.2
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.lost("echo", nil)
	case !r.OK():
		return nil
	}
	answer := r.Data
	if err := t.start(); err != nil { // 5.14.3
		return &result{err: fmt.Errorf("kernel 5: %w", err)}
	}
	why, sw, res := t.sendGPO(true) // 5.14.4
	if res != nil || why != "" {
		if res != nil {
			return res
		}
		return t.end("gpo", why, sw)
	}
	if why, sw, res = t.readRecords(); res != nil || why != "" { // 5.14.5
		if res != nil {
			return res
		}
		return t.end("read", why, sw)
	}
	if why := t.check(); why != "" {
		return t.end("read", why, 0)
	}
	if !bytes.Equal(t.card.Value(tag.Track2), was.track2.Reveal()) || was.term.Minor != t.term.Minor { // 5.14.5.4; the amount is ours
		return t.end("read", "another card was presented", apdu.SWOK)
	}
	t.term, t.tip, t.asked, t.p1, t.pdolData, t.cdolData = was.term, was.tip, was.asked, was.p1, was.pdolData, was.cdolData
	return t.answered(answer) // 5.14.6
}
