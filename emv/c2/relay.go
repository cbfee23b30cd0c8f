package c2

import (
	"context"
	"time"

	"huika/emv/apdu"
	"huika/emv/tlv"
)

// Timed is a Transceiver that measures an exchange itself, from the end of the
// command to the end of the response. Readers that know better than a clock
// around Transmit are one.
type Timed interface {
	TransmitTimed(ctx context.Context, command []byte) (response []byte, took time.Duration, err error)
}

// relayUnit is the unit of every time of the relay resistance protocol.
const relayUnit = 100 * time.Microsecond

// timed sends a command and measures it in relay units; ok is false where nothing measures.
func (t *tap) timed(command []byte) (r apdu.Response, took int64, lost bool, err error) {
	var b []byte
	var d time.Duration
	if timed, is := t.to.(Timed); is {
		b, d, err = timed.TransmitTimed(t.ctx, command)
	} else {
		from := t.k.Clock()
		b, err = t.to.Transmit(t.ctx, command)
		d = t.k.Clock() - from
	}
	r, lost, err = t.received(b, err)
	return r, int64(max(0, d) / relayUnit), lost, err
}

func (t *tap) canMeasure() bool {
	_, is := t.to.(Timed)
	return is || t.k.Clock != nil
}

// relay is the relay resistance protocol (S3.60 to S3.65, SR1).
func (t *tap) relay() *result {
	if !t.config(RelayResistance) || t.aip[1]&aip2Relay == 0 || !t.canMeasure() {
		t.term.tvr[4] |= tvr5RelayNotDone // S3.65
		return nil
	}
	for counter := 0; ; counter++ {
		if err := t.term.draw(t.in.Rand); err != nil { // S3.61, SR1.23: the entropy is the unpredictable number
			return &result{err: err}
		}
		entropy := t.term.un
		r, took, lost, err := t.timed(apdu.Command{CLA: 0x80, INS: apdu.InsExchangeRRD, Data: entropy[:], Le: 256}.Append(nil))
		switch {
		case err != nil:
			return &result{err: err}
		case lost:
			return t.lostCard("relay resistance") // SR1.5
		case !r.OK():
			t.errors.sw = r.SW
			return t.invalid(statusBytes, "relay resistance", "the card refused EXCHANGE RELAY RESISTANCE DATA") // SR1.13
		}
		a, ok := parseRelay(r.Data)
		if !ok {
			return t.invalid(parsingError, "relay resistance", "the answer is not 80 0A and ten bytes") // SR1.17
		}
		m := a.measure(&t.k.Relay, took)
		t.keepRelay(entropy, r.Data[2:], m, counter)
		switch {
		case m < max(0, int64(a.least)-int64(t.k.Relay.MinGrace)):
			return t.invalid(cardDataError, "relay resistance", "the answer came sooner than the card can give it") // SR1.21
		case counter < MaxRelay-1 && m > int64(a.most)+int64(t.k.Relay.MaxGrace):
			continue // SR1.22
		}
		t.judgeRelay(a, m)
		return nil
	}
}

// relayAnswer is what the card answers: entropy(4) ‖ min(2) ‖ max(2) ‖ estimated transmission time(2).
type relayAnswer struct{ least, most, reply uint16 }

func parseRelay(data []byte) (relayAnswer, bool) {
	if len(data) != 12 || data[0] != 0x80 || data[1] != 10 {
		return relayAnswer{}, false
	}
	u16 := func(i int) uint16 { return uint16(data[i])<<8 | uint16(data[i+1]) }
	return relayAnswer{least: u16(6), most: u16(8), reply: u16(10)}, true
}

// measure takes the times of transmission off (SR1.18). The shorter of both
// estimates counts: a card can't make the path look shorter by claiming a long one.
func (a relayAnswer) measure(c *Relay, took int64) int64 {
	return min(0xFFFF, max(0, took-int64(c.ExpectedCommand)-int64(min(a.reply, c.ExpectedReply))))
}

// judgeRelay sets the TVR (SR1.28 to SR1.32).
func (t *tap) judgeRelay(a relayAnswer, measured int64) {
	c := &t.k.Relay
	if measured > int64(a.most)+int64(c.MaxGrace) {
		t.term.tvr[4] |= tvr5RelayTime
	}
	mine, cards := int64(c.ExpectedReply), int64(a.reply)
	// Multiplied out, so that no estimate of 0 divides: cards·100/mine < threshold.
	mismatch := cards*100 < int64(c.Mismatch)*mine || mine*100 < int64(c.Mismatch)*cards
	if mismatch || max(0, measured-int64(a.least)) > int64(c.Accuracy) {
		t.term.tvr[4] |= tvr5RelayThreshold
	}
	t.term.tvr[4] |= tvr5RelayDone
}

// keepRelay keeps the objects of one exchange.
func (t *tap) keepRelay(entropy [4]byte, answer []byte, measured int64, counter int) {
	for _, o := range [...]tlv.TLV{
		{Tag: tagRelayTerminal, Value: entropy[:]}, {Tag: tagRelayDevice, Value: answer[0:4]}, {Tag: tagRelayMin, Value: answer[4:6]},
		{Tag: tagRelayMax, Value: answer[6:8]}, {Tag: tagRelayReply, Value: answer[8:10]},
		{Tag: tagRelayMeasured, Value: []byte{byte(measured >> 8), byte(measured)}}, {Tag: tagRelayCounter, Value: []byte{byte(counter)}},
	} {
		t.note(o.Tag, o.Value)
	}
}

// relayData is what a combined signature adds about the relay resistance
// protocol: both entropies, min, max and the card's estimate (14 bytes; S910.4.1).
func (t *tap) relayData(dst []byte) []byte {
	for _, g := range [...]tlv.Tag{tagRelayTerminal, tagRelayDevice, tagRelayMin, tagRelayMax, tagRelayReply} {
		dst = append(dst, t.made.value(g)...)
	}
	return dst
}
