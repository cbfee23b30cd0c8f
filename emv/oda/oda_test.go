package oda

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func seeded(n byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{n}) }

// testKeys are generated once: CA 1408, issuer 1152, card 1024 bits.
var testKeys = sync.OnceValues(func() ([3]*PrivateKey, error) {
	var keys [3]*PrivateKey
	r := seeded(1)
	for i, bits := range []int{1408, 1152, 1024} {
		var err error
		if keys[i], err = GenerateKey(r, bits, 3); err != nil {
			return keys, err
		}
	}
	return keys, nil
})

func keys(t testing.TB) (ca, issuer, icc *PrivateKey) {
	t.Helper()
	k, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k[0], k[1], k[2]
}

func caKey(k *PrivateKey) CAKey {
	return CAKey{RID: [5]byte{0xA0, 0, 0, 3, 0x33}, Index: 0xE1, Modulus: k.public.Modulus, Exponent: k.public.Exponent}
}

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.FixedZone("CST", 8*3600))

const testPAN = "6299990135702468912"

func testPANBytes() []byte {
	b, err := packCN(testPAN, 10)
	if err != nil {
		panic(err)
	}
	return b
}

// Generation depends on the seed only; keys have their full length and work both ways.
func TestGenerateKey(t *testing.T) {
	for _, c := range []struct{ bits, e int }{{512, 3}, {1024, 3}, {1024, 65537}, {1408, 3}, {1984, 65537}} {
		a, err := GenerateKey(seeded(7), c.bits, c.e)
		if err != nil {
			t.Fatal(err)
		}
		b, err := GenerateKey(seeded(7), c.bits, c.e)
		if err != nil {
			t.Fatal(err)
		}
		other, err := GenerateKey(seeded(8), c.bits, c.e)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.public.Modulus, b.public.Modulus) || bytes.Equal(a.public.Modulus, other.public.Modulus) {
			t.Errorf("%d bits: not determined by the seed", c.bits)
		}
		n := new(big.Int).SetBytes(a.public.Modulus)
		if n.BitLen() != c.bits || !a.p.ProbablyPrime(20) || !a.q.ProbablyPrime(20) || new(big.Int).Mul(a.p, a.q).Cmp(n) != 0 {
			t.Errorf("%d bits: modulus of %d", c.bits, n.BitLen())
		}
		x := bytes.Repeat([]byte{0x6A}, len(a.public.Modulus))
		if got, ok := a.public.recover(a.sign(x)); !ok || !bytes.Equal(got, x) {
			t.Errorf("%d bits, e %d: signature does not recover", c.bits, c.e)
		}
		p, q := a.Primes()
		if again, err := NewPrivateKey(p, q, c.e); err != nil || !bytes.Equal(again.public.Modulus, a.public.Modulus) {
			t.Errorf("%d bits: primes do not make the key again: %v", c.bits, err)
		}
	}
	for _, c := range []struct{ bits, e int }{{1000, 3}, {256, 3}, {2048, 3}, {1024, 5}, {1024, 2}} {
		if _, err := GenerateKey(seeded(1), c.bits, c.e); !errors.Is(err, ErrKey) {
			t.Errorf("%d bits, exponent %d: %v", c.bits, c.e, err)
		}
	}
	if _, err := GenerateKey(strings.NewReader("short"), 512, 3); err == nil {
		t.Error("a random source that ends made a key")
	}
	if s := fmt.Sprintf("%v %+v %#v %d %x", mustKey(t), mustKey(t), mustKey(t), mustKey(t), mustKey(t)); s != "[secret] [secret] [secret] [secret] [secret]" {
		t.Errorf("a key prints as %s", s)
	}
}

func mustKey(t *testing.T) *PrivateKey { k, _, _ := keys(t); return k }

