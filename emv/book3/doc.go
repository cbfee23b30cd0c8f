// Package book3 has the rules of EMV Book 3 that kernels 4, 5 and 6 share, and
// those of them that kernels 3 and 7 have too, each in one place: reading by the application file locator, processing
// restrictions, the cardholder verification method list, terminal action
// analysis, random selection and issuer scripts; with them the terminal's data
// objects, the card's objects, and the chain of certificates of EMV Book 2 that
// the records lead to.
//
// In a tap it stands inside a kernel. It decides nothing by itself: which rule
// comes when, what a card must give, and what follows from a failure are the
// kernel's. It makes no outcome.
//
// Sources: EMV Books 2, 3 and 4, whose sections stand in comments.
package book3
