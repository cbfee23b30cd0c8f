package tray

import (
	"fmt"
	"time"

	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/nfc"
	"huika/nfc/memory"
)

// Stickers: how a card is held to the reader, or who stands between.
const (
	None             = "none"
	RemovedBeforeGPO = "removed-before-gpo" // leaves after the final SELECT: its counter is not used
	RemovedAfterGPO  = "removed-after-gpo"  // leaves after the GPO's answer: its counter is used
	SlowCard         = "slow-card"
	Weak             = "weak"       // exchanges are lost at random
	CTQEdited        = "ctq-edited" // a man in the middle claims CDCVM for the card
	TTQEdited        = "ttq-edited" // a man in the middle tells the card that no CVM is required
)

// Faults lists the stickers. Two cards at once need none: put two.
func Faults() []string {
	return []string{None, RemovedBeforeGPO, RemovedAfterGPO, SlowCard, Weak, CTQEdited, TTQEdited}
}

// Faults lists the stickers that Put accepts.
func (*Desk) Faults() []string { return Faults() }

const (
	slowLatency = 300 * time.Millisecond // for each exchange
	weakLoss    = 0.25                   // of the exchanges
)

// present turns a sticker into how the card is held, and by which hand. leave
// pulls the card away. Error: ErrFault.
func present(fault string, c nfc.Card, leave func()) (memory.Presentation, nfc.Card, error) {
	how := memory.Steady()
	switch fault {
	case None:
	case RemovedBeforeGPO:
		c = &leaving{Card: c, leave: leave}
	case RemovedAfterGPO:
		c = &leaving{Card: c, leave: leave, answers: true}
	case SlowCard:
		how.Latency = slowLatency
	case Weak:
		how.Weak = weakLoss
	case CTQEdited:
		how.Tamper = (&relay{}).editCTQ
	case TTQEdited:
		how.Tamper = (&relay{}).editTTQ
	default:
		return how, nil, fmt.Errorf("%w: %q", ErrFault, fault)
	}
	return how, c, nil
}

// leaving is a card that is pulled away around its GET PROCESSING OPTIONS,
// however many selections come before.
type leaving struct {
	nfc.Card
	leave   func()
	answers bool // the GPO is still answered
}

// Transmit answers one command, or leaves.
func (l *leaving) Transmit(command []byte) []byte {
	if !isGPO(command) {
		return l.Card.Transmit(command)
	}
	var response []byte
	if l.answers {
		response = l.Card.Transmit(command)
	}
	l.leave()
	return response
}

// isGPO knows GET PROCESSING OPTIONS (EMV Book 3, 6.5.8) by its first bytes.
func isGPO(command []byte) bool {
	return len(command) > gpoHeader && command[0] == 0x80 && command[1] == 0xA8
}

const gpoHeader = 5 // CLA INS P1 P2 Lc

// relay is a man in the middle of one presentation.
type relay struct {
	pdol  []byte // of the application last selected
	inGPO bool
}

// Bits of CTQ (9F6C) and TTQ (9F66).
const (
	ctq1OnlinePIN   = 0x80
	ctq1Signature   = 0x40
	ctq2CDCVM       = 0x80
	ttq2CVMRequired = 0x40
)

// editCTQ changes the card's answer to the GPO: CDCVM performed (B2b8), and
// neither PIN nor signature wanted (B1b8, b7), which would be asked for first.
// CTQ is outside the cryptogram, so the card's own CVR still tells the truth.
// A device that has verified its holder itself loses the claim: the edit always shows.
func (r *relay) editCTQ(toCard bool, b []byte) []byte {
	if toCard {
		r.inGPO = isGPO(b)
		return b
	}
	if ctq, ok := tlv.Find(body(b), tag.ResponseFormat2, tag.CTQ); r.inGPO && ok && len(ctq) == 2 {
		ctq[0] &^= ctq1OnlinePIN | ctq1Signature // the value aliases b
		ctq[1] ^= ctq2CDCVM
	}
	return b
}

// editTTQ changes the terminal's qualifiers on their way to the card: CVM not
// required (B2b7 clear), so that the card asks for nothing.
func (r *relay) editTTQ(toCard bool, b []byte) []byte {
	if !toCard {
		if pdol, ok := tlv.Find(body(b), tag.FCITemplate, tag.FCIProprietary, tag.PDOL); ok {
			r.pdol = append(r.pdol[:0], pdol...)
		}
		return b
	}
	if !isGPO(b) {
		return b
	}
	if at, ok := ttqOffset(b, r.pdol); ok {
		b[at+1] &^= ttq2CVMRequired
	}
	return b
}

// body is a response without its status word.
func body(response []byte) []byte { return response[:max(0, len(response)-2)] }

// ttqOffset is where in a GPO command the four bytes of 9F66 begin.
func ttqOffset(command, pdol []byte) (int, bool) {
	content := command[gpoHeader:]
	if n := int(command[gpoHeader-1]); n <= len(content) {
		content = content[:n]
	}
	data, ok := tlv.Find(content, tag.CommandTemplate)
	if !ok {
		return 0, false
	}
	entries, err := dol.Parse(pdol)
	if err != nil {
		return 0, false
	}
	end := gpoHeader + len(content)
	at := end - len(data)
	for _, e := range entries {
		if e.Tag == tag.TTQ && e.Length == 4 && at+4 <= end {
			return at, true
		}
		at += e.Length
	}
	return 0, false
}

// Commands of a tap before its GET PROCESSING OPTIONS: SELECT PPSE and the final SELECT.
const commandsBeforeGPO = 2

// InSlot is how a card is held to a virtual PC/SC slot (nfc/vpcd) under a
// sticker. There the hand that pulls the card away closes a socket, so it
// counts commands. Error: ErrFault.
func InSlot(fault string) (memory.Presentation, error) {
	how := memory.Steady()
	switch fault {
	case "":
	case RemovedBeforeGPO:
		how.RemoveAfterAPDU = commandsBeforeGPO
	case RemovedAfterGPO:
		how.RemoveAfterAPDU = commandsBeforeGPO + 1
	default:
		var err error
		how, _, err = present(fault, nil, nil)
		return how, err
	}
	return how, nil
}
