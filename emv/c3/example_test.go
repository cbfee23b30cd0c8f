package c3_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"huika/card"
	"huika/card/perso"
	"huika/emv/c3"
	"huika/emv/entry"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// A sale of 88.80 with a software phone: Entry Point selects the application,
// kernel 3 reads and authenticates the card and asks for the issuer.
func Example() {
	issuer := perso.TestIssuer()
	phone, err := issuer.Card("visa-phone", card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	keys := oda.NewCAStore()
	for _, k := range issuer.CAKeys() {
		if err := keys.Add(k, k.Checksum()); err != nil {
			fmt.Println(err)
			return
		}
	}
	var kernels entry.Kernels
	if err := kernels.Register(c3.ID, c3.Version, &c3.Kernel{Config: c3.Config{CAKeys: keys}}); err != nil {
		fmt.Println(err)
		return
	}
	reader := &field{card: phone, lostAt: -1} // a reader with this phone on it
	point := &entry.Point{
		Combinations: []entry.Combination{{
			AID: []byte{0xA0, 0x00, 0x00, 0x00, 0x03, 0x10, 0x10}, Kernel: c3.ID,
			TTQ:        &[4]byte{0x27, 0x00, 0x40, 0x80}, // EMV mode, online PIN, signature, authentication before going online; CDCVM
			FloorLimit: entry.Limit(0),                   // everything goes online
			CVMLimit:   entry.Limit(100_001),             // no cardholder verification up to 1000.00
		}},
		Kernels: &kernels, Reader: reader, Display: reader, Rand: rand.NewChaCha8([32]byte{2}),
	}
	result, err := point.Run(context.Background(), sale(8880))
	if err != nil {
		fmt.Println(err)
		return
	}
	o := result.Outcome
	fmt.Printf("%v by kernel %d; cardholder: %v; authentication: %v\n", o.Kind, result.Kernel, o.CVM, o.ODA)
	cid, _ := tlv.Find(o.DataRecord, tag.CID)
	info, _ := tag.C3.Lookup(tag.CID)
	fmt.Println(info.Explain(cid)[0])
	fmt.Println("messages", reader.messages)
	// Output:
	// Online Request by kernel 3; cardholder: cdcvm; authentication: fdda
	// ARQC: online authorisation requested
	// messages [15 17 1B]
}
