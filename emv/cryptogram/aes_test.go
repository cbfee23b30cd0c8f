package cryptogram

import (
	"bytes"
	"crypto/aes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"huika/emv/tlv"
	"huika/pay"
)

// RFC 4493, section 4.
func TestCMACVectors(t *testing.T) {
	key := mchipHex(t, "2B7E151628AED2A6ABF7158809CF4F3C")
	message := mchipHex(t, "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E5130C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710")
	c, err := NewCMAC(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		n    int
		want string
	}{
		{0, "BB1D6929E95937287FA37D129B756746"}, {16, "070A16B46B4D4144F79BDD9DD04A287C"},
		{40, "DFA66747DE9AE63030CA32611497C827"}, {64, "51F0BEBF7E3B9D92FC49741779363CFE"},
	} {
		got := c.Sum(message[:v.n])
		if fmt.Sprintf("%X", got) != v.want {
			t.Errorf("%d bytes: %X", v.n, got)
		}
		for cut := range v.n {
			if c.Sum(message[:cut], nil, message[cut:v.n]) != got {
				t.Errorf("%d bytes cut at %d differ", v.n, cut)
			}
		}
	}
	if _, err := NewCMAC(make([]byte, 17)); !errors.Is(err, ErrKey) {
		t.Errorf("17 bytes: %v", err)
	}
}

// aesFields is field 55 of the worked example of a scheme's AES card, without 9F10 and 9F26.
var aesFields = map[tlv.Tag]string{
	0x9F02: "000000010000", 0x9F03: "000000001000", 0x9F1A: "0840", 0x95: "0000001080", 0x5F2A: "0840", 0x9A: "151124", 0x9C: "00",
	0x9F37: "11111111", 0x82: "1B80", 0x9F36: "0001",
}

func aesGet(t testing.TB, more map[tlv.Tag]string) func(tlv.Tag) ([]byte, bool) {
	return func(g tlv.Tag) ([]byte, bool) {
		for _, m := range []map[tlv.Tag]string{more, aesFields} {
			if v, ok := m[g]; ok {
				return mchipHex(t, v), true
			}
		}
		return nil, false
	}
}

// The worked example: card key of 128 and of 256 bits, common session key, cryptogram.
func TestAESVectors(t *testing.T) {
	data, err := AESData(aesGet(t, map[tlv.Tag]string{0x9F10: "0117A080032420000000" + "0000000000000000"}))
	if err != nil {
		t.Fatal(err)
	}
	if want := "00000001000000000000100008400000001080084015112400111111111B800001A080032420000000000000000000"; fmt.Sprintf("%X", data) != want {
		t.Fatalf("data %X", data)
	}
	for _, c := range []struct{ key, arqc string }{
		{"2EF6E07ECBA86BCF3C3CFF7BBEBE6F38", "25038F4A7BDE69E2"},
		{"14D63F23982740AC65B482BAF5913092D8132BAA4143A24D3CF437232711A507", "1847D8073E4D181D"},
	} {
		session, err := AES17.SessionKey(pay.NewSecret(mchipHex(t, c.key)), 1)
		if err != nil {
			t.Fatal(err)
		}
		mac, err := AES17.MAC(session, data)
		if err != nil || fmt.Sprintf("%X", mac) != c.arqc {
			t.Errorf("key of %d bytes: %X, %v", len(c.key)/2, mac, err)
		}
	}
}

