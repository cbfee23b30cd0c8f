package c2

import "huika/emv/tag"

// analyse is terminal action analysis (TAA): which cryptogram to ask for.
func (t *tap) analyse() *result {
	t.acType = t.action()
	return nil
}

func (t *tap) action() cryptogram {
	tvr := t.term.tvr
	if matches(tvr, t.k.TACDenial, t.card.value(tag.IACDenial)) { // TAA.1 to TAA.5
		return aac
	}
	switch t.term.termType[0] {
	case 0x11, 0x21, 0x14, 0x24, 0x34: // online only, TAA.4.1
		return arqc
	case 0x23, 0x26, 0x36, 0x13, 0x16: // offline only, TAA.6
		if t.beyond(t.k.TACDefault, t.card.value(tag.IACDefault)) {
			return aac
		}
		return tc
	}
	if t.beyond(t.k.TACOnline, t.card.value(tag.IACOnline)) {
		return arqc
	}
	return tc
}

// matches reports a bit of the TVR that the terminal's or the card's action codes name.
func matches(tvr, tac [5]byte, iac []byte) bool {
	for i := range tvr {
		mask := tac[i]
		if len(iac) == len(tvr) {
			mask |= iac[i]
		}
		if tvr[i]&mask != 0 {
			return true
		}
	}
	return false
}

// beyond is matches, with action codes of all ones for a card that has none (TAA.8, TAA.14).
func (t *tap) beyond(tac [5]byte, iac []byte) bool {
	if len(iac) == 0 {
		return t.term.tvr != [5]byte{}
	}
	return matches(t.term.tvr, tac, iac)
}
