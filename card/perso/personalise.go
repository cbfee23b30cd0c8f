package perso

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"time"

	"huika/card"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Files of the cards.
const (
	sfiData = 1 // signed card data
	sfiKeys = 2 // certificates
	sfiLast = 3 // what changes with each transaction
)

var (
	kernel7  = []byte{0x07}
	aip      = [2]byte{0x7C, 0x00}   // SDA, DDA, CVM, terminal risk management, issuer authentication
	allUsage = []byte{0xFF, 0xC0}    // AUC: everything, everywhere
	china    = []byte{0x01, 0x56}    // ISO 3166 and ISO 4217
	version  = []byte{0x00, 0x30}    // 9F08: PBOC 3.0
	aipList  = []byte{byte(tag.AIP)} // 9F4A
)

// personalise makes a card's data and certificates. A clone gets the records of
// its victim, certificate included, with a key that does not belong to it.
func (i *Issuer) personalise(p Profile) (card.Data, error) {
	s := p.victim()
	pan, err := s.pan()
	if err != nil {
		return card.Data{}, err
	}
	udk, err := cryptogram.PBOC01.CardKey(i.imk, pan, s.sequence())
	if err != nil {
		return card.Data{}, err
	}
	if p.spec.wrongUDK {
		udk = otherKey(udk)
	}
	genuine := i.icc[p.Account]
	static := i.cardRecord(s, pan)
	keys, err := i.keyRecords(genuine, pan, static)
	if err != nil {
		return card.Data{}, err
	}
	d := card.Data{
		AID: []byte{0xA0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, s.aid}, Label: s.label, PreferredName: s.name, Language: "zhen", Priority: 1,
		KernelID: kernel7, AIP: aip, PSN: s.psn, SendCID: s.sendCID, KeyIndex: 1, Policy: p.spec.policy, Key: genuine, UDK: udk,
		Track2:  track2(pan, i.expiry(s)),
		Records: append([]card.Record{{SFI: sfiData, Number: 1, Signed: true, Body: static}}, keys...),
		LastSFI: sfiLast, LastBody: lastBody(s, pan),
	}
	if s.noKernel {
		d.KernelID = nil
	}
	if p.spec.wrongICC {
		d.Key = i.icc[p.Name]
	}
	return d, nil
}

// cardRecord is the signed record: number, dates, usage.
func (i *Issuer) cardRecord(s *spec, pan pay.PAN) []byte {
	end := i.expiry(s)
	begin := i.effective
	if s.expired {
		begin = end.AddDate(-cardYears, 0, 0)
	}
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	b = tlv.Append(b, tag.ExpirationDate, packDigits(end.Format("060102")))
	b = tlv.Append(b, tag.EffectiveDate, packDigits(begin.Format("060102")))
	b = tlv.Append(b, tag.PSN, []byte{s.psn})
	b = tlv.Append(b, tag.IssuerCountry, china)
	b = tlv.Append(b, tag.AUC, allUsage)
	b = tlv.Append(b, tag.ApplicationVersion, version)
	b = tlv.Append(b, tag.ApplicationCurrency, china)
	return tlv.Append(b, tag.SDATagList, aipList)
}

// keyRecords are the two records with the certificates.
func (i *Issuer) keyRecords(icc *oda.PrivateKey, pan pay.PAN, signed []byte) ([]card.Record, error) {
	month, year := int(i.certEnd.Month()), i.certEnd.Year()
	issuerCert, issuerRemainder, err := oda.SignIssuerCertificate(i.ca, oda.Subject{
		ID: issuerID, Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x01}, Key: i.issuer.Public()})
	if err != nil {
		return nil, fmt.Errorf("issuer certificate: %w", err)
	}
	static, err := oda.StaticData(signed, aipList, aip[:])
	if err != nil {
		return nil, err
	}
	iccCert, iccRemainder, err := oda.SignICCCertificate(i.issuer, oda.Subject{
		ID: pan.Reveal(), Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x02}, Key: icc.Public()}, static)
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
	return []card.Record{{SFI: sfiKeys, Number: 1, Body: a}, {SFI: sfiKeys, Number: 2, Body: b}}, nil
}

// lastBody is what stands behind 9F69: the product, and for devices the payment account
// reference and the form factor. All of it is unsigned.
func lastBody(s *spec, pan pay.PAN) []byte {
	b := tlv.Append(nil, tag.ProductID, []byte("00000000" + s.label + "      ")[:16])
	if s.device {
		digits := pan.Reveal()
		par := "9999" + "HUIKADEMO" + "0000000000000" + digits[len(digits)-3:] // 29 characters: a BIN controller's 4, then 25
		b = tlv.Append(b, tag.PAR, []byte(par))
		b = tlv.Append(b, tag.FormFactor, []byte{0x20, 0x70, 0x00, 0x00}) // stand-in: consumer device
	}
	return b
}

// track2 is 57: number, separator D, expiry YYMM, service code 220, five digits of discretionary data.
func track2(pan pay.PAN, end time.Time) []byte {
	return packDigits(pan.Reveal() + "D" + end.Format("0601") + "22000000")
}

// packDigits packs hex digits two a byte, padded with F.
func packDigits(s string) []byte {
	if len(s)%2 == 1 {
		s += "F"
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("perso: not digits") // callers pass card numbers and dates
	}
	return b
}

// otherKey is a key that the issuer never made.
func otherKey(k pay.Secret) pay.Secret {
	b := bytes.Clone(k.Reveal())
	for i := range b {
		b[i] ^= 0x5A
	}
	return pay.NewSecret(b)
}
