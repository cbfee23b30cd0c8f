package issuer

import (
	"fmt"

	"huika/card/perso"
	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// statement is what a cryptogram covers and what the card says under it, whatever its scheme.
type statement struct {
	signed    []byte
	kind      cryptogram.Type
	cdcvm     bool // the device verified its holder
	onlinePIN bool // the card asked for the online PIN
	by        keying
}

// keying is a scheme's cryptogram version: how card key, session key,
// cryptogram and the issuer's answer are made. Errors: cryptogram.ErrKey, cryptogram.ErrData.
type keying interface {
	// cryptogram is what the card's own key makes of what is signed.
	cryptogram(keys perso.MasterKeys, a *perso.Account, c *icc) ([8]byte, error)
	// answer is 91: method 1, ARPC(8) ‖ status(2), or method 2, ARPC(4) ‖ card status update(4).
	answer(keys perso.MasterKeys, a *perso.Account, c *icc, code string) ([]byte, error)
	// script is the MAC of one script command: what follows its header and data. nil: the scheme's cards take none.
	script(keys perso.MasterKeys, a *perso.Account, c *icc, header, data []byte) ([]byte, error)
}

// scheme is how one scheme's issuer reads field 55. A new scheme is a row.
type scheme struct {
	name string
	rid  [5]byte
	read func(get func(tlv.Tag) ([]byte, bool)) (statement, error)
}

var schemes = [...]scheme{
	{perso.UnionPay, perso.RID, readPBOC},
	{perso.Visa, perso.VisaRID, readVisa},
	{perso.Mastercard, perso.MastercardRID, readMChip},
	{perso.C8, perso.MastercardRID, readAES}, // known by the version in 9F10
	{perso.Amex, perso.AmexRID, readCCD},
	{perso.JCB, perso.JCBRID, readCCD},
	{perso.Discover, perso.DiscoverRID, readDiscover},
}

// schemeOf picks by the application (84, or 9F06), and where the acquirer sends
// none by the form of 9F10: 07 and 03 is UnionPay, 06 or 1F and 03 Visa, a known
// AES version kernel 8's, ten bytes of CCD's version Discover's, anything else
// M/Chip. American Express's and JCB's have one form: those need the application.
func schemeOf(list tlv.List) (scheme, bool) {
	iad, _ := list.Find(tag.IAD)
	hasAES := len(iad) >= 10 && cryptogram.AES(iad[1]).Known()
	for _, t := range [...]tlv.Tag{tag.DFName, tag.TerminalAID} {
		aid, ok := list.Find(t)
		if !ok || len(aid) < 5 {
			continue
		}
		for _, s := range schemes {
			if s.rid == [5]byte(aid) && (s.name == perso.C8) == (hasAES && s.rid == perso.MastercardRID) {
				return s, true
			}
		}
		return scheme{}, false
	}
	switch {
	case hasAES:
		return schemes[3], true
	case len(iad) == 10 && iad[1] == cryptogram.VersionCCD:
		return schemes[6], true
	case len(iad) == 32 && iad[1] == cryptogram.VersionCCD:
		return scheme{}, false
	case len(iad) < 7:
		return schemes[0], true // its reader says what is wrong
	case iad[3] == 3 && iad[0] == 0x07:
		return schemes[0], true
	case iad[3] == 3 && (iad[0] == 0x06 || iad[0] == 0x1F):
		return schemes[1], true
	}
	return schemes[2], true
}

// --- UnionPay, versions 01 and 17, triple DES and SM4

type pboc struct {
	algorithm byte // of 9F10
	cipher    cryptogram.PBOC
}

func readPBOC(get func(tlv.Tag) ([]byte, bool)) (statement, error) {
	signed, err := cryptogram.PBOCData(get)
	if err != nil {
		return statement{}, err
	}
	v, _ := get(tag.IAD)
	iad, err := cryptogram.ParseIAD(v)
	cipher, known := cryptogram.PBOCOf(iad.Algorithm)
	if err == nil && (!known || (iad.Version != cryptogram.VersionPBOC01 && iad.Version != cryptogram.VersionPBOC17)) {
		err = fmt.Errorf("9F10 is not of cryptogram version 01 or 17 under a known cipher")
	}
	return statement{signed, iad.CVR.Type(), iad.CVR.CDCVM(), iad.CVR.OnlinePIN(), pboc{iad.Algorithm, cipher}}, err
}

func (p pboc) session(keys perso.MasterKeys, a *perso.Account, c *icc) (pay.Secret, error) {
	master := keys.Cryptogram
	if p.algorithm == cryptogram.AlgorithmSM4 {
		master = keys.SM4
	}
	key, err := p.cipher.CardKey(master, a.PAN, a.PSN)
	if err != nil {
		return pay.Secret{}, err
	}
	defer key.Wipe()
	return p.cipher.SessionKey(key, c.atc)
}

func (p pboc) cryptogram(keys perso.MasterKeys, a *perso.Account, c *icc) ([8]byte, error) {
	key, err := p.session(keys, a, c)
	if err != nil {
		return [8]byte{}, err
	}
	defer key.Wipe()
	return p.cipher.MAC(key, c.says.signed)
}

func (p pboc) answer(keys perso.MasterKeys, a *perso.Account, c *icc, code string) ([]byte, error) {
	key, err := p.session(keys, a, c)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	arpc, err := p.cipher.ARPC(key, c.cryptogram, [2]byte([]byte(code)))
	return append(arpc[:], code...), err
}

func (p pboc) script(keys perso.MasterKeys, a *perso.Account, c *icc, header, data []byte) ([]byte, error) {
	master := keys.Script
	if p.algorithm == cryptogram.AlgorithmSM4 {
		master = keys.SM4Script
	}
	if master.Len() == 0 {
		return nil, nil
	}
	key, err := p.cipher.CardKey(master, a.PAN, a.PSN)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	mac, err := cryptogram.PBOCScriptMAC(p.cipher, key, header, c.atc, c.cryptogram, data)
	return mac[:], err
}

// --- Visa: CVN 10, 17, 18, 22

type visa struct{ version cryptogram.Visa }

func readVisa(get func(tlv.Tag) ([]byte, bool)) (statement, error) {
	signed, err := cryptogram.VisaData(get)
	if err != nil {
		return statement{}, err
	}
	v, _ := get(tag.IAD)
	iad, err := cryptogram.ParseVisaIAD(v)
	return statement{signed, iad.CVR.Type(), iad.CVR.CDCVM(), iad.CVR.OnlinePIN(), visa{iad.Version}}, err
}

func (v visa) cryptogram(keys perso.MasterKeys, a *perso.Account, c *icc) ([8]byte, error) {
	key, err := v.version.CardKey(keys.Cryptogram, a.PAN, a.PSN)
	if err != nil {
		return [8]byte{}, err
	}
	defer key.Wipe()
	session, err := v.version.SessionKey(key, c.atc)
	if err != nil {
		return [8]byte{}, err
	}
	defer session.Wipe()
	return v.version.MAC(session, c.says.signed)
}

// answer is method 1 with the response code for CVN 10 and 17, method 2 with a card status update for 18 and 22.
func (v visa) answer(keys perso.MasterKeys, a *perso.Account, c *icc, code string) ([]byte, error) {
	key, err := v.version.CardKey(keys.Cryptogram, a.PAN, a.PSN)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	status := []byte(code)
	if v.version == cryptogram.VisaCVN18 || v.version == cryptogram.VisaCVN22 {
		status = make([]byte, 4)
		if code == approved {
			status[1] = cryptogram.CSUApproved
		}
	}
	return v.version.ARPC(key, c.atc, c.cryptogram, status)
}

func (v visa) script(keys perso.MasterKeys, a *perso.Account, c *icc, header, data []byte) ([]byte, error) {
	key, err := v.version.CardKey(keys.Script, a.PAN, a.PSN)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	session, err := v.version.ScriptKey(key, c.atc)
	if err != nil {
		return nil, err
	}
	defer session.Wipe()
	mac, err := v.version.ScriptMAC(session, header, c.atc, c.cryptogram, data)
	return mac[:], err
}

// --- Mastercard: M/Chip 16, 17, 20, 21

type mchip struct{ version cryptogram.MChip }

func readMChip(get func(tlv.Tag) ([]byte, bool)) (statement, error) {
	signed, err := cryptogram.MChipData(get)
	if err != nil {
		return statement{}, err
	}
	v, _ := get(tag.IAD)
	iad, err := cryptogram.ParseMChipIAD(v)
	return statement{signed, iad.CVR.Type(), iad.CVR.CDCVM(), false, mchip{iad.Version}}, err
}

func (m mchip) cryptogram(keys perso.MasterKeys, a *perso.Account, c *icc) ([8]byte, error) {
	key, err := m.version.CardKey(keys.Cryptogram, a.PAN, a.PSN, cryptogram.OptionA)
	if err != nil {
		return [8]byte{}, err
	}
	defer key.Wipe()
	session, err := m.version.SessionKey(key, c.atc, c.un)
	if err != nil {
		return [8]byte{}, err
	}
	defer session.Wipe()
	return m.version.MAC(session, c.says.signed)
}

// mchipApproved is the ARPC response code of an approval: bits, not characters.
var mchipApproved = [2]byte{0x00, 0x10}

// answer is method 1: under the card's key for 16 and 17, the session key for 20 and 21.
func (m mchip) answer(keys perso.MasterKeys, a *perso.Account, c *icc, code string) ([]byte, error) {
	key, err := m.version.CardKey(keys.Cryptogram, a.PAN, a.PSN, cryptogram.OptionA)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	var arc [2]byte
	if code == approved {
		arc = mchipApproved
	}
	arpc, err := m.version.ARPC(key, c.atc, c.cryptogram, arc)
	return append(arpc[:], arc[:]...), err
}

func (mchip) script(perso.MasterKeys, *perso.Account, *icc, []byte, []byte) ([]byte, error) {
	return nil, nil
}

// --- cards for kernel 8: AES 16 and 17

type aesCard struct{ version cryptogram.AES }

func readAES(get func(tlv.Tag) ([]byte, bool)) (statement, error) {
	signed, err := cryptogram.AESData(get)
	if err != nil {
		return statement{}, err
	}
	v, _ := get(tag.IAD)
	iad, err := cryptogram.ParseAESIAD(v)
	return statement{signed, iad.CVR.Type(), iad.CVR.CDCVM(), false, aesCard{iad.Version}}, err
}

func (x aesCard) cryptogram(keys perso.MasterKeys, a *perso.Account, c *icc) ([8]byte, error) {
	key, err := x.version.CardKey(keys.Cryptogram, a.PAN, a.PSN)
	if err != nil {
		return [8]byte{}, err
	}
	defer key.Wipe()
	session, err := x.version.SessionKey(key, c.atc)
	if err != nil {
		return [8]byte{}, err
	}
	defer session.Wipe()
	return x.version.MAC(session, c.says.signed)
}

// answer is method 1 with the response code.
func (x aesCard) answer(keys perso.MasterKeys, a *perso.Account, c *icc, code string) ([]byte, error) {
	key, err := x.version.CardKey(keys.Cryptogram, a.PAN, a.PSN)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	arpc, err := x.version.ARPC(key, c.atc, c.cryptogram, [2]byte([]byte(code)))
	return append(arpc[:], code...), err
}

func (aesCard) script(perso.MasterKeys, *perso.Account, *icc, []byte, []byte) ([]byte, error) {
	return nil, nil
}
