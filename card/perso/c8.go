package perso

import (
	"crypto/sha256"
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

// Kernel 8 belongs to no scheme: its cards carry a scheme's AID and name the
// kernel in their directory entry (9F2A 08). Ours carry Mastercard's, under which
// such cards were seen in public descriptions, and an ECC key of the demo CA under Mastercard's RID.

// c8Doc is what only cards for kernel 8 have.
type c8Doc struct {
	Qualifier byte      `yaml:"qualifier"` // length of 9F2B in the PDOL: 8, or 5 as it was earlier
	Relay     *relayDoc `yaml:"relay"`     // none: the card knows no relay resistance
}

var (
	c8CDOL1 = []byte{0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4, 0x9F, 0x35, 1,
		0x9F, 0x21, 3, 0x9F, 0x1D, 8, 0x9F, 0x33, 3}
	// AIP: local authentication; IAD-MAC at the default offset, relay resistance; offline capable.
	c8AIP        = [2]byte{0x01, 0x03}
	c8AIPOffline = byte(0x08)
	c8AIPRelay   = byte(0x01)
)

const (
	kernel8  = 0x08
	c8Issuer = "541333" // what the issuer certificate names of the number
)

// c8Versions are the cryptogram versions of the AES cards, as kernel 8's own scheme writes them.
var c8Versions = map[string]cryptogram.AES{"16": cryptogram.AES16, "17": cryptogram.AES17}

func checkC8(d *document) (field, why string) {
	switch _, why := cryptogramOf(d, c8Versions); {
	case why != "":
		return "cryptogram", why
	case d.C8 == nil:
		return "c8", "is missing: qualifier and relay stand in it"
	case d.C8.Qualifier != 8 && d.C8.Qualifier != 5:
		return "c8.qualifier", "want 8 or 5"
	case d.C8.Relay != nil && d.C8.Relay.Min > d.C8.Relay.Max:
		return "c8.relay", "min is above max"
	case d.Mastercard != nil:
		return "mastercard", "is for cards of mastercard"
	case d.ChipKey != "":
		return "chip_key", "is for RSA keys: these cards have one of their own on the curve"
	}
	return "", ""
}

func makeC8(i *Issuer, p Profile, state card.State, rand io.Reader) (Contactless, error) {
	data, err := i.c8(p)
	if err != nil {
		return nil, err
	}
	return card.NewC8(data, state, rand)
}

// ecKey is an elliptic curve key of the demo, made from the issuer's master key
// so that the file of keys stays as it is.
func (i *Issuer) ecKey(purpose string) (*oda.ECPrivateKey, error) {
	h := sha256.Sum256(append([]byte("ec "+purpose), i.imk.Reveal()...))
	k, err := oda.NewECPrivateKey(h[:])
	if err != nil {
		return nil, fmt.Errorf("demo key %q: %w", purpose, err) // one in 2^32 hashes is out of range
	}
	return k, nil
}

// C8CAKeys are the CA keys that a terminal needs for these cards.
func (i *Issuer) C8CAKeys() ([]oda.ECCAKey, error) {
	ca, err := i.ecKey("ca")
	if err != nil {
		return nil, err
	}
	return []oda.ECCAKey{{RID: MastercardRID, Index: i.index, X: ca.Public().X(), Expiry: nextMonth(i.certEnd)}}, nil
}

// IsDemoECCA reports that an ECC CA key is of the demo: by its index, or because
// it is the checked-in issuer's under whatever index. Live mode refuses such a key.
func IsDemoECCA(k oda.ECCAKey) bool {
	test, err := TestIssuer().C8CAKeys()
	return k.Index >= demoIndexMin && k.Index <= demoIndexMax || err != nil || k.X == test[0].X
}

// c8IMK is the issuer's master key of the cryptograms of these cards: an AES key of 16 bytes, its first four "DEMO".
func (i *Issuer) c8IMK() pay.Secret { return i.derivedIMK("kernel 8 cryptogram") }

// C8Data is what a card for kernel 8 is personalised with, for tests that misbehave.
func (i *Issuer) C8Data(name string) (card.C8Data, error) {
	p, ok := ProfileByName(name)
	if !ok || p.Scheme != C8 {
		return card.C8Data{}, fmt.Errorf("no card for kernel 8 is named %q", name)
	}
	return i.c8(p)
}

// c8 makes a card's data and certificates.
func (i *Issuer) c8(p Profile) (card.C8Data, error) {
	s, b := p.owner, p.own.Behaviour
	version, device := c8Versions[s.Cryptogram], s.Form != FormCard
	pan, err := s.pan()
	if err != nil {
		return card.C8Data{}, err
	}
	cardKey, err := version.CardKey(i.c8IMK(), pan, string(s.Account.Sequence))
	if err != nil {
		return card.C8Data{}, err
	}
	if p.own.does(wrongCardKey) {
		cardKey = otherKey(cardKey)
	}
	genuine, err := i.ecKey("card " + s.Name)
	if err != nil {
		return card.C8Data{}, err
	}
	end := i.expiry(s)
	d := card.C8Data{
		AID: s.Application.AID, Label: s.Application.Label, PreferredName: s.Application.PreferredName, Language: "zhen", Priority: 1,
		KernelID: s.kernelID(kernel8), AIP: c8AIP, PDOL: []byte{0x9F, 0x2B, s.C8.Qualifier, 0x9E, 64}, CDOL1: c8CDOL1,
		Key: genuine, CardKey: cardKey, Version: version, KeyIndex: 1, FieldOff: device,
		Policy: card.C8Policy{
			Device: device, Verified: b.CDCVM, OfflineLimit: int64(b.OfflineLimit), PINAlways: b.PINAlways, Signature: b.Signature,
			Expiry: [3]byte(packDigits(end.Format("060102"))),
		},
		Envelopes: map[tlv.Tag][]byte{tag.DataEnvelope1: {}, tag.DataEnvelope1 + 1: {}},
	}
	if r := s.C8.Relay; r != nil {
		d.Relay = &card.RelayTiming{Min: r.Min, Max: r.Max, Reply: r.Reply}
	} else {
		d.AIP[1] &^= c8AIPRelay
	}
	if s.Behaviour.OfflineLimit > 0 {
		d.AIP[1] |= c8AIPOffline
	}
	signed := i.c8Record(s, pan, end)
	d.SDAHash = oda.ICCDHash(signed, tlv.Append(nil, tag.CDOL1, c8CDOL1), d.AIP[:])
	keys, err := i.c8Keys(genuine.Public(), d.SDAHash)
	if err != nil {
		return card.C8Data{}, err
	}
	d.Records = append([]card.C8Record{{Record: card.Record{SFI: sfiData, Number: 1, Signed: true, Body: alter(p, signed)}, Private: true}}, keys...)
	if p.own.does(wrongChipKey) {
		if d.Key, err = i.ecKey("card " + p.Name); err != nil {
			return card.C8Data{}, err
		}
	}
	return d, nil
}

// c8Record is the signed record: number, dates, usage, and for devices the payment account reference and form factor.
func (i *Issuer) c8Record(s *document, pan pay.PAN, end time.Time) []byte {
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	for _, o := range []tlv.TLV{
		{Tag: tag.Track2, Value: track2of201(pan, end)}, {Tag: tag.ExpirationDate, Value: packDigits(end.Format("060102"))}, {Tag: tag.PSN, Value: []byte{s.psn()}},
		{Tag: tag.IssuerCountry, Value: china}, {Tag: tag.AUC, Value: allUsage}, {Tag: tag.ApplicationCurrency, Value: china},
		{Tag: tag.ExtendedSDATagList, Value: []byte{byte(tag.CDOL1)}}, // CDOL1 comes before the records, and must not be changed
	} {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	if s.Application.PAR != "" {
		b = tlv.Append(b, tag.PAR, []byte(s.Application.PAR))
	}
	if s.Application.FormFactor != nil {
		b = tlv.Append(b, tag.FormFactor, s.Application.FormFactor)
	}
	return b
}

// c8Keys are the records with the certificates: the issuer's in clear, the card's own enciphered on its way.
func (i *Issuer) c8Keys(key oda.ECPublicKey, hash [oda.ECSize]byte) ([]card.C8Record, error) {
	ca, err := i.ecKey("ca")
	if err != nil {
		return nil, err
	}
	issuer, err := i.ecKey("issuer")
	if err != nil {
		return nil, err
	}
	last := nextMonth(i.certEnd).Add(-time.Minute)
	issuerCert, err := oda.SignECIssuer(ca, MastercardRID, i.index, oda.ECSubject{IssuerID: c8Issuer, Expiry: last, Serial: 0xDE3081, Key: issuer.Public()})
	if err != nil {
		return nil, fmt.Errorf("issuer certificate: %w", err)
	}
	cardCert, err := oda.SignECICC(issuer, oda.ECSubject{Expiry: last, Serial: 0xDE3082, Key: key}, hash)
	if err != nil {
		return nil, fmt.Errorf("card certificate: %w", err)
	}
	a := tlv.Append(tlv.Append(nil, tag.CAIndex, []byte{i.index}), tag.IssuerCertificate, issuerCert)
	b := tlv.Append(nil, tag.ICCCertificate, cardCert)
	return []card.C8Record{
		{Record: card.Record{SFI: sfiKeys, Number: 1, Body: a}},
		{Record: card.Record{SFI: sfiKeys, Number: 2, Body: b}, Private: true},
	}, nil
}
