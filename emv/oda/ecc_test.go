package oda

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func fromHex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The worked examples of Book E (3.1 to 3.3) as public implementations carry
// them: CA, issuer and card certificate on P-256, with the nonces that were used.
const (
	bookCA     = "2000A000000004E010F60DAECD42B48FCCA547D942204D6098F1A353A5CD25CBDF2EC1ABFD0170E0FC"
	bookCASign = "7796E8770697859834F7E7B5E792EEB698882292E7F2B918C4BA37C9EC10CB89841639789B9221A744805DC4396365216C2219F71A0FFF078033BEAF149C0C6B"
	bookCAY    = "6FD75EAAB356BE98BAA8E99A6FCE303F0C952BC02B4F566F096DD6EFF20C8FE8"
	bookCAD    = "723222B51845E8B41A66263AE90E962148F9CCC3BE45B3E5902CEC0195F2AEAF"

	bookIssuer      = "120054133390FF1020301231123456A000000004E0CD7400578B1164FEA954658C763C5A94FB3514FA89DB5B3B447AE8F4D5DF870A"
	bookIssuerSign  = "739061ADBC6FC71C8864EA9D3D6BAB5C9501C058D895FE0F69D92E22412953DC1ACCCBBE60809C5694C739CA54CC3FF4CF0964E1B946C3ED00C4E572A5021988"
	bookIssuerNonce = "049916F4FD4046C1DBA9FBBD41C5A9643BDC6978C42371DDCD5D725E144B6446"
	bookIssuerY     = "4CB6523AFD465E964F77A6DD5B67C79202E9B39892A8E9D45562D1100493D215"
	bookIssuerD     = "DD5015968F6E10BE471523C58716FC0A36A40B309E62039DF6ED9FC62C6EA5F8"

	bookICC      = "140000202912312359987654321000010260D3FB0E45A5E64834880571152BE93E241D216D407F6F000C263B1CC87517AF43CA1837F6B4321CA70262902037EFCE790DC583828AEA628FFAAEFC08618658"
	bookICCSign  = "035824B9DD96765B97A0CC52C1B668B075ED86BE31DA1159C6F9128863B75A80BD863084A1C965C681AE72DF3B58A9CA8AEC8463DEF0A7FA35C0EE83A5269F65"
	bookICCNonce = "93C1BB40E845B014C0CE00325A2E89642B891EBF0265F16A1531671467909371"
)

var bookNow = time.Date(2026, 3, 15, 14, 30, 0, 0, time.UTC)

// Signatures with the book's nonces are the book's, byte for byte.
func TestBookESignatures(t *testing.T) {
	for _, c := range []struct{ name, d, nonce, message, signature string }{
		{"issuer certificate", bookCAD, bookIssuerNonce, bookIssuer, bookIssuerSign},
		{"card certificate", bookIssuerD, bookICCNonce, bookICC, bookICCSign},
	} {
		key, err := NewECPrivateKey(fromHex(t, c.d))
		if err != nil {
			t.Fatal(err)
		}
		k, err := ecdh.P256().NewPrivateKey(fromHex(t, c.nonce))
		if err != nil {
			t.Fatal(err)
		}
		if got := signWith(key, k, fromHex(t, c.message)); !bytes.Equal(got, fromHex(t, c.signature)) {
			t.Errorf("%s: %X", c.name, got)
		}
	}
}

// The chain of the book: CA to issuer to card, y coordinates found as the book has them.
func TestBookEChain(t *testing.T) {
	ca, err := ParseECCA(fromHex(t, bookCA+bookCASign))
	if err != nil {
		t.Fatal(err)
	}
	caKey, err := NewECPublicKey(ca.X[:])
	if err != nil || !bytes.Equal(caKey.point[1+ECSize:], fromHex(t, bookCAY)) {
		t.Errorf("CA: y is %X, %v", caKey.point[1+ECSize:], err)
	}
	pan := fromHex(t, "5413339012345678")
	issuer, err := VerifyECIssuer(ca, fromHex(t, bookIssuer+bookIssuerSign), pan, bookNow)
	if err != nil {
		t.Fatal(err)
	}
	if issuer.IssuerID != "54133390" || issuer.Serial != [3]byte{0x12, 0x34, 0x56} || issuer.RID != [5]byte{0xA0, 0, 0, 0, 4} || issuer.CAIndex != 0xE0 ||
		!issuer.Expiry.Equal(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("issuer: %+v", issuer)
	}
	if y := issuer.Key.point[1+ECSize:]; !bytes.Equal(y, fromHex(t, bookIssuerY)) {
		t.Errorf("issuer: y is %X", y)
	}
	cert := fromHex(t, bookICC+bookICCSign)
	icc, err := VerifyECICC(issuer.Key, cert, [32]byte(cert[17:49]), bookNow)
	if err != nil {
		t.Fatal(err)
	}
	if icc.Serial != [6]byte{0x98, 0x76, 0x54, 0x32, 0x10, 0x00} || !icc.Expiry.Equal(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("card: %+v", icc)
	}
}

