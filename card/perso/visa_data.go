package perso

import (
	"fmt"
	"time"

	"huika/card"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Files of the Visa cards.
const (
	sfiVisaData = 2 // signed card data
	sfiVisaKeys = 3 // certificates
	sfiVisaLast = 4 // what changes with each transaction
)

var (
	kernel3 = []byte{0x03}
	visaAID = []byte{0xA0, 0x00, 0x00, 0x00, 0x03, 0x10, 0x10}
	visaAIP = [2]byte{0x20, 0x00} // DDA
)

// visa makes a card's data and certificates. A clone gets the records of its
// victim, certificate included, with a key that does not belong to it.
func (i *Issuer) visa(p visaProfile) (card.VisaData, error) {
	owner := p.owner().visa
	pan, err := owner.pan()
	if err != nil {
		return card.VisaData{}, err
	}
	udk, err := owner.version.CardKey(i.VisaIMK(), pan, owner.sequence())
	if err != nil {
		return card.VisaData{}, err
	}
	script, err := owner.version.CardKey(i.VisaScriptKey(), pan, owner.sequence())
	if err != nil {
		return card.VisaData{}, err
	}
	signed := i.visaRecord(owner, pan)
	static, err := oda.StaticData(signed, aipList, visaAIP[:])
	if err != nil {
		return card.VisaData{}, err
	}
	keys, err := i.visaKeys(i.icc[owner.keyOf], pan, static)
	if err != nil {
		return card.VisaData{}, err
	}
	d := card.VisaData{
		AID: visaAID, Label: owner.label, PreferredName: owner.name, Language: "zhen", Priority: 1, KernelID: kernel3,
		AIP: visaAIP, PSN: owner.psn, Track2: visaTrack2(pan, i.expiry(&owner.spec)), SendCID: owner.sendCID, FormFactor: owner.form[:],
		Records: append([]card.Record{{SFI: sfiVisaData, Number: 1, Signed: true, Body: signed}}, keys...),
		LastSFI: sfiVisaLast, LastBody: visaLast(owner, pan), Key: i.icc[p.visa.keyOf], UDK: udk, ScriptK: script,
		Version: owner.version, KeyIndex: 1, Policy: p.visa.policy,
	}
	if owner.noKernel {
		d.KernelID = nil
	}
	return d, nil
}

// visaRecord is the signed record: number, expiry, country, usage, and the AIP by 9F4A.
func (i *Issuer) visaRecord(s *visaSpec, pan pay.PAN) []byte {
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	b = tlv.Append(b, tag.ExpirationDate, packDigits(i.expiry(&s.spec).Format("060102")))
	b = tlv.Append(b, tag.IssuerCountry, china)
	b = tlv.Append(b, tag.AUC, allUsage)
	return tlv.Append(b, tag.SDATagList, aipList)
}

// visaLast is what stands behind 9F69: for devices the payment account reference, unsigned.
func visaLast(s *visaSpec, pan pay.PAN) []byte {
	if !s.device {
		return nil
	}
	digits := pan.Reveal()
	return tlv.Append(nil, tag.PAR, []byte("V001"+"HUIKADEMO"+"0000000000000"+digits[len(digits)-3:])) // 29 characters: a BIN controller's 4, then 25
}

// visaTrack2 is 57: number, D, expiry YYMM, service code 201, discretionary data of 13 zeros.
func visaTrack2(pan pay.PAN, end time.Time) []byte {
	return packDigits(pan.Reveal() + "D" + end.Format("0601") + "201" + "0000000000000")
}

// visaKeys are the two records with the certificates.
func (i *Issuer) visaKeys(icc *oda.PrivateKey, pan pay.PAN, static []byte) ([]card.Record, error) {
	month, year := int(i.certEnd.Month()), i.certEnd.Year()
	issuerCert, issuerRemainder, err := oda.SignIssuerCertificate(i.ca, oda.Subject{
		ID: issuerVisa, Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x21}, Key: i.issuer.Public()})
	if err != nil {
		return nil, fmt.Errorf("issuer certificate: %w", err)
	}
	iccCert, iccRemainder, err := oda.SignICCCertificate(i.issuer, oda.Subject{
		ID: pan.Reveal(), Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x22}, Key: icc.Public()}, static)
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
	return []card.Record{{SFI: sfiVisaKeys, Number: 1, Body: a}, {SFI: sfiVisaKeys, Number: 2, Body: b}}, nil
}
