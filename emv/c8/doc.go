// Package c8 is contactless kernel 8 (EMV Contactless Book C-8), the kernel that
// no scheme owns: blinded Diffie-Hellman on P-256 with GET PROCESSING OPTIONS,
// enciphered records, the relay resistance protocol, READ DATA and WRITE DATA,
// one GENERATE AC whose answer carries the IAD-MAC and EDA-MAC of the secure
// channel, and local authentication with ECC certificates. The card verifies its
// holder and restricts its use; the kernel takes over what the card decided.
//
// Entry Point activates it where the directory entry of an application names
// kernel 8 (9F2A); the application itself is a scheme's. The book describes the
// kernel as processes that send each other signals; here the same steps stand in
// one straight line over Transmit, with the steps' numbers (20.18, 21.22,
// 2930.12 …) in comments where they were seen. process.go is the whole way of a
// tap; each step has a file. A Kernel keeps nothing of a card between taps.
//
// A Transceiver that is an emv.Display too is shown "card read OK" before the
// outcome. Time for the relay resistance protocol comes from Config.Clock, or
// from a Transceiver that is a Timed.
//
// Not here: RSA certificates and P-521 (the book knows both), data exchange with
// the terminal while the card is in the field (Config says beforehand what is
// read and written), recovery of torn transactions (no command for it is known),
// and the tag mapping list.
//
// Sources: two public implementations that cite Book C-8 version 1.1 and Book E,
// and the data dictionary that one of them carries; the books themselves
// were not at hand. Rules without a source are marked as ours where they stand
// and in docs/spec-coverage.md.
package c8