// Every flipped bit in a certificate or its signature is found.
func TestECCertificateFlips(t *testing.T) {
	ca, err := ParseECCA(fromHex(t, bookCA+bookCASign))
	if err != nil {
		t.Fatal(err)
	}
	pan := fromHex(t, "5413339012345678")
	issuerCert, iccCert, caCert := fromHex(t, bookIssuer+bookIssuerSign), fromHex(t, bookICC+bookICCSign), fromHex(t, bookCA+bookCASign)
	issuer, err := VerifyECIssuer(ca, issuerCert, pan, bookNow)
	if err != nil {
		t.Fatal(err)
	}
	hash := [32]byte(iccCert[17:49])
	step := 1
	if testing.Short() {
		step = 11
	}
	for _, c := range []struct {
		name   string
		cert   []byte
		verify func([]byte) error
	}{
		{"CA", caCert, func(b []byte) error { _, err := ParseECCA(b); return err }},
		{"issuer", issuerCert, func(b []byte) error { _, err := VerifyECIssuer(ca, b, pan, bookNow); return err }},
		{"card", iccCert, func(b []byte) error { _, err := VerifyECICC(issuer.Key, b, hash, bookNow); return err }},
	} {
		for i := 0; i < 8*len(c.cert); i += step {
			b := bytes.Clone(c.cert)
			b[i/8] ^= 1 << (i % 8)
			if c.verify(b) == nil {
				t.Errorf("%s: bit %d flipped and still good", c.name, i)
			}
		}
		if c.verify(c.cert[:len(c.cert)-1]) == nil || c.verify(append(bytes.Clone(c.cert), 0)) == nil || c.verify(nil) == nil {
			t.Errorf("%s: another length is taken", c.name)
		}
	}
}

