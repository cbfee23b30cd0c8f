// Package bdh is the secure channel of kernel 8: blinded Diffie-Hellman on P-256
// (EMV Contactless Book E, 7), the session keys that come of it, secure
// messaging, and the two codes over a transaction, IAD-MAC and EDA-MAC (Book E, 3.2).
// It has both sides: NewKernelKey and Open for the terminal, Respond for the card.
//
// In a tap it stands around everything after GET PROCESSING OPTIONS: the kernel
// sends a fresh public key, the card answers with its own key times a blinding
// factor r, so that nobody who listens can tell one card from another, and r
// enciphered under the new keys. When the kernel has the card's certificate it
// checks with r that the blinded key was that card's (Blinded.Verify). Whether a
// failure declines is the kernel's rule, not decided here.
//
// All multiplications with secrets go through crypto/ecdh, which is constant-time
// and gives the x coordinate alone; that is all that the scheme needs, because x
// of d·P and of d·(−P) are one. So a card's d·r·Q is made by two of them, and no
// arithmetic modulo the group's order is done here.
//
// Sources: two public implementations that cite Book E, which agree on the key
// derivation and the counters; EDA-MAC was checked against a scheme's worked
// example, and the rest by an independent recomputation in the tests. The
// book itself was not at hand.
package bdh

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"huika/emv/cryptogram"
	"huika/emv/oda"
)

// Sizes.
const (
	KernelKeySize = 2 * oda.ECSize // kernel key data 9E: x ‖ y
	CardKeySize   = 2 * oda.ECSize // card key data 9F8103: x of the blinded key ‖ enciphered r
	MACSize       = 8
	keySize       = 16
)

// Message counters (Book E, 8.6.2): the card's first message is 8000, the kernel's 0000.
const (
	firstCardMessage   = 0x8000
	firstKernelMessage = 0x0000
	lastMessage        = 0xFFFF // never used (Book C-8)
)

// Errors that callers tell apart with errors.Is. They carry no key material.
var (
	ErrKeyData  = errors.New("bdh: key data are no point of the curve, or have a wrong length")
	ErrCounter  = errors.New("bdh: message counter is used up")
	ErrMAC      = errors.New("bdh: MAC does not match")
	ErrBlinding = errors.New("bdh: blinded key is not the certified card's")
)

// KernelKey is the kernel's key of one transaction. It prints as "[secret]".
type KernelKey struct{ key *ecdh.PrivateKey }

// Format keeps the key out of every verb.
func (KernelKey) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// NewKernelKey draws a key. It depends on the bytes of rand alone.
func NewKernelKey(rand io.Reader) (KernelKey, error) {
	k, err := oda.ECScalar(rand)
	return KernelKey{k}, err
}

// Public is kernel key data (9E): x ‖ y.
func (k KernelKey) Public() [KernelKeySize]byte {
	return [KernelKeySize]byte(k.key.PublicKey().Bytes()[1:])
}

// Blinded is what the kernel learns of the card's key: x of r·Qc, and r.
type Blinded struct{ x, r [oda.ECSize]byte }

// Format keeps r out of every verb: with it, sightings of one card can be linked.
func (Blinded) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// Open takes card key data (9F8103) on the kernel's side: it agrees on the
// session keys and deciphers r, which is the card's message 8000. Errors: ErrKeyData.
func (k KernelKey) Open(cardKeyData []byte) (*Channel, Blinded, error) {
	if len(cardKeyData) != CardKeySize {
		return nil, Blinded{}, fmt.Errorf("%w: card key data of %d bytes", ErrKeyData, len(cardKeyData))
	}
	var b Blinded
	copy(b.x[:], cardKeyData)
	z, err := multiply(k.key, b.x[:])
	if err != nil {
		return nil, Blinded{}, err
	}
	c, err := newChannel(z)
	if err != nil {
		return nil, Blinded{}, err
	}
	return c, b, c.FromCard(b.r[:], cardKeyData[oda.ECSize:])
}

// Verify checks that the blinded key was q times r (Book E, 7.3): the card that
// talks in this channel has the private half of the certified key q. Errors: ErrBlinding.
func (b Blinded) Verify(q oda.ECPublicKey) error {
	r, err := ecdh.P256().NewPrivateKey(b.r[:])
	if err != nil {
		return fmt.Errorf("%w: blinding factor is out of range", ErrBlinding)
	}
	p, err := q.ECDH()
	if err != nil {
		return err
	}
	x, err := r.ECDH(p)
	if err != nil || subtle.ConstantTimeCompare(x, b.x[:]) != 1 {
		return ErrBlinding
	}
	return nil
}

