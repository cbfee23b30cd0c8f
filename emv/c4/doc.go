// Package c4 is contactless kernel 4 (EMV Contactless Book C-4, American
// Express Expresspay) in EMV mode: GET PROCESSING OPTIONS, READ RECORD, SDA
// or CDA, dynamic reader limits, processing restrictions, the card's CVM list
// with the phone's own cardholder verification (9F71), terminal risk
// management, terminal action analysis, one GENERATE AC ("partial online").
//
// Entry Point activates it when an American Express application has been
// selected. process.go is the whole way of a tap in one function; each step has a
// file. The rules of EMV Book 3 are in emv/book3. A Kernel keeps nothing between
// taps: that a phone was already shown to its holder goes through Outcome.Memory.
// It has no clock and no I/O but the Transceiver; one that is an emv.Display too
// is shown "card read OK".
//
// Not here: mag-stripe mode (such a card ends the application), delayed
// authorisation and membership data.
//
// Sources: a public implementation of Book C-4, tag lists, and EMV Book 3; the
// book itself was not at hand. Rules without a source are marked as ours where
// they stand and in docs/spec-coverage.md.
package c4