// Every size of key with every exponent, with and without remainder and padding.
func TestChainSizes(t *testing.T) {
	static := []byte("static data")
	for _, c := range []struct{ ca, issuer, icc, e int }{
		{1408, 1152, 1024, 3}, {1408, 1408, 1408, 3}, {1152, 704, 512, 3}, {1984, 1152, 768, 65537}, {1024, 1024, 1024, 65537},
	} {
		r := seeded(3)
		var k [3]*PrivateKey
		for i, bits := range []int{c.ca, c.issuer, c.icc} {
			var err error
			if k[i], err = GenerateKey(r, bits, c.e); err != nil {
				t.Fatal(err)
			}
		}
		cert90, rem92, err := SignIssuerCertificate(k[0], Subject{ID: "62999", Month: 11, Year: 2026, Serial: [3]byte{1, 2, 3}, Key: k[1].public})
		if err != nil {
			t.Fatal(err)
		}
		if (len(rem92) > 0) != (c.issuer/8 > c.ca/8-36) {
			t.Errorf("%v: remainder of %d bytes", c, len(rem92))
		}
		issuer, info, err := RecoverIssuer(caKey(k[0]), cert90, rem92, k[1].public.Exponent, testPAN, now)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if info.IssuerID != "62999" || info.Serial != [3]byte{1, 2, 3} || !info.Expiry.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, now.Location())) {
			t.Errorf("%v: %+v", c, info)
		}
		cert46, rem48, err := SignICCCertificate(k[1], Subject{ID: testPAN, Month: 12, Year: 2049, Key: k[2].public}, static)
		if err != nil {
			t.Fatal(err)
		}
		icc, err := RecoverICC(issuer, cert46, rem48, k[2].public.Exponent, testPANBytes(), static, now)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		sdad, err := SignDynamic(k[2], FormatFDDA, []byte{2, 0, 7}, []byte("terminal"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := VerifyDynamic(icc, sdad, []byte("terminal"), FormatDDA, FormatFDDA)
		if n, ok := d.Number(); err != nil || !ok || !bytes.Equal(n, []byte{0, 7}) || d.Format != FormatFDDA {
			t.Errorf("%v: %+v %v", c, d, err)
		}
	}
}

// A certificate is valid through the last day of its month, in the zone of the terminal.
func TestExpiry(t *testing.T) {
	ca, issuer, _ := keys(t)
	cert, rem, err := SignIssuerCertificate(ca, Subject{ID: "62999", Month: 12, Year: 2026, Key: issuer.public})
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 12, 31, 23, 59, 59, 0, now.Location())
	for at, want := range map[time.Time]error{end: nil, end.Add(time.Second): ErrExpired} {
		if _, _, err := RecoverIssuer(caKey(ca), cert, rem, []byte{3}, testPAN, at); !errors.Is(err, want) {
			t.Errorf("%v: %v", at, err)
		}
	}
	for mmyy, year := range map[[2]byte]int{{0x01, 0x49}: 2049, {0x01, 0x50}: 1950, {0x01, 0x99}: 1999, {0x01, 0x00}: 2000} {
		if e, err := expiryMMYY(mmyy[0], mmyy[1], time.UTC); err != nil || e.Year() != year {
			t.Errorf("%X: %v %v", mmyy, e, err)
		}
	}
}

// reseal makes a certificate or signature out of recovered bytes that a test
// has changed, with a hash that fits, so that each check is reached.
func reseal(t testing.TB, k *PrivateKey, rec []byte, change func([]byte), hashed ...[]byte) []byte {
	t.Helper()
	rec = bytes.Clone(rec)
	change(rec)
	n := len(rec)
	h := sha1.New()
	h.Write(rec[1 : n-1-hashSize])
	for _, b := range hashed {
		h.Write(b)
	}
	copy(rec[n-1-hashSize:], h.Sum(nil))
	return k.sign(rec)
}

