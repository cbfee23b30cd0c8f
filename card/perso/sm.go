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

// PBOC are the cryptogram keys for cryptogram.VerifyPBOC.
func (k MasterKeys) PBOC() cryptogram.PBOCKeys {
	return cryptogram.PBOCKeys{TDES: k.Cryptogram, SM4: k.SM4}
}

// smData is what a UnionPay card has for the SM algorithms: SM2 certificates over
// record, the signed one, and the AIP; SM4 keys. A clone signs with a key of its own.
func (i *Issuer) smData(p Profile, pan pay.PAN, record []byte) (*card.SMData, error) {
	psn, keys := string(p.owner.Account.Sequence), i.MasterKeys(UnionPay)
	udk, err := cryptogram.PBOCSM4.CardKey(keys.SM4, pan, psn)
	if err != nil {
		return nil, err
	}
	if p.own.does(wrongCardKey) {
		udk = otherKey(udk)
	}
	script, err := cryptogram.PBOCSM4.CardKey(keys.SM4Script, pan, psn)
	if err != nil {
		return nil, err
	}
	genuine, err := i.sm2Key("chip " + p.owner.Name)
	if err != nil {
		return nil, err
	}
	key := genuine
	if p.own.does(wrongChipKey) {
		if key, err = i.sm2Key("chip " + p.own.Name); err != nil {
			return nil, err
		}
	}
	static, err := oda.StaticData(record, aipList, aip[:])
	if err != nil {
		return nil, err
	}
	certificates, err := i.smKeys(p, pan, genuine.Public(), static)
	if err != nil {
		return nil, err
	}
	return &card.SMData{Key: key, UDK: udk, ScriptK: script,
		Records: append([]card.Record{{SFI: sfiData, Number: 1, Signed: true, Body: alter(p, record)}}, certificates...)}, nil
}

// smKeys are the records with the SM2 certificates.
func (i *Issuer) smKeys(p Profile, pan pay.PAN, icc oda.SM2PublicKey, static []byte) ([]card.Record, error) {
	authority := "ca"
	if p.own.does(wrongAuthority) {
		authority = "another ca"
	}
	ca, err := i.sm2Key(authority)
	if err != nil {
		return nil, err
	}
	s, _ := schemeByName(UnionPay)
	issuer, err := i.sm2Key("issuer")
	if err != nil {
		return nil, err
	}
	month, year := int(i.certEnd.Month()), i.certEnd.Year()
	issuerCert, err := oda.SignSM2Issuer(ca, oda.SM2Subject{ID: s.issuer, Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, 0x03}, Key: issuer.Public()})
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
