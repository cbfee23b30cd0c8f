package keys_test

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"huika/keys"
	"huika/pay"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func secret(t testing.TB, s string) pay.Secret { return pay.NewSecret(unhex(t, s)) }

func pan(t testing.TB, s string) pay.PAN {
	t.Helper()
	p, err := pay.ParsePAN(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const tdesKey = "0123456789ABCDEF FEDCBA9876543210"

// RFC 4493 section 4.
func TestCMACVectors(t *testing.T) {
	mac, err := keys.CMAC(secret(t, "2b7e151628aed2a6abf7158809cf4f3c"))
	if err != nil {
		t.Fatal(err)
	}
	message := unhex(t, "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710")
	for n, want := range map[int]string{
		0:  "bb1d6929e95937287fa37d129b756746",
		16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827",
		64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		full, sum := mac.Full(message[:n]), mac.Sum(message[:n])
		if hex.EncodeToString(full[:]) != want || hex.EncodeToString(sum[:]) != want[:16] {
			t.Errorf("%d bytes: %x and %x, want %s", n, full, sum, want)
		}
	}
}

// RFC 3394 section 4: 128, 192 and 256 bits of key under KEKs of the same lengths.
func TestWrapVectors(t *testing.T) {
	const kek = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	const data = "00112233445566778899AABBCCDDEEFF0001020304050607" + "08090A0B0C0D0E0F"
	for _, c := range []struct {
		kek, data int // bytes
		want      string
	}{
		{16, 16, "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"},
		{24, 16, "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"},
		{32, 16, "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"},
		{24, 24, "031D33264E15D33268F24EC260743EDCE1C6C7DDEE725A936BA814915C6762D2"},
		{32, 24, "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"},
		{32, 32, "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"},
	} {
		t.Run(fmt.Sprint(c.kek, c.data), func(t *testing.T) {
			kek, key := secret(t, kek[:2*c.kek]), secret(t, data[:2*c.data])
			got, err := keys.Wrap(kek, key)
			if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
				t.Fatalf("wrapped %X, %v", got, err)
			}
			back, err := keys.Unwrap(kek, got)
			if err != nil || !keys.Equal(back, key) {
				t.Fatalf("unwrap: %v", err)
			}
			for bit := range 8 * len(got) {
				got[bit/8] ^= 1 << (bit % 8)
				if k, err := keys.Unwrap(kek, got); !errors.Is(err, keys.ErrWrap) || k.Len() != 0 {
					t.Fatalf("bit %d flipped: %v", bit, err)
				}
				got[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
}

func TestWrapRefuses(t *testing.T) {
	kek := secret(t, "000102030405060708090A0B0C0D0E0F")
	for _, n := range []int{0, 8, 15, 17, keys.MaxWrapped + 8} {
		if _, err := keys.Wrap(kek, pay.NewSecret(make([]byte, n))); !errors.Is(err, keys.ErrKey) {
			t.Errorf("wrap of %d bytes: %v", n, err)
		}
	}
	for _, n := range []int{0, 8, 16, 23, 25, keys.MaxWrapped + 16} {
		if _, err := keys.Unwrap(kek, make([]byte, n)); !errors.Is(err, keys.ErrWrap) {
			t.Errorf("unwrap of %d bytes: %v", n, err)
		}
	}
	if _, err := keys.Wrap(pay.NewSecret(make([]byte, 15)), kek); !errors.Is(err, keys.ErrKey) {
		t.Errorf("15-byte KEK: %v", err)
	}
	if _, err := keys.Unwrap(pay.NewSecret(nil), make([]byte, 24)); !errors.Is(err, keys.ErrKey) {
		t.Errorf("no KEK: %v", err)
	}
}

// ISO 9564-1 8.3: the block laid out by hand.
func TestPINBlock(t *testing.T) {
	for _, c := range []struct{ pin, pan, want string }{
		{"1234", "4111111111111111", "041225EEEEEEEEEE"},            // 041234FFFFFFFFFF ^ 0000111111111111
		{"123456", "6228480000000001117", "06123456FFFFFEEE"},       // 06123456FFFFFFFF ^ 0000000000000111
		{"123456789012", "6228481234567890123", "0C1226622EE882ED"}, // 0C123456789012FF ^ 0000123456789012
		{"12345", "6228481234567", "05125677B7EDCBA9"},              // 0512345FFFFFFFFF ^ 0000622848123456
	} {
		b, err := keys.PINBlockISO0([]byte(c.pin), pan(t, c.pan))
		if err != nil || !bytes.Equal(b[:], unhex(t, c.want)) {
			t.Errorf("%s: %X, %v", c.want, b, err)
		}
	}
}

func TestPINRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`[0-9]{13,19}`).Draw(t, "pan")
		p, err := pay.ParsePAN(number)
		if err != nil {
			t.Fatal(err)
		}
		pin := rapid.StringMatching(`[0-9]{4,12}`).Draw(t, "pin")
		draw := func(name string) pay.Secret {
			k := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name)
			k[0], k[8] = 0x10, 0x20 // the halves differ
			return pay.NewSecret(k)
		}
		from, to := draw("from"), draw("to")
		block, err := keys.EncryptPIN([]byte(pin), p, from)
		if err != nil {
			t.Fatal(err)
		}
		block, err = keys.TranslatePIN(block[:], from, to)
		if err != nil {
			t.Fatal(err)
		}
		got, err := keys.DecryptPIN(block[:], p, to)
		if err != nil || string(got.Reveal()) != pin {
			t.Fatalf("read back %q, %v", got.Reveal(), err)
		}
	})
}

// EncryptPIN against the standard library's K1 K2 K1 by hand.
func TestEncryptPIN(t *testing.T) {
	key := unhex(t, tdesKey)
	block, err := des.NewTripleDESCipher(append(append([]byte{}, key...), key[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t, "041225EEEEEEEEEE")
	block.Encrypt(want, want)
	got, err := keys.EncryptPIN([]byte("1234"), pan(t, "4111111111111111"), pay.NewSecret(key))
	if err != nil || !bytes.Equal(got[:], want) {
		t.Fatalf("%X, want %X, %v", got, want, err)
	}
}

func TestPINRefuses(t *testing.T) {
	card, key := pan(t, "6228480000000001117"), secret(t, tdesKey)
	for _, pin := range []string{"", "123", "1234567890123", "12a4", "12 4", "１２３４"} {
		if _, err := keys.PINBlockISO0([]byte(pin), card); !errors.Is(err, keys.ErrPIN) || (pin != "" && strings.Contains(err.Error(), pin)) {
			t.Errorf("PIN %q: %v", pin, err)
		}
	}
	if _, err := keys.PINBlockISO0([]byte("1234"), pan(t, "622848000111")); !errors.Is(err, keys.ErrPIN) {
		t.Errorf("12-digit card number: %v", err)
	}
	for _, clear := range []string{
		"031234FFFFFFFFFF", "0D1234567890123F", "141234FFFFFFFFFF", // length 3, 13, another format
		"04123AFFFFFFFFFF", "0412340FFFFFFFFF", "041234FFFFFFFFFE", // a letter, filler, last filler
	} {
		var b [8]byte
		copy(b[:], unhex(t, clear))
		zero, err := keys.PINBlockISO0([]byte("1234"), card)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range unhex(t, "041234FFFFFFFFFF") {
			b[i] ^= zero[i] ^ x // the PAN half
		}
		if _, err := keys.PINFromBlockISO0(b, card); !errors.Is(err, keys.ErrPIN) {
			t.Errorf("block %s: %v", clear, err)
		}
	}
	for _, n := range []int{0, 7, 9, 16} {
		if _, err := keys.DecryptPIN(make([]byte, n), card, key); !errors.Is(err, keys.ErrPIN) {
			t.Errorf("F52 of %d bytes: %v", n, err)
		}
		if _, err := keys.TranslatePIN(make([]byte, n), key, key); !errors.Is(err, keys.ErrPIN) {
			t.Errorf("translate %d bytes: %v", n, err)
		}
	}
}

// A PIN block is bound to its card: opened for another one it is refused, or gives another PIN.
func TestPINBoundToCard(t *testing.T) {
	key := secret(t, tdesKey)
	block, err := keys.EncryptPIN([]byte("123456"), pan(t, "6228480000000001117"), key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.DecryptPIN(block[:], pan(t, "6228489999999991117"), key)
	if err == nil && string(got.Reveal()) == "123456" {
		t.Error("the block opens for another card")
	}
}

func TestKeysRefused(t *testing.T) {
	card := pan(t, "6228480000000001117")
	for name, k := range map[string]string{
		"8 bytes": "0123456789ABCDEF", "24 bytes": tdesKey + "0123456789ABCDEF", "none": "",
		"equal halves": "0123456789ABCDEF 0123456789ABCDEF", "halves equal but for parity": "0123456789ABCDEF 0022456789ABCDEE",
	} {
		key := secret(t, k)
		if _, err := keys.EncryptPIN([]byte("1234"), card, key); !errors.Is(err, keys.ErrKey) {
			t.Errorf("%s: encrypt %v", name, err)
		}
		if _, err := keys.KCV(key, keys.TDES); !errors.Is(err, keys.ErrKey) {
			t.Errorf("%s: KCV %v", name, err)
		}
		if _, err := keys.Classic(key); !errors.Is(err, keys.ErrKey) {
			t.Errorf("%s: classic %v", name, err)
		}
	}
	if _, err := keys.CMAC(secret(t, "00")); !errors.Is(err, keys.ErrKey) {
		t.Error(err)
	}
	if _, err := keys.KCV(secret(t, "00"), keys.AES); !errors.Is(err, keys.ErrKey) {
		t.Error(err)
	}
	if _, err := keys.KCV(secret(t, tdesKey), 0); !errors.Is(err, keys.ErrKey) {
		t.Error(err)
	}
}

func TestKCV(t *testing.T) {
	// The published check value of this well-known test key begins 08D7B4.
	kcv, err := keys.KCV(secret(t, tdesKey), keys.TDES)
	if err != nil || !bytes.Equal(kcv[:3], unhex(t, "08D7B4")) {
		t.Errorf("TDES %X, %v", kcv, err)
	}
	key := secret(t, "2b7e151628aed2a6abf7158809cf4f3c")
	mac, err := keys.CMAC(key)
	if err != nil {
		t.Fatal(err)
	}
	full := mac.Full(make([]byte, 16))
	if kcv, err := keys.KCV(key, keys.AES); err != nil || !bytes.Equal(kcv[:], full[:4]) {
		t.Errorf("AES %X, %v", kcv, err)
	}
}

// The steps of the classic algorithm, once more, with the library's cipher.
func TestClassic(t *testing.T) {
	key := unhex(t, tdesKey)
	block, err := des.NewTripleDESCipher(append(append([]byte{}, key...), key[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	mac, err := keys.Classic(pay.NewSecret(key))
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"", "1", "12345678", "12345678ABCDEFGH", "12345678ABCDEFGH!"} {
		padded := append([]byte(data), make([]byte, (8-len(data)%8)%8)...)
		fold := make([]byte, 8)
		for i := 0; i < len(padded); i += 8 {
			for j := range 8 {
				fold[j] ^= padded[i+j]
			}
		}
		text := []byte(strings.ToUpper(hex.EncodeToString(fold)))
		first := make([]byte, 8)
		block.Encrypt(first, text[:8])
		for j := range 8 {
			first[j] ^= text[8+j]
		}
		block.Encrypt(first, first)
		want := strings.ToUpper(hex.EncodeToString(first))[:8]
		if got := mac.Sum([]byte(data)); string(got[:]) != want {
			t.Errorf("%q: %s, want %s", data, got, want)
		}
	}
	// The weakness that the threat model names: the order of blocks does not count.
	if mac.Sum([]byte("12345678ABCDEFGH")) != mac.Sum([]byte("ABCDEFGH12345678")) {
		t.Error("the fold is not the classic one")
	}
}

func TestMACsAreConcurrent(t *testing.T) {
	mac, err := keys.CMAC(secret(t, "2b7e151628aed2a6abf7158809cf4f3c"))
	if err != nil {
		t.Fatal(err)
	}
	want := mac.Sum([]byte("the same message"))
	bad := make(chan [8]byte, 4)
	for range 4 {
		go func() {
			var got [8]byte
			for range 200 {
				if got = mac.Sum([]byte("the same message")); got != want {
					break
				}
			}
			bad <- got
		}()
	}
	for range 4 {
		if got := <-bad; got != want {
			t.Errorf("%x, want %x", got, want)
		}
	}
}

func BenchmarkCMAC(b *testing.B) {
	mac, err := keys.CMAC(secret(b, "2b7e151628aed2a6abf7158809cf4f3c"))
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		mac.Sum(data)
	}
}
