package cryptogram

import (
	"bytes"
	"errors"
	"testing"

	"huika/emv/tlv"
	"huika/pay"
)

var ccdFields = map[tlv.Tag]string{
	0x9F02: "000000009999", 0x9F03: "000000000000", 0x9F1A: "0124", 0x95: "8000000000", 0x5F2A: "0124", 0x9A: "209906", 0x9C: "00",
	0x9F37: "ABCDEF12", 0x82: "1800", 0x9F36: "001C",
}

// With an IAD that is exactly the CVR of the M/Chip vector, CCD's cryptogram is the one that an
// independent implementation publishes for the common session key: keys, data order and MAC are the same rules.
func TestCCDAgainstVector(t *testing.T) {
	card, err := CCD.CardKey(pay.NewSecret(mchipHex(t, "0123456789ABCDEFFEDCBA9876543210")), mchipPAN(t, "1234567890123456"), "00")
	if err != nil || !bytes.Equal(kcv(t, card), mchipHex(t, "BAB0")) {
		t.Fatalf("card key %X %v", kcv(t, card), err)
	}
	session, err := CCD.SessionKey(card, 0x001C)
	if err != nil || !bytes.Equal(kcv(t, session), mchipHex(t, "22C8")) {
		t.Fatalf("session key %X %v", kcv(t, session), err)
	}
	data, err := CCDData(func(g tlv.Tag) ([]byte, bool) {
		if g == 0x9F10 {
			return mchipHex(t, "A00003220000"), true
		}
		s, ok := ccdFields[g]
		return mchipHex(t, s), ok
	})
	if err != nil {
		t.Fatal(err)
	}
	if arqc, err := CCD.MAC(session, data); err != nil || !bytes.Equal(arqc[:], mchipHex(t, "CD29615D6452E70E")) {
		t.Errorf("ARQC %X %v", arqc, err)
	}
}

// Each field counts, and one that is missing, or has another length, is an error that names it.
func TestCCDData(t *testing.T) {
	get := func(change tlv.Tag, v []byte) func(tlv.Tag) ([]byte, bool) {
		return func(g tlv.Tag) ([]byte, bool) {
			if g == change {
				return v, v != nil
			}
			if g == 0x9F10 {
				return CCDIAD{KeyIndex: 1}.Append(nil), true
			}
			s, ok := ccdFields[g]
			return mchipHex(t, s), ok
		}
	}
	plain, err := CCDData(get(0, nil))
	if err != nil || len(plain) != 33+32 {
		t.Fatalf("%d bytes: %v", len(plain), err)
	}
	for g, s := range ccdFields {
		v := mchipHex(t, s)
		v[len(v)-1] ^= 1
		if got, err := CCDData(get(g, v)); err != nil || bytes.Equal(got, plain) {
			t.Errorf("%s does not count: %v", g, err)
		}
		for _, bad := range [][]byte{nil, append(v, 0)} {
			if _, err := CCDData(get(g, bad)); !errors.Is(err, ErrData) {
				t.Errorf("%s: %v", g, err)
			}
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 33)} {
		if _, err := CCDData(get(0x9F10, bad)); !errors.Is(err, ErrData) {
			t.Errorf("9F10 of %d bytes: %v", len(bad), err)
		}
	}
}

func TestCCDIAD(t *testing.T) {
	cvr := NewCCDCVR(ARQC).WithCDCVM().WithCDA()
	if cvr != [5]byte{0xA8, 0x08} || cvr.Type() != ARQC || !cvr.CDCVM() || !cvr.CDA() || (CCDCVR{0, 0x0C}).CDCVM() || NewCCDCVR(TC).Type() != TC {
		t.Errorf("CVR %X", cvr)
	}
	if a, b := cvr.WithSecond(TC), cvr.WithSecond(AAC).WithIssuerAuthFailed(); a[0] != 0x68 || b[0] != 0x29 {
		t.Errorf("second cryptogram: %X %X", a, b)
	}
	want := CCDIAD{KeyIndex: 7, CVR: cvr, Counters: [8]byte{1, 2}, Discretionary: [15]byte{9}}
	b := want.Append(nil)
	if got, err := ParseCCDIAD(b); err != nil || got != want || len(b) != 32 {
		t.Errorf("%X: %+v %v", b, got, err)
	}
	for _, i := range []int{0, 1, 16} {
		bad := bytes.Clone(b)
		bad[i] ^= 0x10
		if _, err := ParseCCDIAD(bad); !errors.Is(err, ErrData) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	if _, err := ParseCCDIAD(b[:31]); !errors.Is(err, ErrData) {
		t.Error("31 bytes")
	}
}

func TestDiscoverIAD(t *testing.T) {
	want := DiscoverIAD{KeyIndex: 3, CVR: NewDiscoverCVR(ARQC, true).WithCDCVM()}
	b := want.Append(nil)
	got, err := ParseDiscoverIAD(b)
	if err != nil || got != want || !bytes.Equal(b, mchipHex(t, "03A5A012000000000000")) || !got.CVR.CDCVM() || got.CVR.Type() != ARQC {
		t.Errorf("%X: %+v %v", b, got, err)
	}
	if c := NewDiscoverCVR(TC, false); c != [8]byte{0x90, 0x08} || c.CDCVM() || (DiscoverCVR{0, 0x03}).CDCVM() {
		t.Errorf("CVR %X", c)
	}
	for _, bad := range [][]byte{nil, b[:9], {3, 0x15, 0, 0, 0, 0, 0, 0, 0, 0}} {
		if _, err := ParseDiscoverIAD(bad); !errors.Is(err, ErrData) {
			t.Errorf("%X: %v", bad, err)
		}
	}
}

// The answer binds the cryptogram and the issuer's word.
func TestCCDARPC(t *testing.T) {
	key := pay.NewSecret(mchipHex(t, "0123456789ABCDEFFEDCBA9876543210"))
	arqc := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	yes, err := CCD.ARPC(key, arqc, NewCSU(true))
	if err != nil {
		t.Fatal(err)
	}
	no, _ := CCD.ARPC(key, arqc, NewCSU(false))
	arqc[7] ^= 1
	other, _ := CCD.ARPC(key, arqc, NewCSU(true))
	if yes == no || yes == other {
		t.Errorf("%X %X %X", yes, no, other)
	}
	arpc, csu, ok := ParseAuthData(NewCSU(true).AuthData(yes))
	if !ok || arpc != yes || !csu.Approves() || NewCSU(false).Approves() {
		t.Errorf("%X %X %v", arpc, csu, ok)
	}
	if _, _, ok := ParseAuthData(make([]byte, 10)); ok {
		t.Error("10 bytes")
	}
	for _, k := range []pay.Secret{{}, pay.NewSecret(make([]byte, 8))} {
		if _, err := CCD.ARPC(k, arqc, CSU{}); !errors.Is(err, ErrKey) {
			t.Errorf("key of %d bytes: %v", k.Len(), err)
		}
	}
}
