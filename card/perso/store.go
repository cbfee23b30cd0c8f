package perso

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"huika/emv/oda"
	"huika/pay"
)

// FileName is the file that Save writes and Load reads in their folder.
const FileName = "demo-issuer.json"

const fileFormat = 1

// file is an Issuer as JSON. It holds private keys in clear: they are keys of the demo.
type file struct {
	Format    int                   `json:"format"`
	Mark      string                `json:"mark"` // CAName
	Index     byte                  `json:"ca_index"`
	Effective string                `json:"effective"` // YYYY-MM-DD
	CardEnd   string                `json:"card_end"`
	CertEnd   string                `json:"certificate_end"`
	CA        filePrimes            `json:"ca"`            // UnionPay's
	CAs       map[string]filePrimes `json:"cas,omitempty"` // the other schemes', by RID
	Issuer    filePrimes            `json:"issuer"`
	Cards     map[string]filePrimes `json:"cards"`
	IMK       string                `json:"imk"`
}

type filePrimes struct {
	P string `json:"p"`
	Q string `json:"q"`
	E int    `json:"e"`
}

// ErrFile is wrapped by what Load refuses.
var ErrFile = errors.New("demo issuer file")

func primesOf(k *oda.PrivateKey, e int) filePrimes {
	p, q := k.Primes()
	return filePrimes{hex.EncodeToString(p), hex.EncodeToString(q), e}
}

func (f filePrimes) key() (*oda.PrivateKey, error) {
	p, err1 := hex.DecodeString(f.P)
	q, err2 := hex.DecodeString(f.Q)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("%w: primes are not hex", ErrFile)
	}
	k, err := oda.NewPrivateKey(p, q, f.E)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return k, nil
}

func (i *Issuer) encode() ([]byte, error) {
	f := file{
		Format: fileFormat, Mark: CAName, Index: i.index, Effective: i.effective.Format(time.DateOnly),
		CardEnd: i.cardEnd.Format(time.DateOnly), CertEnd: i.certEnd.Format(time.DateOnly),
		CA: primesOf(i.cas[RID], exponentCA), CAs: map[string]filePrimes{}, Issuer: primesOf(i.issuer, exponentIC), Cards: map[string]filePrimes{},
		IMK: hex.EncodeToString(i.imk.Reveal()),
	}
	for rid, k := range i.cas {
		if rid != RID {
			f.CAs[hex.EncodeToString(rid[:])] = primesOf(k, exponentCA)
		}
	}
	for name, k := range i.icc {
		f.Cards[name] = primesOf(k, exponentIC)
	}
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

func decode(b []byte) (*Issuer, error) {
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%w: not JSON of this form", ErrFile) // the decoder's words may quote a key
	}
	if f.Format != fileFormat || f.Mark != CAName || f.Index < demoIndexMin || f.Index > demoIndexMax {
		return nil, fmt.Errorf("%w: format, mark or CA key index is not of the demo", ErrFile)
	}
	i := &Issuer{index: f.Index, cas: map[[5]byte]*oda.PrivateKey{}, icc: map[string]*oda.PrivateKey{}}
	var errs [5]error
	i.effective, errs[0] = time.Parse(time.DateOnly, f.Effective)
	i.cardEnd, errs[1] = time.Parse(time.DateOnly, f.CardEnd)
	i.certEnd, errs[2] = time.Parse(time.DateOnly, f.CertEnd)
	i.cas[RID], errs[3] = f.CA.key()
	i.issuer, errs[4] = f.Issuer.key()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	for text, primes := range f.CAs {
		rid, err := hex.DecodeString(text)
		if err != nil || len(rid) != len(RID) {
			return nil, fmt.Errorf("%w: CA key of %q: want a RID of 5 bytes", ErrFile, text)
		}
		if i.cas[[5]byte(rid)], err = primes.key(); err != nil {
			return nil, fmt.Errorf("CA key of %s: %w", text, err)
		}
	}
	for name, primes := range f.Cards {
		k, err := primes.key()
		if err != nil {
			return nil, fmt.Errorf("card %s: %w", name, err)
		}
		i.icc[name] = k
	}
	for _, name := range firstKeys {
		if i.icc[name] == nil {
			return nil, fmt.Errorf("%w: the key of %s is missing", ErrFile, name)
		}
	}
	imk, err := hex.DecodeString(f.IMK)
	if i.imk = pay.NewSecret(imk); err != nil || len(imk) != imkLen || !IsDemoKey(i.imk) {
		return nil, fmt.Errorf("%w: issuer master key is not one of the demo", ErrFile)
	}
	return i, nil
}

// Save writes the issuer into the folder dir (made when missing, 0700), the file with mode 0600,
// whole or not at all.
func (i *Issuer) Save(dir string) error {
	b, err := i.encode()
	if err != nil {
		return fmt.Errorf("save demo issuer: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("save demo issuer: %w", err)
	}
	f, err := os.CreateTemp(dir, FileName+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("save demo issuer: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, FileName))
	}
	if err != nil {
		return fmt.Errorf("save demo issuer: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// Load reads what Save wrote. Keys that a newer Huika needs are made and saved
// beside the others, which stay. A missing file is fs.ErrNotExist; a damaged or
// unmarked one ErrFile.
func Load(dir string) (*Issuer, error) {
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		return nil, fmt.Errorf("load demo issuer: %w", err)
	}
	i, err := decode(b)
	if err != nil {
		return nil, err
	}
	changed, err := i.complete()
	if err == nil && changed {
		err = i.Save(dir)
	}
	return i, err
}

//go:embed test-issuer.json
var testIssuerFile []byte

// TestIssuer is the checked-in issuer, for tests and simulations. Its keys are
// public. Its cards are valid from 2000 to 2049, so that clocks of tests may
// stand anywhere between; its expired card ended in December 1999.
var TestIssuer = sync.OnceValue(func() *Issuer {
	i, err := decode(testIssuerFile)
	if err != nil {
		panic(fmt.Sprintf("checked-in demo issuer: %v", err)) // the embedded file is part of the program
	}
	if _, err := i.complete(); err != nil { // what a scheme adds before the file is made again
		panic(fmt.Sprintf("checked-in demo issuer: %v", err))
	}
	return i
})
