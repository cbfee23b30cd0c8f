package c3

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"testing"

	"huika/emv/oda"
)

// Every field of 93 is checked: each is changed under a hash that is right again.
func TestVerifyStatic(t *testing.T) {
	issuer := keys().issuer
	static := []byte("signed records")
	size := len(issuer.Public().Modulus)
	if err := verifyStatic(issuer.Public(), signStatic(issuer, static), static); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int{"header": 0, "format": 1, "algorithm": 2, "padding": 5, "last of the padding": size - 22, "trailer": size - 1} {
		block := ssadBlock(size, static)
		block[at] ^= 0x01
		h := sha1.New()
		h.Write(block[1 : size-21])
		h.Write(static)
		copy(block[size-21:], h.Sum(nil))
		if err := verifyStatic(issuer.Public(), signBlock(issuer, block), static); !errors.Is(err, oda.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, ssad := range map[string][]byte{
		"absent": nil, "short": signStatic(issuer, static)[1:], "not below the modulus": bytes.Repeat([]byte{0xFF}, size),
		"of another issuer": signStatic(keys().ca, static)[:size],
	} {
		if err := verifyStatic(issuer.Public(), ssad, static); !errors.Is(err, oda.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verifyStatic(issuer.Public(), signStatic(issuer, static), append(static, 0)); !errors.Is(err, oda.ErrHash) {
		t.Errorf("other data: %v", err)
	}
}
