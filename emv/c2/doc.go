// Package c2 is contactless kernel 2 (EMV Contactless Book C-2, Mastercard):
// EMV mode with GENERATE AC (with and without a combined signature, CDA), and
// mag-stripe mode with COMPUTE CRYPTOGRAPHIC CHECKSUM. It has the relay
// resistance protocol, recovery of torn transactions, data exchange with the
// terminal, integrated data storage (IDS) and balance reading.
//
// Entry Point activates it when a Mastercard application has been selected. The
// book describes the kernel as a machine of seventeen states driven by signals;
// here the same steps stand in one straight line over Transmit, and the steps'
// numbers (S456.14, SR1.22, CVM.10, GAC.22 …) stand in comments. process.go is
// the whole way in one function; each step has a file. A Kernel keeps nothing
// of a card between taps but the torn transaction log that it is handed.
//
// A Transceiver that is an emv.Display too is shown the messages that the book
// sends before the outcome. Time for the relay resistance protocol comes from
// Config.Clock, or from a Transceiver that is a Timed.
//
// Not here: the book's STOP signal (ctx ends a tap), its time-out of data
// exchange (the Exchange's own), proprietary records of files above 10, and the
// second GENERATE AC of contact cards, which contactless cards never see.
//
// Sources: public descriptions and public implementations of Book C-2 (state
// numbers as there); the book itself was not at hand. What no source says is
// marked where it stands and in docs/spec-coverage.md.
package c2
