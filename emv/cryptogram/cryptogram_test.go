package cryptogram_test

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pan(t testing.TB, s string) pay.PAN {
	t.Helper()
	p, err := pay.ParsePAN(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	vectorKey  = "F0C34A8124CEE0A91A0B034AA97D6EAC"
	vectorData = "000000000001000000000000015600800460000156140701001E78EEBC7D00024003A04002"
)

func vectorSession(t testing.TB) pay.Secret {
	t.Helper()
	udk, err := cryptogram.PBOC01.CardKey(pay.NewSecret(unhex(t, vectorKey)), pan(t, "6228000100001"), "01")
	if err != nil {
		t.Fatal(err)
	}
	sk, err := cryptogram.PBOC01.SessionKey(udk, 0x0240)
	if err != nil {
		t.Fatal(err)
	}
	return sk
}

// The published vector of UnionPay/PBOC cryptogram version 01, its data
// assembled from tags as card and issuer do it.
func TestPBOC01Vector(t *testing.T) {
	values := map[tlv.Tag]string{
		tag.AmountAuthorised: "000000000001", tag.AmountOther: "000000000000", tag.TerminalCountry: "0156",
		tag.TVR: "0080046000", tag.TransactionCurrency: "0156", tag.TransactionDate: "140701", tag.TransactionType: "00",
		tag.UN: "1E78EEBC", tag.AIP: "7D00", tag.ATC: "0240", tag.IAD: "07010103A0400201",
	}
	data, err := cryptogram.PBOCData(func(g tlv.Tag) ([]byte, bool) {
		v, ok := values[g]
		return unhex(t, v), ok
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, vectorData); !bytes.Equal(data, want) || len(data) != cryptogram.PBOCDataLen {
		t.Fatalf("data = %X, want %X", data, want)
	}
	ac, err := cryptogram.PBOC01.MAC(vectorSession(t), data)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(ac[:]); got != "5d016c91005e7cc2" {
		t.Errorf("ARQC = %s", got)
	}
}

// A missing or wrongly sized field is an error that names the tag and no value.
func TestPBOCDataRefuses(t *testing.T) {
	full := func(g tlv.Tag) ([]byte, bool) {
		n := map[tlv.Tag]int{0x9F02: 6, 0x9F03: 6, 0x9F1A: 2, 0x95: 5, 0x5F2A: 2, 0x9A: 3, 0x9C: 1, 0x9F37: 4, 0x82: 2, 0x9F36: 2}[g]
		if g == tag.IAD {
			return unhex(t, "07010103A0400201"), true
		}
		return make([]byte, n), n > 0
	}
	if _, err := cryptogram.PBOCData(full); err != nil {
		t.Fatal(err)
	}
	for _, broken := range []tlv.Tag{0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36, 0x9F10} {
		for _, v := range [][]byte{nil, {1, 2, 3, 4, 5, 6, 7, 8, 9}} {
			_, err := cryptogram.PBOCData(func(g tlv.Tag) ([]byte, bool) {
				if g == broken {
					return v, v != nil
				}
				return full(g)
			})
			if !errors.Is(err, cryptogram.ErrData) {
				t.Errorf("%s = %X: error %v", broken, v, err)
			}
		}
	}
}

// Algorithm 3 by its definition: single DES in CBC under the left key, then
// decryption under the right and encryption under the left key.
func TestMACAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "key")
		data := rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "data")
		got, err := cryptogram.PBOC01.MAC(pay.NewSecret(bytes.Clone(key)), data)
		if err != nil {
			t.Fatal(err)
		}
		l, err1 := des.NewCipher(key[:8])
		r, err2 := des.NewCipher(key[8:])
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		padded := append(bytes.Clone(data), 0x80)
		for len(padded)%8 != 0 {
			padded = append(padded, 0)
		}
		h := make([]byte, 8)
		for i := 0; i < len(padded); i += 8 {
			for j := range 8 {
				h[j] ^= padded[i+j]
			}
			l.Encrypt(h, h)
		}
		r.Decrypt(h, h)
		l.Encrypt(h, h)
		if !bytes.Equal(got[:], h) {
			t.Fatalf("MAC = %X, want %X", got, h)
		}
	})
}

