package c8

import (
	"context"
	"time"

	"huika/emv/apdu"
)

// Timed is a Transceiver that measures an exchange itself, from the end of the
// command to the end of the response. Readers that know better than a clock
// around Transmit are one.
type Timed interface {
	TransmitTimed(ctx context.Context, command []byte) (response []byte, took time.Duration, err error)
}

// relayUnit is the unit of every time of the relay resistance protocol.
const relayUnit = 100 * time.Microsecond

// timed sends a command and measures it in relay units.
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

// relay is the relay resistance protocol (21.11 to 21.25).
func (t *tap) relay() *result {
	if t.k.Kernel&RelayResistance == 0 || t.aip[1]&aip2Relay == 0 || !t.canMeasure() {
		t.term.tvr[4] |= tvr5RelayNotDone
		return nil
	}
	for counter := 0; ; counter++ {
		// Every try has its own entropy, as in kernel 2: with the first one again, a
		// relay could learn the card's answer slowly and give it fast at the second try. (Ours;
		// the implementation that was seen keeps the unpredictable number.)
		if counter > 0 {
			if err := t.term.draw(t.in.Rand); err != nil {
				return &result{err: err}
			}
		}
		t.entropy = t.term.un
		r, took, lost, err := t.timed(apdu.Command{CLA: 0x80, INS: apdu.InsExchangeRRD, Data: t.entropy[:], Le: 256}.Append(nil))
		switch {
		case err != nil:
			return &result{err: err}
		case lost:
			return t.lostCard("relay resistance")
		case !r.OK():
			t.errors.sw = r.SW
			return t.invalid(statusBytes, "relay resistance", "the card refused EXCHANGE RELAY RESISTANCE DATA") // 21.12
		}
		a, ok := parseRelay(r.Data)
		if !ok {
			return t.invalid(parsingError, "relay resistance", "the answer is not 80 0A and ten bytes") // 21.14
		}
		t.lastRelay = r.Data[2:]
		m := a.measure(&t.k.Relay, took)
		t.relayMeasured, t.relayExcess = uint16(m), uint16(max(0, m-int64(a.most))) // 21.17
		switch {
		case m < max(0, int64(a.least)-int64(t.k.Relay.MinGrace)):
			return t.invalid(cardDataError, "relay resistance", "the answer came sooner than the card can give it") // 21.18
		case counter < MaxRelay-1 && m > int64(a.most)+int64(t.k.Relay.MaxGrace):
			continue // 21.20
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

// measure takes the times of transmission off (21.17). The shorter of both
// estimates counts: a card can't make the path look shorter by claiming a long one.
func (a relayAnswer) measure(c *Relay, took int64) int64 {
	return min(0xFFFF, max(0, took-int64(c.ExpectedCommand)-int64(min(a.reply, c.ExpectedReply))))
}

// judgeRelay sets the TVR (21.22 to 21.25). The implementation that was seen asks
// for estimates other than zero before it sets the threshold bit; here they are
// multiplied out, so that an estimate of zero neither divides nor excuses. (Ours.)
func (t *tap) judgeRelay(a relayAnswer, measured int64) {
	c := &t.k.Relay
	if measured > int64(a.most)+int64(c.MaxGrace) {
		t.term.tvr[4] |= tvr5RelayTime
	}
	mine, cards := int64(c.ExpectedReply), int64(a.reply)
	mismatch := cards*100 < int64(c.Mismatch)*mine || mine*100 < int64(c.Mismatch)*cards
	if mismatch || max(0, measured-int64(a.least)) > int64(c.Accuracy) {
		t.term.tvr[4] |= tvr5RelayThreshold
	}
	t.term.tvr[4] |= tvr5RelayDone
	t.relayed = true
}
