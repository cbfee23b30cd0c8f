package cryptogram_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/emmansun/gmsm/sm4"
	"pgregory.net/rapid"

	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// The cipher is SM4: the worked example of GB/T 32907; and the ARPC recomputed with it.
func TestSM4WorkedExample(t *testing.T) {
	key := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	block, err := sm4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 16)
	block.Encrypt(out, key)
	if got := hex.EncodeToString(out); got != "681edf34d206965e86b3e94f536e4246" {
		t.Fatalf("SM4 %s", got)
	}
	in := append(unhex(t, "5D016C91005E7CC2"), make([]byte, 8)...)
	in[0] ^= '0'
	in[1] ^= '1'
	block.Encrypt(in, in)
	arpc, err := cryptogram.PBOCSM4.ARPC(pay.NewSecret(key), [8]byte(unhex(t, "5D016C91005E7CC2")), [2]byte{'0', '1'})
	if err != nil || !bytes.Equal(arpc[:], in[:8]) {
		t.Errorf("ARPC %X %v, want %X", arpc, err, in[:8])
	}
}

// Derivations and MAC recomputed from their definition, block by block.
func TestSM4Recomputed(t *testing.T) {
	encrypt := func(key, in []byte) []byte {
		block, err := sm4.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]byte, 16)
		block.Encrypt(out, in)
		return out
	}
	rapid.Check(t, func(r *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "key")
		atc := rapid.Uint16().Draw(r, "atc")
		data := rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(r, "data")
		udk, err := cryptogram.PBOCSM4.CardKey(pay.NewSecret(bytes.Clone(key)), pan(t, "6228000100001"), "01")
		if err != nil {
			r.Fatal(err)
		}
		want := encrypt(key, unhex(t, "0622800010000101"+"F9DD7FFFEFFFFEFE"))
		if !bytes.Equal(udk.Reveal(), want) {
			r.Fatalf("card key %X, want %X", udk.Reveal(), want)
		}
		session, err := cryptogram.PBOCSM4.SessionKey(udk, atc)
		if err != nil {
			r.Fatal(err)
		}
		if sk := encrypt(want, unhex(t, fmt.Sprintf("000000000000%04X000000000000%04X", atc, ^atc))); !bytes.Equal(session.Reveal(), sk) {
			r.Fatalf("session key %X, want %X", session.Reveal(), sk)
		}
		padded := append(bytes.Clone(data), 0x80)
		for len(padded)%16 != 0 {
			padded = append(padded, 0)
		}
		chain := make([]byte, 16)
		for ; len(padded) > 0; padded = padded[16:] {
			for i := range chain {
				chain[i] ^= padded[i]
			}
			chain = encrypt(session.Reveal(), chain)
		}
		mac, err := cryptogram.PBOCSM4.MAC(session, data)
		if err != nil || !bytes.Equal(mac[:], chain[:8]) {
			r.Fatalf("MAC %X %v, want %X", mac, err, chain[:8])
		}
	})
}

