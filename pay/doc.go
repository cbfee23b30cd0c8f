// Package pay holds the words every part of Huika shares: money, currencies,
// card numbers that never print themselves, ids and the sealing of secrets.
//
// It is imported everywhere, so it uses the standard library only and stays
// small. It knows nothing of cards, messages, books or terminals.
package pay
