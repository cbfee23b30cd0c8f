package pinpad

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"huika/keys"
	"huika/pay"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 9180 A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base
// mode. The pad's key from ikmR is pkRm, and opens the first message.
func TestVector(t *testing.T) {
	ikmR := unhex(t, "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550")
	p := New(bytes.NewReader(ikmR))
	pub, err := p.Open("x", 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0"; hex.EncodeToString(pub) != want {
		t.Fatalf("public key %x, want %s", pub, want)
	}
	enc := unhex(t, "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4")
	r, err := hpke.NewRecipient(enc, p.key, hpke.HKDFSHA256(), hpke.AES128GCM(), unhex(t, "4f6465206f6e2061204772656369616e2055726e"))
	if err != nil {
		t.Fatal(err)
	}
	pt, err := r.Open(unhex(t, "436f756e742d30"), unhex(t, "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434"))
	if err != nil || string(pt) != "Beauty is truth, truth beauty" {
		t.Fatalf("opened %q, %v", pt, err)
	}
}

var (
	pan, _     = pay.ParsePAN("6228480402564890")
	workingKey = pay.NewSecret([]byte("0123456789abcdef"))
)

const id pay.PaymentID = "0123456789abcdefghjkmnpqrs"

func seal(t *testing.T, pub []byte, info, digits string) []byte {
	t.Helper()
	point, err := ecdh.P256().NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	key, err := hpke.NewDHKEMPublicKey(point)
	if err != nil {
		t.Fatal(err)
	}
	box, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte(info), []byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func open(t *testing.T, p *Pad, try int) []byte {
	t.Helper()
	pub, err := p.Open(id, try)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func TestBlock(t *testing.T) {
	for _, digits := range []string{"1234", "123456", "123456789012"} {
		p := New(rand.Reader)
		pub := open(t, p, 1)
		f52, err := p.Enter(id, 1, seal(t, pub, Info(id, 1), digits), pan, workingKey)
		if err != nil {
			t.Fatal(err)
		}
		pin, err := keys.DecryptPIN(f52[:], pan, workingKey)
		if err != nil || string(pin.Reveal()) != digits {
			t.Errorf("the block holds another PIN than %d digits that were sealed: %v", len(digits), err)
		}
		if _, err := p.Enter(id, 1, seal(t, pub, Info(id, 1), digits), pan, workingKey); !errors.Is(err, ErrClosed) {
			t.Errorf("a second PIN for the same opening: %v, want ErrClosed", err)
		}
	}
}

func TestRefusals(t *testing.T) {
	p := New(rand.Reader)
	old := open(t, p, 1)
	oldBox := seal(t, old, Info(id, 1), "123456")
	pub := open(t, p, 2)
	for _, c := range []struct {
		name   string
		try    int
		sealed []byte
		want   error
	}{
		{"PIN of the try before", 1, oldBox, ErrClosed},
		{"PIN of the try before, handed in for this one", 2, oldBox, ErrSealed},
		{"bound to another try", 2, seal(t, pub, Info(id, 1), "123456"), ErrSealed},
		{"bound to another payment", 2, seal(t, pub, Info("other", 2), "123456"), ErrSealed},
		{"three digits", 2, seal(t, pub, Info(id, 2), "123"), ErrDigits},
		{"thirteen digits", 2, seal(t, pub, Info(id, 2), "1234567890123"), ErrDigits},
		{"a letter", 2, seal(t, pub, Info(id, 2), "12345x"), ErrDigits},
		{"nothing", 2, nil, ErrSealed},
		{"too long", 2, make([]byte, 4096), ErrSealed},
	} {
		if _, err := p.Enter(id, c.try, c.sealed, pan, workingKey); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		} else if strings.Contains(fmt.Sprint(err), "1234") {
			t.Errorf("%s: the error carries digits", c.name)
		}
	}
	if _, err := p.Enter(id, 2, seal(t, pub, Info(id, 2), "123456"), pan, workingKey); err != nil {
		t.Errorf("a good PIN after refusals: %v", err)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	p := New(rand.Reader)
	pub := open(t, p, 1)
	for range MaxAttempts {
		if _, err := p.Enter(id, 1, nil, pan, workingKey); !errors.Is(err, ErrSealed) {
			t.Fatalf("%v, want ErrSealed", err)
		}
	}
	if _, err := p.Enter(id, 1, seal(t, pub, Info(id, 1), "123456"), pan, workingKey); !errors.Is(err, ErrClosed) {
		t.Errorf("after %d attempts: %v, want ErrClosed", MaxAttempts, err)
	}
	p.Close()
	if _, err := p.Enter(id, 1, nil, pan, workingKey); !errors.Is(err, ErrClosed) {
		t.Errorf("closed pad: %v, want ErrClosed", err)
	}
}
