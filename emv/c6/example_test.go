package c6_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/c6"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// A sale of 1500.00 with a software phone: Entry Point selects the application,
// kernel 6 reads the card and asks for the issuer.
func Example() {
	issuer := perso.TestIssuer()
	phone, err := issuer.Card("discover-phone", card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := issuer.CAStore()
	if err != nil {
		fmt.Println(err)
		return
	}
	config := c6.Config{}
	config.CAKeys = keys
	var kernels entry.Kernels
	if err := kernels.Register(c6.ID, c6.Version, &c6.Kernel{Config: config}); err != nil {
		fmt.Println(err)
		return
	}
	reader := &field{card: phone, lostAt: -1, lateAt: -1} // a reader with this phone on it
	point := &entry.Point{
		Combinations: []entry.Combination{{
			AID: []byte{0xA0, 0, 0, 1, 0x52, 0x30, 0x10}, Kernel: c6.ID,
			TTQ:        &[4]byte{0x37, 0x00, 0x40, 0x00}, // EMV mode, contact chip, online PIN, signature; CDCVM
			FloorLimit: entry.Limit(0),                   // everything goes online
			CVMLimit:   entry.Limit(100_001),             // no cardholder verification up to 1000.00
		}},
		Kernels: &kernels, Reader: reader, Display: reader, Rand: rand.NewChaCha8([32]byte{2}),
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0xE8, 0xC8}},
	}
	result, err := point.Run(context.Background(), sale(150_000))
	if err != nil {
		fmt.Println(err)
		return
	}
	o := result.Outcome
	fmt.Printf("%v by kernel %d; cardholder: %v; authentication: %v\n", o.Kind, result.Kernel, o.CVM, o.ODA)
	v, _ := tlv.Find(o.DataRecord, tag.CPR)
	info, _ := tag.C6.Lookup(tag.CPR)
	fmt.Println(info.Explain(v)[0])
	fmt.Println("messages", reader.messages)
	// Output:
	// Online Request by kernel 6; cardholder: cdcvm; authentication: none
	// consumer device CVM performed
	// messages [15 17 1B]
}