// Keys, session keys and answers, computed a second time from crypto/aes alone.
func TestAESDerivations(t *testing.T) {
	imk := mchipHex(t, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")
	block := func(key, in []byte) []byte {
		b, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]byte, 16)
		b.Encrypt(out, in)
		return out
	}
	for _, c := range []struct{ body, psn string }{
		{"541333901234567", "01"}, {"541333008901043", "00"}, {"622800010000111", "99"}, {"629999013570246891", "01"}, {"123456789012", "07"},
	} {
		pan := mchipPAN(t, c.body+string(pay.LuhnDigit(c.body)))
		digits := pan.Reveal() + c.psn
		y := mchipHex(t, strings.Repeat("0", 32-len(digits))+digits)
		k128, err := AES16.CardKey(pay.NewSecret(bytes.Clone(imk[:16])), pan, c.psn)
		if err != nil || !bytes.Equal(k128.Reveal(), block(imk[:16], y)) {
			t.Errorf("%s: card key of 128 bits: %v", c.psn, err)
		}
		k256, err := AES16.CardKey(pay.NewSecret(bytes.Clone(imk)), pan, c.psn)
		not := bytes.Clone(y)
		for i := range not {
			not[i] = ^not[i]
		}
		if err != nil || !bytes.Equal(k256.Reveal(), append(block(imk, y), block(imk, not)...)) {
			t.Errorf("%s: card key of 256 bits: %v", c.psn, err)
		}
	}
	card := pay.NewSecret(bytes.Clone(imk[:16]))
	session, err := AES16.SessionKey(card, 0x1234)
	if err != nil || !bytes.Equal(session.Reveal(), block(imk[:16], append([]byte{0x12, 0x34}, make([]byte, 14)...))) {
		t.Errorf("session key: %v", err)
	}
	long, err := AES16.SessionKey(pay.NewSecret(bytes.Clone(imk)), 0x1234)
	l, r := append([]byte{0x12, 0x34, 0xF0}, make([]byte, 13)...), append([]byte{0x12, 0x34, 0x0F}, make([]byte, 13)...)
	if err != nil || !bytes.Equal(long.Reveal(), append(block(imk, l), block(imk, r)...)) {
		t.Errorf("session key of 256 bits: %v", err)
	}
	arqc := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	c, err := NewCMAC(session.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	whole := c.Sum(arqc[:], []byte("00"), make([]byte, 6))
	if got, err := AES16.ARPC(card, 0x1234, arqc, [2]byte{'0', '0'}); err != nil || got != [8]byte(whole[:8]) {
		t.Errorf("ARPC %X, %v", got, err)
	}
	whole = c.Sum(arqc[:], []byte{3, 0x92, 0, 0}, []byte{9})
	if got, err := AES16.ARPC2(card, 0x1234, arqc, [4]byte{3, 0x92, 0, 0}, []byte{9}); err != nil || got != [4]byte(whole[:4]) {
		t.Errorf("ARPC 2 %X, %v", got, err)
	}
}

