package scheme

import (
	"huika/iso8583"
	"huika/iso8583/cup"
)

// aftermath is what becomes of a request whose answer did not come in time.
type aftermath byte

const (
	reverses aftermath = iota // a reversal is owed: the issuer may have taken it
	drops                     // nothing: it moves nothing
	repeats                   // nothing: the acquirer sends it again until it is taken
)

// aftermathOf tells the requests that are not reversed by message type and F3.
// One that the switch does not know is reversed: no issuer minds.
func aftermathOf(m *iso8583.Message) aftermath {
	switch {
	case m.MTI() == cup.MTIFinancial && m.Get(3) == "310000": // balance inquiry
		return drops
	case m.MTI() == cup.MTIAdvice && m.Get(3) == "000000": // completion advice
		return repeats
	}
	return reverses
}