func ecKey(t testing.TB, seed byte) *ECPrivateKey {
	k, err := GenerateECKey(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Each check of a certificate has its own error.
func TestECCertificateErrors(t *testing.T) {
	ca, issuer, icc := ecKey(t, 1), ecKey(t, 2), ecKey(t, 3)
	rid := [5]byte{0xA0, 0, 0, 0, 4}
	caKey := ECCAKey{RID: rid, Index: 0xE1, X: ca.Public().X()}
	last := time.Date(2030, 6, 30, 23, 59, 0, 0, time.UTC)
	pan := fromHex(t, "541333123456789F")
	cert, err := SignECIssuer(ca, rid, 0xE1, ECSubject{IssuerID: "5413331", Expiry: last, Serial: 0xDE3041, Key: issuer.Public()})
	if err != nil {
		t.Fatal(err)
	}
	hash := ICCDHash([]byte("records"), []byte("extended"), []byte{1, 2})
	if hash != sha256.Sum256([]byte("recordsextended\x01\x02")) {
		t.Error("ICCD hash")
	}
	card, err := SignECICC(issuer, ECSubject{Expiry: last, Serial: 7, Key: icc.Public()}, hash)
	if err != nil {
		t.Fatal(err)
	}
	otherRID, otherIndex, expired, otherCA := caKey, caKey, caKey, caKey
	otherRID.RID[4], otherIndex.Index, otherCA.X = 3, 0xE2, issuer.Public().X()
	expired.Expiry = time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
	lastMoment, after := time.Date(2030, 6, 30, 23, 59, 59, 0, time.UTC), time.Date(2030, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		ca   ECCAKey
		pan  []byte
		now  time.Time
		want error
	}{
		{"good", caKey, pan, bookNow, nil},
		{"last day", caKey, pan, lastMoment, nil},
		{"the day after", caKey, pan, after, ErrExpired},
		{"another zone's day", caKey, pan, time.Date(2030, 7, 1, 7, 59, 0, 0, time.FixedZone("CST", 8*3600)), nil},
		{"other RID", otherRID, pan, bookNow, ErrCertificate},
		{"other index", otherIndex, pan, bookNow, ErrCertificate},
		{"CA key has expired", expired, pan, bookNow, ErrExpired},
		{"other CA", otherCA, pan, bookNow, ErrSignatureEC},
		{"other PAN", caKey, fromHex(t, "541334123456789F"), bookNow, ErrPAN},
		{"no PAN", caKey, nil, bookNow, ErrPAN},
	} {
		if _, err := VerifyECIssuer(c.ca, cert, c.pan, c.now); !errors.Is(err, c.want) {
			t.Errorf("issuer, %s: %v, want %v", c.name, err, c.want)
		}
	}
	other := hash
	other[0] ^= 1
	for _, c := range []struct {
		name string
		key  ECPublicKey
		hash [32]byte
		now  time.Time
		want error
	}{
		{"good", issuer.Public(), hash, bookNow, nil}, {"last minute", issuer.Public(), hash, lastMoment, nil}, {"the minute after", issuer.Public(), hash, after, ErrExpired},
		{"other data", issuer.Public(), other, bookNow, ErrHash}, {"other issuer", ca.Public(), hash, bookNow, ErrSignatureEC}, {"no issuer", ECPublicKey{}, hash, bookNow, ErrKey},
	} {
		if _, err := VerifyECICC(c.key, card, c.hash, c.now); !errors.Is(err, c.want) {
			t.Errorf("card, %s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := SignECIssuer(ca, rid, 1, ECSubject{IssuerID: "54", Key: issuer.Public()}); !errors.Is(err, ErrCertificate) {
		t.Errorf("issuer identifier of two digits: %v", err)
	}
	if s := fmt.Sprintf("%v%+v%x%d", ca, ca, ca, ca); s != "[secret][secret][secret][secret]" {
		t.Error("a key prints")
	}
}

// textbook is EC-SDSA's check as it stands in ISO/IEC 14888-3, in affine coordinates over
// math/big: another way to the same answer.
func textbook(q ECPublicKey, message, signature []byte) bool {
	p, n := elliptic.P256().Params().P, elliptic.P256().Params().N
	type point struct{ x, y *big.Int } // nil x: infinity
	add := func(a, b point) point {
		if a.x == nil {
			return b
		}
		if b.x == nil {
			return a
		}
		var l *big.Int
		if a.x.Cmp(b.x) == 0 {
			if new(big.Int).Mod(new(big.Int).Add(a.y, b.y), p).Sign() == 0 {
				return point{}
			}
			l = new(big.Int).Mul(a.x, a.x)
			l.Mul(l, big.NewInt(3)).Sub(l, big.NewInt(3))
			l.Mul(l, new(big.Int).ModInverse(new(big.Int).Lsh(a.y, 1), p))
		} else {
			d := new(big.Int).Mod(new(big.Int).Sub(b.x, a.x), p)
			l = new(big.Int).Mul(new(big.Int).Sub(b.y, a.y), new(big.Int).ModInverse(d, p))
		}
		x := new(big.Int).Mul(l, l)
		x.Sub(x, a.x).Sub(x, b.x).Mod(x, p)
		y := new(big.Int).Sub(a.x, x)
		y.Mul(y, l).Sub(y, a.y).Mod(y, p)
		return point{x, y}
	}
	mul := func(a point, k *big.Int) (r point) {
		for i := k.BitLen() - 1; i >= 0; i-- {
			if r = add(r, r); k.Bit(i) == 1 {
				r = add(r, a)
			}
		}
		return r
	}
	g := point{elliptic.P256().Params().Gx, elliptic.P256().Params().Gy}
	qp := point{new(big.Int).SetBytes(q.point[1:33]), new(big.Int).SetBytes(q.point[33:])}
	r := new(big.Int).Mod(new(big.Int).SetBytes(signature[:32]), n)
	t := add(mul(g, new(big.Int).SetBytes(signature[32:])), mul(qp, r.Sub(n, r)))
	if t.x == nil {
		return false
	}
	h := sha256.Sum256(append(t.x.FillBytes(make([]byte, 32)), message...))
	return bytes.Equal(h[:], signature[:32])
}

// Signing and checking fit, and agree with the textbook, for good signatures and damaged ones.
func TestECSignatures(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := [32]byte{}
		copy(seed[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "seed"))
		key, err := GenerateECKey(rand.NewChaCha8(seed))
		if err != nil {
			r.Fatal(err)
		}
		message := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "message")
		s, err := SignEC(key, message)
		if err != nil {
			r.Fatal(err)
		}
		if err := VerifyEC(key.Public(), message, s); err != nil || !textbook(key.Public(), message, s) {
			r.Fatalf("own signature: %v", err)
		}
		damaged := bytes.Clone(s)
		damaged[rapid.IntRange(0, 63).Draw(r, "at")] ^= byte(rapid.IntRange(1, 255).Draw(r, "by"))
		if (VerifyEC(key.Public(), message, damaged) == nil) != textbook(key.Public(), message, damaged) {
			r.Fatal("disagrees with the textbook")
		}
		if VerifyEC(key.Public(), append(message, 1), s) == nil {
			r.Fatal("covers another message")
		}
	})
}

// Edges of the signature's numbers: r and s of 0, s of n and above, an r whose reduction is 0.
func TestECSignatureRange(t *testing.T) {
	key := ecKey(t, 1)
	n := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	zero, ones := make([]byte, 32), bytes.Repeat([]byte{0xFF}, 32)
	good, err := SignEC(key, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range [][]byte{
		slices.Concat(zero, good[32:]), slices.Concat(good[:32], zero), slices.Concat(good[:32], n), slices.Concat(good[:32], ones),
		slices.Concat(n, good[32:]), slices.Concat(ones, good[32:]), nil, good[:63], append(bytes.Clone(good), 0),
	} {
		if err := VerifyEC(key.Public(), []byte("m"), s); !errors.Is(err, ErrSignatureEC) {
			t.Errorf("%X: %v", s, err)
		}
	}
	if err := VerifyEC(key.Public(), make([]byte, maxECData+1), good); !errors.Is(err, ErrSignatureEC) {
		t.Errorf("too long: %v", err)
	}
}

// Keys: the smaller y, scalars out of range, x coordinates of no point.
func TestECKeys(t *testing.T) {
	half := new(big.Int).Rsh(elliptic.P256().Params().P, 1)
	for seed := range byte(20) {
		k := ecKey(t, seed)
		if y := new(big.Int).SetBytes(k.public.point[33:]); y.Cmp(half) > 0 {
			t.Errorf("seed %d: y is the larger one", seed)
		}
		p, err := k.ECDH()
		if err != nil || !bytes.Equal(p.PublicKey().Bytes(), k.public.point[:]) {
			t.Errorf("seed %d: private and public half do not fit", seed)
		}
		x := k.public.X()
		if q, err := NewECPublicKey(x[:]); err != nil || q != k.public {
			t.Errorf("seed %d: x finds another point: %v", seed, err)
		}
	}
	n := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	for _, b := range [][]byte{nil, make([]byte, 32), n, bytes.Repeat([]byte{0xFF}, 32), make([]byte, 31)} {
		if _, err := NewECPrivateKey(b); !errors.Is(err, ErrKey) {
			t.Errorf("scalar %X: %v", b, err)
		}
	}
	bad := make([]byte, 32)
	for bad[31] = 0; ; bad[31]++ { // about half of all x belong to no point
		if _, err := NewECPublicKey(bad); err != nil {
			if !errors.Is(err, ErrKey) {
				t.Error(err)
			}
			break
		}
	}
	if _, err := (ECPublicKey{}).ECDH(); !errors.Is(err, ErrKey) {
		t.Errorf("no key: %v", err)
	}
	if _, err := ECScalar(bytes.NewReader(make([]byte, 32*maxDraws))); err == nil {
		t.Error("zeros make a scalar")
	}
	if _, err := ECScalar(bytes.NewReader(nil)); err == nil {
		t.Error("nothing makes a scalar")
	}
	if _, err := GenerateECKey(bytes.NewReader(nil)); err == nil {
		t.Error("nothing makes a key")
	}
}

func TestXDA(t *testing.T) {
	key := ecKey(t, 5)
	x := XDA{PDOL: []byte("pdol"), CDOL1: []byte("cdol"), Response: []byte{0x9F, 0x27, 1, 0x80}, UN: [4]byte{1, 2, 3, 4}}
	s, err := SignXDA(key, x)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyXDA(key.Public(), s, x); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*XDA){
		"PDOL": func(x *XDA) { x.PDOL = nil }, "CDOL1": func(x *XDA) { x.CDOL1 = []byte("cdoL") }, "response": func(x *XDA) { x.Response = []byte{0x9F, 0x27, 1, 0x40} },
		"UN": func(x *XDA) { x.UN[0] = 9 },
	} {
		y := x
		change(&y)
		if err := VerifyXDA(key.Public(), s, y); !errors.Is(err, ErrSignatureEC) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := VerifyXDA(key.Public(), s[:63], x); !errors.Is(err, ErrSignature) {
		t.Errorf("short: %v", err)
	}
}

func TestECCAStore(t *testing.T) {
	s := NewCAStore()
	k, err := ParseECCA(fromHex(t, bookCA+bookCASign))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddEC(k, k.Checksum()); err != nil {
		t.Fatal(err)
	}
	if err := s.AddEC(k, k.Checksum()); err != nil {
		t.Errorf("the same key again: %v", err)
	}
	wrong := k.Checksum()
	wrong[0] ^= 1
	if err := s.AddEC(k, wrong); !errors.Is(err, ErrChecksum) {
		t.Errorf("wrong checksum: %v", err)
	}
	other := k
	other.X = ecKey(t, 9).Public().X()
	if err := s.AddEC(other, other.Checksum()); !errors.Is(err, ErrKey) {
		t.Errorf("another key under the same index: %v", err)
	}
	none := k
	for none.X = [32]byte{}; ; none.X[31]++ {
		if _, err := NewECPublicKey(none.X[:]); err != nil {
			break
		}
	}
	if none.Index = 0xE3; !errors.Is(s.AddEC(none, none.Checksum()), ErrKey) {
		t.Error("an x of no point is taken")
	}
	if got, ok := s.LookupEC(k.RID, k.Index); !ok || got != k {
		t.Error("lookup")
	}
	if _, ok := s.Lookup(k.RID, k.Index); ok {
		t.Error("an ECC key is no RSA key")
	}
	if all := s.ECKeys(); len(all) != 1 || all[0] != k {
		t.Errorf("keys: %v", all)
	}
	for n := range MaxCAKeys {
		other.RID[0], other.Index = byte(n>>4), byte(n)
		if err := s.AddEC(other, other.Checksum()); (err != nil) != (n == MaxCAKeys-1) {
			t.Fatalf("key %d: %v", n, err)
		}
	}
}

// A reload swaps all at once while taps look keys up.
func TestReplaceCAStore(t *testing.T) {
	old, k := NewCAStore(), ECCAKey{RID: [5]byte{0xA0}, Index: 1, X: ecKey(t, 1).Public().X()}
	if err := old.AddEC(k, k.Checksum()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if _, ok := old.LookupEC(k.RID, k.Index); !ok {
					t.Error("the key is gone for a moment")
				}
				_ = old.Revoked(k.RID, k.Index, [3]byte{9})
			}
		})
	}
	for range 50 {
		next := NewCAStore()
		if err := next.AddEC(k, k.Checksum()); err != nil {
			t.Fatal(err)
		}
		if err := next.Revoke(k.RID, k.Index, [3]byte{9}); err != nil {
			t.Fatal(err)
		}
		old.Replace(next)
	}
	wg.Wait()
	if !old.Revoked(k.RID, k.Index, [3]byte{9}) {
		t.Error("the new revocation list is not there")
	}
	if old.Replace(NewCAStore()); len(old.ECKeys()) != 0 {
		t.Error("a reload that drops a key leaves it")
	}
}