func TestAESErrors(t *testing.T) {
	pan := mchipPAN(t, "5413330089010434")
	short, good := pay.NewSecret(make([]byte, 15)), pay.NewSecret(make([]byte, 16))
	middle := pay.NewSecret(make([]byte, 24))
	for name, f := range map[string]func() error{
		"card key, short":    func() error { _, err := AES16.CardKey(short, pan, "01"); return err },
		"card key, 24 bytes": func() error { _, err := AES16.CardKey(middle, pan, "01"); return err },
		"card key, psn":      func() error { _, err := AES16.CardKey(good, pan, "1"); return err },
		"card key, psn text": func() error { _, err := AES16.CardKey(good, pan, "x1"); return err },
		"session, short":     func() error { _, err := AES16.SessionKey(short, 1); return err },
		"session, 24 bytes":  func() error { _, err := AES16.SessionKey(middle, 1); return err },
		"MAC, short":         func() error { _, err := AES16.MAC(short, nil); return err },
		"ARPC, short":        func() error { _, err := AES16.ARPC(short, 1, [8]byte{}, [2]byte{}); return err },
		"ARPC 2, short":      func() error { _, err := AES16.ARPC2(short, 1, [8]byte{}, [4]byte{}, nil); return err },
		"verify, short": func() error {
			_, _, err := VerifyAES(short, pan, "01", aesGet(t, map[tlv.Tag]string{0x9F10: "0116A08003242000000000"}))
			return err
		},
	} {
		if err := f(); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := AES16.ARPC2(good, 1, [8]byte{}, [4]byte{}, make([]byte, 9)); !errors.Is(err, ErrData) {
		t.Errorf("nine bytes of proprietary data: %v", err)
	}
	for _, iad := range []string{"", "0116A080032420", "0110A080032420000000", "0117" + fmt.Sprintf("%062d", 0)} {
		if _, _, err := VerifyAES(good, pan, "01", aesGet(t, map[tlv.Tag]string{0x9F10: iad})); !errors.Is(err, ErrData) {
			t.Errorf("9F10 %q: %v", iad, err)
		}
	}
	if _, err := AESData(aesGet(t, map[tlv.Tag]string{0x9F10: "0116A080032420000000", 0x95: "00"})); !errors.Is(err, ErrData) {
		t.Errorf("TVR of one byte: %v", err)
	}
}

// VerifyAES takes what a card makes and nothing that was changed on its way.
func TestVerifyAES(t *testing.T) {
	imk, pan := pay.NewSecret(mchipHex(t, "44454D4F000102030405060708090A0B")), mchipPAN(t, "5413330089010434")
	for _, version := range []AES{AES16, AES17} {
		iad := AESIAD{KeyIndex: 1, Version: version, CVR: NewMChipCVR(ARQC), DAC: [2]byte{0, 1}, Rest: make([]byte, 22)}
		for i := range 8 {
			iad.Rest[14+i] = byte(0xA0 + i)
		}
		if mac, ok := iad.IADMAC(); !ok || mac != [8]byte{0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7} {
			t.Errorf("IAD-MAC %X", mac)
		}
		fields := map[tlv.Tag]string{0x9F10: fmt.Sprintf("%X", iad.Append(nil))}
		data, err := AESData(aesGet(t, fields))
		if err != nil {
			t.Fatal(err)
		}
		key, err := version.CardKey(imk, pan, "01")
		if err != nil {
			t.Fatal(err)
		}
		session, err := version.SessionKey(key, 1)
		if err != nil {
			t.Fatal(err)
		}
		mac, err := version.MAC(session, data)
		if err != nil {
			t.Fatal(err)
		}
		fields[0x9F26] = fmt.Sprintf("%X", mac)
		got, ok, err := VerifyAES(imk, pan, "01", aesGet(t, fields))
		if err != nil || !ok || got.CVR != iad.CVR || !bytes.Equal(got.Append(nil), iad.Append(nil)) {
			t.Fatalf("version %X: %v, %v", byte(version), ok, err)
		}
		for g, v := range map[tlv.Tag]string{0x9F02: "000000010001", 0x95: "0000001081", 0x9F26: "0000000000000000", 0x9F36: "0002", 0x82: "1B81"} {
			changed := map[tlv.Tag]string{g: v}
			for k, w := range fields {
				if k != g {
					changed[k] = w
				}
			}
			if _, ok, err := VerifyAES(imk, pan, "01", aesGet(t, changed)); ok || err != nil {
				t.Errorf("version %X: %s changed: %v, %v", byte(version), g, ok, err)
			}
		}
		iad.Rest[21] ^= 1 // the IAD-MAC
		fields[0x9F10] = fmt.Sprintf("%X", iad.Append(nil))
		if _, ok, _ := VerifyAES(imk, pan, "01", aesGet(t, fields)); ok != (version == AES16) {
			t.Errorf("version %X covers the IAD-MAC: %v", byte(version), !ok)
		}
		if _, ok, _ := VerifyAES(imk, pan, "02", aesGet(t, fields)); ok {
			t.Error("another sequence number")
		}
	}
	if _, ok := (AESIAD{Rest: make([]byte, 21)}).IADMAC(); ok {
		t.Error("an IAD-MAC without a place")
	}
}

func FuzzParseAESIAD(f *testing.F) {
	f.Add(mchipHex(f, "0117A0800324200000000000000000000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseAESIAD(b)
		if err == nil && !bytes.Equal(d.Append(nil), b) {
			t.Errorf("%X does not come back", b)
		}
	})
}

func TestCMACParts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c, err := NewCMAC(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "key"))
		if err != nil {
			r.Fatal(err)
		}
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 5).Draw(r, "parts")
		if c.Sum(parts...) != c.Sum(bytes.Join(parts, nil)) {
			r.Fatal("the cut matters")
		}
	})
}
