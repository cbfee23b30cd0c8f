package issuer

import (
	"huika/card/perso"
	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// ccdCard is the cryptogram of our American Express, JCB and Discover cards:
// EMV's common core definitions in place of the schemes' own (cryptogram.CCD).
type ccdCard struct{}

// readCCD reads American Express and JCB cards.
func readCCD(get func(tlv.Tag) ([]byte, bool)) (statement, error) {
	signed, err := cryptogram.CCDData(get)
	if err != nil {
		return statement{}, err
	}
	v, _ := get(tag.IAD)
	iad, err := cryptogram.ParseCCDIAD(v)
	return statement{signed, iad.CVR.Type(), iad.CVR.CDCVM(), false, ccdCard{}}, err
}

// readDiscover reads Discover cards, whose 9F10 has another form.
func readDiscover(get func(tlv.Tag) ([]byte, bool)) (statement, error) {
	signed, err := cryptogram.CCDData(get)
	if err != nil {
		return statement{}, err
	}
	v, _ := get(tag.IAD)
	iad, err := cryptogram.ParseDiscoverIAD(v)
	return statement{signed, iad.CVR.Type(), iad.CVR.CDCVM(), false, ccdCard{}}, err
}

func (ccdCard) session(keys perso.MasterKeys, a *perso.Account, c *icc) (pay.Secret, error) {
	key, err := cryptogram.CCD.CardKey(keys.Cryptogram, a.PAN, a.PSN)
	if err != nil {
		return pay.Secret{}, err
	}
	defer key.Wipe()
	return cryptogram.CCD.SessionKey(key, c.atc)
}

func (x ccdCard) cryptogram(keys perso.MasterKeys, a *perso.Account, c *icc) ([8]byte, error) {
	key, err := x.session(keys, a, c)
	if err != nil {
		return [8]byte{}, err
	}
	defer key.Wipe()
	return cryptogram.CCD.MAC(key, c.says.signed)
}

// answer is method 2 with a card status update.
func (x ccdCard) answer(keys perso.MasterKeys, a *perso.Account, c *icc, code string) ([]byte, error) {
	key, err := x.session(keys, a, c)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	csu := cryptogram.NewCSU(code == approved)
	arpc, err := cryptogram.CCD.ARPC(key, c.cryptogram, csu)
	return csu.AuthData(arpc), err
}

func (ccdCard) script(perso.MasterKeys, *perso.Account, *icc, []byte, []byte) ([]byte, error) {
	return nil, nil
}
