package perso

import (
	"crypto/sha256"
	"fmt"

	"huika/card"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// sfiSMKeys is the file of the SM2 certificates.
const sfiSMKeys = 4

// sm2Key is an SM2 key of the demo, made from the issuer's master key so that the
// file of keys stays as it is.
func (i *Issuer) sm2Key(purpose string) (*oda.SM2PrivateKey, error) {
	h := sha256.Sum256(append([]byte("sm2 "+purpose), i.imk.Reveal()...))
	k, err := oda.NewSM2PrivateKey(h[:])
	if err != nil {
		return nil, fmt.Errorf("demo key %q: %w", purpose, err) // one in 2^32 hashes is out of range
	}
	return k, nil
}

// SM2CAKeys are the SM2 CA keys that a terminal needs for UnionPay cards of PBOC 3.0.
func (i *Issuer) SM2CAKeys() ([]oda.SM2CAKey, error) {
	ca, err := i.sm2Key("ca")
	if err != nil {
		return nil, err
	}
	return []oda.SM2CAKey{{RID: RID, Index: i.index, Key: ca.Public(), Expiry: nextMonth(i.certEnd)}}, nil
}

// IsDemoSM2CA reports that an SM2 CA key is of the demo: by its index, or because
// it is the checked-in issuer's under whatever index. Live mode refuses such a key.
func IsDemoSM2CA(k oda.SM2CAKey) bool {
	test, err := TestIssuer().SM2CAKeys()
	return k.Index >= demoIndexMin && k.Index <= demoIndexMax || err != nil || k.Key == test[0].Key
}

// UnionPayKeys are the issuer's master keys of UnionPay cryptograms, one a cipher,
// for cryptogram.VerifyPBOC. Each has 16 bytes, the first four "DEMO".
func (i *Issuer) UnionPayKeys() cryptogram.PBOCKeys {
	return cryptogram.PBOCKeys{TDES: i.imk, SM4: i.derivedIMK("unionpay sm4 cryptogram")}
}

// UnionPayScriptKeys are those of issuer scripts.
func (i *Issuer) UnionPayScriptKeys() cryptogram.PBOCKeys {
	return cryptogram.PBOCKeys{TDES: i.derivedIMK("unionpay script integrity"), SM4: i.derivedIMK("unionpay sm4 script integrity")}
}

// WithSM gives a UnionPay card the SM algorithms beside those that it has: SM2
// certificates over its signed record and AIP, and SM4 keys. chip names the
// certified chip key, signs the one that the card signs with: another one for a clone.
func (i *Issuer) WithSM(d card.Data, pan pay.PAN, psn, chip, signs string) (card.Data, error) {
	if len(d.Records) == 0 || !d.Records[0].Signed {
		return card.Data{}, fmt.Errorf("%w: the first record is not the signed one", card.ErrData)
	}
	var err error
	d.SM, err = i.smData(pan, psn, d.Records[0].Body, d.AIP, chip, signs)
	return d, err
}

func (i *Issuer) smData(pan pay.PAN, psn string, record []byte, aip [2]byte, chip, signs string) (*card.SMData, error) {
	udk, err := cryptogram.PBOCSM4.CardKey(i.UnionPayKeys().SM4, pan, psn)
	if err != nil {
		return nil, err
	}
	script, err := cryptogram.PBOCSM4.CardKey(i.UnionPayScriptKeys().SM4, pan, psn)
	if err != nil {
		return nil, err
	}
	genuine, err := i.sm2Key("chip " + chip)
	if err != nil {
		return nil, err
	}
	key, err := i.sm2Key("chip " + signs)
	if err != nil {
		return nil, err
	}
	static, err := oda.StaticData(record, aipList, aip[:])
	if err != nil {
		return nil, err
	}
	keys, err := i.smKeys(pan, genuine.Public(), static)
	if err != nil {
		return nil, err
	}
	return &card.SMData{Key: key, UDK: udk, ScriptK: script,
		Records: append([]card.Record{{SFI: sfiData, Number: 1, Signed: true, Body: record}}, keys...)}, nil
}

// UnionPayData is what a UnionPay card is personalised with, for tests that misbehave.
func (i *Issuer) UnionPayData(name string) (card.Data, error) {
	p, ok := ProfileByName(name)
	if !ok || p.Form == FormThing {
		return card.Data{}, fmt.Errorf("no UnionPay card is named %q", name)
	}
	return i.personalise(p)
}

// smKeys are the records with the SM2 certificates.
func (i *Issuer) smKeys(pan pay.PAN, icc oda.SM2PublicKey, static []byte) ([]card.Record, error) {
	ca, err := i.sm2Key("ca")
	if err != nil {
		return nil, err
	}
	issuer, err := i.sm2Key("issuer")
	if err != nil {
		return nil, err
	}
	month, year := int(i.certEnd.Month()), i.certEnd.Year()
	issuerCert, err := oda.SignSM2Issuer(ca, oda.SM2Subject{ID: issuerID, Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x03}, Key: issuer.Public()})
	if err != nil {
		return nil, fmt.Errorf("issuer certificate: %w", err)
	}
	iccCert, err := oda.SignSM2ICC(issuer, oda.SM2Subject{ID: pan.Reveal(), Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x04}, Key: icc}, static)
	if err != nil {
		return nil, fmt.Errorf("card certificate: %w", err)
	}
	a := tlv.Append(tlv.Append(nil, tag.CAIndex, []byte{i.index}), tag.IssuerCertificate, issuerCert)
	b := tlv.Append(nil, tag.ICCCertificate, iccCert)
	return []card.Record{{SFI: sfiSMKeys, Number: 1, Body: a}, {SFI: sfiSMKeys, Number: 2, Body: b}}, nil
}
