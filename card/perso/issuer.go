// Package perso personalises software cards: a test CA for each scheme and an
// issuer with their RSA keys and certificates, the issuer's master keys, the
// accounts behind the cards, and the cards, phones and watches by name. What a
// card is like stands in its profile, a YAML file of the folder profiles.
// Everything here carries a mark of the demo (CAName, a range of CA key indexes,
// the beginning of the master keys), and live mode refuses what carries it
// (IsDemoCA, IsDemoKey).
//
// In a tap it stands before the beginning: the terminal is configured with
// CAKeys, the issuer stand-in with Accounts and IMK, and the desk with Card. It
// is no card management system: nothing here is fit for real cards.
package perso

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"time"

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

// Issuer is a test CA for each scheme, one issuer under all of them, and the keys of its cards.
type Issuer struct {
	index     byte
	effective time.Time                   // first day of the cards
	cardEnd   time.Time                   // last day of the cards' validity
	certEnd   time.Time                   // a day in the last month of the certificates
	cas       map[[5]byte]*oda.PrivateKey // by RID
	issuer    *oda.PrivateKey
	icc       map[string]*oda.PrivateKey // by the name that profiles call them
	imk       pay.Secret

	mu   sync.Mutex
	made map[string]certified // by profile: certificates take milliseconds to sign, and cards only read them
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

// firstKeys are the chip keys that the first version of the file had; they are
// drawn first, so that its content stays what its seed gives.
var firstKeys = [...]string{
	"unionpay-debit", "unionpay-credit", "unionpay-phone", "unionpay-watch", "unionpay-pin-always", "unionpay-expired", "unionpay-blocked",
	"unionpay-poor", "unionpay-cloned", "unionpay-cloned-online",
}

func generate(rand io.Reader, index byte, effective, cardEnd, certEnd time.Time) (*Issuer, error) {
	i := &Issuer{
		index: index, effective: effective, cardEnd: cardEnd, certEnd: certEnd,
		cas: map[[5]byte]*oda.PrivateKey{}, icc: map[string]*oda.PrivateKey{},
	}
	var err error
	if i.cas[RID], err = oda.GenerateKey(rand, bitsCA, exponentCA); err != nil {
		return nil, fmt.Errorf("demo CA key: %w", err)
	}
	if i.issuer, err = oda.GenerateKey(rand, bitsIssuer, exponentIC); err != nil {
		return nil, fmt.Errorf("demo issuer key: %w", err)
	}
	for _, name := range firstKeys {
		if i.icc[name], err = oda.GenerateKey(rand, bitsICC, exponentIC); err != nil {
			return nil, fmt.Errorf("demo card key: %w", err)
		}
	}
	imk := make([]byte, imkLen)
	if _, err := io.ReadFull(rand, imk); err != nil {
		return nil, fmt.Errorf("demo issuer master key: %w", err)
	}
	copy(imk, demoKeyMark)
	i.imk = pay.NewSecret(imk)
	_, err = i.complete()
	return i, err
}

// complete makes what the schemes and profiles of today need and the file of
// keys, made by an older Huika, does not have yet. Each key follows from the
// master key and its own name: a new scheme changes no other key.
func (i *Issuer) complete() (changed bool, err error) {
	for _, s := range schemes() {
		if i.cas[s.rid] != nil {
			continue
		}
		if i.cas[s.rid], err = oda.GenerateKey(i.stream(fmt.Sprintf("CA %X", s.rid)), bitsCA, exponentCA); err != nil {
			return changed, fmt.Errorf("demo CA key of %s: %w", s.name, err)
		}
		changed = true
	}
	for _, p := range profiles() {
		for _, name := range p.keyNames() {
			if i.icc[name] != nil {
				continue
			}
			if i.icc[name], err = oda.GenerateKey(i.stream("chip "+name), bitsICC, exponentIC); err != nil {
				return changed, fmt.Errorf("demo card key of %s: %w", p.Name, err)
			}
			changed = true
		}
	}
	return changed, nil
}

// stream is an endless stream of bytes that follows from the master key and a purpose.
func (i *Issuer) stream(purpose string) io.Reader {
	h := hmac.New(sha256.New, i.imk.Reveal())
	h.Write([]byte("huika demo key " + purpose))
	seed := h.Sum(nil)
	block, err := aes.NewCipher(seed[:16])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	return cipher.StreamReader{S: cipher.NewCTR(block, seed[16:]), R: zeros{}}
}

// zeros is an endless reader of zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// IMK is the issuer's master key of the cryptograms: 16 bytes, its first four "DEMO".
func (i *Issuer) IMK() pay.Secret { return i.imk }

// CAKeys are the CA keys that a terminal needs for these cards, one a scheme.
func (i *Issuer) CAKeys() []oda.CAKey {
	var keys []oda.CAKey
	seen := map[[5]byte]bool{} // kernel 8's cards are under another scheme's RID
	for _, s := range schemes() {
		if seen[s.rid] {
			continue
		}
		seen[s.rid] = true
		pub := i.cas[s.rid].Public()
		keys = append(keys, oda.CAKey{RID: s.rid, Index: i.index, Modulus: pub.Modulus, Exponent: pub.Exponent, Expiry: nextMonth(i.certEnd)})
	}
	return keys
}

// CAStore is CAKeys in a store, as a terminal takes them.
func (i *Issuer) CAStore() (*oda.CAStore, error) {
	s := oda.NewCAStore()
	for _, k := range i.CAKeys() {
		if err := s.Add(k, k.Checksum()); err != nil {
			return nil, err
		}
	}
	curve, err := i.C8CAKeys()
	if err != nil {
		return nil, err
	}
	for _, k := range curve {
		if err := s.AddEC(k, k.Checksum()); err != nil {
			return nil, err
		}
	}
	sm, err := i.SM2CAKeys()
	if err != nil {
		return nil, err
	}
	for _, k := range sm {
		if err := s.AddSM2(k, k.Checksum()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func nextMonth(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// IsDemoCA reports that a CA key is of the demo: by its index, or because it is
// a checked-in one under whatever index. Live mode refuses such a key.
func IsDemoCA(k oda.CAKey) bool {
	if k.Index >= demoIndexMin && k.Index <= demoIndexMax {
		return true
	}
	for _, ca := range TestIssuer().cas {
		if bytes.Equal(k.Modulus, ca.Public().Modulus) {
			return true
		}
	}
	return false
}

// IsDemoKey reports that an issuer master key is of the demo. Live mode refuses it.
func IsDemoKey(k pay.Secret) bool { return bytes.HasPrefix(k.Reveal(), []byte(demoKeyMark)) }

// expiry is the last day on which a card is valid. Expired ones ended the month before the others began.
func (i *Issuer) expiry(d *document) time.Time {
	if d.Account.Expired {
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