// Respond is the card's side of GET PROCESSING OPTIONS: it draws r, blinds its
// key and agrees on the session keys. kernelKeyData is 9E. Errors: ErrKeyData, and rand's.
func Respond(rand io.Reader, card *oda.ECPrivateKey, kernelKeyData []byte) (cardKeyData [CardKeySize]byte, c *Channel, err error) {
	qk, err := ecdh.P256().NewPublicKey(append([]byte{0x04}, kernelKeyData...))
	if err != nil {
		return cardKeyData, nil, fmt.Errorf("%w: kernel key data", ErrKeyData)
	}
	d, err := card.ECDH()
	if err != nil {
		return cardKeyData, nil, err
	}
	r, err := oda.ECScalar(rand)
	if err != nil {
		return cardKeyData, nil, err
	}
	blinded, err := r.ECDH(d.PublicKey())
	if err != nil {
		return cardKeyData, nil, err
	}
	copy(cardKeyData[:], blinded)
	shared, err := d.ECDH(qk)
	if err != nil {
		return cardKeyData, nil, err
	}
	z, err := multiply(r, shared)
	if err != nil {
		return cardKeyData, nil, err
	}
	if c, err = newChannel(z); err != nil {
		return cardKeyData, nil, err
	}
	return cardKeyData, c, c.FromCard(cardKeyData[oda.ECSize:], r.Bytes())
}

// multiply is x of k times the point with x coordinate x (either one: its negative gives the same).
func multiply(k *ecdh.PrivateKey, x []byte) ([]byte, error) {
	p, err := oda.NewECPublicKey(x)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyData, err)
	}
	q, err := p.ECDH()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyData, err)
	}
	return k.ECDH(q)
}

// Channel is one transaction's secure messaging. Both sides hold one and must
// pass the same messages through it in the same order. It is used by one task
// at a time.
type Channel struct {
	confidential cipher.Block     // SKc
	integrity    *cryptogram.CMAC // SKi
	kernel, card uint16           // KMC and CMC: the next message's counter
}

// derivation is what session keys are made of, behind the key's number (Book E, 7.2).
var derivation = [15]byte{0x01, 0x00, 0x54, 0x33, 0x4A, 0x32, 0x59, 0x57, 0x77, 0x3D, 0xA5, 0xA5, 0xA5, 0x01, 0x80}

// newChannel derives the keys of the shared secret z (Book E, 7.2): Kd = AES-CMAC under
// zeros of z; SKc and SKi = AES under Kd of 01 or 02 ‖ derivation.
func newChannel(z []byte) (*Channel, error) {
	zero, err := cryptogram.NewCMAC(make([]byte, keySize))
	if err != nil {
		return nil, err
	}
	kd := zero.Sum(z)
	parent, err := cryptogram.NewCMAC(kd[:])
	if err != nil {
		return nil, err
	}
	var skc, ski [keySize]byte
	skc[0], ski[0] = 1, 2
	copy(skc[1:], derivation[:])
	copy(ski[1:], derivation[:])
	parent.Block().Encrypt(skc[:], skc[:])
	parent.Block().Encrypt(ski[:], ski[:])
	return channelOf(skc, ski)
}

func channelOf(skc, ski [keySize]byte) (*Channel, error) {
	confidential, err := cryptogram.NewCMAC(skc[:])
	if err != nil {
		return nil, err
	}
	integrity, err := cryptogram.NewCMAC(ski[:])
	if err != nil {
		return nil, err
	}
	return &Channel{confidential: confidential.Block(), integrity: integrity, kernel: firstKernelMessage, card: firstCardMessage}, nil
}

// Format keeps the keys out of every verb.
func (*Channel) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// crypt is AES-CTR with a counter block of message counter(2) ‖ zeros (Book E,
// 8.6.2). It enciphers and deciphers; dst and src may be the same.
func (c *Channel) crypt(counter uint16, dst, src []byte) {
	var block, stream [16]byte
	binary.BigEndian.PutUint16(block[:], counter)
	for i := uint64(0); len(src) > 0; i++ {
		binary.BigEndian.PutUint64(block[8:], i)
		c.confidential.Encrypt(stream[:], block[:])
		n := subtle.XORBytes(dst, src, stream[:])
		dst, src = dst[n:], src[n:]
	}
}

