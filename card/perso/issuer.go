// Package perso personalises software cards: a test CA and issuer with their RSA keys and
// certificates, the issuer's master key, the accounts behind the cards, and
// the cards, phones and watches by name. Everything in it carries a mark of the
// demo (CAName, a range of CA key indexes, the beginning of the master key), and
// live mode refuses what carries it (IsDemoCA, IsDemoKey).
//
// In a tap it stands before the beginning: the terminal is configured with
// CAKeys, the issuer stand-in with Accounts and IMK, and the desk with Card. It
// is no card management system: nothing here is fit for real cards.
package perso

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"huika/card"
	"huika/emv/oda"
	"huika/pay"
)

// The marks of the demo.
const (
	CAName       = "HUIKA DEMO CA" // stands in the key file
	demoIndexMin = 0xE0            // CA key indexes of the demo
	demoIndexMax = 0xEF
	testIndex    = 0xE1   // TestIssuer's
	madeIndex    = 0xE2   // Generate's
	demoKeyMark  = "DEMO" // first bytes of the issuer master key
)

// Key sizes in bits. The issuer's certificate fits the CA's key with a remainder,
// the card's the issuer's; the card's signature fits a GPO response.
const (
	bitsCA     = 1408
	bitsIssuer = 1152
	bitsICC    = 1024
	exponentCA = 3
	exponentIC = 3
	imkLen     = 16
)

// RID is UnionPay's registered application provider identifier.
var RID = [5]byte{0xA0, 0x00, 0x00, 0x03, 0x33}

// Issuer is the test CA, the issuer under it, and the keys of their cards.
type Issuer struct {
	index     byte
	effective time.Time // first day of the cards
	cardEnd   time.Time // last day of the cards' validity
	certEnd   time.Time // a day in the last month of the certificates
	ca        *oda.PrivateKey
	issuer    *oda.PrivateKey
	icc       map[string]*oda.PrivateKey // by profile; clones have their own wrong ones
	imk       pay.Secret

	mu   sync.Mutex
	made map[string]card.Data // by profile: certificates take milliseconds to sign, and cards only read them
}

// Format keeps keys out of every verb.
func (i *Issuer) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// Validity of what Generate makes.
const (
	cardYears = 5
	certYears = 8
)

// Generate makes a new issuer whose cards are valid from now's month on for
// cardYears. It depends on rand and now only and takes about a second.
func Generate(rand io.Reader, now time.Time) (*Issuer, error) {
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return generate(rand, madeIndex, first, first.AddDate(cardYears, 1, -1), first.AddDate(certYears, 0, 0))
}

func generate(rand io.Reader, index byte, effective, cardEnd, certEnd time.Time) (*Issuer, error) {
	i := &Issuer{index: index, effective: effective, cardEnd: cardEnd, certEnd: certEnd, icc: map[string]*oda.PrivateKey{}}
	var err error
	if i.ca, err = oda.GenerateKey(rand, bitsCA, exponentCA); err != nil {
		return nil, fmt.Errorf("demo CA key: %w", err)
	}
	if i.issuer, err = oda.GenerateKey(rand, bitsIssuer, exponentIC); err != nil {
		return nil, fmt.Errorf("demo issuer key: %w", err)
	}
	for _, p := range profiles {
		if p.Form == FormThing {
			continue
		}
		if i.icc[p.Name], err = oda.GenerateKey(rand, bitsICC, exponentIC); err != nil {
			return nil, fmt.Errorf("demo card key: %w", err)
		}
	}
	imk := make([]byte, imkLen)
	if _, err := io.ReadFull(rand, imk); err != nil {
		return nil, fmt.Errorf("demo issuer master key: %w", err)
	}
	copy(imk, demoKeyMark)
	i.imk = pay.NewSecret(imk)
	return i, nil
}

// IMK is the issuer's master key of the cryptograms: 16 bytes, its first four "DEMO".
func (i *Issuer) IMK() pay.Secret { return i.imk }

// CAKeys are the CA keys that a terminal needs for these cards.
func (i *Issuer) CAKeys() []oda.CAKey {
	pub := i.ca.Public()
	return []oda.CAKey{{RID: RID, Index: i.index, Modulus: pub.Modulus, Exponent: pub.Exponent, Expiry: nextMonth(i.certEnd)}}
}

// CAStore is CAKeys in a store, as a terminal takes them.
func (i *Issuer) CAStore() (*oda.CAStore, error) {
	s := oda.NewCAStore()
	for _, k := range i.CAKeys() {
		if err := s.Add(k, k.Checksum()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func nextMonth(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// IsDemoCA reports that a CA key is of the demo: by its index, or because it is
// the checked-in one under whatever index. Live mode refuses such a key.
func IsDemoCA(k oda.CAKey) bool {
	return k.Index >= demoIndexMin && k.Index <= demoIndexMax || bytes.Equal(k.Modulus, TestIssuer().ca.Public().Modulus)
}

// IsDemoKey reports that an issuer master key is of the demo. Live mode refuses it.
func IsDemoKey(k pay.Secret) bool { return bytes.HasPrefix(k.Reveal(), []byte(demoKeyMark)) }

// expiry is the last day on which a card is valid. Expired ones ended the month before the others began.
func (i *Issuer) expiry(s *spec) time.Time {
	if s.expired {
		return i.effective.AddDate(0, 0, -1)
	}
	return i.cardEnd
}

// Contactless is what every card and thing can do; it is nfc.Card's shape.
type Contactless interface {
	ATR() []byte
	Reset()
	Transmit(command []byte) (response []byte)
}

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
	data, err := i.data(p)
	if err != nil {
		return nil, fmt.Errorf("card %s: %w", name, err)
	}
	return card.New(data, state, rand)
}

// data is what the card of a profile holds, made at its first use.
func (i *Issuer) data(p Profile) (card.Data, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	d, ok := i.made[p.Name]
	if ok {
		return d, nil
	}
	d, err := i.personalise(p)
	if err == nil {
		if i.made == nil {
			i.made = map[string]card.Data{}
		}
		i.made[p.Name] = d
	}
	return d, err
}
