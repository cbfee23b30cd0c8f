package perso

import (
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Files of the Mastercard cards. The record of mag-stripe mode is file 1, record 1 (Book C-2, S3.30).
const (
	sfiMCMag    = 1
	sfiMCData   = 2
	sfiMCIssuer = 3
	sfiMCCard   = 4
)

var (
	mcVersion = []byte{0x00, 0x02} // 9F08
	// mcCDOL1 asks for what Mastercard's cards ask for, as a recorded card does.
	mcCDOL1 = []byte{0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4,
		0x9F, 0x35, 1, 0x9F, 0x45, 2, 0x9F, 0x4C, 8, 0x9F, 0x34, 3, 0x9F, 0x21, 3, 0x9F, 0x7C, 20}
	mcDRDOL = []byte{0x9F, 0x37, 4, 0x9F, 0x02, 6}
	// CVM lists: online PIN, signature, none, each if the terminal has it; a device verifies on its own.
	mcCardCVM   = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x03, 0x1E, 0x03, 0x1F, 0x03}
	mcDeviceCVM = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x1F, 0x03}
	mcIACOnline = []byte{0xF4, 0x50, 0x84, 0x80, 0x0C}
	mcIACDenial = []byte{0, 0, 0, 0, 0}
)

// AIP: CVM list, terminal risk management, CDA; EMV mode and relay resistance; a device's own CVM.
const (
	mcAIP1         = 0x19
	mcAIP1CDA      = 0x01
	mcAIP1OnDevice = 0x02
	mcAIP2         = 0x81
	mcAIP2Relay    = 0x01
)

// Bitmaps of mag-stripe mode: CVC3 in the three digits left of the last, three
// digits of unpredictable number and one of the counter left of those.
var (
	mcPCVC3Track2  = []byte{0x00, 0x0E}
	mcPUNATCTrack2 = []byte{0x00, 0xF0}
	mcPCVC3Track1  = []byte{0, 0, 0, 0, 0x00, 0x0E}
	mcPUNATCTrack1 = []byte{0, 0, 0, 0, 0x00, 0xF0}
)

// mcTrack1 is 56: B, number, name, expiry, service code and discretionary data.
func mcTrack1(pan pay.PAN, expiry string) []byte {
	return []byte("B" + pan.Reveal() + "^DEMO/HUIKA^" + expiry + "201" + "0000000000000")
}

// mcMagRecord is the record of mag-stripe mode.
func mcMagRecord(track1, track2 []byte) []byte {
	b := tlv.Append(nil, 0x9F6C, []byte{0x00, 0x01})
	for _, o := range []tlv.TLV{
		{Tag: 0x9F62, Value: mcPCVC3Track1}, {Tag: 0x9F63, Value: mcPUNATCTrack1}, {Tag: 0x9F64, Value: []byte{1}}, {Tag: tag.Track1, Value: track1},
		{Tag: 0x9F65, Value: mcPCVC3Track2}, {Tag: 0x9F66, Value: mcPUNATCTrack2}, {Tag: 0x9F67, Value: []byte{1}}, {Tag: tag.Track2Kernel2, Value: track2},
	} {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	return b
}
