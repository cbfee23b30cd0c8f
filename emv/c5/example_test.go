package c5_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/c5"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// A sale of 1500.00 with a software phone: Entry Point selects the application,
// kernel 5 reads the card and asks for the issuer.
func Example() {
	issuer := perso.TestIssuer()
	phone, err := issuer.Card("jcb-phone", card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := issuer.CAStore()
	if err != nil {
		fmt.Println(err)
		return
	}
	config := c5.Defaults()
	config.CAKeys = keys
	var kernels entry.Kernels
	if err := kernels.Register(c5.ID, c5.Version, &c5.Kernel{Config: config}); err != nil {
		fmt.Println(err)
		return
	}
	reader := &field{card: phone, lostAt: -1, lateAt: -1} // a reader with this phone on it
	point := &entry.Point{
		Combinations: []entry.Combination{{
			AID: []byte{0xA0, 0, 0, 0, 0x65, 0x10, 0x10}, Kernel: c5.ID,
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
	v, _ := tlv.Find(o.DataRecord, tag.CVMStatus)
	info, _ := tag.C5.Lookup(tag.CVMStatus)
	fmt.Println(info.Explain(v)[0])
	fmt.Println("messages", reader.messages)
	// Output:
	// Online Request by kernel 5; cardholder: cdcvm; authentication: cda
	// verified on the device
	// messages [15 17 1B]
}
