package cryptogram

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"huika/emv/tlv"
	"huika/pay"
)

func mchipHex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mchipPAN(t testing.TB, s string) pay.PAN {
	p, err := pay.ParsePAN(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// kcv is the first two bytes of eight zeros under a key.
func kcv(t testing.TB, key pay.Secret) []byte {
	block, err := tdes(key)
	if err != nil {
		t.Fatal(err)
	}
	var x [8]byte
	block.Encrypt(x[:], x[:])
	return x[:2]
}

// The four versions against the numbers that an independent implementation publishes.
func TestMChipVectors(t *testing.T) {
	imk := pay.NewSecret(mchipHex(t, "0123456789ABCDEFFEDCBA9876543210"))
	pan := mchipPAN(t, "1234567890123456")
	fields := map[tlv.Tag]string{
		0x9F02: "000000009999", 0x9F03: "000000000000", 0x9F1A: "0124", 0x95: "8000000000", 0x5F2A: "0124", 0x9A: "209906", 0x9C: "00",
		0x9F37: "ABCDEF12", 0x82: "1800", 0x9F36: "001C",
	}
	for _, c := range []struct {
		version                  MChip
		iad, session, arqc, arpc string
	}{
		{MChip16, "0110A00003220000000000000000000000FF", "2FD5", "24CCF3DEE3158C70", "73F6BBF389A6586C"},
		{MChip17, "0111A00003220000000000000000000322FF", "2FD5", "EAE8A620A75648D8", "29CF11FBDB9CA650"},
		{MChip20, "0114A00003220000000000000000000000FF", "22C8", "CD29615D6452E70E", "DFD0956606B68D64"},
		{MChip21, "0115A00003220000000000000000000322FF", "22C8", "C30E54BE496CF5E5", "4F51F9CC63CE8B3C"},
	} {
		iad := mchipHex(t, c.iad)
		data, err := MChipData(func(g tlv.Tag) ([]byte, bool) {
			if g == 0x9F10 {
				return iad, true
			}
			s, ok := fields[g]
			return mchipHex(t, s), ok
		})
		if err != nil {
			t.Fatal(err)
		}
		card, err := c.version.CardKey(imk, pan, "00", OptionA)
		if err != nil || !bytes.Equal(kcv(t, card), mchipHex(t, "BAB0")) {
			t.Errorf("%v: card key %X %v", c.version, kcv(t, card), err)
		}
		session, err := c.version.SessionKey(card, 0x001C, [4]byte(mchipHex(t, "ABCDEF12")))
		if err != nil || !bytes.Equal(kcv(t, session), mchipHex(t, c.session)) {
			t.Errorf("%v: session key %X %v", c.version, kcv(t, session), err)
		}
		arqc, err := c.version.MAC(session, data)
		if err != nil || !bytes.Equal(arqc[:], mchipHex(t, c.arqc)) {
			t.Errorf("%v: ARQC %X %v", c.version, arqc, err)
		}
		arpc, err := c.version.ARPC(card, 0x001C, arqc, [2]byte{0x00, 0x10})
		if err != nil || !bytes.Equal(arpc[:], mchipHex(t, c.arpc)) {
			t.Errorf("%v: ARPC %X %v", c.version, arpc, err)
		}
	}
}

// CVC3 against published numbers.
func TestCVC3Vector(t *testing.T) {
	key := pay.NewSecret(mchipHex(t, "A3D0BC420A766611F7BC19E7F2E221AF"))
	iv, err := IVCVC3(key, mchipHex(t, "5413123456784800D20061019000990000000F"))
	if err != nil || iv != [2]byte{0xA4, 0x6B} {
		t.Errorf("IVCVC3 %X %v", iv, err)
	}
	c, err := CVC3(key, iv, [4]byte(mchipHex(t, "00000899")), 0x005E)
	if got := int(c[0])<<8 | int(c[1]); err != nil || got != 30687 {
		t.Errorf("CVC3 %d %v", got, err)
	}
}

// Option B is option A up to 16 digits, another key above, and depends on every digit.
func TestMChipOptionB(t *testing.T) {
	imk := pay.NewSecret(mchipHex(t, "0123456789ABCDEFFEDCBA9876543210"))
	key := func(pan, psn string, o MasterKeyOption) string {
		k, err := MChip16.CardKey(imk, mchipPAN(t, pan), psn, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range k.Reveal() {
			n := 0
			for ; b != 0; b &= b - 1 {
				n++
			}
			if n%2 == 0 {
				t.Errorf("a byte of the key has even parity")
			}
		}
		return string(k.Reveal())
	}
	if key("5413330089010434", "01", OptionA) != key("5413330089010434", "01", OptionB) {
		t.Error("16 digits: option B differs from A")
	}
	long := key("5413330089010434001", "01", OptionB)
	if long == key("5413330089010434001", "01", OptionA) || long == key("6413330089010434001", "01", OptionB) || long == key("5413330089010434001", "02", OptionB) {
		t.Error("19 digits: option B is A, or leaves a digit out")
	}
	if key("5413330089010434001", "01", OptionA) != key("6413330089010434001", "01", OptionA) {
		t.Error("option A takes the 16 rightmost digits only")
	}
	// A hash whose digits do not suffice: letters follow, A as 0.
	if got := decimalised([20]byte{0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0x12, 0x34, 0x56, 0xFF, 0x7F}); got != [8]byte{0x12, 0x34, 0x56, 0x70, 0x12, 0x34, 0x50, 0x12} {
		t.Errorf("decimalised %X", got)
	}
}

// What is no M/Chip IAD, and keys that can't be.
func TestMChipRefuses(t *testing.T) {
	for _, s := range []string{"", "0110", "01100102030405060708FF", "0112A00003220000000000000000000000FF00", "0110A0000322000000"} {
		if _, err := ParseMChipIAD(mchipHex(t, s)); !errors.Is(err, ErrData) {
			t.Errorf("%q: %v", s, err)
		}
	}
	d := MChipIAD{KeyIndex: 1, Version: MChip21, CVR: NewMChipCVR(ARQC).WithCDA().WithCDCVM(), DAC: [2]byte{1, 2}, Counters: make([]byte, 8)}
	back, err := ParseMChipIAD(d.Append(nil))
	if err != nil || !bytes.Equal(back.Append(nil), d.Append(nil)) || back.CVR.Type() != ARQC || !back.CVR.CDA() || !back.CVR.CDCVM() {
		t.Errorf("%+v %v", back, err)
	}
	if c := NewMChipCVR(TC); c.CDA() || c.CDCVM() || c.Type() != TC || c[0] != 0x90 {
		t.Errorf("%X", c)
	}
	short := pay.NewSecret([]byte{1})
	pan := mchipPAN(t, "5413330089010434001")
	_, err1 := MChip16.CardKey(short, pan, "00", OptionB)
	_, err2 := MChip16.CardKey(pay.NewSecret(make([]byte, 16)), pan, "x", OptionB)
	_, err3 := MChip16.SessionKey(short, 1, [4]byte{})
	_, err4 := MChip20.ARPC(short, 1, [8]byte{}, [2]byte{})
	_, err5 := CVC3(short, [2]byte{}, [4]byte{}, 1)
	_, err6 := MChip16.CardKey(short, pan, "00", OptionA)
	for i, err := range []error{err1, err2, err3, err4, err5, err6} {
		if !errors.Is(err, ErrKey) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := MChipData(func(tlv.Tag) ([]byte, bool) { return nil, false }); !errors.Is(err, ErrData) {
		t.Error(err)
	}
}

func FuzzMChipIAD(f *testing.F) {
	f.Add([]byte{1, 0x10, 0xA0, 0, 3, 0x22, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseMChipIAD(b)
		if err == nil && !bytes.Equal(d.Append(nil), b) {
			t.Errorf("%X comes back as %X", b, d.Append(nil))
		}
	})
}
