package bdh_test

import (
	"fmt"
	"math/rand/v2"

	"huika/emv/bdh"
	"huika/emv/oda"
)

// Both sides of GET PROCESSING OPTIONS, and one enciphered record.
func Example() {
	// A seeded source makes the example repeat itself; a terminal uses crypto/rand.
	random := rand.NewChaCha8([32]byte{8})
	card, err := oda.GenerateECKey(random) // its public half stands in the card's certificate
	if err != nil {
		panic(err)
	}

	kernel, err := bdh.NewKernelKey(random)
	if err != nil {
		panic(err)
	}
	kernelKeyData := kernel.Public() // 9E, in the command

	cardKeyData, cardEnd, err := bdh.Respond(random, card, kernelKeyData[:]) // 9F8103, in the answer
	if err != nil {
		panic(err)
	}
	kernelEnd, blinded, err := kernel.Open(cardKeyData[:])
	if err != nil {
		panic(err)
	}

	record := []byte("a record")
	if err := cardEnd.FromCard(record, record); err != nil { // on the air
		panic(err)
	}
	if err := kernelEnd.FromCard(record, record); err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", record)
	fmt.Println("the certified card:", blinded.Verify(card.Public()) == nil)
	// Output:
	// a record
	// the certified card: true
}