func TestSM4Refuses(t *testing.T) {
	good := pay.NewSecret(make([]byte, 16))
	for _, n := range []int{0, 8, 15, 17, 24} {
		bad := pay.NewSecret(make([]byte, n))
		for name, err := range map[string]error{
			"card key":    second(cryptogram.PBOCSM4.CardKey(bad, pan(t, "6228000100001"), "01")),
			"session key": second(cryptogram.PBOCSM4.SessionKey(bad, 1)),
			"MAC":         second(cryptogram.PBOCSM4.MAC(bad, nil)),
			"ARPC":        second(cryptogram.PBOCSM4.ARPC(bad, [8]byte{}, [2]byte{})),
			"script MAC":  second(cryptogram.PBOCScriptMAC(cryptogram.PBOCSM4, bad, nil, 1, [8]byte{}, nil)),
		} {
			if !errors.Is(err, cryptogram.ErrKey) {
				t.Errorf("%s with %d bytes: %v", name, n, err)
			}
		}
	}
	for _, psn := range []string{"", "1", "1x", "001"} {
		if _, err := cryptogram.PBOCSM4.CardKey(good, pan(t, "6228000100001"), psn); !errors.Is(err, cryptogram.ErrKey) {
			t.Errorf("sequence number %q: %v", psn, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// pbocTap is field 55 of a card under a cipher and version, with its keys.
func pbocTap(t testing.TB, algorithm, version byte) (cryptogram.PBOCKeys, map[tlv.Tag][]byte) {
	t.Helper()
	keys := cryptogram.PBOCKeys{TDES: pay.NewSecret(unhex(t, vectorKey)), SM4: pay.NewSecret(unhex(t, "0123456789ABCDEFFEDCBA9876543210"))}
	iad := cryptogram.IAD{KeyIndex: 1, Version: version, CVR: cryptogram.NewCVR(cryptogram.ARQC), Algorithm: algorithm}
	o := map[tlv.Tag][]byte{tag.IAD: iad.Append(nil)}
	for g, v := range map[tlv.Tag]string{tag.AmountAuthorised: "000000000001", tag.AmountOther: "000000000000", tag.TerminalCountry: "0156",
		tag.TVR: "0000000000", tag.TransactionCurrency: "0156", tag.TransactionDate: "260315", tag.TransactionType: "00", tag.UN: "1E78EEBC", tag.AIP: "7D00", tag.ATC: "0240"} {
		o[g] = unhex(t, v)
	}
	p, ok := cryptogram.PBOCOf(algorithm)
	if !ok {
		t.Fatal("algorithm")
	}
	master := keys.TDES
	if algorithm == cryptogram.AlgorithmSM4 {
		master = keys.SM4
	}
	udk, err := p.CardKey(master, pan(t, "6228000100001"), "01")
	if err != nil {
		t.Fatal(err)
	}
	session, err := p.SessionKey(udk, 0x0240)
	if err != nil {
		t.Fatal(err)
	}
	data, err := cryptogram.PBOCData(find(o))
	if err != nil {
		t.Fatal(err)
	}
	ac, err := p.MAC(session, data)
	if err != nil {
		t.Fatal(err)
	}
	o[tag.ApplicationCryptogram] = ac[:]
	return keys, o
}

func find(o map[tlv.Tag][]byte) func(tlv.Tag) ([]byte, bool) {
	return func(g tlv.Tag) ([]byte, bool) { v, ok := o[g]; return v, ok }
}

// The issuer checks both ciphers and versions; whatever a version covers can't be changed, and what it does not cover can.
func TestVerifyPBOC(t *testing.T) {
	card := pan(t, "6228000100001")
	for _, algorithm := range []byte{cryptogram.AlgorithmTDES, cryptogram.AlgorithmSM4} {
		for _, version := range []byte{cryptogram.VersionPBOC01, cryptogram.VersionPBOC17} {
			keys, o := pbocTap(t, algorithm, version)
			iad, ok, err := cryptogram.VerifyPBOC(keys, card, "01", find(o))
			if err != nil || !ok || iad.Algorithm != algorithm || iad.CVR.Type() != cryptogram.ARQC {
				t.Fatalf("algorithm %02X version %02X: %v %v", algorithm, version, ok, err)
			}
			if _, ok, err := cryptogram.VerifyPBOC(keys, card, "02", find(o)); ok || err != nil {
				t.Errorf("another card: %v %v", ok, err)
			}
			covered := map[tlv.Tag]bool{tag.AmountAuthorised: true, tag.UN: true, tag.ATC: true, tag.ApplicationCryptogram: true}
			for g, v := range o {
				if g == tag.IAD {
					continue
				}
				v[len(v)-1] ^= 1
				if _, ok, err := cryptogram.VerifyPBOC(keys, card, "01", find(o)); err != nil || ok != (version == cryptogram.VersionPBOC17 && !covered[g]) {
					t.Errorf("algorithm %02X version %02X: %s changed: %v %v", algorithm, version, g, ok, err)
				}
				v[len(v)-1] ^= 1
			}
			o[tag.IAD][4] ^= 0x04 // byte 2 of the CVR
			if _, ok, _ := cryptogram.VerifyPBOC(keys, card, "01", find(o)); ok {
				t.Errorf("algorithm %02X version %02X: CVR changed", algorithm, version)
			}
			o[tag.IAD][4] ^= 0x04
			o[tag.IAD][7] ^= cryptogram.AlgorithmTDES ^ cryptogram.AlgorithmSM4 // the other cipher
			if _, ok, err := cryptogram.VerifyPBOC(keys, card, "01", find(o)); ok || err != nil {
				t.Errorf("the other cipher: %v %v", ok, err)
			}
			o[tag.IAD][7] = 0x02
			if _, _, err := cryptogram.VerifyPBOC(keys, card, "01", find(o)); !errors.Is(err, cryptogram.ErrData) {
				t.Errorf("unknown cipher: %v", err)
			}
			o[tag.IAD][7], o[tag.IAD][2] = algorithm, 0x18
			if _, _, err := cryptogram.VerifyPBOC(keys, card, "01", find(o)); !errors.Is(err, cryptogram.ErrData) {
				t.Errorf("unknown version: %v", err)
			}
		}
	}
	keys, o := pbocTap(t, cryptogram.AlgorithmSM4, cryptogram.VersionPBOC17)
	delete(o, tag.ATC)
	if _, _, err := cryptogram.VerifyPBOC(keys, card, "01", find(o)); !errors.Is(err, cryptogram.ErrData) {
		t.Errorf("no ATC: %v", err)
	}
	_, o = pbocTap(t, cryptogram.AlgorithmSM4, cryptogram.VersionPBOC17)
	if _, _, err := cryptogram.VerifyPBOC(cryptogram.PBOCKeys{TDES: keys.TDES}, card, "01", find(o)); !errors.Is(err, cryptogram.ErrKey) {
		t.Errorf("no SM4 key: %v", err)
	}
}
