// Package c7 is kernel 7, UnionPay QuickPass (qPBOC), in EMV mode, for a sale.
// Entry Point activates it when a UnionPay application has been selected; it
// sends GET PROCESSING OPTIONS and READ RECORD, authenticates the card (fDDA
// version 01, under RSA or SM2), applies processing restrictions, picks the cardholder
// verification from the card transaction qualifiers (CTQ), and ends in an
// emv.Outcome with everything that field 55 and the receipt need. A second
// presentation carries the issuer's answer and scripts to the card (update.go).
//
// It reads like the flow of a tap: process.go is the whole way in one
// function, each step has a file. It keeps nothing between taps, has no clock
// (dates come from the transaction) and no I/O but the Transceiver. A
// Transceiver that is an emv.Display too is shown "card read OK" (message 17)
// as soon as the card may leave; Entry Point's is.
//
// Not here: legacy PBOC debit/credit over contactless, the e-cash log, mag-stripe mode.
//
// Sources: public descriptions of UnionPay's and PBOC 3.0's contactless
// payment, and EMV Books 2 and 3 where it builds on them; kernel book C-7 was
// not at hand. Rules that come from kernel 3's published behaviour, or are ours,
// say so where they stand; docs/spec-coverage.md lists them.
package c7
