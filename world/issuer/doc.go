// Package issuer is a stand-in for the bank that gave the customer the card:
// the far end of a tap. It takes interchange messages (iso8583/cup) from a
// scheme's switch, verifies the card's cryptogram, ATC and CVR, the PIN and the
// balance, and answers. What it decided is durable before the answer leaves.
//
// It is not a bank: accounts come from its Config, each card holds one
// currency, and balances move by the messages of kind.go alone: sale, void,
// refund, pre-authorisation, its cancel, completion, its void, the advice of
// one, and the reversal of each. It never sees a terminal.
//
// A reversal (0420) undoes what is left of its original's effect, once, in
// whatever order messages come: a request that it overtakes is refused. What an
// approval does is a function of which approvals stand (state.go), so that a
// sale and its refund, both reversed, give back once. A void or completion that
// is reversed opens its original again; a voided completion does not give the
// hold back.
//
// Response codes, in the order in which the checks are made (see decide.go):
//
//	A0  the message's MAC is wrong
//	12  no such transaction
//	30  a field that the issuer needs is missing or malformed (F55 included)
//	94  same payment key as an earlier message, other content
//	12  the reversal came before the request
//
// with the card (sale.go):
//
//	14  F2 differs from track 2, or no such card
//	13  F4 differs from the cryptogram's 9F02, or is zero
//	12  a currency other than the card's
//	54  expired, or an expiry date that is not the card's
//	57  a country or service that the card is not for
//	62 41 43  restricted, lost, stolen
//	05  the cryptogram is wrong, its ATC was used before, its CVR contradicts the
//	    claimed CVM, or the terminal's own TVR speaks against the card
//	61  neither PIN nor CDCVM, above the limit or on a card that always wants its PIN
//	55 75  wrong PIN; tries used up
//	51  the available balance is short
//
// after an earlier payment, without the card (follow.go):
//
//	25  no such original, or not its authorisation code
//	12  the original is of another kind, declined, reversed, given back, completed, or for a void refunded in part
//	14  another card than the original's
//	13  F4 is zero
//	64  more than the original leaves; for a void or cancel any other amount
//
// to a reversal:
//
//	25  the original was never seen: it is remembered
//	12  the original is of another kind than the reversal says
//	64 14  another amount, or another card, than the original's
package issuer
