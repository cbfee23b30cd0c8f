package oda

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"pgregory.net/rapid"
)

var sm2Now = time.Date(2026, 3, 15, 14, 30, 0, 0, time.UTC)

// The worked example of GM/T 0003.5 (the recommended curve, the standard user id).
func TestSM2WorkedExample(t *testing.T) {
	key, err := NewSM2PrivateKey(fromHex(t, "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"))
	if err != nil {
		t.Fatal(err)
	}
	want := fromHex(t, "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13")
	pub := key.Public()
	if !bytes.Equal(pub[:], want) {
		t.Fatalf("public key %X", pub)
	}
	signature := fromHex(t, "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA")
	if err := VerifySM2(pub, []byte("message digest"), signature); err != nil {
		t.Error(err)
	}
	if err := VerifySM2(pub, []byte("message digesT"), signature); !errors.Is(err, ErrSignatureSM2) {
		t.Errorf("another message: %v", err)
	}
}

func sm2Key(t testing.TB, seed byte) *SM2PrivateKey {
	t.Helper()
	k, err := GenerateSM2Key(seeded(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Signatures verify under their key and message alone, and are the same each time.
func TestSM2Signatures(t *testing.T) {
	key, other := sm2Key(t, 1), sm2Key(t, 2)
	rapid.Check(t, func(r *rapid.T) {
		message := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "message")
		if len(message) == 0 {
			return // what is signed is never empty: a format byte stands first
		}
		a, err := SignSM2(key, message)
		if err != nil {
			r.Fatal(err)
		}
		if b, err := SignSM2(key, message); err != nil || !bytes.Equal(a, b) {
			r.Fatalf("another signature of the same message: %v", err)
		}
		if err := VerifySM2(key.Public(), message, a); err != nil {
			r.Fatal(err)
		}
		if err := VerifySM2(other.Public(), message, a); !errors.Is(err, ErrSignatureSM2) {
			r.Fatalf("another key: %v", err)
		}
		i := rapid.IntRange(0, 8*len(a)-1).Draw(r, "bit")
		a[i/8] ^= 1 << (i % 8)
		if err := VerifySM2(key.Public(), message, a); !errors.Is(err, ErrSignatureSM2) {
			r.Fatalf("bit %d flipped: %v", i, err)
		}
	})
}

// r and s have one form: zero, the order and what is above it are refused.
func TestSM2SignatureRange(t *testing.T) {
	key := sm2Key(t, 1)
	good, err := SignSM2(key, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	n := sm2.P256().Params().N
	put := func(r, s *big.Int) []byte {
		b := make([]byte, SM2SignatureSize)
		r.FillBytes(b[:32])
		s.FillBytes(b[32:])
		return b
	}
	r, s := new(big.Int).SetBytes(good[:32]), new(big.Int).SetBytes(good[32:])
	zero := new(big.Int)
	cases := map[string][]byte{"r 0": put(zero, s), "s 0": put(r, zero), "r n": put(n, s), "s n": put(r, n), "n − r": put(new(big.Int).Sub(n, r), s), "short": good[:63], "long": append(good[:64:64], 0)}
	if above := new(big.Int).Add(n, s); above.BitLen() <= 256 {
		cases["s + n"] = put(r, above)
	}
	for name, b := range cases {
		if err := VerifySM2(key.Public(), []byte("x"), b); !errors.Is(err, ErrSignatureSM2) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := VerifySM2(SM2PublicKey{}, []byte("x"), good); !errors.Is(err, ErrKey) {
		t.Errorf("no key: %v", err)
	}
	if err := VerifySM2(key.Public(), make([]byte, maxECData+1), good); !errors.Is(err, ErrSignatureSM2) {
		t.Errorf("long message: %v", err)
	}
}

func TestSM2Keys(t *testing.T) {
	n := sm2.P256().Params().N
	one := big.NewInt(1)
	for name, c := range map[string]struct {
		scalar []byte
		good   bool
	}{
		"0": {make([]byte, 32), false}, "n": {n.Bytes(), false}, "n − 1": {new(big.Int).Sub(n, one).Bytes(), false},
		"n − 2": {new(big.Int).Sub(n, big.NewInt(2)).Bytes(), true}, "1": {one.FillBytes(make([]byte, 32)), true}, "short": {make([]byte, 31), false},
	} {
		if _, err := NewSM2PrivateKey(c.scalar); (err == nil) != c.good || (err != nil && !errors.Is(err, ErrKey)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k := sm2Key(t, 1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, k); got != "[secret]" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	if _, err := GenerateSM2Key(bytes.NewReader(nil)); err == nil {
		t.Error("a key without randomness")
	}
	if _, err := GenerateSM2Key(zeros{}); err == nil {
		t.Error("a key from a stuck source")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// sm2Chain is a CA key with the certificates of issuer and card under it.
type sm2Chain struct {
	ca                      SM2CAKey
	caKey, issuerKey, icKey *SM2PrivateKey
	issuer, icc, signature  []byte
	pan, static             []byte
	dynamic, un             []byte // the card's and the terminal's part of the signature
}

func newSM2Chain(t testing.TB) sm2Chain {
	c := sm2Chain{caKey: sm2Key(t, 1), issuerKey: sm2Key(t, 2), icKey: sm2Key(t, 3), pan: testPANBytes(), static: []byte("signed records"), dynamic: []byte{2, 0, 9}, un: []byte{1, 2, 3, 4}}
	c.ca = SM2CAKey{RID: [5]byte{0xA0, 0, 0, 3, 0x33}, Index: 0xE1, Key: c.caKey.Public()}
	digits, _ := unpackCN(c.pan)
	var err error
	if c.issuer, err = SignSM2Issuer(c.caKey, SM2Subject{ID: digits[:6], Month: 12, Year: 2030, Serial: [3]byte{1, 2, 3}, Key: c.issuerKey.Public()}); err != nil {
		t.Fatal(err)
	}
	if c.icc, err = SignSM2ICC(c.issuerKey, SM2Subject{ID: digits, Month: 3, Year: 2026, Key: c.icKey.Public()}, c.static); err != nil {
		t.Fatal(err)
	}
	if c.signature, err = SignSM2Dynamic(c.icKey, c.dynamic, c.un); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c sm2Chain) verify(now time.Time) (Dynamic, error) {
	issuer, info, err := VerifySM2Issuer(c.ca, c.issuer, c.pan, now)
	if err != nil {
		return Dynamic{}, err
	}
	if info.Serial != [3]byte{1, 2, 3} || info.Expiry != time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) {
		return Dynamic{}, fmt.Errorf("info %+v", info)
	}
	icc, err := VerifySM2ICC(issuer, c.icc, c.pan, c.static, now)
	if err != nil {
		return Dynamic{}, err
	}
	return VerifySM2Dynamic(icc, c.signature, c.un)
}

// The chain holds as made, byte for byte in the layout that public code shows, and no bit of it can be flipped.
func TestSM2Chain(t *testing.T) {
	c := newSM2Chain(t)
	if len(c.issuer) != 142 || c.issuer[0] != 0x12 || !bytes.Equal(c.issuer[5:14], []byte{0x12, 0x30, 1, 2, 3, 4, 0, 0x11, 64}) {
		t.Errorf("issuer certificate %X", c.issuer)
	}
	if len(c.icc) != 148 || c.icc[0] != 0x14 || !bytes.Equal(c.icc[11:20], []byte{0x03, 0x26, 0, 0, 0, 4, 0, 0x11, 64}) {
		t.Errorf("card certificate %X", c.icc)
	}
	if !bytes.Equal(c.signature[:5], []byte{0x15, 3, 2, 0, 9}) || len(c.signature) != 69 {
		t.Errorf("9F4B %X", c.signature)
	}
	if d, err := c.verify(sm2Now); err != nil || !bytes.Equal(d.Data, c.dynamic) {
		t.Fatalf("%+v %v", d, err)
	} else if n, ok := d.Number(); !ok || !bytes.Equal(n, []byte{0, 9}) {
		t.Errorf("number %X", n)
	}
	step := 1
	if testing.Short() {
		step = 11
	}
	for name, part := range map[string]*[]byte{"issuer": &c.issuer, "card": &c.icc, "signature": &c.signature, "static data": &c.static, "terminal data": &c.un} {
		whole := *part
		for i := 0; i < 8*len(whole); i += step {
			*part = bytes.Clone(whole)
			(*part)[i/8] ^= 1 << (i % 8)
			if _, err := c.verify(sm2Now); err == nil {
				t.Errorf("%s, byte %d bit %d: still verifies", name, i/8, i%8)
			}
		}
		for _, n := range []int{0, 1, 2, len(whole) - 1} {
			*part = whole[:min(n, len(whole))]
			if _, err := c.verify(sm2Now); err == nil {
				t.Errorf("%s cut to %d bytes: still verifies", name, n)
			}
		}
		*part = whole
	}
}

func TestSM2CertificateErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*sm2Chain)
		now    time.Time
		want   error
	}{
		{name: "last day of the card certificate", now: time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC)},
		{name: "card certificate expired", now: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), want: ErrExpired},
		{name: "CA key expired", change: func(c *sm2Chain) { c.ca.Expiry = sm2Now }, want: ErrExpired},
		{name: "CA key in its last moment", change: func(c *sm2Chain) { c.ca.Expiry = sm2Now.Add(1) }},
		{name: "another card number", change: func(c *sm2Chain) { c.pan = bytes.Clone(c.pan); c.pan[5] ^= 1 }, want: ErrPAN},
		{name: "another issuer's number", change: func(c *sm2Chain) { c.pan = bytes.Clone(c.pan); c.pan[0] ^= 1 }, want: ErrPAN},
		{name: "another CA", change: func(c *sm2Chain) { c.ca.Key = c.issuerKey.Public() }, want: ErrSignatureSM2},
		{name: "CA key is no point", change: func(c *sm2Chain) { c.ca.Key[63] ^= 1 }, want: ErrKey},
		{name: "month 13", change: func(c *sm2Chain) { c.issuer[5] = 0x13 }, want: ErrCertificate},
		{name: "another algorithm", change: func(c *sm2Chain) { c.issuer[10] = 1 }, want: ErrCertificate},
		{name: "another curve", change: func(c *sm2Chain) { c.icc[18] = 0x12 }, want: ErrCertificate},
		{name: "format of RSA", change: func(c *sm2Chain) { c.icc[0] = 0x04 }, want: ErrCertificate},
		{name: "a certified key that is no point", change: func(c *sm2Chain) {
			bad := c.icKey.Public()
			bad[0] ^= 1
			digits, _ := unpackCN(c.pan)
			c.icc, _ = SignSM2ICC(c.issuerKey, SM2Subject{ID: digits, Month: 12, Year: 2030, Key: bad}, c.static)
		}, want: ErrKey},
		{name: "dynamic data of another format", change: func(c *sm2Chain) { c.signature[0] = 0x05 }, want: ErrSignature},
		{name: "dynamic data's length", change: func(c *sm2Chain) { c.signature[1]++ }, want: ErrSignature},
	} {
		chain := newSM2Chain(t)
		if c.change != nil {
			c.change(&chain)
		}
		now := c.now
		if now.IsZero() {
			now = sm2Now
		}
		if _, err := chain.verify(now); !errors.Is(err, c.want) || (c.want == nil && err != nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	k := sm2Key(t, 1)
	for name, s := range map[string]SM2Subject{"2 digits": {ID: "62", Month: 1, Year: 2030}, "9 digits": {ID: "622848000", Month: 1, Year: 2030}, "month 0": {ID: "622848", Year: 2030}, "year 2050": {ID: "622848", Month: 1, Year: 2050}, "letters": {ID: "62284x", Month: 1, Year: 2030}} {
		if _, err := SignSM2Issuer(k, s); !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SignSM2Dynamic(k, make([]byte, 256), nil); !errors.Is(err, ErrSignature) {
		t.Errorf("long dynamic data: %v", err)
	}
}

func TestSM2CAStore(t *testing.T) {
	s := NewCAStore()
	k := SM2CAKey{RID: [5]byte{0xA0, 0, 0, 3, 0x33}, Index: 0xE1, Key: sm2Key(t, 1).Public()}
	if k.Checksum() != sm3.Sum(append(append(k.RID[:], k.Index), k.Key[:]...)) {
		t.Error("checksum")
	}
	wrong := k.Checksum()
	wrong[31] ^= 1
	if err := s.AddSM2(k, wrong); !errors.Is(err, ErrChecksum) {
		t.Errorf("wrong checksum: %v", err)
	}
	for range 2 { // the same key again is no error
		if err := s.AddSM2(k, k.Checksum()); err != nil {
			t.Fatal(err)
		}
	}
	ca, _, _ := keys(t)
	rsa := caKey(ca)
	if err := s.Add(rsa, rsa.Checksum()); err != nil { // an RSA key under the same index
		t.Error(err)
	}
	other := k
	other.Key = sm2Key(t, 2).Public()
	if err := s.AddSM2(other, other.Checksum()); !errors.Is(err, ErrKey) {
		t.Errorf("another key under the same index: %v", err)
	}
	other.Index, other.Key[0] = 1, other.Key[0]^1
	if err := s.AddSM2(other, other.Checksum()); !errors.Is(err, ErrKey) {
		t.Errorf("no point: %v", err)
	}
	next := NewCAStore()
	for i := range MaxCAKeys {
		x := k
		x.Index, x.RID[0] = byte(i), byte(i>>8)
		if err := next.AddSM2(x, x.Checksum()); err != nil {
			t.Fatal(err)
		}
	}
	last := k
	last.RID[4] = 0x77
	if err := next.AddSM2(last, last.Checksum()); !errors.Is(err, ErrKey) {
		t.Errorf("too many: %v", err)
	}
	s.Replace(next)
	all := s.SM2Keys()
	if len(all) != MaxCAKeys || all[0].Index != 0 || all[MaxCAKeys-1].Index != 0xFF {
		t.Errorf("%d keys after the reload", len(all))
	}
	if got, ok := s.LookupSM2(all[7].RID, 7); !ok || got.Key != k.Key {
		t.Error("key not found after the reload")
	}
	if _, ok := s.LookupSM2(last.RID, last.Index); ok {
		t.Error("unknown RID found")
	}
}

// FuzzSM2Certificates: no certificate or signature makes the checks panic, and none passes that nobody signed.
func FuzzSM2Certificates(f *testing.F) {
	c := newSM2Chain(f)
	f.Add(c.issuer, c.icc, c.signature)
	f.Add([]byte{0x12}, []byte{0x14}, []byte{0x15, 0xFF})
	f.Fuzz(func(t *testing.T, issuer, icc, signature []byte) {
		x := c
		x.issuer, x.icc, x.signature = issuer, icc, signature
		_, err := x.verify(sm2Now)
		genuine := bytes.Equal(issuer, c.issuer) && bytes.Equal(icc, c.icc) && bytes.Equal(signature, c.signature)
		if (err == nil) != genuine {
			t.Fatalf("genuine %v: %v", genuine, err)
		}
		_ = IsSM2Issuer(issuer)
	})
}

func BenchmarkVerifySM2(b *testing.B) {
	key := sm2Key(b, 1)
	signature, err := SignSM2(key, []byte("message"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := VerifySM2(key.Public(), []byte("message"), signature); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignSM2(b *testing.B) {
	key := sm2Key(b, 1)
	for b.Loop() {
		if _, err := SignSM2(key, []byte("message")); err != nil {
			b.Fatal(err)
		}
	}
}

// A real chain that public programs carry: UnionPay's CA key 18 with its own
// signature (a terminal's parameter download), an issuer certificate under it and
// a test card's certificate over signed records and AIP (a card tester).
const (
	vectorSM2CA     = "3101010000A0000003331812300411403771" + "0FEB7CC3617767874E85509C268E8F931D68773E93A89F39A4247DFE2D280FC5BC838353885B6DAD447C8F90116BD9D314047591989F67F319544D42A48B" + "DBDA8F27CF839323920DF931DC51943AE26A376F7EB2529F7233230B63CE15ABA76C1E508DA4A98675A2B522D2722BDF5CD93953973F241F568B282BB66CECDD"
	vectorSM2Issuer = "1262354897123000125804001140C9DAD9AC482C02D489E24EEDFCE7C2F0EA4450D208E8E3847FDDCE6B9D55EDC8C97154E019C9E5C1419629587C9C923529D5A18D1715E6EF9DAEB057987FEDFAE1F1F48346B2E90A4443CB7DD42748236C2264FCE4A47B68EF505F2E2FCE4736BA8EC9B67611DB07E31FA90E245300BA278EBDD345508FACE2485E242CE09363"
	vectorSM2ICC    = "14623548973000021812FF0625007EB004001140342A63B591135AEFC30A2A308A0F8185FB6E35A85F75A26487501B0CAFE391113BEDDA0888B126FC7F64E2E070F9CC06D456BF7C984EE7D1194F9DE23D9ADCA3C4D73FA5EA6B7040AACE51D5AE016DA2DD74F7147BFD31925EFE8C09E5308C26BD54FFE78B8CEEBF140E7506B9418B209C4D244F799CC8B6E3E0FA2F3212DC22"
	vectorSM2Static = "5F24032506015F25031706015A096235489730000218129F0702FF008E0C000000000000000002031F009F0D05D8609CA8009F0E0500100000009F0F05D8689CF8005F280201569F080200308C1B9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E148D1A8A029F02069F03069F1A0295055F2A029A039C019F37049F2103"
)

func TestSM2Vector(t *testing.T) {
	ca, err := ParseSM2CA(fromHex(t, vectorSM2CA))
	if err != nil || ca.RID != [5]byte{0xA0, 0, 0, 3, 0x33} || ca.Index != 0x18 || ca.Expiry != time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) {
		t.Fatalf("%+v %v", ca, err)
	}
	pan, day := fromHex(t, "623548973000021812"), time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	issuer := fromHex(t, vectorSM2Issuer)
	key, info, err := VerifySM2Issuer(ca, issuer, pan, day)
	if err != nil || !IsSM2Issuer(issuer) || info.IssuerID != "62354897" || info.Serial != [3]byte{0, 0x12, 0x58} {
		t.Fatalf("%+v %v", info, err)
	}
	static, err := StaticData(fromHex(t, vectorSM2Static), []byte{0x82}, []byte{0x7C, 0x00})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifySM2ICC(key, fromHex(t, vectorSM2ICC), pan, static, day); err != nil {
		t.Error(err)
	}
	if _, err := VerifySM2ICC(key, fromHex(t, vectorSM2ICC), pan, static[:len(static)-2], day); !errors.Is(err, ErrSignatureSM2) {
		t.Errorf("without the AIP: %v", err)
	}
	if _, err := VerifySM2ICC(key, fromHex(t, vectorSM2ICC), pan, static, day.AddDate(0, 1, 0)); !errors.Is(err, ErrExpired) {
		t.Errorf("after its last month: %v", err)
	}
	whole := fromHex(t, vectorSM2CA)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if _, err := ParseSM2CA(b); err == nil {
			t.Errorf("CA certificate, byte %d changed: still taken", i)
		}
	}
	own, err := SignSM2CA(sm2Key(t, 1), ca.RID, ca.Index, 12, 2030)
	if err != nil || !bytes.Equal(own[:sm2CAHead], whole[:sm2CAHead]) {
		t.Fatalf("%X %v", own, err)
	}
	if k, err := ParseSM2CA(own); err != nil || k.Key != sm2Key(t, 1).Public() {
		t.Errorf("%+v %v", k, err)
	}
	if _, err := SignSM2CA(sm2Key(t, 1), ca.RID, ca.Index, 13, 2030); !errors.Is(err, ErrCertificate) {
		t.Errorf("month 13: %v", err)
	}
}
