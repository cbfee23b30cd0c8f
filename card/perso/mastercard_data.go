package perso

import (
	"fmt"

	"huika/card"
	"huika/emv/cryptogram"
	"huika/emv/oda"
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
	kernel2   = []byte{0x02}
	mcVersion = []byte{0x00, 0x02} // 9F08
	mcAID     = []byte{0xA0, 0x00, 0x00, 0x00, 0x04, 0x10, 0x10}
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
	mcAIP1       = 0x19
	mcAIP1Device = 0x1B
	mcAIP2       = 0x81
)

// Bitmaps of mag-stripe mode: CVC3 in the three digits left of the last, three
// digits of unpredictable number and one of the counter left of those.
var (
	mcPCVC3Track2  = []byte{0x00, 0x0E}
	mcPUNATCTrack2 = []byte{0x00, 0xF0}
	mcPCVC3Track1  = []byte{0, 0, 0, 0, 0x00, 0x0E}
	mcPUNATCTrack1 = []byte{0, 0, 0, 0, 0x00, 0xF0}
)

// mastercard makes a card's data and certificates.
func (i *Issuer) mastercard(p mcProfile) (card.MChipData, error) {
	owner := p.owner().mc
	pan, err := owner.pan()
	if err != nil {
		return card.MChipData{}, err
	}
	udk, err := owner.version.CardKey(i.MastercardIMK(), pan, owner.sequence(), cryptogram.OptionA)
	if err != nil {
		return card.MChipData{}, err
	}
	cvc3, err := owner.version.CardKey(i.MastercardCVC3Key(), pan, owner.sequence(), cryptogram.OptionA)
	if err != nil {
		return card.MChipData{}, err
	}
	d := card.MChipData{
		AID: mcAID, Label: owner.label, PreferredName: "Mastercard", Language: "zhen", Priority: 1, KernelID: kernel2,
		AIP: [2]byte{mcAIP1, mcAIP2}, CDOL1: mcCDOL1, DRDOL: mcDRDOL, Key: i.icc[p.mc.keyOf], UDK: udk, Version: owner.version, KeyIndex: 1,
		Counters: owner.counters, CVC3Key: cvc3, Track1: true, Relay: &card.RelayTiming{Min: 10, Max: 250, Reply: 24}, Policy: p.mc.mchip,
	}
	if owner.noKernel {
		d.KernelID = nil
	}
	if owner.device {
		d.AIP[0] = mcAIP1Device
	}
	track1, track2 := mcTrack1(pan, i.expiry(&owner.spec).Format("0601")), mcTrack2(pan, i.expiry(&owner.spec))
	if d.IV1, err = cryptogram.IVCVC3(cvc3, track1); err != nil {
		return card.MChipData{}, err
	}
	if d.IV2, err = cryptogram.IVCVC3(cvc3, track2); err != nil {
		return card.MChipData{}, err
	}
	signed := i.mcRecord(owner, pan)
	static, err := oda.StaticData(signed, aipList, d.AIP[:])
	if err != nil {
		return card.MChipData{}, err
	}
	keys, err := i.mcKeys(i.icc[owner.keyOf], pan, static)
	if err != nil {
		return card.MChipData{}, err
	}
	d.Records = append([]card.Record{
		{SFI: sfiMCMag, Number: 1, Body: mcMagRecord(track1, track2)},
		{SFI: sfiMCData, Number: 1, Signed: true, Body: signed},
	}, keys...)
	return d, nil
}

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

// mcRecord is the signed record: number, dates, usage, action codes, CDOL1 and CVM list.
func (i *Issuer) mcRecord(s *mcSpec, pan pay.PAN) []byte {
	end := i.expiry(&s.spec)
	cvm := mcCardCVM
	if s.device {
		cvm = mcDeviceCVM
	}
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	for _, o := range []tlv.TLV{
		{Tag: tag.Track2, Value: mcTrack2(pan, end)}, {Tag: tag.ExpirationDate, Value: packDigits(end.Format("060102"))},
		{Tag: tag.EffectiveDate, Value: packDigits(i.effective.Format("060102"))}, {Tag: tag.PSN, Value: []byte{s.psn}},
		{Tag: tag.IssuerCountry, Value: china}, {Tag: tag.AUC, Value: allUsage}, {Tag: tag.ApplicationVersion, Value: mcVersion},
		{Tag: tag.ApplicationCurrency, Value: china}, {Tag: tag.CDOL1, Value: mcCDOL1}, {Tag: 0x9F51, Value: mcDRDOL}, {Tag: tag.CVMList, Value: cvm},
		{Tag: tag.IACDefault, Value: mcIACOnline}, {Tag: tag.IACDenial, Value: mcIACDenial}, {Tag: tag.IACOnline, Value: mcIACOnline},
		{Tag: tag.SDATagList, Value: aipList}, {Tag: tag.FormFactor, Value: mcThirdParty(s.third)},
	} {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	if s.device {
		digits := pan.Reveal()
		b = tlv.Append(b, tag.PAR, []byte("5001"+"HUIKADEMO"+"0000000000000"+digits[len(digits)-3:]))
	}
	return b
}

// mcThirdParty is 9F6E: country, a unique identifier with its first bit clear, and so the device type.
func mcThirdParty(device string) []byte {
	return append([]byte{china[0], china[1], 0x00, 0x00}, device...)
}

// mcKeys are the records with the certificates.
func (i *Issuer) mcKeys(icc *oda.PrivateKey, pan pay.PAN, static []byte) ([]card.Record, error) {
	month, year := int(i.certEnd.Month()), i.certEnd.Year()
	issuerCert, issuerRemainder, err := oda.SignIssuerCertificate(i.ca, oda.Subject{
		ID: issuerMC, Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x11}, Key: i.issuer.Public()})
	if err != nil {
		return nil, fmt.Errorf("issuer certificate: %w", err)
	}
	iccCert, iccRemainder, err := oda.SignICCCertificate(i.issuer, oda.Subject{
		ID: pan.Reveal(), Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x12}, Key: icc.Public()}, static)
	if err != nil {
		return nil, fmt.Errorf("card certificate: %w", err)
	}
	a := tlv.Append(nil, tag.CAIndex, []byte{i.index})
	a = tlv.Append(a, tag.IssuerExponent, i.issuer.Public().Exponent)
	a = tlv.Append(a, tag.IssuerRemainder, issuerRemainder)
	a = tlv.Append(a, tag.IssuerCertificate, issuerCert)
	b := tlv.Append(nil, tag.ICCExponent, icc.Public().Exponent)
	b = tlv.Append(b, tag.ICCRemainder, iccRemainder)
	b = tlv.Append(b, tag.ICCCertificate, iccCert)
	return []card.Record{{SFI: sfiMCIssuer, Number: 1, Body: a}, {SFI: sfiMCCard, Number: 1, Body: b}}, nil
}
