package perso

import (
	"fmt"
	"io"

	"huika/card"
	"huika/emv/cryptogram"
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

const (
	kernel3     = 0x03
	visaAIPDDA  = 0x20
	visaFormLen = 4
)

// visaVersions are the cryptogram versions as people write them: 10, 17 and 18 decimal, 22 hex.
var visaVersions = map[string]cryptogram.Visa{
	"10": cryptogram.VisaCVN10, "17": cryptogram.VisaCVN17, "18": cryptogram.VisaCVN18, "22": cryptogram.VisaCVN22,
}

func checkVisa(d *document) (field, why string) {
	switch _, why := cryptogramOf(d, visaVersions); {
	case why != "":
		return "cryptogram", why
	case d.Application.FormFactor != nil && len(d.Application.FormFactor) != visaFormLen:
		return "application.form_factor", "want 4 bytes"
	case d.Mastercard != nil:
		return "mastercard", "is for cards of mastercard"
	}
	return "", ""
}

func makeVisa(i *Issuer, p Profile, state card.State, rand io.Reader) (Contactless, error) {
	data, err := i.visa(p)
	if err != nil {
		return nil, err
	}
	return card.NewVisa(data, state, rand)
}

// VisaData is what a Visa card is personalised with, for tests that misbehave.
func (i *Issuer) VisaData(name string) (card.VisaData, error) {
	p, ok := ProfileByName(name)
	if !ok || p.Scheme != Visa {
		return card.VisaData{}, fmt.Errorf("no Visa card is named %q", name)
	}
	return i.visa(p)
}

// visa makes a card's data and certificates. A clone gets the records of its
// victim, certificate included, with a key that does not belong to it.
func (i *Issuer) visa(p Profile) (card.VisaData, error) {
	d, b, keys := p.owner, p.own.Behaviour, i.MasterKeys(Visa)
	version := visaVersions[d.Cryptogram]
	pan, err := d.pan()
	if err != nil {
		return card.VisaData{}, err
	}
	udk, err := version.CardKey(keys.Cryptogram, pan, string(d.Account.Sequence))
	if err != nil {
		return card.VisaData{}, err
	}
	if p.own.does(wrongCardKey) {
		udk = otherKey(udk)
	}
	script, err := version.CardKey(keys.Script, pan, string(d.Account.Sequence))
	if err != nil {
		return card.VisaData{}, err
	}
	aip := [2]byte{visaAIPDDA, 0x00}
	if b.NoODA {
		aip[0] = 0
	}
	record := i.visaRecord(d, pan)
	static, err := oda.StaticData(record, aipList, aip[:])
	if err != nil {
		return card.VisaData{}, err
	}
	issuer, icc, err := i.certificates(p, pan, static)
	if err != nil {
		return card.VisaData{}, err
	}
	return card.VisaData{
		AID: d.Application.AID, Label: d.Application.Label, PreferredName: d.Application.PreferredName, Language: "zhen", Priority: 1,
		KernelID: d.kernelID(kernel3), AIP: aip, PSN: d.psn(), Track2: track2of201(pan, i.expiry(d)), SendCID: d.Application.CID,
		FormFactor: d.Application.FormFactor,
		Records: []card.Record{
			{SFI: sfiVisaData, Number: 1, Signed: true, Body: alter(p, record)}, {SFI: sfiVisaKeys, Number: 1, Body: issuer}, {SFI: sfiVisaKeys, Number: 2, Body: icc},
		},
		LastSFI: sfiVisaLast, LastBody: visaLast(d), Key: i.icc[p.chipKey()], UDK: udk, ScriptK: script, Version: version, KeyIndex: 1,
		Policy: card.VisaPolicy{
			Policy: card.Policy{CDCVM: b.CDCVM, PINAlways: b.PINAlways, Signature: b.Signature, OnlineIfODAFails: b.OnlineIfODAFails},
			Locked: b.Locked, SwitchIfODAFails: b.SwitchIfODAFails, OnlineIfExpired: b.OnlineIfExpired, SwitchForCash: b.SwitchForCash,
			SwitchForCashback: b.SwitchForCashback, IssuerUpdate: b.IssuerUpdate, OfflineLimit: int64(b.OfflineLimit), OfflineCurrency: [2]byte(china),
		},
	}, nil
}

// visaRecord is the signed record: number, expiry, country, usage, and the AIP by 9F4A.
func (i *Issuer) visaRecord(d *document, pan pay.PAN) []byte {
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	b = tlv.Append(b, tag.ExpirationDate, packDigits(i.expiry(d).Format("060102")))
	b = tlv.Append(b, tag.IssuerCountry, china)
	b = tlv.Append(b, tag.AUC, allUsage)
	return tlv.Append(b, tag.SDATagList, aipList)
}

// visaLast is what stands behind 9F69: for devices the payment account reference, unsigned.
func visaLast(d *document) []byte {
	if d.Application.PAR == "" {
		return nil
	}
	return tlv.Append(nil, tag.PAR, []byte(d.Application.PAR))
}
