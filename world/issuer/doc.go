// Package issuer is a stand-in for the bank that gave the customer the card:
// the far end of a tap. It takes interchange messages (iso8583/cup) from a
// scheme's switch, verifies the card's cryptogram, ATC and CVR, the PIN and the
// balance, and answers. What it decided is durable before the answer leaves.
//
// It is not a bank: accounts come from its Config, balances only move by sales
// and reversals, and each card holds one currency. It never sees a terminal.
//
// Response codes, in the order in which the checks are made (see decide.go):
//
//	A0  the message's MAC is wrong
//	30  a field that the issuer needs is missing or malformed (F55 included)
//	94  same payment key as an earlier message, other content
//	12  the reversal came before the sale; or a currency other than the card's
//	14  F2 differs from track 2, or no such card
//	13  F4 differs from the cryptogram's 9F02, or is zero
//	54  expired, or an expiry date that is not the card's
//	57  a country or service that the card is not for
//	62 41 43  restricted, lost, stolen
//	05  the cryptogram is wrong, its ATC was used before, its CVR contradicts the
//	    claimed CVM, or the terminal's own TVR speaks against the card
//	61  neither PIN nor CDCVM, above the limit or on a card that always wants its PIN
//	55 75  wrong PIN; tries used up
//	51  the balance is short
//	25  reversal of a sale that was never seen: it is remembered
//	64 14  reversal of another amount, or of another card, than the sale's
package issuer
