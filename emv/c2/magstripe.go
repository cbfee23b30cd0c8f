package c2

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"math/bits"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
)

// Mobile support indicator, 9F7E.
const (
	msiSupported   = 0x01
	msiCVMRequired = 0x02
)

// maxUN is the most digits of the unpredictable number (numeric) that a track holds.
const maxUN = 8

// startMagReading is S3.76 to S3.78.
func (t *tap) startMagReading() *result { return t.offer() }

// readMag reads the records of mag-stripe mode (S7.9 to S7.19).
func (t *tap) readMag() *result {
	if why := checkAFL(t.afl); why != "" {
		return t.invalid(cardDataError, "read", why)
	}
	for ; len(t.afl) >= 4; t.afl = t.afl[4:] {
		for n := int(t.afl[1]); n <= int(t.afl[2]); n++ {
			if _, res := t.record(t.afl[0]>>3, byte(n)); res != nil {
				return res
			}
			t.addMissingFrom(tagUDOL) // S7.15
		}
	}
	return nil
}

// checkMag looks for the data of mag-stripe mode and counts the digits of the
// unpredictable number (S7.20 to S7.24).
func (t *tap) checkMag() *result {
	get := t.card.value
	if len(get(tagTrack2Data)) == 0 || len(get(tagPUNATCTrack2)) == 0 || len(get(tagPCVC3Track2)) == 0 || len(get(tagNATCTrack2)) == 0 {
		return t.invalid(cardDataMissing, "read", "9F6B, 9F65, 9F66 or 9F67 is missing")
	}
	t.nUN = ones(get(tagPUNATCTrack2)) - int(get(tagNATCTrack2)[0])
	if t.nUN < 0 || t.nUN > maxUN {
		return t.invalid(cardDataError, "read", "track 2 leaves no room for the unpredictable number")
	}
	_, dd, ok := splitTrack2(get(tagTrack2Data))
	if !ok || !fits(len(dd), get(tagPCVC3Track2), get(tagPUNATCTrack2)) {
		return t.invalid(cardDataError, "read", "9F6B is no track 2 or too short for what goes into it")
	}
	t.note(tagDDTrack2, packDigits(dd))
	track1 := get(tag.Track1)
	if len(track1) == 0 {
		return nil
	}
	natc := get(tagNATCTrack1)
	if len(natc) == 0 || len(get(tagPCVC3Track1)) == 0 || len(get(tagPUNATCTrack1)) == 0 || ones(get(tagPUNATCTrack1))-int(natc[0]) != t.nUN {
		return t.invalid(cardDataError, "read", "track 1 and track 2 do not ask for the same unpredictable number")
	}
	from, ok := splitTrack1(track1)
	if !ok || !fits(len(track1)-from, get(tagPCVC3Track1), get(tagPUNATCTrack1)) {
		return t.invalid(cardDataError, "read", "56 is no track 1 or too short for what goes into it")
	}
	t.note(tagDDTrack1, append([]byte(nil), track1[from:]...))
	return nil
}

// fits reports whether discretionary data of n characters has every position that the bitmaps name (ours).
func fits(n int, bitmaps ...[]byte) bool {
	if n == 0 {
		return false
	}
	for _, b := range bitmaps {
		for i := range 8 * len(b) {
			if i >= n && b[len(b)-1-i/8]>>(i%8)&1 != 0 {
				return false
			}
		}
	}
	return true
}

func ones(b []byte) (n int) {
	for _, c := range b {
		n += bits.OnesCount8(c)
	}
	return n
}

