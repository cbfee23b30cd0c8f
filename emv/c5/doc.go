// Package c5 is contactless kernel 5 (EMV Contactless Book C-5, JCB
// J/Speedy) in EMV and legacy mode: GET PROCESSING OPTIONS, READ RECORD,
// terminal risk management, processing restrictions, terminal action analysis,
// GENERATE AC with a combined signature (CDA), cardholder verification by the
// card's cardholder verification status (9F50), issuer update with a second
// GENERATE AC, and recovery of a torn transaction with ECHO.
//
// Entry Point activates it when a JCB application has been selected. process.go
// is the whole way of a tap in one function; each step has a file. The rules of
// EMV Book 3 are in emv/book3. A Kernel keeps nothing between taps: what a torn
// transaction or an issuer update needs goes through Outcome.Memory. It has no
// clock and no I/O but the Transceiver; one that is an emv.Display too is shown
// "card read OK".
//
// Not here: mag-stripe mode (a card that has no other is passed over with Select
// Next); transit and other uses of later versions of the book.
//
// Sources: public implementations of Book C-5, whose requirement numbers
// (5.7.1.4 …) stand in comments where they were seen there; the book itself
// was not at hand. Rules without a source are marked as ours where they stand and in
// docs/spec-coverage.md.
package c5
