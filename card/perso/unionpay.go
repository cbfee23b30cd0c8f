package perso

import (
	"fmt"
	"io"
	"time"

	"huika/card"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Files of the UnionPay cards.
const (
	sfiData = 1 // signed card data
	sfiKeys = 2 // certificates
	sfiLast = 3 // what changes with each transaction
)

var (
	aip     = [2]byte{0x7C, 0x00} // SDA, DDA, CVM, terminal risk management, issuer authentication
	version = []byte{0x00, 0x30}  // 9F08: PBOC 3.0
)

const kernel7 = 0x07

// unionPayDoc is what only UnionPay cards have.
type unionPayDoc struct {
	SM string `yaml:"sm"` // SM2, SM3 and SM4: "both" (beside RSA and triple DES) or "alone"
}

// What sm says; a card without it has RSA and triple DES alone.
const (
	smBoth  = "both"
	smAlone = "alone"
)

// unionPayVersions are the cryptogram versions as people write them, hex.
var unionPayVersions = map[string]byte{"01": cryptogram.VersionPBOC01, "17": cryptogram.VersionPBOC17}

func checkUnionPay(d *document) (field, why string) {
	if _, why := cryptogramOf(d, unionPayVersions); why != "" {
		return "cryptogram", why
	}
	if d.Mastercard != nil {
		return "mastercard", "is for cards of mastercard"
	}
	if u := d.UnionPay; u != nil && u.SM != smBoth && u.SM != smAlone {
		return "unionpay.sm", fmt.Sprintf("%q: want both or alone", u.SM)
	}
	return "", ""
}

func makeUnionPay(i *Issuer, p Profile, state card.State, rand io.Reader) (Contactless, error) {
	data, err := i.unionPay(p)
	if err != nil {
		return nil, err
	}
	return card.New(data, state, rand)
}

// UnionPayData is what a UnionPay card is personalised with, for tests that misbehave.
func (i *Issuer) UnionPayData(name string) (card.Data, error) {
	p, ok := ProfileByName(name)
	if !ok || p.Scheme != UnionPay {
		return card.Data{}, fmt.Errorf("no UnionPay card is named %q", name)
	}
	return i.unionPay(p)
}

// unionPay makes a card's data and certificates. A clone gets the records of
// its victim, certificate included, with a key that does not belong to it.
func (i *Issuer) unionPay(p Profile) (card.Data, error) {
	d, b := p.owner, p.own.Behaviour
	pan, err := d.pan()
	if err != nil {
		return card.Data{}, err
	}
	udk, err := cryptogram.PBOC01.CardKey(i.imk, pan, string(d.Account.Sequence))
	if err != nil {
		return card.Data{}, err
	}
	if p.own.does(wrongCardKey) {
		udk = otherKey(udk)
	}
	script, err := cryptogram.PBOC01.CardKey(i.MasterKeys(UnionPay).Script, pan, string(d.Account.Sequence))
	if err != nil {
		return card.Data{}, err
	}
	record := i.cardRecord(d, pan)
	static, err := oda.StaticData(record, aipList, aip[:])
	if err != nil {
		return card.Data{}, err
	}
	issuer, icc, err := i.certificates(p, pan, static)
	if err != nil {
		return card.Data{}, err
	}
	data := card.Data{
		AID: d.Application.AID, Label: d.Application.Label, PreferredName: d.Application.PreferredName, Language: "zhen", Priority: 1,
		KernelID: d.kernelID(kernel7), AIP: aip, PSN: d.psn(), SendCID: d.Application.CID, KeyIndex: 1, Key: i.icc[p.chipKey()], UDK: udk, ScriptK: script,
		Version: unionPayVersions[d.Cryptogram], IssuerUpdate: b.IssuerUpdate,
		Policy: card.Policy{CDCVM: b.CDCVM, PINAlways: b.PINAlways, Signature: b.Signature, OnlineIfODAFails: b.OnlineIfODAFails},
		Track2: track2(pan, i.expiry(d)),
		Records: []card.Record{
			{SFI: sfiData, Number: 1, Signed: true, Body: alter(p, record)}, {SFI: sfiKeys, Number: 1, Body: issuer}, {SFI: sfiKeys, Number: 2, Body: icc},
		},
		LastSFI: sfiLast, LastBody: lastBody(d),
	}
	if u := d.UnionPay; u != nil {
		if data.SM, err = i.smData(p, pan, record); err != nil {
			return card.Data{}, err
		}
		if u.SM == smAlone {
			data.Key, data.UDK, data.ScriptK, data.Records = nil, pay.Secret{}, pay.Secret{}, nil
		}
	}
	return data, nil
}

// cardRecord is the signed record: number, dates, usage.
func (i *Issuer) cardRecord(d *document, pan pay.PAN) []byte {
	end := i.expiry(d)
	begin := i.effective
	if d.Account.Expired {
		begin = end.AddDate(-cardYears, 0, 0)
	}
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	b = tlv.Append(b, tag.ExpirationDate, packDigits(end.Format("060102")))
	b = tlv.Append(b, tag.EffectiveDate, packDigits(begin.Format("060102")))
	b = tlv.Append(b, tag.PSN, []byte{d.psn()})
	b = tlv.Append(b, tag.IssuerCountry, china)
	b = tlv.Append(b, tag.AUC, allUsage)
	b = tlv.Append(b, tag.ApplicationVersion, version)
	b = tlv.Append(b, tag.ApplicationCurrency, china)
	return tlv.Append(b, tag.SDATagList, aipList)
}

// lastBody is what stands behind 9F69: the product, and for devices the payment account
// reference and the form factor. All of it is unsigned.
func lastBody(d *document) []byte {
	b := tlv.Append(nil, tag.ProductID, []byte("00000000" + d.Application.Label + "      ")[:16])
	if d.Application.PAR != "" {
		b = tlv.Append(b, tag.PAR, []byte(d.Application.PAR))
	}
	if d.Application.FormFactor != nil {
		b = tlv.Append(b, tag.FormFactor, d.Application.FormFactor)
	}
	return b
}

// track2 is 57: number, separator D, expiry YYMM, service code 220, five digits of discretionary data.
func track2(pan pay.PAN, end time.Time) []byte {
	return packDigits(pan.Reveal() + "D" + end.Format("0601") + "22000000")
}