// checksum sends COMPUTE CRYPTOGRAPHIC CHECKSUM (S78.15 to S78.22) and takes its answer (S13, S14).
func (t *tap) checksum() *result {
	if err := t.drawNumeric(); err != nil {
		return &result{err: err}
	}
	if t.onDevice && t.aboveCVMLimit() {
		t.term.mobileSupport[0] |= msiCVMRequired // S78.20
	}
	udol := t.card.value(tagUDOL)
	if len(udol) == 0 {
		udol = t.k.UDOL
	}
	data, err := dol.Build(nil, udol, t.value)
	if err != nil || len(data) > apdu.MaxData {
		return t.invalid(parsingError, "checksum", "UDOL can't be read")
	}
	r, lost, err := t.send(apdu.Command{CLA: 0x80, INS: apdu.InsChecksum, P1: 0x8E, P2: 0x80, Data: data, Le: 256}.Append(nil))
	switch {
	case err != nil:
		return &result{err: err}
	case lost: // S13.2 to S13.5
		return t.penalty(t.lostCard("checksum"))
	case !r.OK():
		t.errors.sw = r.SW
		return t.penalty(t.invalid(statusBytes, "checksum", "the card refused COMPUTE CRYPTOGRAPHIC CHECKSUM"))
	}
	if why := t.template(r.Data, tag.ResponseFormat2); why != "" {
		return t.penalty(t.invalid(parsingError, "checksum", why))
	}
	t.cardRead() // S13.12
	return t.checked()
}

// drawNumeric makes 9F6A: nUN random digits behind zeros.
func (t *tap) drawNumeric() error {
	limit := int64(1)
	for range t.nUN {
		limit *= 10
	}
	n, err := rand.Int(t.in.Rand, big.NewInt(limit))
	if err != nil {
		return fmt.Errorf("kernel 2: unpredictable number: %w", err)
	}
	bcd(t.term.unNumeric[:], n.Uint64())
	return nil
}

// checked is the answer to the checksum: with a CVC3 the issuer is asked, else
// the card declined or its holder must act (S13.14 to S13.45, S14.14 to S14.43).
func (t *tap) checked() *result {
	get := t.card.value
	pcii := get(tagPCII)
	if len(get(tag.ATC)) == 0 || (t.onDevice && len(pcii) == 0) {
		return t.penalty(t.invalid(cardDataMissing, "checksum", "9F36 or DF4B is missing"))
	}
	if len(get(tagCVC3Track2)) == 0 {
		switch {
		case len(pcii) == 0:
			return t.penalty(t.invalid(cardDataMissing, "checksum", "9F61 is missing"))
		case t.pciiAsks():
			return t.penalty(t.seePhone())
		}
		o := noOutcome(emv.Declined, "the card declined") // S13.43
		o.UIOutcome = t.ui(emv.MsgNotAuthorised, emv.StatusNotReady)
		o.DataRecord = t.magRecord()
		return t.penalty(t.end(o))
	}
	if len(get(tag.Track1)) > 0 && len(get(tagCVC3Track1)) == 0 {
		return t.penalty(t.invalid(cardDataMissing, "checksum", "9F60 is missing")) // S13.16
	}
	verified := len(pcii) == 3 && pcii[1]&pcii2PINVerified != 0
	if t.onDevice && !verified && t.aboveCVMLimit() {
		return t.penalty(t.invalid(cardDataError, "checksum", "the phone did not verify its holder")) // S14.21
	}
	t.k.failed.Store(0)
	t.fillTracks(verified)
	o := noOutcome(emv.OnlineRequest, "the issuer decides") // S13.25, S13.26, S14.33, S14.34
	t.magCVM(verified)
	o.CVM, o.Receipt = t.cvm, t.receipt
	o.DataRecord = t.magRecord()
	return t.end(o)
}

// magCVM is the cardholder verification of mag-stripe mode.
func (t *tap) magCVM(verified bool) {
	above := t.aboveCVMLimit()
	switch {
	case t.onDevice && verified:
		t.cvm, t.receipt = emv.CVMConfirmed, above
	case t.onDevice:
		t.cvm = emv.CVMNone
	case above:
		t.cvm, t.receipt = emv.CVM(t.k.MagCVM&0xF0), true
	default:
		t.cvm = emv.CVM(t.k.MagNoCVM & 0xF0)
		t.receipt = t.cvm == emv.CVMSignature
	}
}

// Waiting times after failed checksums: 300 ms, doubled with each failure up to five (S13.2, S13.3).
const (
	penaltyUnit = 300 * time.Millisecond
	maxPenalty  = 5
)

// penalty slows down who guesses checksums. The book waits before the outcome;
// a kernel has no clock, so the field stays off that long.
func (t *tap) penalty(r *result) *result {
	n := min(t.k.failed.Load(), maxPenalty)
	r.o.FieldOff = max(r.o.FieldOff, penaltyUnit<<n)
	t.k.failed.Store(min(n+1, maxPenalty))
	return r
}
