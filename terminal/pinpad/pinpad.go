// Package pinpad is the terminal's secure component: the only place where the
// digits of a PIN exist outside the fingers that typed them. A page seals the
// digits to a key that the pad made for one try of one payment (HPKE, RFC 9180,
// base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM); the pad opens
// them, forms the PIN block under the PIN working key and forgets both.
//
// It is not a screen, keeps no key beyond its try, logs nothing, and its errors
// carry no digits. In a tap it stands between a card or a limit that asks for
// the cardholder and field 52 of the request.
package pinpad

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"huika/keys"
	"huika/pay"
)

// Lengths of a PIN (ISO 9564-1).
const (
	MinDigits = keys.MinPIN
	MaxDigits = keys.MaxPIN
)

// MaxAttempts bounds how often a sealed PIN may be handed in for one try: a
// page needs one, and a second where the person typed too few digits.
const MaxAttempts = 10

// Errors of Enter.
var (
	ErrClosed = errors.New("PIN pad: not open for this try")
	ErrSealed = errors.New("PIN pad: the sealed PIN does not open")
	ErrDigits = errors.New("PIN pad: want 4 to 12 digits")
)

// ikmLen is the input key material of DeriveKeyPair: at least the 32 bytes of a P-256 key (RFC 9180 7.1.3).
const ikmLen = 32

// sealed lengths: encapsulated key 65, tag 16, and the digits between.
const (
	encLen    = 65
	tagLen    = 16
	minSealed = encLen + tagLen
	maxSealed = minSealed + 64 // above any PIN, so that a wrong length is told as ErrDigits
)

// Pad is one PIN pad. All methods may be called from any task; none waits.
type Pad struct {
	rand io.Reader
	mu   sync.Mutex
	key  hpke.PrivateKey // nil: closed
	info string
	left int // attempts
}

// New makes a closed pad that draws its keys from rand.
func New(rand io.Reader) *Pad { return &Pad{rand: rand} }

// Info is what a try's HPKE context is bound to: the payment id, "/", the try.
func Info(payment pay.PaymentID, try int) string { return string(payment) + "/" + strconv.Itoa(try) }

// Open makes a fresh key for one try and forgets the one before. It returns the
// uncompressed P-256 point.
func (p *Pad) Open(payment pay.PaymentID, try int) (publicKey []byte, err error) {
	ikm := make([]byte, ikmLen)
	defer clear(ikm)
	if _, err := io.ReadFull(p.rand, ikm); err != nil {
		return nil, fmt.Errorf("PIN pad key: %w", err)
	}
	key, err := hpke.DHKEM(ecdh.P256()).DeriveKeyPair(ikm)
	if err != nil {
		return nil, fmt.Errorf("PIN pad key: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.info, p.left = key, Info(payment, try), MaxAttempts
	return key.PublicKey().Bytes(), nil
}

// Enter opens enc ‖ ct (aad is empty) and gives F52: the ISO 9564-1 format 0
// block of the digits and pan under the PIN working key. A pad gives one block
// an opening: afterwards, and for any other try, it returns ErrClosed. After
// ErrSealed and ErrDigits the same try may be repeated, MaxAttempts times in all.
func (p *Pad) Enter(payment pay.PaymentID, try int, sealed []byte, pan pay.PAN, workingKey pay.Secret) ([8]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key == nil || p.info != Info(payment, try) || p.left == 0 {
		return [8]byte{}, ErrClosed
	}
	p.left--
	if len(sealed) < minSealed || len(sealed) > maxSealed {
		return [8]byte{}, ErrSealed
	}
	digits, err := hpke.Open(p.key, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte(p.info), sealed)
	if err != nil {
		return [8]byte{}, ErrSealed // the cause says nothing that the page or the log may know
	}
	defer clear(digits)
	if !isPIN(digits) {
		return [8]byte{}, ErrDigits
	}
	block, err := keys.EncryptPIN(digits, pan, workingKey)
	if err != nil {
		return [8]byte{}, fmt.Errorf("PIN pad: %w", err)
	}
	p.close()
	return block, nil
}

func isPIN(digits []byte) bool {
	if len(digits) < MinDigits || len(digits) > MaxDigits {
		return false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}

// Close forgets the key; a PIN that was sealed to it can't be opened any more.
func (p *Pad) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close()
}

func (p *Pad) close() { p.key, p.info, p.left = nil, "", 0 }
