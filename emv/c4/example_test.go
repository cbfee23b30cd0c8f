package c4_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/c4"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// A sale of 1500.00 with a software phone: Entry Point selects the application,
// kernel 4 reads the card and asks for the issuer.
func Example() {
	issuer := perso.TestIssuer()
	phone, err := issuer.Card("amex-phone", card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := issuer.CAStore()
	if err != nil {
		fmt.Println(err)
		return
	}
	config := c4.Defaults()
	config.CAKeys = keys
	var kernels entry.Kernels
	if err := kernels.Register(c4.ID, c4.Version, &c4.Kernel{Config: config}); err != nil {
		fmt.Println(err)
		return
	}
	reader := &field{card: phone, lostAt: -1, lateAt: -1} // a reader with this phone on it
	point := &entry.Point{
		Combinations: []entry.Combination{{
			AID: []byte{0xA0, 0, 0, 0, 0x25, 0x01}, Kernel: c4.ID,
			FloorLimit: entry.Limit(0),       // everything goes online
			CVMLimit:   entry.Limit(100_001), // no cardholder verification up to 1000.00
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
	v, _ := tlv.Find(o.DataRecord, tag.MobileCVM)
	info, _ := tag.C4.Lookup(tag.MobileCVM)
	fmt.Println(info.Explain(v)[0])
	fmt.Println("messages", reader.messages)
	// Output:
	// Online Request by kernel 4; cardholder: cdcvm; authentication: cda
	// mobile CVM performed
	// messages [15 17 1B]
}
