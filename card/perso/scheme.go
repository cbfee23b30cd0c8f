package perso

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"huika/card"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Names of schemes, as profiles write them.
const (
	UnionPay   = "unionpay"
	Visa       = "visa"
	Mastercard = "mastercard"
	C8         = "c8" // cards for kernel 8, which belongs to no scheme
	Amex       = "amex"
	JCB        = "jcb"
	Discover   = "discover"
)

// scheme is what a card scheme is to personalisation. A new scheme is a row
// here and a file with its two functions.
type scheme struct {
	name    string
	rid     [5]byte
	issuer  string // first digits of its cards, and what the issuer certificate names
	serial  byte   // of its certificates: DE 30 and this in the upper half, 1 issuer or 2 card below
	behaves string // the behaviours that its cards know
	// check holds a profile that is not like another one against the scheme; "" where all is well.
	check func(*document) (field, why string)
	// make personalises a card.
	make func(*Issuer, Profile, card.State, io.Reader) (Contactless, error)
}

// schemes is the table.
func schemes() [7]scheme {
	return [...]scheme{
		{UnionPay, RID, "62999", 0x00, "cdcvm pin_always signature online_if_oda_fails issuer_update", checkUnionPay, makeUnionPay},
		{Visa, VisaRID, "476173", 0x20, "cdcvm locked pin_always signature online_if_oda_fails switch_if_oda_fails online_if_expired " +
			"switch_for_cash switch_for_cashback issuer_update no_oda offline_limit", checkVisa, makeVisa},
		{Mastercard, MastercardRID, "541333", 0x10, "cdcvm locked no_oda offline_limit", checkMastercard, makeMastercard},
		{C8, MastercardRID, c8Issuer, 0x80, "cdcvm locked pin_always signature offline_limit", checkC8, makeC8},
		{Amex, AmexRID, "374245", 0x40, "cdcvm locked offline_limit", checkChip, makeAmex},
		{JCB, JCBRID, "356600", 0x50, "cdcvm locked signature issuer_update offline_limit", checkChip, makeJCB},
		{Discover, DiscoverRID, "601100", 0x60, "cdcvm locked signature offline_limit", checkChip, makeDiscover},
	}
}

// Registered application provider identifiers.
var (
	RID           = [5]byte{0xA0, 0x00, 0x00, 0x03, 0x33} // UnionPay
	VisaRID       = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x03}
	MastercardRID = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x04}
	AmexRID       = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x25}
	JCBRID        = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x65}
	DiscoverRID   = [5]byte{0xA0, 0x00, 0x00, 0x01, 0x52}
)

func schemeByName(name string) (scheme, bool) {
	for _, s := range schemes() {
		if s.name == name {
			return s, true
		}
	}
	return scheme{}, false
}

func schemeNames() []string {
	names := make([]string, 0, len(schemes()))
	for _, s := range schemes() {
		names = append(names, s.name)
	}
	return names
}

// MasterKeys are the keys from which the issuer derives its cards' keys, 16
// bytes each, the first four "DEMO".
type MasterKeys struct {
	Cryptogram pay.Secret
	Script     pay.Secret // integrity of issuer scripts
	CVC3       pay.Secret // checksums of mag-stripe mode
	SM4        pay.Secret // UnionPay's cryptograms under SM4
	SM4Script  pay.Secret // and scripts
}

// MasterKeys are the issuer's keys for one scheme.
func (i *Issuer) MasterKeys(scheme string) MasterKeys {
	k := MasterKeys{
		Cryptogram: i.derivedIMK(scheme + " cryptogram"), Script: i.derivedIMK(scheme + " script integrity"), CVC3: i.derivedIMK(scheme + " cvc3"),
	}
	switch scheme {
	case UnionPay:
		k.Cryptogram = i.imk
		k.SM4, k.SM4Script = i.derivedIMK(scheme+" sm4 cryptogram"), i.derivedIMK(scheme+" sm4 script integrity")
	case C8:
		k.Cryptogram = i.c8IMK()
	}
	return k
}

// AllMasterKeys are the keys of every scheme by its name.
func (i *Issuer) AllMasterKeys() map[string]MasterKeys {
	all := make(map[string]MasterKeys, len(schemes()))
	for _, s := range schemes() {
		all[s.name] = i.MasterKeys(s.name)
	}
	return all
}

// derivedIMK is a further master key of the demo, made from the first so that the file of keys stays as it is.
func (i *Issuer) derivedIMK(purpose string) pay.Secret {
	h := sha256.Sum256(append([]byte(purpose), i.imk.Reveal()...))
	key := slices.Clone(h[:imkLen])
	copy(key, demoKeyMark)
	return pay.NewSecret(key)
}

