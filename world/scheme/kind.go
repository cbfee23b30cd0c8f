package scheme

import neutral "huika/iso8583/scheme"

// aftermath is what becomes of a request whose answer did not come in time.
type aftermath byte

const (
	reverses aftermath = iota // a reversal is owed: the issuer may have taken it
	drops                     // nothing: it moves nothing
	repeats                   // nothing: the acquirer sends it again until it is taken
)

// aftermathOf tells the requests that are not reversed.
func aftermathOf(m *neutral.Message) aftermath {
	switch m.Transaction {
	case neutral.Balance:
		return drops
	case neutral.CompletionAdvice:
		return repeats
	}
	return reverses
}
