package perso

import (
	"bytes"
	"testing"

	"huika/emv/oda"
	"huika/pay"
)

// The keys carry the marks of the demo, each purpose has its own, and every issuer its own.
func TestC8Keys(t *testing.T) {
	i := TestIssuer()
	list, err := i.C8CAKeys()
	if err != nil || len(list) != 1 {
		t.Fatal(err)
	}
	k := list[0]
	if k.RID != MastercardRID || !IsDemoECCA(k) {
		t.Errorf("CA key %X %02X", k.RID, k.Index)
	}
	if k.Index = 0x05; !IsDemoECCA(k) {
		t.Error("the demo's key under another index passes for a real one")
	}
	if k.X[0] ^= 1; IsDemoECCA(k) {
		t.Error("any key is the demo's")
	}
	if a, b := i.MasterKeys(C8).Cryptogram, i.MasterKeys(Mastercard).Cryptogram; !IsDemoKey(a) || a.Len() != 16 || bytes.Equal(a.Reveal(), b.Reveal()) {
		t.Error("master key")
	}
	seen := map[oda.ECPublicKey]bool{}
	for _, purpose := range []string{"ca", "issuer", "card c8", "card c8-phone", "card c8-watch", "card c8-cloned"} {
		k, err := i.ecKey(purpose)
		if err != nil || seen[k.Public()] {
			t.Errorf("%s: %v", purpose, err)
			continue
		}
		seen[k.Public()] = true
	}
	other := &Issuer{imk: pay.NewSecret([]byte("DEMOanother key."))}
	if k, err := other.ecKey("ca"); err != nil || seen[k.Public()] {
		t.Errorf("another issuer has this one's CA: %v", err)
	}
}