// next takes a counter's value and moves it on. Errors: ErrCounter.
func next(counter *uint16) (uint16, error) {
	if *counter == lastMessage {
		return 0, ErrCounter
	}
	*counter++
	return *counter - 1, nil
}

// FromCard enciphers (card) or deciphers (kernel) one message of the card
// without a MAC, such as a record; dst must be as long as src and may be src. Errors: ErrCounter.
func (c *Channel) FromCard(dst, src []byte) error {
	n, err := next(&c.card)
	if err == nil {
		c.crypt(n, dst, src)
	}
	return err
}

// FromKernel is FromCard for what the kernel sends, such as WRITE DATA.
func (c *Channel) FromKernel(dst, src []byte) error {
	n, err := next(&c.kernel)
	if err == nil {
		c.crypt(n, dst, src)
	}
	return err
}

// mac is a message's MAC: the leftmost 8 bytes of AES-CMAC over counter ‖ data.
func (c *Channel) mac(counter uint16, data []byte) [MACSize]byte {
	full := c.integrity.Sum([]byte{byte(counter >> 8), byte(counter)}, data)
	return [MACSize]byte(full[:MACSize])
}

// SealData is the card's answer to READ DATA: the object enciphered, then the
// MAC over what is enciphered; both take one counter. Errors: ErrCounter.
func (c *Channel) SealData(plain []byte) ([]byte, error) {
	n, err := next(&c.card)
	if err != nil {
		return nil, err
	}
	b := make([]byte, len(plain), len(plain)+MACSize)
	c.crypt(n, b, plain)
	m := c.mac(n, b)
	return append(b, m[:]...), nil
}

// OpenData is the kernel's side of SealData. A wrong MAC does not move the counter. Errors: ErrCounter, ErrMAC.
func (c *Channel) OpenData(sealed []byte) ([]byte, error) {
	if c.card == lastMessage {
		return nil, ErrCounter
	}
	if len(sealed) < MACSize {
		return nil, ErrMAC
	}
	body := sealed[:len(sealed)-MACSize]
	m := c.mac(c.card, body)
	if subtle.ConstantTimeCompare(m[:], sealed[len(body):]) != 1 {
		return nil, ErrMAC
	}
	plain := make([]byte, len(body))
	return plain, c.FromCard(plain, body)
}

// Receipt is the card's answer to WRITE DATA: the MAC over the object in clear.
// The kernel calls it too and compares (CheckReceipt). Errors: ErrCounter.
func (c *Channel) Receipt(plain []byte) ([MACSize]byte, error) {
	n, err := next(&c.card)
	if err != nil {
		return [MACSize]byte{}, err
	}
	return c.mac(n, plain), nil
}

// CheckReceipt is the kernel's side of Receipt. Errors: ErrCounter, ErrMAC.
func (c *Channel) CheckReceipt(plain, receipt []byte) error {
	m, err := c.Receipt(plain)
	if err == nil && subtle.ConstantTimeCompare(m[:], receipt) != 1 {
		return ErrMAC
	}
	return err
}

// IADMAC is the issuer application data MAC (Book E, 3.2): the leftmost 8 bytes of
// AES-CMAC+ over 0000 ‖ PDOL data ‖ CDOL1 data ‖ terminal relay resistance
// entropy ‖ last relay resistance response ‖ the objects of the GENERATE AC
// response without 9F26 and 9F8105 ‖ SDA hash, which the caller gives as parts in this order.
func (c *Channel) IADMAC(parts ...[]byte) [MACSize]byte {
	all := make([][]byte, 0, 8)
	x := c.integrity.Sum(append(append(all, []byte{0, 0}), parts...)...)
	// AES-CMAC+ (Book E, 8.6.5): the code is deciphered in CBC mode with itself
	// as initialisation vector, so that the CMAC itself never leaves.
	var plus [16]byte
	c.integrity.Block().Decrypt(plus[:], x[:])
	subtle.XORBytes(plus[:], plus[:], x[:])
	return [MACSize]byte(plus[:MACSize])
}

// EDAMAC is the enhanced data authentication MAC (Book E, 3.2): the leftmost 8 bytes
// of AES-CMAC over 0000 ‖ AC ‖ IAD-MAC.
func (c *Channel) EDAMAC(ac []byte, iadMAC [MACSize]byte) [MACSize]byte {
	x := c.integrity.Sum([]byte{0, 0}, ac, iadMAC[:])
	return [MACSize]byte(x[:MACSize])
}
