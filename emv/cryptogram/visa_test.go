package cryptogram

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"huika/emv/tlv"
	"huika/pay"
)

func visaHex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func visaPAN(t testing.TB, s string) pay.PAN {
	p, err := pay.ParsePAN(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// visaFields are the transaction of the vectors; 9F10 is added by each case.
var visaFields = map[tlv.Tag]string{
	0x9F02: "000000004000", 0x9F03: "000000000000", 0x9F1A: "0124", 0x95: "8000048000", 0x5F2A: "0124", 0x9A: "191105", 0x9C: "01",
	0x9F37: "52BF4585", 0x82: "1800", 0x9F36: "001C",
}

func visaGetter(t testing.TB, iad string) func(tlv.Tag) ([]byte, bool) {
	return func(g tlv.Tag) ([]byte, bool) {
		if g == 0x9F10 {
			return visaHex(t, iad), true
		}
		v, ok := visaFields[g]
		return visaHex(t, v), ok
	}
}

// CVN 10 and 18 against the numbers that an independent implementation publishes.
func TestVisaVectors(t *testing.T) {
	imk := pay.NewSecret(visaHex(t, "0123456789ABCDEFFEDCBA9876543210"))
	smi := pay.NewSecret(visaHex(t, "FEDCBA98765432100123456789ABCDEF"))
	pan := visaPAN(t, "1234567890123456")
	const atc = 0x001C
	for _, c := range []struct {
		version                              Visa
		iad, session, ac, status, arpc, smac string
	}{
		{VisaCVN10, "06010A03A06010", "BAB0", "29CCA15AE665FA2E", "3030", "28993816AFAE4AEB" + "3030", "DB56BA60087CEFD3"},
		{VisaCVN18, "06011203A0B800", "22C8", "7A788EA6B8A3E733", "00000000", "9AF514C1" + "00000000", "04EDE90BC24CC35E"},
	} {
		data, err := VisaData(visaGetter(t, c.iad))
		if err != nil {
			t.Fatal(err)
		}
		udk, err1 := c.version.CardKey(imk, pan, "00")
		key, err2 := c.version.SessionKey(udk, atc)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if got := visaKCV(t, udk); !bytes.Equal(got, visaHex(t, "BAB0")) {
			t.Errorf("%v: card key %X", c.version, got)
		}
		if got := visaKCV(t, key); !bytes.Equal(got, visaHex(t, c.session)) {
			t.Errorf("%v: session key %X", c.version, got)
		}
		ac, err := c.version.MAC(key, data)
		if err != nil || !bytes.Equal(ac[:], visaHex(t, c.ac)) {
			t.Errorf("%v: cryptogram %X %v", c.version, ac, err)
		}
		arpc, err := c.version.ARPC(udk, atc, ac, visaHex(t, c.status))
		if err != nil || !bytes.Equal(arpc, visaHex(t, c.arpc)) {
			t.Errorf("%v: 91 is %X %v", c.version, arpc, err)
		}
		// APPLICATION UNBLOCK
		udkSMI, err1 := c.version.CardKey(smi, pan, "00")
		sk, err2 := c.version.ScriptKey(udkSMI, atc)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if a, b := visaKCV(t, udkSMI), visaKCV(t, sk); !bytes.Equal(a, visaHex(t, "F010")) || !bytes.Equal(b, visaHex(t, "DB10")) {
			t.Errorf("%v: script keys %X %X", c.version, a, b)
		}
		mac, err := c.version.ScriptMAC(sk, visaHex(t, "8418000008"), atc, ac, nil)
		if err != nil || !bytes.Equal(mac[:], visaHex(t, c.smac)) {
			t.Errorf("%v: script MAC %X %v", c.version, mac, err)
		}
	}
}

// visaKCV is the first two bytes of eight zeros under a key.
func visaKCV(t testing.TB, key pay.Secret) []byte {
	block, err := tdes(key)
	if err != nil {
		t.Fatal(err)
	}
	var x [8]byte
	block.Encrypt(x[:], x[:])
	return x[:2]
}

// What each version covers, byte for byte.
func TestVisaData(t *testing.T) {
	common := "000000004000000000000000012480000480000124191105" + "01" + "52BF4585" + "1800" + "001C"
	format2 := "1F220103A0B000000000000000000000000000000000000000000000000000" + "00"
	for iad, want := range map[string]string{
		"06010A03A06010":     common + "03A06010",
		"06011103A06010":     "000000004000" + "52BF4585" + "001C" + "A0",
		"06011203A0B800":     common + "06011203A0B800",
		"06011203A0B80005AA": common + "06011203A0B80005AA",
		format2:              common + format2,
	} {
		got, err := VisaData(visaGetter(t, iad))
		if err != nil || !bytes.Equal(got, visaHex(t, want)) {
			t.Errorf("%s: got  %X %v\nwant %s", iad, got, err, want)
		}
	}
	for _, without := range []tlv.Tag{0x9F02, 0x9F37, 0x9F36, 0x9F10} {
		get := visaGetter(t, "06011103A06010")
		_, err := VisaData(func(g tlv.Tag) ([]byte, bool) {
			if g == without {
				return nil, false
			}
			return get(g)
		})
		if !errors.Is(err, ErrData) {
			t.Errorf("without %s: %v", without, err)
		}
	}
}

// The cryptogram of CVN 17 by hand: two blocks, the second padded with zeros.
func TestVisaCVN17(t *testing.T) {
	key := pay.NewSecret(visaHex(t, "0123456789ABCDEFFEDCBA9876543210"))
	data, err := VisaData(visaGetter(t, "06011103A06010"))
	if err != nil {
		t.Fatal(err)
	}
	short, err1 := VisaCVN17.MAC(key, data)
	padded, err2 := VisaCVN17.MAC(key, append(bytes.Clone(data), 0, 0, 0))
	more, err3 := VisaCVN17.MAC(key, append(bytes.Clone(data), 0x80, 0, 0))
	emv, err4 := VisaCVN18.MAC(key, data)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	if len(data) != 13 || short != padded || short == more || more != emv {
		t.Errorf("%d bytes: %X %X %X %X", len(data), short, padded, more, emv)
	}
}

func TestVisaIAD(t *testing.T) {
	for _, v := range []Visa{VisaCVN10, VisaCVN17, VisaCVN18, VisaCVN22} {
		d := VisaIAD{Version: v, KeyIndex: 7, CVR: NewVisaCVR(ARQC).WithCDCVM().WithDDA()}
		b := d.Append(nil)
		got, err := ParseVisaIAD(b)
		if err != nil || got.Version != v || got.KeyIndex != 7 || got.CVR != d.CVR || !got.CVR.CDCVM() || !got.CVR.DDA() || got.CVR.OnlinePIN() || got.CVR.Type() != ARQC {
			t.Errorf("%v: %X gives %+v %v", v, b, got, err)
		}
		if b[4]&0x30 != 0x20 {
			t.Errorf("%v: byte 5 of %X names no ARQC", v, b)
		}
		if v == VisaCVN22 && len(b) != 32 {
			t.Errorf("format 2 of %d bytes", len(b))
		}
	}
	if s := VisaCVN10.String() + VisaCVN18.String() + VisaCVN22.String(); s != "CVN 10CVN 18CVN 22" {
		t.Error(s)
	}
	for _, bad := range []string{"", "06010A03A060", "06012203A06010", "06010C03A06010", "05010A03A06010", "06010A04A06010", "1F220103A0B00000", "07010103A02000"} {
		if d, err := ParseVisaIAD(visaHex(t, bad)); !errors.Is(err, ErrData) {
			t.Errorf("%s: %+v %v", bad, d, err)
		}
	}
}

func TestVisaRefuses(t *testing.T) {
	short := pay.NewSecret(make([]byte, 8))
	good := pay.NewSecret(make([]byte, 16))
	for _, v := range []Visa{VisaCVN10, VisaCVN18} {
		_, err1 := v.SessionKey(short, 1)
		_, err2 := v.MAC(short, nil)
		_, err3 := v.ScriptKey(short, 1)
		_, err4 := v.ARPC(short, 1, [8]byte{}, []byte("00"))
		for i, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, ErrKey) {
				t.Errorf("%v: %d: %v", v, i, err)
			}
		}
		if _, err := v.ARPC(good, 1, [8]byte{}, []byte("000")); !errors.Is(err, ErrData) {
			t.Errorf("%v: status of 3 bytes: %v", v, err)
		}
	}
}

func FuzzParseVisaIAD(f *testing.F) {
	f.Add(visaHex(f, "06010A03A06010"))
	f.Add(VisaIAD{Version: VisaCVN22, KeyIndex: 1, CVR: NewVisaCVR(TC)}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseVisaIAD(b)
		if err != nil {
			return
		}
		if back := d.Append(nil); !bytes.Equal(back, b) {
			t.Errorf("%X comes back as %X", b, back)
		}
	})
}
