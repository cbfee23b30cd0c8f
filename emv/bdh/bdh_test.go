package bdh

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"huika/emv/oda"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func source(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func cardKey(t testing.TB, seed byte) *oda.ECPrivateKey {
	k, err := oda.GenerateECKey(source(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// agreed are both ends of one channel.
func agreed(t testing.TB, seed byte) (kernel, card *Channel, b Blinded, q oda.ECPublicKey) {
	key := cardKey(t, seed+100)
	k, err := NewKernelKey(source(seed))
	if err != nil {
		t.Fatal(err)
	}
	public := k.Public()
	data, card, err := Respond(source(seed+50), key, public[:])
	if err != nil {
		t.Fatal(err)
	}
	kernel, b, err = k.Open(data[:])
	if err != nil {
		t.Fatal(err)
	}
	return kernel, card, b, key.Public()
}

// A worked example of a scheme's kernel 8 card: EDA-MAC under its SKi.
func TestEDAMACVector(t *testing.T) {
	c, err := channelOf([16]byte{}, [16]byte(unhex(t, "642373F56192B09B132C7E024164D3A7")))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.EDAMAC(unhex(t, "5C3319D5D8A4B275"), [8]byte(unhex(t, "1D24D5CEE99FD2E1"))); fmt.Sprintf("%X", got) != "A4624217FDD8E4B1" {
		t.Errorf("EDA-MAC %X", got)
	}
}

// cmac is AES-CMAC once more, from RFC 4493 with its own words, as check.
func cmac(t testing.TB, key, data []byte) []byte {
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	shift := func(x []byte) []byte {
		n := new(big.Int).Lsh(new(big.Int).SetBytes(x), 1)
		if n.Bit(128) == 1 {
			n.SetBit(n, 128, 0).Xor(n, big.NewInt(0x87))
		}
		return n.FillBytes(make([]byte, 16))
	}
	k := make([]byte, 16)
	b.Encrypt(k, k)
	k = shift(k)
	if len(data) == 0 || len(data)%16 != 0 {
		k = shift(k)
		data = append(bytes.Clone(data), 0x80)
		data = append(data, make([]byte, (16-len(data)%16)%16)...)
	} else {
		data = bytes.Clone(data)
	}
	for i := range k {
		data[len(data)-16+i] ^= k[i]
	}
	cipher.NewCBCEncrypter(b, make([]byte, 16)).CryptBlocks(data, data)
	return data[len(data)-16:]
}

// ctr is the standard library's counter mode.
func ctr(t testing.TB, key []byte, counter uint16, data []byte) []byte {
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(data))
	cipher.NewCTR(b, append([]byte{byte(counter >> 8), byte(counter)}, make([]byte, 14)...)).XORKeyStream(out, data)
	return out
}

// double and add on the curve, over math/big: x of k·P.
func scalarX(k *big.Int, px, py *big.Int) []byte {
	p := elliptic.P256().Params().P
	var rx, ry *big.Int
	add := func(ax, ay, bx, by *big.Int) (*big.Int, *big.Int) {
		if ax == nil {
			return bx, by
		}
		if bx == nil {
			return ax, ay
		}
		l, d := new(big.Int), new(big.Int)
		if ax.Cmp(bx) == 0 {
			if new(big.Int).Mod(d.Add(ay, by), p).Sign() == 0 {
				return nil, nil
			}
			l.Mul(ax, ax).Mul(l, big.NewInt(3)).Sub(l, big.NewInt(3))
			l.Mul(l, d.ModInverse(d.Lsh(ay, 1), p))
		} else {
			d.Mod(d.Sub(bx, ax), p)
			l.Mul(l.Sub(by, ay), d.ModInverse(d, p))
		}
		x := new(big.Int).Mul(l, l)
		x.Sub(x, ax).Sub(x, bx).Mod(x, p)
		y := new(big.Int).Sub(ax, x)
		y.Mul(y, l).Sub(y, ay).Mod(y, p)
		return x, y
	}
	for i := k.BitLen() - 1; i >= 0; i-- {
		if rx, ry = add(rx, ry, rx, ry); k.Bit(i) == 1 {
			rx, ry = add(rx, ry, px, py)
		}
	}
	return rx.FillBytes(make([]byte, 32))
}

// Everything that is agreed, computed a second time from the description: the
// blinded key, the shared secret, both session keys, the enciphered factor.
func TestAgreementRecomputed(t *testing.T) {
	params := elliptic.P256().Params()
	for seed := range byte(8) {
		key := cardKey(t, seed+100)
		k, err := NewKernelKey(source(seed))
		if err != nil {
			t.Fatal(err)
		}
		public := k.Public()
		data, card, err := Respond(source(seed+50), key, public[:])
		if err != nil {
			t.Fatal(err)
		}
		dc, err := key.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		r, err := oda.ECScalar(source(seed + 50))
		if err != nil {
			t.Fatal(err)
		}
		product := new(big.Int).Mul(new(big.Int).SetBytes(dc.Bytes()), new(big.Int).SetBytes(r.Bytes()))
		product.Mod(product, params.N)
		if x := scalarX(product, params.Gx, params.Gy); !bytes.Equal(x, data[:32]) {
			t.Errorf("seed %d: blinded key", seed)
		}
		z := scalarX(product, new(big.Int).SetBytes(public[:32]), new(big.Int).SetBytes(public[32:]))
		kd := cmac(t, make([]byte, 16), z)
		block, err := aes.NewCipher(kd)
		if err != nil {
			t.Fatal(err)
		}
		skc, ski := make([]byte, 16), make([]byte, 16)
		block.Encrypt(skc, unhex(t, "01"+"0100"+"54334A325957773D"+"A5A5A5"+"0180"))
		block.Encrypt(ski, unhex(t, "02"+"0100"+"54334A325957773D"+"A5A5A5"+"0180"))
		if got := ctr(t, skc, 0x8000, data[32:]); !bytes.Equal(got, r.Bytes()) {
			t.Errorf("seed %d: enciphered blinding factor", seed)
		}
		kernel, b, err := k.Open(data[:])
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Verify(key.Public()); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		// The next messages: a record of the card, an object for it, one out of it.
		record := []byte("a record that is longer than one block of AES, and more than two")
		sent := make([]byte, len(record))
		if err := card.FromCard(sent, record); err != nil || !bytes.Equal(sent, ctr(t, skc, 0x8001, record)) {
			t.Errorf("seed %d: record: %v", seed, err)
		}
		if err := kernel.FromCard(sent, sent); err != nil || !bytes.Equal(sent, record) {
			t.Errorf("seed %d: record at the kernel: %v", seed, err)
		}
		if err := kernel.FromKernel(sent, record); err != nil || !bytes.Equal(sent, ctr(t, skc, 0x0000, record)) {
			t.Errorf("seed %d: to the card: %v", seed, err)
		}
		sealed, err := card.SealData(record)
		body := ctr(t, skc, 0x8002, record)
		if want := append(bytes.Clone(body), cmac(t, ski, append([]byte{0x80, 0x02}, body...))[:8]...); err != nil || !bytes.Equal(sealed, want) {
			t.Errorf("seed %d: READ DATA: %v", seed, err)
		}
		if got, err := kernel.OpenData(sealed); err != nil || !bytes.Equal(got, record) {
			t.Errorf("seed %d: READ DATA at the kernel: %v", seed, err)
		}
		receipt, err := card.Receipt(record)
		if want := cmac(t, ski, append([]byte{0x80, 0x03}, record...))[:8]; err != nil || !bytes.Equal(receipt[:], want) {
			t.Errorf("seed %d: WRITE DATA: %v", seed, err)
		}
		if err := kernel.CheckReceipt(record, receipt[:]); err != nil {
			t.Errorf("seed %d: WRITE DATA at the kernel: %v", seed, err)
		}
		full := cmac(t, ski, append([]byte{0, 0}, record...))
		plus := make([]byte, 16)
		b2, err := aes.NewCipher(ski)
		if err != nil {
			t.Fatal(err)
		}
		cipher.NewCBCDecrypter(b2, full).CryptBlocks(plus, full)
		if got := kernel.IADMAC(record[:7], nil, record[7:]); !bytes.Equal(got[:], plus[:8]) || got != card.IADMAC(record) {
			t.Errorf("seed %d: IAD-MAC %X", seed, got)
		}
		if got := kernel.EDAMAC(record[:8], [8]byte(plus)); !bytes.Equal(got[:], cmac(t, ski, slices.Concat([]byte{0, 0}, record[:8], plus[:8]))[:8]) {
			t.Errorf("seed %d: EDA-MAC %X", seed, got)
		}
	}
}

// Blinding: one card never shows the same key twice, and nobody else's key verifies.
func TestBlinding(t *testing.T) {
	key := cardKey(t, 1)
	k, err := NewKernelKey(source(2))
	if err != nil {
		t.Fatal(err)
	}
	public, seen := k.Public(), map[[32]byte]bool{}
	rnd := source(3)
	for range 20 {
		data, _, err := Respond(rnd, key, public[:])
		if err != nil {
			t.Fatal(err)
		}
		_, b, err := k.Open(data[:])
		if err != nil {
			t.Fatal(err)
		}
		if seen[b.x] || b.x == key.Public().X() {
			t.Fatal("a blinded key links two transactions")
		}
		seen[b.x] = true
		if err := b.Verify(key.Public()); err != nil {
			t.Error(err)
		}
		if err := b.Verify(cardKey(t, 9).Public()); !errors.Is(err, ErrBlinding) {
			t.Errorf("another card's key: %v", err)
		}
		wrong := b
		wrong.r[31] ^= 1
		if err := wrong.Verify(key.Public()); !errors.Is(err, ErrBlinding) {
			t.Errorf("another factor: %v", err)
		}
		wrong.r = [32]byte{}
		if err := wrong.Verify(key.Public()); !errors.Is(err, ErrBlinding) {
			t.Errorf("factor 0: %v", err)
		}
		if err := b.Verify(oda.ECPublicKey{}); !errors.Is(err, oda.ErrKey) {
			t.Errorf("no key: %v", err)
		}
	}
}

// What is no point of the curve is refused by both sides.
func TestKeyData(t *testing.T) {
	k, err := NewKernelKey(source(2))
	if err != nil {
		t.Fatal(err)
	}
	public := k.Public()
	off := public
	off[63] ^= 1
	for _, b := range [][]byte{nil, public[:63], append(bytes.Clone(public[:]), 0), make([]byte, 64), off[:]} {
		if _, _, err := Respond(source(1), cardKey(t, 1), b); !errors.Is(err, ErrKeyData) {
			t.Errorf("kernel key data %X: %v", b, err)
		}
	}
	none := make([]byte, 64)
	for {
		if _, err := oda.NewECPublicKey(none[:32]); err != nil {
			break
		}
		none[31]++
	}
	for _, b := range [][]byte{nil, public[:63], append(bytes.Clone(public[:]), 0), none} {
		if _, _, err := k.Open(b); !errors.Is(err, ErrKeyData) {
			t.Errorf("card key data %X: %v", b, err)
		}
	}
	if _, err := NewKernelKey(bytes.NewReader(nil)); err == nil {
		t.Error("a key of nothing")
	}
	if _, _, err := Respond(bytes.NewReader(nil), cardKey(t, 1), public[:]); err == nil {
		t.Error("a blinding factor of nothing")
	}
}

// A MAC that does not match is found, and does not put the two sides out of step.
func TestWrongMAC(t *testing.T) {
	kernel, card, _, _ := agreed(t, 1)
	sealed, err := card.SealData([]byte("object"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(sealed) {
		b := bytes.Clone(sealed)
		b[i/8] ^= 1 << (i % 8)
		if _, err := kernel.OpenData(b); !errors.Is(err, ErrMAC) {
			t.Errorf("bit %d: %v", i, err)
		}
	}
	if _, err := kernel.OpenData(sealed[:7]); !errors.Is(err, ErrMAC) {
		t.Errorf("short: %v", err)
	}
	if got, err := kernel.OpenData(sealed); err != nil || string(got) != "object" {
		t.Errorf("after all that: %q, %v", got, err)
	}
	if _, err := kernel.OpenData(sealed); !errors.Is(err, ErrMAC) {
		t.Errorf("the same message again: %v", err)
	}
	receipt, err := card.Receipt([]byte("written"))
	if err != nil {
		t.Fatal(err)
	}
	if err := kernel.CheckReceipt([]byte("writtem"), receipt[:]); !errors.Is(err, ErrMAC) {
		t.Errorf("receipt for something else: %v", err)
	}
}

// Counters end before they come round.
func TestCounters(t *testing.T) {
	kernel, card, _, _ := agreed(t, 1)
	kernel.card, card.card, kernel.kernel = lastMessage-1, lastMessage-1, lastMessage-1
	b := []byte{1}
	if err := kernel.FromCard(b, b); err != nil {
		t.Errorf("the last message of the card: %v", err)
	}
	if err := kernel.FromKernel(b, b); err != nil {
		t.Errorf("the last message of the kernel: %v", err)
	}
	card.card = lastMessage
	_, sealErr := card.SealData(b)
	_, receiptErr := card.Receipt(b)
	_, openErr := kernel.OpenData(make([]byte, 9))
	for i, err := range []error{kernel.FromCard(b, b), kernel.FromKernel(b, b), sealErr, receiptErr, openErr, kernel.CheckReceipt(b, b)} {
		if !errors.Is(err, ErrCounter) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestNothingPrints(t *testing.T) {
	kernel, _, b, _ := agreed(t, 1)
	k, err := NewKernelKey(source(1))
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v%+v%x|%v%x|%v%d", k, k, k, kernel, kernel, b, b); s != "[secret][secret][secret]|[secret][secret]|[secret][secret]" {
		t.Error(s)
	}
}

// Both sides agree whatever passes between them, and every message has its own stream.
func TestChannelProperty(t *testing.T) {
	kernel, card, _, _ := agreed(t, 7)
	rapid.Check(t, func(r *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 250).Draw(r, "plain")
		sent := make([]byte, len(plain))
		switch rapid.IntRange(0, 3).Draw(r, "kind") {
		case 0:
			if card.FromCard(sent, plain) != nil || kernel.FromCard(sent, sent) != nil || !bytes.Equal(sent, plain) {
				r.Fatal("record")
			}
		case 1:
			if kernel.FromKernel(sent, plain) != nil || card.FromKernel(sent, sent) != nil || !bytes.Equal(sent, plain) {
				r.Fatal("to the card")
			}
		case 2:
			sealed, err := card.SealData(plain)
			if err != nil {
				r.Fatal(err)
			}
			if got, err := kernel.OpenData(sealed); err != nil || !bytes.Equal(got, plain) {
				r.Fatal("object")
			}
		case 3:
			receipt, err := card.Receipt(plain)
			if err != nil || kernel.CheckReceipt(plain, receipt[:]) != nil {
				r.Fatal("receipt")
			}
		}
		if kernel.card != card.card || kernel.kernel != card.kernel {
			r.Fatal("out of step")
		}
	})
}

// FuzzKeyData: whatever comes as key data, nothing panics, and no key of another card is taken.
func FuzzKeyData(f *testing.F) {
	k, err := NewKernelKey(source(2))
	if err != nil {
		f.Fatal(err)
	}
	key := cardKey(f, 1)
	public := k.Public()
	data, _, err := Respond(source(3), key, public[:])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:])
	f.Add(public[:])
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := Respond(source(4), key, b); err != nil && !errors.Is(err, ErrKeyData) {
			t.Error(err)
		}
		c, blinded, err := k.Open(b)
		if err != nil {
			if !errors.Is(err, ErrKeyData) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(b, data[:]) && blinded.Verify(key.Public()) == nil {
			t.Error("key data that the card did not make verify")
		}
		if _, err := c.OpenData(b); err == nil {
			t.Error("key data pass for an object")
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	k, err := NewKernelKey(source(2))
	if err != nil {
		b.Fatal(err)
	}
	public := k.Public()
	data, _, err := Respond(source(3), cardKey(b, 1), public[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := k.Open(data[:]); err != nil {
			b.Fatal(err)
		}
	}
}
