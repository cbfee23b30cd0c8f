package perso

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
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

// Card numbers of the cards for kernel 8 and of the tokens of devices: two more ranges under 541333.
const (
	rangeC8Cards  = "5413338"
	rangeC8Tokens = "5413337"
)

// c8Spec is what personalisation of a card for kernel 8 needs beyond the words of its profile.
type c8Spec struct {
	spec
	version cryptogram.AES
	pdol    []byte
	third   string // device type of 9F6E; "": none
	policy  card.C8Policy
}

type c8Profile struct {
	Profile
	c8 *c8Spec
}

// PDOLs: the kernel qualifier in its length of eight bytes and the earlier one of five, then the kernel's key.
var (
	c8PDOL      = []byte{0x9F, 0x2B, 8, 0x9E, 64}
	c8PDOLShort = []byte{0x9F, 0x2B, 5, 0x9E, 64}
	c8CDOL1     = []byte{0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4, 0x9F, 0x35, 1,
		0x9F, 0x21, 3, 0x9F, 0x1D, 8, 0x9F, 0x33, 3}
	kernel8 = []byte{0x08}
	// AIP: local authentication; IAD-MAC at the default offset, relay resistance; offline capable.
	c8AIP        = [2]byte{0x01, 0x03}
	c8AIPOffline = byte(0x08)
)

var c8s = []c8Profile{
	{Profile{Name: "c8", TitleZH: "C-8 卡", TitleEN: "C-8 card", HintZH: "椭圆曲线加密通道；小额免密，大额输密码", HintEN: "elliptic-curve channel; no PIN for small amounts, online PIN above",
		Form: FormCard, Account: "c8"},
		&c8Spec{spec: spec{body: rangeC8Cards + "14142135", psn: 0x01, label: "KERNEL 8", fen: plenty}, version: cryptogram.AES17, pdol: c8PDOL,
			policy: card.C8Policy{Signature: true, OfflineLimit: 100_00}}},
	{Profile{Name: "c8-phone", TitleZH: "手机 C-8", TitleEN: "C-8 phone", HintZH: "手机已验证持卡人，不输密码", HintEN: "the phone verified its holder: no PIN",
		Form: FormPhone, Account: "c8-phone"},
		&c8Spec{spec: spec{body: rangeC8Tokens + "17320508", psn: 0x01, label: "KERNEL 8", fen: plenty, device: true}, version: cryptogram.AES17, pdol: c8PDOL,
			third: devicePhone, policy: card.C8Policy{Device: true, Verified: true}}},
	{Profile{Name: "c8-watch", TitleZH: "手表 C-8", TitleEN: "C-8 watch", HintZH: "戴在手上已解锁，不输密码", HintEN: "unlocked on the wrist: no PIN",
		Form: FormWatch, Account: "c8-watch"},
		&c8Spec{spec: spec{body: rangeC8Tokens + "22360679", psn: 0x02, label: "KERNEL 8", fen: plenty, device: true}, version: cryptogram.AES16, pdol: c8PDOLShort,
			third: deviceWatch, policy: card.C8Policy{Device: true, Verified: true}}},
	{Profile{Name: "c8-phone-locked", TitleZH: "未解锁的手机 C-8", TitleEN: "C-8 phone, locked", HintZH: "请先看手机", HintEN: "asks its holder to unlock it",
		Form: FormPhone, Account: "c8-phone"},
		&c8Spec{policy: card.C8Policy{Device: true}}},
	{Profile{Name: "c8-cloned", TitleZH: "克隆 C-8 卡（终端识破）", TitleEN: "C-8 clone, caught by the terminal", HintZH: "芯片密钥不对，终端拒绝", HintEN: "wrong chip key: declined at the terminal",
		Form: FormCard, Account: "c8"},
		&c8Spec{spec: spec{wrongICC: true}, policy: card.C8Policy{Signature: true, OfflineLimit: 100_00}}},
}

// C8Profiles are the cards, phones and watches for kernel 8, in the order in which a desk shows them.
func C8Profiles() []Profile {
	list := make([]Profile, 0, len(c8s))
	for _, p := range c8s {
		q := p.Profile
		q.spec = &p.c8.spec
		list = append(list, q)
	}
	return list
}

func c8ByName(name string) (c8Profile, bool) {
	i := slices.IndexFunc(c8s, func(p c8Profile) bool { return p.Name == name })
	if i < 0 {
		return c8Profile{}, false
	}
	return c8s[i], true
}

