package pay

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Secret is key material, a PIN or track data. It prints as "[secret]" in
// every form; Reveal gives the bytes, Wipe clears them.
// Like PAN it holds a pointer, so that no printed struct shows it: a pointer to
// a pointer, because fmt follows one pointer to a slice under a wrong verb.
type Secret struct {
	b **[]byte
	_ [0]func()
}

// NewSecret takes ownership of b.
func NewSecret(b []byte) Secret {
	p := &b
	return Secret{b: &p}
}

// Reveal is the content itself, not a copy.
func (s Secret) Reveal() []byte {
	if s.b == nil {
		return nil
	}
	return **s.b
}

// Len is the length of the content in bytes.
func (s Secret) Len() int { return len(s.Reveal()) }

// Wipe overwrites the content with zeros.
func (s Secret) Wipe() { clear(s.Reveal()) }

const redacted = "[secret]"

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) } // fmt.State's Write reports to fmt itself
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }

// Sealer protects what must be kept (a PAN at rest, a full trace). The
// context binds the box to its place: opening it under another context fails.
type Sealer interface {
	// Seal returns an authenticated box.
	Seal(plain []byte, context string) ([]byte, error)
	// Open returns what was sealed, or ErrSealed when the box, the key or the context is another.
	Open(box []byte, context string) ([]byte, error)
}

// ErrSealed says that a box can't be opened with this key and context.
var ErrSealed = errors.New("sealed data: wrong key, wrong context or changed bytes")

const sealVersion = 1

type gcmSealer struct {
	aead cipher.AEAD
	rand io.Reader
}

// NewGCMSealer is a Sealer of AES-256-GCM under a 32-byte key with random
// 96-bit nonces (NIST SP 800-38D 8.2.2: at most 2^32 boxes a key). Layout:
// version(1) ‖ nonce(12) ‖ ciphertext ‖ tag(16).
func NewGCMSealer(key Secret, rand io.Reader) (Sealer, error) {
	if key.Len() != 32 {
		return nil, fmt.Errorf("sealing key: want 32 bytes, have %d", key.Len())
	}
	block, err := aes.NewCipher(key.Reveal())
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcmSealer{aead, rand}, nil
}

func (g gcmSealer) Seal(plain []byte, context string) ([]byte, error) {
	n := g.aead.NonceSize()
	box := make([]byte, 1+n, 1+n+len(plain)+g.aead.Overhead())
	box[0] = sealVersion
	if _, err := io.ReadFull(g.rand, box[1:]); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return g.aead.Seal(box, box[1:1+n], plain, []byte(context)), nil
}

func (g gcmSealer) Open(box []byte, context string) ([]byte, error) {
	n := g.aead.NonceSize()
	if len(box) < 1+n+g.aead.Overhead() || box[0] != sealVersion {
		return nil, ErrSealed
	}
	plain, err := g.aead.Open(nil, box[1:1+n], box[1+n:], []byte(context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
