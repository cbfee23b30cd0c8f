// Package c3 is contactless kernel 3 (EMV Contactless Book C-3, Visa qVSDC):
// GET PROCESSING OPTIONS with the cryptogram in its response, READ RECORD,
// offline data authentication (fDDA, and SDA for online authorisations),
// processing restrictions, cardholder verification by the card transaction
// qualifiers (CTQ), dynamic reader limits, and issuer update at a second
// presentation.
//
// Entry Point activates it when a Visa application has been selected. process.go
// is the whole way of a tap in one function; each step has a file. A Kernel
// keeps nothing between taps, has no clock (dates come from the transaction)
// and no I/O but the Transceiver. A Transceiver that is an emv.Display too is
// shown "card read OK" (message 17) as soon as the card may leave.
//
// Not here: mag-stripe mode (MSD), which the book gave up; GENERATE AC, which
// qVSDC has not; random selection and velocity checks; the decision what the
// issuer is told, which is the terminal's.
//
// Sources: public descriptions and public implementations of Book C-3, whose
// requirement numbers (5.4.3.1 …) stand in comments where they were seen there;
// the book itself was not at hand. Rules without a source are marked as ours
// where they stand and in docs/spec-coverage.md.
package c3
