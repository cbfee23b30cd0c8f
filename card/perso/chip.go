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

// Files of the cards of American Express, JCB and Discover: what our cards of
// these schemes answer differs, how they are made does not.
const (
	sfiChipData = 1 // signed card data
	sfiChipKeys = 2 // certificates
)

// chipVersions are the cryptogram versions of these cards; how the schemes make
// their own is not public, see cryptogram.CCD.
var chipVersions = map[string]byte{"ccd": cryptogram.VersionCCD}

// checkChip is what the three schemes ask of a profile.
func checkChip(d *document) (field, why string) {
	switch _, why := cryptogramOf(d, chipVersions); {
	case why != "":
		return "cryptogram", why
	case d.Application.CID:
		return "application.cid", "these cards always send 9F27: leave it out"
	case d.Application.FormFactor != nil:
		return "application.form_factor", "these cards have none"
	case d.Mastercard != nil:
		return "mastercard", "is for cards of mastercard"
	case d.C8 != nil:
		return "c8", "is for cards of c8"
	}
	return "", ""
}

// chipProfile finds a card of one scheme by name.
func chipProfile(scheme, name string) (Profile, error) {
	p, ok := ProfileByName(name)
	if !ok || p.Scheme != scheme {
		return Profile{}, fmt.Errorf("no card of %s is named %q", scheme, name)
	}
	return p, nil
}

// device reports that a profile is of a phone or something worn: those verify their holders.
func (d *document) device() bool { return d.Form != FormCard }

// chipRecord are the objects of the signed record that American Express and JCB both
// have: number, dates, country, usage, action codes and what else, and the AIP by 9F4A.
func (i *Issuer) chipRecord(d *document, pan pay.PAN, more tlv.List) []byte {
	end := i.expiry(d)
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	for _, o := range append(tlv.List{
		{Tag: tag.Track2, Value: track2of201(pan, end)}, {Tag: tag.ExpirationDate, Value: packDigits(end.Format("060102"))},
		{Tag: tag.EffectiveDate, Value: packDigits(i.effective.Format("060102"))}, {Tag: tag.PSN, Value: []byte{d.psn()}},
		{Tag: tag.IssuerCountry, Value: china}, {Tag: tag.AUC, Value: allUsage}, {Tag: tag.SDATagList, Value: aipList},
		{Tag: tag.IACDefault, Value: chipIACOnline}, {Tag: tag.IACDenial, Value: chipIACDenial}, {Tag: tag.IACOnline, Value: chipIACOnline},
	}, more...) {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	return appendPAR(b, d)
}

// appendPAR appends the payment account reference, which devices have.
func appendPAR(b []byte, d *document) []byte {
	if d.Application.PAR == "" {
		return b
	}
	return tlv.Append(b, tag.PAR, []byte(d.Application.PAR))
}

// Action codes of the cards (9F0D 9F0E 9F0F): online where authentication failed or was not done, the card has expired,
// the holder was not verified, or the amount is above the floor limit.
var (
	chipIACOnline = []byte{0xF4, 0x70, 0xC4, 0x98, 0x00}
	chipIACDenial = []byte{0, 0, 0, 0, 0}
	chipCDOL1     = []byte{0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4}
)

// chip makes what the cards have in common, with certificates over signed and aip. A
// clone gets the records of its victim with a chip key that does not belong to it.
func (i *Issuer) chip(p Profile, kernel byte, aip [2]byte, pdol, signed []byte) (card.ChipData, error) {
	d := p.owner
	pan, err := d.pan()
	if err != nil {
		return card.ChipData{}, err
	}
	udk, err := cryptogram.CCD.CardKey(i.MasterKeys(p.Scheme).Cryptogram, pan, string(d.Account.Sequence))
	if err != nil {
		return card.ChipData{}, err
	}
	if p.own.does(wrongCardKey) {
		udk = otherKey(udk)
	}
	static, err := oda.StaticData(signed, aipList, aip[:])
	if err != nil {
		return card.ChipData{}, err
	}
	issuer, icc, err := i.certificates(p, pan, static)
	if err != nil {
		return card.ChipData{}, err
	}
	return card.ChipData{
		AID: d.Application.AID, Label: d.Application.Label, PreferredName: d.Application.PreferredName, Language: "zhen", Priority: 1,
		KernelID: d.kernelID(kernel), AIP: aip, PDOL: pdol,
		Records: []card.Record{
			{SFI: sfiChipData, Number: 1, Signed: true, Body: alter(p, signed)}, {SFI: sfiChipKeys, Number: 1, Body: issuer}, {SFI: sfiChipKeys, Number: 2, Body: icc},
		},
		Key: i.icc[p.chipKey()], UDK: udk, KeyIndex: 1,
	}, nil
}