// frozen is a counter that stands still.
type frozen struct{ card.State }

func (frozen) Load() (card.Counters, error) { return card.Counters{}, nil }

// Card makes the card or thing of that name. state keeps its counter, rand
// gives its unpredictable numbers; things need neither. An unknown name is an error.
func (i *Issuer) Card(name string, state card.State, rand io.Reader) (Contactless, error) {
	switch name {
	case "transit":
		return card.NewTransit(), nil
	case "staff":
		return card.NewStaff(), nil
	case "dead":
		return card.NewDead(), nil
	}
	p, ok := ProfileByName(name)
	if !ok {
		return nil, fmt.Errorf("no card is named %q", name)
	}
	s, ok := schemeByName(p.Scheme)
	if !ok {
		return nil, fmt.Errorf("card %s: nothing is known of it but its name", name)
	}
	if p.own.does(frozenCounter) {
		state = frozen{state}
	}
	c, err := s.make(i, p, state, rand)
	if err != nil {
		return nil, fmt.Errorf("card %s: %w", name, err)
	}
	return c, nil
}

// certified are a card's two records with certificates, and what they are about.
type certified struct{ static, issuer, icc []byte }

// certificates are the bodies of the two records with the certificates of the
// issuer and of the chip, signed at the first use of a profile. static is the
// data that the chip's certificate covers.
func (i *Issuer) certificates(p Profile, pan pay.PAN, static []byte) (issuer, icc []byte, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c, ok := i.made[p.Name]; ok && bytes.Equal(c.static, static) {
		return slices.Clone(c.issuer), slices.Clone(c.icc), nil
	}
	issuer, icc, err = i.sign(p, pan, static)
	if err == nil {
		if i.made == nil {
			i.made = map[string]certified{}
		}
		i.made[p.Name] = certified{slices.Clone(static), slices.Clone(issuer), slices.Clone(icc)}
	}
	return issuer, icc, err
}

func (i *Issuer) sign(p Profile, pan pay.PAN, static []byte) (issuer, icc []byte, err error) {
	s, _ := schemeByName(p.Scheme) // the profile's check has seen that it is there
	month, year := int(i.certEnd.Month()), i.certEnd.Year()
	ca := i.cas[s.rid]
	if p.own.does(wrongAuthority) {
		for _, other := range schemes() {
			if other.rid != s.rid {
				ca = i.cas[other.rid]
				break
			}
		}
	}
	issuerCert, issuerRemainder, err := oda.SignIssuerCertificate(ca, oda.Subject{
		ID: s.issuer, Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, s.serial | 1}, Key: i.issuer.Public()})
	if err != nil {
		return nil, nil, fmt.Errorf("issuer certificate: %w", err)
	}
	chip := i.icc[p.owner.certified()]
	iccCert, iccRemainder, err := oda.SignICCCertificate(i.issuer, oda.Subject{
		ID: pan.Reveal(), Month: month, Year: year, Serial: [3]byte{0xDE, 0x30, s.serial | 2}, Key: chip.Public()}, static)
	if err != nil {
		return nil, nil, fmt.Errorf("card certificate: %w", err)
	}
	issuer = tlv.Append(nil, tag.CAIndex, []byte{i.index})
	issuer = tlv.Append(issuer, tag.IssuerExponent, i.issuer.Public().Exponent)
	issuer = tlv.Append(issuer, tag.IssuerRemainder, issuerRemainder)
	issuer = tlv.Append(issuer, tag.IssuerCertificate, issuerCert)
	icc = tlv.Append(nil, tag.ICCExponent, chip.Public().Exponent)
	icc = tlv.Append(icc, tag.ICCRemainder, iccRemainder)
	icc = tlv.Append(icc, tag.ICCCertificate, iccCert)
	return issuer, icc, nil
}

// alter changes the usage control of a record that was signed: nothing that a
// terminal would refuse by itself.
func alter(p Profile, record []byte) []byte {
	if !p.own.does(alteredRecord) {
		return record
	}
	out := slices.Clone(record)
	if v, ok := tlv.Find(out, tag.AUC); ok { // it aliases out
		v[1] ^= 0x40
	}
	return out
}

// cryptogramOf finds the version that a profile writes.
func cryptogramOf[V any](d *document, versions map[string]V) (V, string) {
	v, ok := versions[d.Cryptogram]
	if ok {
		return v, ""
	}
	names := make([]string, 0, len(versions))
	for n := range versions {
		names = append(names, n)
	}
	slices.Sort(names)
	return v, fmt.Sprintf("%q: want one of %s", d.Cryptogram, strings.Join(names, ", "))
}