// Only the 16 rightmost digits of PAN‖PSN count, also for 19-digit card
// numbers (no hashing as in EMV's option B).
func TestCardKeyOfLongPAN(t *testing.T) {
	imk := func() pay.Secret { return pay.NewSecret(unhex(t, vectorKey)) }
	long, err := cryptogram.PBOC01.CardKey(imk(), pan(t, "6212345678901234567"), "01")
	if err != nil {
		t.Fatal(err)
	}
	short, err := cryptogram.PBOC01.CardKey(imk(), pan(t, "45678901234567"), "01")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(long.Reveal(), short.Reveal()) {
		t.Error("digits before the rightmost 16 of PAN and PSN changed the key")
	}
	for _, psn := range []string{"", "1", "0A", "001"} {
		if _, err := cryptogram.PBOC01.CardKey(imk(), pan(t, "6228000100001"), psn); !errors.Is(err, cryptogram.ErrKey) {
			t.Errorf("sequence number %q: error %v", psn, err)
		}
	}
	if _, err := cryptogram.PBOC01.CardKey(pay.NewSecret(make([]byte, 8)), pan(t, "6228000100001"), "01"); !errors.Is(err, cryptogram.ErrKey) {
		t.Errorf("short key: error %v", err)
	}
}

// Method 1: deciphering the ARPC gives the cryptogram back, its first two
// bytes XORed with the response code.
func TestARPC(t *testing.T) {
	sk := vectorSession(t)
	arqc := [8]byte(unhex(t, "5D016C91005E7CC2"))
	arpc, err := cryptogram.PBOC01.ARPC(sk, arqc, [2]byte{'0', '0'})
	if err != nil {
		t.Fatal(err)
	}
	k := sk.Reveal()
	block, err := des.NewTripleDESCipher(append(bytes.Clone(k), k[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	block.Decrypt(arpc[:], arpc[:])
	arqc[0] ^= '0'
	arqc[1] ^= '0'
	if arpc != arqc {
		t.Errorf("deciphered ARPC = %X", arpc)
	}
}

func TestIAD(t *testing.T) {
	cvr := cryptogram.NewCVR(cryptogram.ARQC).WithDDA()
	iad := cryptogram.IAD{KeyIndex: 1, Version: cryptogram.VersionPBOC01, CVR: cvr, Algorithm: cryptogram.AlgorithmTDES}
	b := iad.Append(nil)
	if want := unhex(t, "07010103A0000201"); !bytes.Equal(b, want) {
		t.Fatalf("IAD = %X, want %X", b, want)
	}
	if b[4]&0x30 != byte(cryptogram.ARQC) { // facts: 9F10 byte 5 & 30, 20 is ARQC
		t.Errorf("byte 5 = %02X", b[4])
	}
	for _, c := range []struct {
		cvr             cryptogram.CVR
		cdcvm, pin, dda bool
	}{
		{cvr, false, false, true},
		{cvr.WithCDCVM(), true, false, true},
		{cvr.WithOnlinePIN(), false, true, true},
		{cryptogram.NewCVR(cryptogram.AAC), false, false, false},
	} {
		got, err := cryptogram.ParseIAD(cryptogram.IAD{CVR: c.cvr}.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got.CVR != c.cvr || got.CVR.CDCVM() != c.cdcvm || got.CVR.OnlinePIN() != c.pin || got.CVR.DDA() != c.dda {
			t.Errorf("%X: %v %v %v", c.cvr, got.CVR.CDCVM(), got.CVR.OnlinePIN(), got.CVR.DDA())
		}
	}
	if cryptogram.ARQC.CID() != 0x80 || cryptogram.TC.CID() != 0x40 {
		t.Error("CID coding")
	}
	for _, bad := range []string{"", "07", "06010103A0000201", "07010104A0000201", "07010103A000020102FF", "07010103A0000201" + "18" + hex.EncodeToString(make([]byte, 24))} {
		if _, err := cryptogram.ParseIAD(unhex(t, bad)); !errors.Is(err, cryptogram.ErrData) {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}

func FuzzParseIAD(f *testing.F) {
	f.Add(unhex(f, "07010103A0000201"))
	f.Add(unhex(f, "07010103A03002010A010000000000ABCDEF01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := cryptogram.ParseIAD(b)
		if err == nil && !bytes.Equal(d.Append(nil), b) {
			t.Fatalf("%X became %X", b, d.Append(nil))
		}
	})
}

func BenchmarkARQC(b *testing.B) {
	udk, err := cryptogram.PBOC01.CardKey(pay.NewSecret(unhex(b, vectorKey)), pan(b, "6228000100001"), "01")
	if err != nil {
		b.Fatal(err)
	}
	data := unhex(b, vectorData)
	b.ReportAllocs()
	for b.Loop() {
		sk, err := cryptogram.PBOC01.SessionKey(udk, 0x0240)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := cryptogram.PBOC01.MAC(sk, data); err != nil {
			b.Fatal(err)
		}
	}
}