// owner is the profile whose public data p carries: its own, except for clones and the locked phone.
func (p c8Profile) owner() c8Profile {
	o, _ := c8ByName(p.Account) // a test checks that it is there
	return o
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

// C8IMK is the issuer's master key of the cryptograms of these cards: an AES key of 16 bytes, its first four "DEMO".
func (i *Issuer) C8IMK() pay.Secret { return i.derivedIMK("kernel 8 cryptogram") }

// C8Accounts are the accounts behind these cards, as Accounts are behind the others.
func (i *Issuer) C8Accounts(pin func(profile string) string) []Account {
	var accounts []Account
	for _, p := range c8s {
		if p.Account != p.Name {
			continue
		}
		pan, err := p.c8.pan()
		if err != nil {
			panic(fmt.Sprintf("perso: %s: %v", p.Name, err)) // a fault of the table above; a test checks it
		}
		accounts = append(accounts, Account{
			Profile: p.Name, PAN: pan, PSN: p.c8.sequence(), Expiry: i.expiry(&p.c8.spec).Format("0601"), Status: StatusOK,
			Balance: p.c8.fen, Currency: pay.CNY, PIN: pay.NewSecret([]byte(pin(p.Name))), PINTries: MaxPINTries, CDCVMDevice: p.c8.device,
		})
	}
	return accounts
}

// C8Card makes the card of that name; it is Card's counterpart. An unknown name is an error.
func (i *Issuer) C8Card(name string, state card.State, rand io.Reader) (Contactless, error) {
	data, err := i.C8Data(name)
	if err != nil {
		return nil, err
	}
	return card.NewC8(data, state, rand)
}

// C8Data is what C8Card personalises a card with, for tests that misbehave.
func (i *Issuer) C8Data(name string) (card.C8Data, error) {
	p, ok := c8ByName(name)
	if !ok {
		return card.C8Data{}, fmt.Errorf("no card for kernel 8 is named %q", name)
	}
	data, err := i.c8(p)
	if err != nil {
		return card.C8Data{}, fmt.Errorf("card %s: %w", name, err)
	}
	return data, nil
}

// c8 makes a card's data and certificates.
func (i *Issuer) c8(p c8Profile) (card.C8Data, error) {
	owner := p.owner()
	s := owner.c8
	pan, err := s.pan()
	if err != nil {
		return card.C8Data{}, err
	}
	cardKey, err := s.version.CardKey(i.C8IMK(), pan, s.sequence())
	if err != nil {
		return card.C8Data{}, err
	}
	genuine, err := i.ecKey("card " + owner.Name)
	if err != nil {
		return card.C8Data{}, err
	}
	end := i.expiry(&s.spec)
	d := card.C8Data{
		AID: mcAID, Label: s.label, PreferredName: "Kernel 8", Language: "zhen", Priority: 1, KernelID: kernel8, AIP: c8AIP, PDOL: s.pdol, CDOL1: c8CDOL1,
		Key: genuine, CardKey: cardKey, Version: s.version, KeyIndex: 1, FieldOff: s.device,
		Relay: &card.RelayTiming{Min: 10, Max: 250, Reply: 24}, Policy: p.c8.policy,
		Envelopes: map[tlv.Tag][]byte{tag.DataEnvelope1: {}, tag.DataEnvelope1 + 1: {}},
	}
	d.Policy.Expiry = [3]byte(packDigits(end.Format("060102")))
	if s.policy.OfflineLimit > 0 {
		d.AIP[1] |= c8AIPOffline
	}
	signed := i.c8Record(s, pan, end)
	d.SDAHash = oda.ICCDHash(signed, tlv.Append(nil, tag.CDOL1, c8CDOL1), d.AIP[:])
	keys, err := i.c8Keys(genuine.Public(), d.SDAHash)
	if err != nil {
		return card.C8Data{}, err
	}
	d.Records = append([]card.C8Record{{Record: card.Record{SFI: sfiData, Number: 1, Signed: true, Body: signed}, Private: true}}, keys...)
	if p.c8.wrongICC {
		if d.Key, err = i.ecKey("card " + p.Name); err != nil {
			return card.C8Data{}, err
		}
	}
	return d, nil
}

// c8Record is the signed record: number, dates, usage, and for devices the payment account reference and form factor.
func (i *Issuer) c8Record(s *c8Spec, pan pay.PAN, end time.Time) []byte {
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	for _, o := range []tlv.TLV{
		{Tag: tag.Track2, Value: mcTrack2(pan, end)}, {Tag: tag.ExpirationDate, Value: packDigits(end.Format("060102"))}, {Tag: tag.PSN, Value: []byte{s.psn}},
		{Tag: tag.IssuerCountry, Value: china}, {Tag: tag.AUC, Value: allUsage}, {Tag: tag.ApplicationCurrency, Value: china},
		{Tag: tag.ExtendedSDATagList, Value: []byte{byte(tag.CDOL1)}}, // CDOL1 comes before the records, and must not be changed
	} {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	if s.device {
		digits := pan.Reveal()
		b = tlv.Append(b, tag.PAR, []byte("5001"+"HUIKADEMO"+"0000000000000"+digits[len(digits)-3:]))
		b = tlv.Append(b, tag.FormFactor, mcThirdParty(s.third))
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
	issuerCert, err := oda.SignECIssuer(ca, MastercardRID, i.index, oda.ECSubject{IssuerID: issuerMC, Expiry: last, Serial: 0xDE3081, Key: issuer.Public()})
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