// EMV Book 2, 6.3, steps 1 to 12: each check of the issuer certificate.
func TestIssuerCertificateChecks(t *testing.T) {
	ca, issuer, _ := keys(t)
	e := []byte{3}
	cert, rem, err := SignIssuerCertificate(ca, Subject{ID: "62999", Month: 12, Year: 2030, Key: issuer.public})
	if err != nil {
		t.Fatal(err)
	}
	rec, _ := ca.public.recover(cert)
	n := len(rec)
	for _, c := range []struct {
		name   string
		change func([]byte)
		want   error
	}{
		{"nothing", func([]byte) {}, nil},
		{"header", func(b []byte) { b[0] = 0x6B }, ErrCertificate},
		{"format", func(b []byte) { b[1] = 0x04 }, ErrCertificate},
		{"trailer", func(b []byte) { b[n-1] = 0xBD }, ErrCertificate},
		{"issuer identifier of other cards", func(b []byte) { b[2] = 0x63 }, ErrPAN},
		{"issuer identifier with F inside", func(b []byte) { b[3] = 0xF9 }, ErrPAN},
		{"issuer identifier of two digits", func(b []byte) { copy(b[2:], []byte{0x62, 0xFF, 0xFF, 0xFF}) }, ErrPAN},
		{"issuer identifier of eight digits", func(b []byte) { copy(b[2:], []byte{0x62, 0x99, 0x99, 0x01}) }, nil},
		{"month 13", func(b []byte) { b[6] = 0x13 }, ErrCertificate},
		{"month 0", func(b []byte) { b[6] = 0x00 }, ErrCertificate},
		{"month no BCD", func(b []byte) { b[6] = 0x0A }, ErrCertificate},
		{"expired", func(b []byte) { b[6], b[7] = 0x10, 0x26 }, ErrExpired},
		{"hash algorithm", func(b []byte) { b[11] = 0x02 }, ErrCertificate},
		{"key algorithm", func(b []byte) { b[12] = 0x02 }, ErrCertificate},
		{"key longer", func(b []byte) { b[13]++ }, ErrCertificate},
		{"key shorter", func(b []byte) { b[13]-- }, ErrCertificate},
		{"key longer than the CA's", func(b []byte) { b[13] = 0xFF }, ErrCertificate},
		{"key of 0 bytes", func(b []byte) { b[13] = 0 }, ErrCertificate},
		{"exponent length", func(b []byte) { b[14] = 3 }, ErrCertificate},
		{"key with its top bit clear", func(b []byte) { b[15] &= 0x7F }, ErrKey},
	} {
		bad := reseal(t, ca, rec, c.change, rem, e)
		if _, _, err := RecoverIssuer(caKey(ca), bad, rem, e, testPAN, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name       string
		cert, r, e []byte
		want       error
	}{
		{"certificate shorter", cert[1:], rem, e, ErrCertificate},
		{"certificate absent", nil, rem, e, ErrCertificate},
		{"certificate beyond the modulus", bytes.Repeat([]byte{0xFF}, n), rem, e, ErrCertificate},
		{"remainder absent", cert, nil, e, ErrHash},
		{"exponent absent", cert, rem, nil, ErrKey},
		{"exponent 2", cert, rem, []byte{2}, ErrKey},
		{"exponent with a zero before it", cert, rem, []byte{0, 3}, ErrKey},
		{"another exponent", cert, rem, []byte{1, 0, 1}, ErrHash},
	} {
		if _, _, err := RecoverIssuer(caKey(ca), c.cert, c.r, c.e, testPAN, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	// Padding after a short key.
	small, err := GenerateKey(seeded(4), 512, 3)
	if err != nil {
		t.Fatal(err)
	}
	cert, _, err = SignIssuerCertificate(ca, Subject{ID: "62999", Month: 12, Year: 2030, Key: small.public})
	if err != nil {
		t.Fatal(err)
	}
	rec, _ = ca.public.recover(cert)
	bad := reseal(t, ca, rec, func(b []byte) { b[n-1-hashSize-1] = 0xBC }, e)
	if _, _, err := RecoverIssuer(caKey(ca), bad, nil, e, testPAN, now); !errors.Is(err, ErrCertificate) {
		t.Errorf("padding: %v", err)
	}
}

// EMV Book 2, 6.4: what is special about the card's certificate.
func TestICCCertificateChecks(t *testing.T) {
	_, issuer, icc := keys(t)
	static := []byte("static data to be authenticated")
	e := []byte{3}
	cert, rem, err := SignICCCertificate(issuer, Subject{ID: testPAN, Month: 12, Year: 2030, Key: icc.public}, static)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		pan    []byte
		static []byte
		want   error
	}{
		{"good", testPANBytes(), static, nil},
		{"another PAN", []byte{0x62, 0x99, 0x99, 0x01, 0x35, 0x70, 0x24, 0x68, 0x91, 0x3F}, static, ErrPAN},
		{"a PAN that begins the same", []byte{0x62, 0x99, 0x99, 0x01, 0x35, 0x70, 0x24, 0x68, 0x91, 0xFF}, static, ErrPAN},
		{"no PAN", nil, static, ErrPAN},
		{"no digits", []byte{0xAA}, static, ErrPAN},
		{"static data changed", testPANBytes(), []byte("static data to be authenticateD"), ErrHash},
		{"static data absent", testPANBytes(), nil, ErrHash},
	} {
		if _, err := RecoverICC(issuer.public, cert, rem, e, c.pan, c.static, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := RecoverICC(issuer.public, cert, rem, e, testPANBytes(), static, now.AddDate(5, 0, 0)); !errors.Is(err, ErrExpired) {
		t.Errorf("five years later: %v", err)
	}
	if _, err := RecoverICC(icc.public, cert, rem, e, testPANBytes(), static, now); !errors.Is(err, ErrCertificate) {
		t.Errorf("another issuer: %v", err)
	}
	rec, _ := issuer.public.recover(cert)
	bad := reseal(t, issuer, rec, func(b []byte) { b[1] = 0x02 }, rem, e, static)
	if _, err := RecoverICC(issuer.public, bad, rem, e, testPANBytes(), static, now); !errors.Is(err, ErrCertificate) {
		t.Errorf("format of an issuer certificate: %v", err)
	}
}

// EMV Book 2, 6.5.2: each check of the dynamic signature.
func TestDynamicChecks(t *testing.T) {
	_, _, icc := keys(t)
	terminal := []byte("terminal dynamic data")
	sdad, err := SignDynamic(icc, FormatDDA, []byte{2, 0, 7}, terminal)
	if err != nil {
		t.Fatal(err)
	}
	rec, _ := icc.public.recover(sdad)
	n := len(rec)
	for _, c := range []struct {
		name   string
		change func([]byte)
		want   error
	}{
		{"nothing", func([]byte) {}, nil},
		{"header", func(b []byte) { b[0] = 0x60 }, ErrSignature},
		{"trailer", func(b []byte) { b[n-1] = 0xBB }, ErrSignature},
		{"format that was not asked for", func(b []byte) { b[1] = FormatFDDA }, ErrSignature},
		{"hash algorithm", func(b []byte) { b[2] = 2 }, ErrSignature},
		{"length to the end", func(b []byte) { b[3] = byte(n - dynamicOverhead) }, nil},
		{"length beyond the end", func(b []byte) { b[3] = byte(n - dynamicOverhead + 1) }, ErrSignature},
		{"padding", func(b []byte) { b[n-1-hashSize-1] = 0 }, ErrSignature},
	} {
		bad := reseal(t, icc, rec, c.change, terminal)
		if _, err := VerifyDynamic(icc.public, bad, terminal); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := VerifyDynamic(icc.public, sdad, []byte("other")); !errors.Is(err, ErrHash) {
		t.Errorf("other terminal data: %v", err)
	}
	if _, err := VerifyDynamic(icc.public, sdad[1:], terminal); !errors.Is(err, ErrSignature) {
		t.Errorf("short: %v", err)
	}
	if _, err := VerifyDynamic(PublicKey{}, sdad, terminal); !errors.Is(err, ErrKey) {
		t.Errorf("no key: %v", err)
	}
	if _, err := SignDynamic(icc, FormatDDA, make([]byte, n-dynamicOverhead+1), nil); !errors.Is(err, ErrSignature) {
		t.Errorf("too much dynamic data: %v", err)
	}
	for _, d := range [][]byte{nil, {1, 7}, {9, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {4, 1, 2}} {
		if _, ok := (Dynamic{Data: d}).Number(); ok {
			t.Errorf("%X holds an ICC dynamic number", d)
		}
	}
}

// The issuing side refuses what the other side would.
func TestSignRefuses(t *testing.T) {
	ca, issuer, _ := keys(t)
	good := Subject{ID: "62999", Month: 1, Year: 2030, Key: issuer.public}
	for name, spoil := range map[string]func(*Subject){
		"two digits": func(s *Subject) { s.ID = "62" }, "nine digits": func(s *Subject) { s.ID = "629999013" }, "letters": func(s *Subject) { s.ID = "62A99" },
		"month": func(s *Subject) { s.Month = 13 }, "year": func(s *Subject) { s.Year = 2050 }, "no key": func(s *Subject) { s.Key = PublicKey{} },
	} {
		s := good
		spoil(&s)
		if _, _, err := SignIssuerCertificate(ca, s); !errors.Is(err, ErrCertificate) && !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := good
	long.Key = ca.public
	if _, _, err := SignIssuerCertificate(issuer, long); !errors.Is(err, ErrCertificate) {
		t.Errorf("key longer than the signer's: %v", err)
	}
}

func TestStaticData(t *testing.T) {
	records, err := AppendRecord(nil, 1, []byte{0x70, 3, 0x5A, 1, 0x12})
	if err != nil {
		t.Fatal(err)
	}
	if records, err = AppendRecord(records, 11, []byte{0x70, 3, 0x5A, 1, 0x13}); err != nil {
		t.Fatal(err)
	}
	if want := []byte{0x5A, 1, 0x12, 0x70, 3, 0x5A, 1, 0x13}; !bytes.Equal(records, want) {
		t.Errorf("records %X, want %X", records, want)
	}
	aip := []byte{0x7C, 0}
	if got, err := StaticData(records, []byte{0x82}, aip); err != nil || !bytes.Equal(got, append(bytes.Clone(records), aip...)) {
		t.Errorf("with list: %X %v", got, err)
	}
	if got, err := StaticData(records, nil, aip); err != nil || !bytes.Equal(got, records) {
		t.Errorf("without list: %X %v", got, err)
	}
	for _, list := range [][]byte{{}, {0x95}, {0x82, 0x82}, {0x9F, 0x36}} {
		if _, err := StaticData(records, list, aip); !errors.Is(err, ErrSDATagList) {
			t.Errorf("list %X: %v", list, err)
		}
	}
	for name, record := range map[string][]byte{
		"empty": nil, "no template": {0x5A, 1, 0x12}, "cut off": {0x70, 4, 0x5A, 1}, "more behind": {0x70, 1, 0, 0x5A, 0}, "half a tag behind": {0x70, 1, 0, 0x9F},
	} {
		if _, err := AppendRecord(nil, 1, record); !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := AppendRecord(make([]byte, MaxStaticData), 1, []byte{0x70, 3, 0x5A, 1, 0x12}); !errors.Is(err, ErrCertificate) {
		t.Errorf("too much: %v", err)
	}
}

// Whatever a certificate recovers to, there is no panic and no key without a fitting hash.
func FuzzRecovered(f *testing.F) {
	ca, issuer, icc := keys(f)
	f.Add([]byte{0x6A, 0x02, 0x62, 0x99, 0x9F, 0xFF, 0x12, 0x30}, []byte{3}, []byte{1, 2})
	f.Add([]byte{0x6A, 0x05, 0x01, 0xFF}, []byte{1, 0, 1}, []byte{})
	f.Fuzz(func(t *testing.T, content, exponent, remainder []byte) {
		for _, k := range []*PrivateKey{ca, issuer, icc} {
			rec := bytes.Repeat([]byte{padding}, len(k.public.Modulus))
			rec[0], rec[len(rec)-1] = recoveredHeader, recoveredTrailer
			copy(rec[1:len(rec)-1-hashSize], content)
			cert := reseal(t, k, rec, func([]byte) {}, remainder, exponent)
			if key, _, err := RecoverIssuer(caKey(k), cert, remainder, exponent, testPAN, now); err == nil && key.check() != nil {
				t.Fatal("an unusable issuer key came out")
			}
			if key, err := RecoverICC(k.public, cert, remainder, exponent, testPANBytes(), nil, now); err == nil && key.check() != nil {
				t.Fatal("an unusable card key came out")
			}
			if d, err := VerifyDynamic(k.public, cert, append(bytes.Clone(remainder), exponent...), FormatDDA, FormatFDDA); err == nil {
				d.Number()
			}
			if _, err := VerifyCombined(k.public, cert, append(bytes.Clone(remainder), exponent...), content, 0x80); err == nil {
				t.Fatal("a combined signature over its own hash?")
			}
		}
	})
}

func BenchmarkGenerateKey1024(b *testing.B) {
	r := seeded(1)
	for b.Loop() {
		if _, err := GenerateKey(r, 1024, 3); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChain(b *testing.B) {
	ca, issuer, icc := keys(b)
	cert90, rem92, err1 := SignIssuerCertificate(ca, Subject{ID: "62999", Month: 12, Year: 2030, Key: issuer.public})
	cert46, rem48, err2 := SignICCCertificate(issuer, Subject{ID: testPAN, Month: 12, Year: 2030, Key: icc.public}, nil)
	sdad, err3 := SignDynamic(icc, FormatDDA, []byte{2, 0, 7}, nil)
	if err := errors.Join(err1, err2, err3); err != nil {
		b.Fatal(err)
	}
	pan := testPANBytes()
	b.ReportAllocs()
	for b.Loop() {
		ik, _, err := RecoverIssuer(caKey(ca), cert90, rem92, []byte{3}, testPAN, now)
		if err != nil {
			b.Fatal(err)
		}
		ck, err := RecoverICC(ik, cert46, rem48, []byte{3}, pan, nil, now)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := VerifyDynamic(ck, sdad, nil); err != nil {
			b.Fatal(err)
		}
	}
}
