package book3

// Bit is one bit of the terminal verification results: index of the byte and mask.
type Bit uint16

// Bits of 95 that kernels 4, 5 and 6 set (EMV Book 3, annex C5).
const (
	NoODA            Bit = 0x0080 // offline data authentication was not performed
	SDAFailed        Bit = 0x0040
	ICCDataMissing   Bit = 0x0020
	ExceptionFile    Bit = 0x0010 // card appears on terminal exception file
	CDAFailed        Bit = 0x0004
	SDASelected      Bit = 0x0002
	Versions         Bit = 0x0180 // card and terminal have different application versions
	Expired          Bit = 0x0140
	NotYetEffective  Bit = 0x0120
	NotAllowed       Bit = 0x0110 // requested service not allowed for card product
	CVMFailed        Bit = 0x0280 // cardholder verification was not successful
	UnrecognisedCVM  Bit = 0x0240
	PINTryLimit      Bit = 0x0220
	NoPINPad         Bit = 0x0210 // PIN entry required and PIN pad not present or not working
	OnlinePINEntered Bit = 0x0204
	FloorLimit       Bit = 0x0380 // transaction exceeds floor limit
	RandomSelection  Bit = 0x0310
	IssuerAuthFailed Bit = 0x0440
	ScriptBefore     Bit = 0x0420 // script processing failed before final GENERATE AC
	ScriptAfter      Bit = 0x0410
)

// TVR is 95.
type TVR [5]byte

// Set sets bits.
func (t *TVR) Set(bits ...Bit) {
	for _, b := range bits {
		t[b>>8] |= byte(b)
	}
}

// Clear clears one bit.
func (t *TVR) Clear(b Bit) { t[b>>8] &^= byte(b) }

// Has reports that any of bits is set.
func (t TVR) Has(bits ...Bit) bool {
	for _, b := range bits {
		if t[b>>8]&byte(b) != 0 {
			return true
		}
	}
	return false
}

// Matches reports a bit of the TVR that the terminal's or the card's action codes
// name (EMV Book 3, 10.7). absent stands in for each byte of a card's action
// code that it did not give: 00 for denial, FF for online and default.
func (t TVR) Matches(tac [5]byte, iac []byte, absent byte) bool {
	for i := range t {
		mask := tac[i] | absent
		if len(iac) == len(t) {
			mask = tac[i] | iac[i]
		}
		if t[i]&mask != 0 {
			return true
		}
	}
	return false
}

// Values of absent.
const (
	AbsentDenial = 0x00
	AbsentOnline = 0xFF // and default
)

// Bits of the transaction status information, 9B (EMV Book 3, annex C6).
const (
	TSIODA  = 0x80 // byte 1: offline data authentication was performed
	TSICVM  = 0x40 // cardholder verification was performed
	TSIRisk = 0x08 // terminal risk management was performed
)

// Cryptogram is the type of an application cryptogram, as 9F27 and P1 of GENERATE AC code it.
type Cryptogram byte

// Cryptogram types.
const (
	AAC      Cryptogram = 0x00 // declined
	TC       Cryptogram = 0x40 // approved offline
	ARQC     Cryptogram = 0x80 // go online
	Reserved Cryptogram = 0xC0

	CDARequested = 0x10 // P1 of GENERATE AC: combined signature
)

// Type is the cryptogram's type in 9F27.
func Type(cid byte) Cryptogram { return Cryptogram(cid & 0xC0) }
