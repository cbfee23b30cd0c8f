package perso

import (
	"fmt"
	"slices"
	"time"

	"huika/card"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// chipScheme is one of the schemes American Express, JCB and Discover: their cards of
// ours differ in what they answer, not in how they are made.
type chipScheme struct {
	name     string // in errors, and in the purpose of the master key
	rid      [5]byte
	aid      []byte
	kernel   []byte
	issuerID string // what the issuer certificate names of the card number
	serial   byte   // last byte of the issuer certificate's serial number; the card's is one more
	profiles []chipProfile
}

// chipSpec is what personalisation needs beyond the words of a profile.
type chipSpec struct {
	spec
	keyOf  string // the profile whose chip key it uses: the demo has one key a form, for all schemes
	locked bool
}

type chipProfile struct {
	Profile
	chip *chipSpec
}

// list are the profiles in the order in which a desk shows them.
func (s *chipScheme) list() []Profile {
	list := make([]Profile, 0, len(s.profiles))
	for _, p := range s.profiles {
		q := p.Profile
		q.spec = &p.chip.spec
		list = append(list, q)
	}
	return list
}

func (s *chipScheme) byName(name string) (chipProfile, error) {
	i := slices.IndexFunc(s.profiles, func(p chipProfile) bool { return p.Name == name })
	if i < 0 {
		return chipProfile{}, fmt.Errorf("no %s card is named %q", s.name, name)
	}
	return s.profiles[i], nil
}

// owner is the specification whose public data p carries: its own, except for clones and the locked phone.
func (s *chipScheme) owner(p chipProfile) *chipSpec {
	o, _ := s.byName(p.Account) // a test checks that it is there
	return o.chip
}

// caKeys are the CA's keys under the scheme's RID.
func (i *Issuer) chipCAKeys(s *chipScheme) []oda.CAKey {
	keys := i.CAKeys()
	for n := range keys {
		keys[n].RID = s.rid
	}
	return keys
}

func (i *Issuer) chipIMK(s *chipScheme) pay.Secret { return i.derivedIMK(s.name + " cryptogram") }

func (i *Issuer) chipAccounts(s *chipScheme, pin func(profile string) string) []Account {
	var accounts []Account
	for _, p := range s.profiles {
		if p.Account != p.Name {
			continue
		}
		pan, err := p.chip.pan()
		if err != nil {
			panic(fmt.Sprintf("perso: %s: %v", p.Name, err)) // a fault of the tables; a test checks it
		}
		accounts = append(accounts, Account{
			Profile: p.Name, PAN: pan, PSN: p.chip.sequence(), Expiry: i.expiry(&p.chip.spec).Format("0601"), Status: StatusOK,
			Balance: p.chip.fen, Currency: pay.CNY, PIN: pay.NewSecret([]byte(pin(p.Name))), PINTries: MaxPINTries, CDCVMDevice: p.chip.device,
		})
	}
	return accounts
}

// chipRecord are the objects of the signed record that every scheme has: number, dates, country, usage, action codes,
// CDOL1 and what else, and the AIP by 9F4A.
func (i *Issuer) chipRecord(s *chipSpec, pan pay.PAN, more tlv.List) []byte {
	end := i.expiry(&s.spec)
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	for _, o := range append(tlv.List{
		{Tag: tag.Track2, Value: chipTrack2(pan, end)}, {Tag: tag.ExpirationDate, Value: packDigits(end.Format("060102"))},
		{Tag: tag.EffectiveDate, Value: packDigits(i.effective.Format("060102"))}, {Tag: tag.PSN, Value: []byte{s.psn}},
		{Tag: tag.IssuerCountry, Value: china}, {Tag: tag.AUC, Value: allUsage}, {Tag: tag.SDATagList, Value: aipList},
	}, more...) {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	return b
}

// Action codes of the cards (9F0D 9F0E 9F0F): online where authentication failed or was not done, the card has expired,
// the holder was not verified, or the amount is above the floor limit.
var (
	chipIACOnline = []byte{0xF4, 0x70, 0xC4, 0x98, 0x00}
	chipIACDenial = []byte{0, 0, 0, 0, 0}
	chipCDOL1     = []byte{0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4}
)

func chipActionCodes() tlv.List {
	return tlv.List{{Tag: tag.IACDefault, Value: chipIACOnline}, {Tag: tag.IACDenial, Value: chipIACDenial}, {Tag: tag.IACOnline, Value: chipIACOnline}}
}

// chipTrack2 is 57: number, D, expiry YYMM, service code 201, discretionary data of zeros.
func chipTrack2(pan pay.PAN, end time.Time) []byte {
	return packDigits(pan.Reveal() + "D" + end.Format("0601") + "201" + "0000000000000")
}

// par is a payment account reference: a BIN controller's 4 characters, then 25.
func par(controller string, pan pay.PAN) []byte {
	digits := pan.Reveal()
	return []byte(controller + "HUIKADEMO" + "0000000000000" + digits[len(digits)-3:])
}

// chip makes what the cards have in common, with certificates over signed and aip. A
// clone gets the records of its victim with a chip key that does not belong to it.
func (i *Issuer) chip(s *chipScheme, p chipProfile, aip [2]byte, pdol, signed []byte) (card.ChipData, error) {
	owner := s.owner(p)
	pan, err := owner.pan()
	if err != nil {
		return card.ChipData{}, err
	}
	udk, err := cryptogram.CCD.CardKey(i.chipIMK(s), pan, owner.sequence())
	if err != nil {
		return card.ChipData{}, err
	}
	if p.chip.wrongUDK {
		udk = otherKey(udk)
	}
	static, err := oda.StaticData(signed, aipList, aip[:])
	if err != nil {
		return card.ChipData{}, err
	}
	keys, err := i.chipKeys(s, i.icc[owner.keyOf], pan, static)
	if err != nil {
		return card.ChipData{}, err
	}
	d := card.ChipData{
		AID: s.aid, Label: owner.label, PreferredName: owner.name, Language: "zhen", Priority: 1, KernelID: s.kernel, AIP: aip, PDOL: pdol,
		Records: append([]card.Record{{SFI: 1, Number: 1, Signed: true, Body: signed}}, keys...), Key: i.icc[p.chip.keyOf], UDK: udk, KeyIndex: 1,
	}
	if owner.noKernel {
		d.KernelID = nil
	}
	return d, nil
}

// chipKeys are the records with the certificates.
func (i *Issuer) chipKeys(s *chipScheme, icc *oda.PrivateKey, pan pay.PAN, static []byte) ([]card.Record, error) {
	month, year := int(i.certEnd.Month()), i.certEnd.Year()
	issuerCert, issuerRemainder, err := oda.SignIssuerCertificate(i.ca, oda.Subject{
		ID: s.issuerID, Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, s.serial}, Key: i.issuer.Public()})
	if err != nil {
		return nil, fmt.Errorf("issuer certificate: %w", err)
	}
	iccCert, iccRemainder, err := oda.SignICCCertificate(i.issuer, oda.Subject{
		ID: pan.Reveal(), Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, s.serial + 1}, Key: icc.Public()}, static)
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
	return []card.Record{{SFI: 2, Number: 1, Body: a}, {SFI: 2, Number: 2, Body: b}}, nil
}
