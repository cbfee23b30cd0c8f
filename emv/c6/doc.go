// Package c6 is contactless kernel 6 (EMV Contactless Book C-6, Discover
// D-PAS) in EMV mode: GET PROCESSING OPTIONS with the cryptogram in its
// response, READ RECORD, combined signature (CDA) for offline approvals,
// cardholder verification by the card processing requirements (CPR, 9F71),
// processing restrictions, terminal action analysis by the CPR, and issuer update at a
// second presentation.
//
// Entry Point activates it when a Discover or Diners Club application has been
// selected. process.go is the whole way of a tap in one function; each step has
// a file. The rules of EMV Book 3 are in emv/book3. A Kernel keeps nothing
// between taps, has no clock and no I/O but the Transceiver; one that is an
// emv.Display too is shown "card read OK".
//
// Not here: D-PAS mag-stripe mode and ZIP (a TTQ that claims mag-stripe mode is
// refused); loyalty (a card that declines is declined, whatever CPR byte 1 bit 6
// says); data storage and recovery of torn transactions, about which nothing
// public was found.
//
// Sources: public implementations of Book C-6 and the Terminal Application
// Specification bulletin CL TAS-002, whose figures and steps stand in comments
// (23.9: figure 23, step 9); the book itself was not at hand. Rules without a
// source are marked as ours where they stand and in docs/spec-coverage.md.
package c6