// FuzzECCertificates: no certificate makes a panic, and none but a signed one is taken.
func FuzzECCertificates(f *testing.F) {
	f.Add(fromHex(f, bookCA+bookCASign))
	f.Add(fromHex(f, bookIssuer+bookIssuerSign))
	f.Add(fromHex(f, bookICC+bookICCSign))
	ca, err := ParseECCA(fromHex(f, bookCA+bookCASign))
	if err != nil {
		f.Fatal(err)
	}
	pan := fromHex(f, "5413339012345678")
	issuer, err := VerifyECIssuer(ca, fromHex(f, bookIssuer+bookIssuerSign), pan, bookNow)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, cert []byte) {
		if c, err := VerifyECIssuer(ca, cert, pan, bookNow); err == nil && c.Key != issuer.Key {
			t.Error("another issuer under the book's CA")
		}
		if len(cert) >= 49 {
			if _, err := VerifyECICC(issuer.Key, cert, [32]byte(cert[17:49]), bookNow); err == nil && !bytes.Equal(cert, fromHex(t, bookICC+bookICCSign)) {
				t.Error("another card under the book's issuer")
			}
		}
		if k, err := ParseECCA(cert); err == nil && k.Checksum() != sha256.Sum256(cert[:ecCABody]) {
			t.Error("the checksum is not over what was signed")
		}
	})
}

func BenchmarkVerifyEC(b *testing.B) {
	key := ecKey(b, 1)
	s, err := SignEC(key, []byte("message"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := VerifyEC(key.Public(), []byte("message"), s); err != nil {
			b.Fatal(err)
		}
	}
}
