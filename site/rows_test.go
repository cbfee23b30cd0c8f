package site_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"huika/httpapi/demo"
	"huika/nfc"
	"huika/pay"
	"huika/terminal"
	"huika/world/tray"
)

// Shapes that many rows share.

func takes(fen int64, cvm string) want {
	return want{outcome: terminal.Approved, cvm: cvm, oda: "fdda", code: "00", toHost: frames{1, 1}, toScheme: frames{1, 1}, paid: fen}
}

func turnsDown(reason, code, cvm, oda string) want {
	return want{outcome: terminal.Declined, reason: reason, cvm: cvm, oda: oda, code: code, toHost: frames{1, 1}, toScheme: frames{1, 1}}
}

// stops ends without a word on any wire.
func stops(o terminal.OutcomeWord, reason, cvm, oda string) want {
	return want{outcome: o, reason: reason, cvm: cvm, oda: oda}
}

func (w want) wires(toHost, toScheme frames) want {
	w.toHost, w.toScheme = toHost, toScheme
	return w
}

func (w want) differing(requests int) want {
	w.requests = requests
	return w
}

// by says how the card was authenticated, where it is not fDDA.
func (w want) by(oda string) want {
	w.oda = oda
	return w
}

// takenBack is a payment without a believable answer.
func takenBack(reason, code string, toHost, toScheme frames) want {
	return want{outcome: terminal.Reversed, reason: reason, cvm: "none", oda: "fdda", code: code, toHost: toHost, toScheme: toScheme}
}

const (
	none   = "none"
	online = "online_pin"
	cdcvm  = "cdcvm"
	debit  = "unionpay-debit"
)

func isErr(err, want error) bool { return errors.Is(err, want) }

// rows is the table. Amounts are fen.
var rows = []row{
	// Cards and amounts.
	{name: "0.01", at: daily, quick: true, card: debit, fen: 1, want: takes(1, none)},
	{name: "88.80", at: daily, quick: true, overAir: true, card: debit, fen: 8880, want: takes(8880, none)},
	{name: "1000.00 no PIN", at: daily, quick: true, overAir: true, card: debit, fen: 100_000, want: takes(100_000, none)},
	{name: "1000.01 PIN", at: daily, quick: true, overAir: true, card: debit, fen: 100_001, keys: []string{right}, want: takes(100_001, online)},
	{name: "credit 88.80", at: daily, card: "unionpay-credit", fen: 8880, want: takes(8880, none)},
	{name: "credit 2000.00 PIN", at: daily, card: "unionpay-credit", fen: 200_000, keys: []string{right}, want: takes(200_000, online)},
	{name: "phone 5000.00", at: daily, quick: true, overAir: true, card: "unionpay-phone", fen: 500_000, want: takes(500_000, cdcvm)},
	{name: "phone 1000.01", at: daily, card: "unionpay-phone", fen: 100_001, want: takes(100_001, cdcvm)},
	{name: "phone 1.00", at: daily, card: "unionpay-phone", fen: 100, want: takes(100, cdcvm)},
	{name: "watch 5000.00", at: daily, overAir: true, card: "unionpay-watch", fen: 500_000, want: takes(500_000, cdcvm)},
	{name: "PIN always 1.00", at: daily, card: "unionpay-pin-always", fen: 100, keys: []string{right}, want: takes(100, online)},
	{name: "three sales in a row", at: daily, card: debit, fen: 700, play: (*visit).thrice, want: takes(2100, none).wires(frames{3, 3}, frames{3, 3})},
	{name: "more than any account holds", at: daily, card: debit, fen: 99_999_999, keys: []string{right}, want: turnsDown("insufficient_funds", "51", online, "fdda")},
	{name: "sale of nothing", at: daily, quick: true, play: refuses(terminal.ErrAmount, 0)},
	{name: "sale of less than nothing", at: daily, play: refuses(terminal.ErrAmount, -1)},
	{name: "sale of too much", at: daily, play: refuses(terminal.ErrAmount, pay.MaxMinor+1)},

	// Cards that are refused, each at its place.
	{name: "expired", at: daily, quick: true, card: "unionpay-expired", fen: 100, want: stops(terminal.Declined, "card_expired", none, none)},
	{name: "blocked", at: daily, quick: true, card: "unionpay-blocked", fen: 100, want: turnsDown("card_restricted", "62", none, "fdda")},
	{name: "poor, one fen too much", at: daily, card: "unionpay-poor", fen: 501, want: turnsDown("insufficient_funds", "51", none, "fdda")},
	{name: "poor, to the last fen", at: daily, card: "unionpay-poor", fen: 500, want: takes(500, none)},
	{name: "clone, at the terminal", at: daily, quick: true, overAir: true, card: "unionpay-cloned", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "clone, at the issuer", at: daily, quick: true, overAir: true, card: "unionpay-cloned-online", fen: 100, want: turnsDown("declined_by_issuer", "05", none, "failed")},
	{name: "CTQ edited 5000.00", at: daily, quick: true, overAir: true, card: debit, sticker: tray.CTQEdited, fen: 500_000, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "CTQ of a phone edited 5000.00", at: daily, card: "unionpay-phone", sticker: tray.CTQEdited, fen: 500_000, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "CTQ edited 88.80", at: daily, card: debit, sticker: tray.CTQEdited, fen: 8880, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "TTQ edited 5000.00", at: daily, quick: true, card: debit, sticker: tray.TTQEdited, fen: 500_000, want: stops(terminal.Declined, "cardholder_not_verified", none, "fdda")},
	{name: "transit card", at: daily, overAir: true, card: "transit", fen: 100, want: stops(terminal.OtherInterface, "card_not_supported", none, none)},
	{name: "staff card", at: daily, card: "staff", fen: 100, want: stops(terminal.OtherInterface, "card_not_supported", none, none)},
	{name: "no route for its number", at: elsewhere, quick: true, card: debit, fen: 100, want: turnsDown("card_unknown", "14", none, "fdda").wires(frames{1, 1}, frames{})},

	// Visa: each cryptogram version, device and security check.
	{name: "Visa 88.80", at: daily, quick: true, overAir: true, card: "visa", fen: 8880, want: takes(8880, none)},
	{name: "Visa 1000.00 no PIN", at: daily, card: "visa", fen: 100_000, want: takes(100_000, none)},
	{name: "Visa 1000.01 PIN", at: daily, quick: true, card: "visa", fen: 100_001, keys: []string{right}, want: takes(100_001, online)},
	{name: "Visa wrong PIN, then right", at: daily, card: "visa", fen: 150_000, keys: []string{wrong, right}, want: takes(150_000, online).wires(frames{2, 2}, frames{2, 2})},
	{name: "Visa classic 88.80", at: daily, quick: true, card: "visa-classic", fen: 8880, want: takes(8880, none)},
	{name: "Visa phone 5000.00", at: daily, quick: true, overAir: true, card: "visa-phone", fen: 500_000, want: takes(500_000, cdcvm)},
	{name: "Visa phone 1.00", at: daily, card: "visa-phone", fen: 100, want: takes(100, cdcvm)},
	{name: "Visa watch 5000.00", at: daily, quick: true, card: "visa-watch", fen: 500_000, want: takes(500_000, cdcvm)},
	{name: "Visa, more than the account holds", at: daily, card: "visa-classic", fen: 99_999_999, keys: []string{right}, want: turnsDown("insufficient_funds", "51", online, "fdda")},
	{name: "Visa clone, at the terminal", at: daily, quick: true, overAir: true, card: "visa-cloned", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "Visa clone, at the issuer", at: daily, quick: true, card: "visa-cloned-online", fen: 100, want: turnsDown("declined_by_issuer", "05", none, "failed")},
	{name: "Visa altered", at: daily, card: "visa-altered", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "Visa of an unknown authority", at: daily, card: "visa-uncertified", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "Visa counter again", at: daily, quick: true, card: "visa-replayed", fen: 100, want: turnsDown("declined_by_issuer", "05", none, "fdda")},
	{name: "Visa CTQ edited 5000.00", at: daily, quick: true, card: "visa", sticker: tray.CTQEdited, fen: 500_000, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "Visa TTQ edited 5000.00", at: daily, card: "visa", sticker: tray.TTQEdited, fen: 500_000, want: stops(terminal.Declined, "cardholder_not_verified", none, "fdda")},
	{name: "Visa removed after GPO", at: daily, card: "visa", sticker: tray.RemovedAfterGPO, fen: 300, want: takes(300, none)},
	{name: "Visa answer lost", at: wires, card: "visa", fen: 100, before: mishaps(posWire, "0210", lose), want: takenBack("no_answer", "", frames{1, 1, 1, 1}, frames{1, 1, 1, 1})},

	// Mastercard: the same over GENERATE AC and CDA.
	{name: "Mastercard 88.80", at: daily, quick: true, overAir: true, card: "mastercard", fen: 8880, want: takes(8880, none).by("cda")},
	{name: "Mastercard 1000.00 no PIN", at: daily, card: "mastercard", fen: 100_000, want: takes(100_000, none).by("cda")},
	{name: "Mastercard 1000.01 PIN", at: daily, quick: true, card: "mastercard", fen: 100_001, keys: []string{right}, want: takes(100_001, online).by("cda")},
	{name: "Mastercard wrong PIN, then right", at: daily, card: "mastercard", fen: 150_000, keys: []string{wrong, right}, want: takes(150_000, online).by("cda").wires(frames{2, 2}, frames{2, 2})},
	{name: "Mastercard debit 88.80", at: daily, quick: true, card: "mastercard-debit", fen: 8880, want: takes(8880, none).by("cda")},
	{name: "Mastercard phone 5000.00", at: daily, quick: true, overAir: true, card: "mastercard-phone", fen: 500_000, want: takes(500_000, cdcvm).by("cda")},
	{name: "Mastercard phone 1.00", at: daily, card: "mastercard-phone", fen: 100, want: takes(100, none).by("cda")},
	{name: "Mastercard watch 5000.00", at: daily, quick: true, card: "mastercard-watch", fen: 500_000, want: takes(500_000, cdcvm).by("cda")},
	{name: "Mastercard, more than the account holds", at: daily, card: "mastercard-debit", fen: 99_999_999, keys: []string{right}, want: turnsDown("insufficient_funds", "51", online, "cda")},
	{name: "Mastercard clone, at the terminal", at: daily, quick: true, overAir: true, card: "mastercard-cloned", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "Mastercard clone, at the issuer", at: daily, quick: true, card: "mastercard-cloned-online", fen: 100, want: turnsDown("declined_by_issuer", "05", none, none)},
	{name: "Mastercard altered", at: daily, card: "mastercard-altered", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "Mastercard of an unknown authority", at: daily, card: "mastercard-uncertified", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "Mastercard counter again", at: daily, quick: true, card: "mastercard-replayed", fen: 100, want: turnsDown("declined_by_issuer", "05", none, "cda")},
	{name: "Mastercard removed before GPO", at: daily, card: "mastercard", sticker: tray.RemovedBeforeGPO, fen: 300, want: takes(300, none).by("cda")},
	{name: "Mastercard removed after GPO", at: daily, quick: true, card: "mastercard", sticker: tray.RemovedAfterGPO, fen: 300, want: takes(300, none).by("cda")},
	{name: "Mastercard answer lost", at: wires, card: "mastercard", fen: 100, before: mishaps(posWire, "0210", lose), want: takenBack("no_answer", "", frames{1, 1, 1, 1}, frames{1, 1, 1, 1}).by("cda")},
	{name: "two schemes at once", at: daily, card: "visa-watch", beside: "mastercard-watch", fen: 300,
		steps: []step{{message("19"), func(v *visit) { v.takes("mastercard-watch") }}}, want: takes(300, cdcvm)},

	// Kernel 8: the secure channel, and AES cryptograms.
	{name: "C-8 88.80", at: daily, quick: true, overAir: true, card: "c8", fen: 8880, want: takes(8880, none).by("local")},
	{name: "C-8 1000.01 PIN", at: daily, card: "c8", fen: 100_001, keys: []string{right}, want: takes(100_001, online).by("local")},
	{name: "C-8 phone 5000.00", at: daily, quick: true, card: "c8-phone", fen: 500_000, want: takes(500_000, cdcvm).by("local")},
	{name: "C-8 watch 5000.00", at: daily, card: "c8-watch", fen: 500_000, want: takes(500_000, cdcvm).by("local")},
	{name: "C-8 clone", at: daily, quick: true, card: "c8-cloned", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},

	// American Express and JCB: CDA; Discover: nothing is signed before the issuer is asked.
	{name: "American Express 88.80", at: daily, quick: true, overAir: true, card: "amex", fen: 8880, want: takes(8880, none).by("cda")},
	{name: "American Express 1000.00 no PIN", at: daily, card: "amex", fen: 100_000, want: takes(100_000, none).by("cda")},
	{name: "American Express 1000.01 PIN", at: daily, quick: true, card: "amex", fen: 100_001, keys: []string{right}, want: takes(100_001, online).by("cda")},
	{name: "American Express wrong PIN, then right", at: daily, card: "amex", fen: 150_000, keys: []string{wrong, right}, want: takes(150_000, online).by("cda").wires(frames{2, 2}, frames{2, 2})},
	{name: "American Express phone 5000.00", at: daily, quick: true, card: "amex-phone", fen: 500_000, want: takes(500_000, cdcvm).by("cda")},
	{name: "American Express phone 1.00", at: daily, card: "amex-phone", fen: 100, want: takes(100, none).by("cda")},
	{name: "American Express watch 5000.00", at: daily, card: "amex-watch", fen: 500_000, want: takes(500_000, cdcvm).by("cda")},
	{name: "American Express clone, at the terminal", at: daily, quick: true, card: "amex-cloned", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "American Express altered", at: daily, card: "amex-altered", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "American Express counter again", at: daily, quick: true, card: "amex-replayed", fen: 100, want: turnsDown("declined_by_issuer", "05", none, "cda")},
	{name: "American Express removed after GPO", at: daily, card: "amex", sticker: tray.RemovedAfterGPO, fen: 300, want: takes(300, none).by("cda")},
	{name: "JCB 88.80", at: daily, quick: true, overAir: true, card: "jcb", fen: 8880, want: takes(8880, none).by("cda")},
	{name: "JCB 1000.00 no PIN", at: daily, card: "jcb", fen: 100_000, want: takes(100_000, none).by("cda")},
	{name: "JCB 1000.01 PIN", at: daily, quick: true, card: "jcb", fen: 100_001, keys: []string{right}, want: takes(100_001, online).by("cda")},
	{name: "JCB wrong PIN, then right", at: daily, card: "jcb", fen: 150_000, keys: []string{wrong, right}, want: takes(150_000, online).by("cda").wires(frames{2, 2}, frames{2, 2})},
	{name: "JCB phone 5000.00", at: daily, quick: true, card: "jcb-phone", fen: 500_000, want: takes(500_000, cdcvm).by("cda")},
	{name: "JCB phone 1.00", at: daily, card: "jcb-phone", fen: 100, want: takes(100, cdcvm).by("cda")},
	{name: "JCB watch 5000.00", at: daily, card: "jcb-watch", fen: 500_000, want: takes(500_000, cdcvm).by("cda")},
	{name: "JCB clone, at the terminal", at: daily, quick: true, card: "jcb-cloned", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "JCB altered", at: daily, card: "jcb-altered", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "JCB counter again", at: daily, quick: true, card: "jcb-replayed", fen: 100, want: turnsDown("declined_by_issuer", "05", none, "cda")},
	{name: "JCB removed after GPO", at: daily, card: "jcb", sticker: tray.RemovedAfterGPO, fen: 300, want: takes(300, none).by("cda")},
	{name: "Discover 88.80", at: daily, quick: true, overAir: true, card: "discover", fen: 8880, want: takes(8880, none).by(none)},
	{name: "Discover 1000.00 no PIN", at: daily, card: "discover", fen: 100_000, want: takes(100_000, none).by(none)},
	{name: "Discover 1000.01 PIN", at: daily, quick: true, card: "discover", fen: 100_001, keys: []string{right}, want: takes(100_001, online).by(none)},
	{name: "Discover wrong PIN, then right", at: daily, card: "discover", fen: 150_000, keys: []string{wrong, right}, want: takes(150_000, online).by(none).wires(frames{2, 2}, frames{2, 2})},
	{name: "Discover phone 5000.00", at: daily, quick: true, card: "discover-phone", fen: 500_000, want: takes(500_000, cdcvm).by(none)},
	{name: "Discover phone 1.00", at: daily, card: "discover-phone", fen: 100, want: takes(100, none).by(none)},
	{name: "Discover watch 5000.00", at: daily, card: "discover-watch", fen: 500_000, want: takes(500_000, cdcvm).by(none)},
	{name: "Discover clone, at the issuer", at: daily, quick: true, card: "discover-cloned", fen: 100, want: turnsDown("declined_by_issuer", "05", none, none)},
	{name: "Discover counter again", at: daily, quick: true, card: "discover-replayed", fen: 100, want: turnsDown("declined_by_issuer", "05", none, none)},
	{name: "Discover removed after GPO", at: daily, card: "discover", sticker: tray.RemovedAfterGPO, fen: 300, want: takes(300, none).by(none)},

	// Cards of the first scheme that are not on the desk.
	{name: "altered", at: daily, card: "unionpay-altered", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "of an unknown authority", at: daily, card: "unionpay-uncertified", fen: 100, want: stops(terminal.Declined, "card_not_genuine", none, "failed")},
	{name: "counter again", at: daily, card: "unionpay-replayed", fen: 100, want: turnsDown("declined_by_issuer", "05", none, "fdda")},

	// How a card is held.
	{name: "removed before GPO", at: daily, quick: true, overAir: true, card: debit, sticker: tray.RemovedBeforeGPO, fen: 300, want: takes(300, none)},
	{name: "removed after GPO", at: daily, quick: true, overAir: true, card: debit, sticker: tray.RemovedAfterGPO, fen: 300, want: takes(300, none)},
	{name: "slow card", at: daily, card: "unionpay-credit", sticker: tray.SlowCard, fen: 300, want: takes(300, none)},
	{name: "weak field", at: readers, card: "unionpay-watch", how: weak(0.1), fen: 300, want: takes(300, cdcvm)},
	{name: "two cards, one is taken away", at: daily, quick: true, overAir: true, card: debit, beside: "unionpay-credit", fen: 300,
		steps: []step{{message("19"), func(v *visit) { v.takes("unionpay-credit") }}}, want: takes(300, none)},
	{name: "two cards stay", at: delays, card: debit, beside: "unionpay-credit", fen: 300, want: stops(terminal.TryAgain, "one_card_only", none, none)},
	{name: "dead chip", at: delays, card: "dead", fen: 100, want: stops(terminal.TryAgain, "card_not_read", none, none)},
	{name: "nobody comes", at: delays, quick: true, fen: 100, want: stops(terminal.TryAgain, "present_timeout", none, none)},

	// The PIN pad.
	{name: "wrong PIN, then right", at: pinpad, quick: true, card: debit, fen: 150_000, keys: []string{wrong, right}, want: takes(150_000, online).wires(frames{2, 2}, frames{2, 2})},
	{name: "wrong PIN, then none", at: pinpad, card: debit, fen: 150_000, keys: []string{wrong}, want: turnsDown("wrong_pin", "55", online, "fdda")},
	{name: "right again", at: pinpad, card: debit, fen: 150_000, keys: []string{right}, want: takes(150_000, online)},
	{name: "wrong PIN three times", at: pinpad, quick: true, card: "unionpay-credit", fen: 150_000, keys: []string{wrong, wrong, wrong}, want: turnsDown("pin_tries_exceeded", "75", online, "fdda").wires(frames{3, 3}, frames{3, 3})},
	{name: "right, but too late", at: pinpad, card: "unionpay-credit", fen: 150_000, keys: []string{right}, want: turnsDown("pin_tries_exceeded", "75", online, "fdda")},
	{name: "PIN asked and none given", at: pinpad, quick: true, card: debit, fen: 150_000, want: stops(terminal.Cancelled, "cancelled_by_clerk", online, "fdda")},
	{name: "PIN pad times out", at: pinpad, card: debit, fen: 150_000, keys: []string{waits}, want: stops(terminal.Cancelled, "pin_not_given", online, "fdda")},
	{name: "PIN page closed and opened", at: pinpad, card: debit, fen: 150_000, keys: []string{reloads}, want: takes(150_000, online)},

	// The clerk.
	{name: "cancelled while a card is waited for", at: readers, quick: true, fen: 100, steps: []step{{phase(terminal.PhasePresent), cancels(true, "")}}, want: stops(terminal.Cancelled, "cancelled_by_clerk", none, none)},
	{name: "cancelled while the card is read", at: readers, card: debit, sticker: tray.SlowCard, fen: 100, steps: []step{{phase(terminal.PhaseReading), cancels(true, "")}}, want: stops(terminal.Cancelled, "cancelled_by_clerk", none, none)},
	{name: "cancelled too late", at: readers, quick: true, card: debit, fen: 100, before: issuerTakes(300 * time.Millisecond), mend: issuerTakes(0),
		steps: []step{{phase(terminal.PhaseHost), cancels(false, terminal.WhyHostAsked)}}, want: takes(100, none)},
	{name: "a second sale meanwhile", at: readers, card: debit, fen: 100, before: issuerTakes(200 * time.Millisecond), mend: issuerTakes(0),
		steps: []step{{phase(terminal.PhasePresent), busy}, {phase(terminal.PhaseHost), busy}}, want: takes(100, none)},
	{name: "the same request twice", at: readers, card: debit, fen: 100, play: (*visit).askedTwice, want: takes(100, none)},

	// The reader.
	{name: "reader unplugged", at: readers, quick: true, card: debit, fen: 100, steps: fails(nfc.Unplugged), want: takes(100, none)},
	{name: "reader hung", at: readers, card: debit, fen: 100, steps: fails(nfc.Hung), want: takes(100, none)},
	{name: "reader busy", at: readers, card: debit, fen: 100, steps: fails(nfc.Busy), want: takes(100, none)},
	{name: "reader taken", at: readers, card: debit, fen: 100, steps: fails(nfc.Taken), want: takes(100, none)},
	{name: "reader disabled", at: readers, card: debit, fen: 100, steps: fails(nfc.Disabled), want: takes(100, none)},
	{name: "cancelled while the reader hangs", at: readers, card: debit, fen: 100, before: readerIs(nfc.Hung), mend: readerIs(nfc.Ready),
		steps: []step{{notice("reader_hung"), cancels(true, "")}}, want: stops(terminal.Cancelled, "cancelled_by_clerk", none, none)},

	// Frames between terminal and host.
	{name: "answer lost", at: wires, quick: true, card: debit, fen: 100, before: mishaps(posWire, "0210", lose), want: takenBack("no_answer", "", frames{1, 1, 1, 1}, frames{1, 1, 1, 1})},
	{name: "request lost", at: wires, card: debit, fen: 100, before: mishaps(posWire, "0200", lose), want: takenBack("no_answer", "", frames{1, 0, 1, 1}, frames{})},
	{name: "answer and reversal lost", at: wires, card: debit, fen: 100, before: both(mishaps(posWire, "0210", lose), mishaps(posWire, "0400", lose)), want: takenBack("no_answer", "", frames{1, 1, 2, 1}, frames{1, 1, 1, 1})},
	{name: "answer and reversal's answer lost", at: wires, card: debit, fen: 100, before: both(mishaps(posWire, "0210", lose), mishaps(posWire, "0410", lose)), want: takenBack("no_answer", "", frames{1, 1, 2, 2}, frames{1, 1, 1, 1})},
	{name: "answer after its reversal", at: wires, card: debit, fen: 100, before: mishaps(posWire, "0210", overdue), want: takenBack("no_answer", "", frames{1, 1, 1, 1}, frames{1, 1, 1, 1})},
	{name: "request doubled", at: wires, quick: true, card: debit, fen: 100, before: mishaps(posWire, "0200", double), want: takes(100, none).wires(frames{2, 2}, frames{1, 1}).differing(1)},
	{name: "answer doubled", at: wires, card: debit, fen: 100, before: mishaps(posWire, "0210", double), want: takes(100, none).wires(frames{1, 2}, frames{1, 1})},
	{name: "reversal doubled", at: wires, card: debit, fen: 100, before: both(mishaps(posWire, "0210", lose), mishaps(posWire, "0400", double)), want: takenBack("no_answer", "", frames{1, 1, 2, 2}, frames{1, 1, 1, 1})},
	{name: "request again after the end", at: wires, card: debit, fen: 100, play: (*visit).repeated, want: takes(100, none).wires(frames{2, 2}, frames{1, 1}).differing(1)},
	{name: "answer altered", at: wires, quick: true, card: debit, fen: 100, before: mishaps(posWire, "0210", spoil), want: takenBack("mac_error", "00", frames{1, 1, 1, 1}, frames{1, 1, 1, 1})},
	{name: "request altered", at: wires, card: debit, fen: 100, before: mishaps(posWire, "0200", spoil), want: takenBack("signed_in_again", "A0", frames{1, 1, 1, 1}, frames{})},

	// Frames between host and scheme.
	{name: "scheme's answer lost", at: behind, quick: true, card: debit, fen: 100, before: mishaps(cupWire, "0210", lose), want: turnsDown("issuer_unavailable", "91", none, "fdda").wires(frames{1, 1}, frames{1, 1, 1, 1})},
	{name: "request to the scheme lost", at: behind, card: debit, fen: 100, before: mishaps(cupWire, "0200", lose), want: turnsDown("issuer_unavailable", "91", none, "fdda").wires(frames{1, 1}, frames{1, 0, 1, 1})},
	{name: "request to the scheme doubled", at: behind, card: debit, fen: 100, before: mishaps(cupWire, "0200", double), want: takes(100, none).wires(frames{1, 1}, frames{2, 2})},
	{name: "scheme's answer altered", at: behind, card: debit, fen: 100, before: mishaps(cupWire, "0210", spoil), want: turnsDown("issuer_unavailable", "91", none, "fdda").wires(frames{1, 1}, frames{1, 1, 1, 1})},
	{name: "host's reversal doubled", at: behind, card: debit, fen: 100, before: both(mishaps(posWire, "0210", lose), mishaps(cupWire, "0420", double)), want: takenBack("no_answer", "", frames{1, 1, 1, 1}, frames{1, 1, 2, 2})},
	{name: "request to the issuer doubled", at: behind, card: debit, fen: 100, before: mishaps(bankWire, "0200", double), want: takes(100, none)},
	{name: "issuer's answer lost", at: behind, card: debit, fen: 100, before: mishaps(bankWire, "0210", lose), want: turnsDown("issuer_unavailable", "91", none, "fdda")},

	// Parties that fail, by the demonstration's own switches and the stand-ins' commands.
	{name: "answers lost until the reversal is through", at: outages, card: debit, fen: 100, before: faults(demo.Faults{ResponseLost: true}),
		mend: func(v *visit) { v.await(cupWire, "0430", 1); time.Sleep(pause); v.SetFaults(demo.Faults{}) },
		want: takenBack("no_answer", "", frames{1, 0, 2, 1}, frames{1, 1, 1, 1})},
	{name: "host down", at: outages, quick: true, card: debit, fen: 100, before: faults(demo.Faults{HostDown: true}), mend: faults(demo.Faults{}), want: stops(terminal.TryAgain, "host_down", none, "fdda")},
	{name: "host down after the request", at: outages, quick: true, card: debit, fen: 100, before: issuerTakes(200 * time.Millisecond),
		steps: []step{{crossed(bankWire, "0200", 1), faults(demo.Faults{HostDown: true})}}, mend: both(issuerTakes(0), faults(demo.Faults{})),
		want: takenBack("link_cut", "", frames{1, 0, 1, 1}, frames{1, 1, 1, 1})},
	{name: "issuer down", at: outages, quick: true, card: debit, fen: 100, before: faults(demo.Faults{IssuerDown: true}), mend: faults(demo.Faults{}), want: turnsDown("issuer_unavailable", "91", none, "fdda")},
	{name: "issuer down after the request", at: outages, card: debit, fen: 100, before: issuerTakes(200 * time.Millisecond),
		steps: []step{{crossed(bankWire, "0200", 1), faults(demo.Faults{IssuerDown: true})}}, mend: both(issuerTakes(0), faults(demo.Faults{})),
		want: turnsDown("issuer_unavailable", "91", none, "fdda")},
	{name: "scheme down", at: outages, card: debit, fen: 100, before: schemeDown, mend: schemeUp, want: turnsDown("issuer_unavailable", "91", none, "fdda").wires(frames{1, 1}, frames{})},
	{name: "scheme down after the request", at: outages, card: debit, fen: 100, before: issuerTakes(200 * time.Millisecond),
		steps: []step{{crossed(bankWire, "0200", 1), func(v *visit) { v.Scheme.SetDown(true) }}}, mend: both(issuerTakes(0), schemeUp),
		want: turnsDown("issuer_unavailable", "91", none, "fdda").wires(frames{1, 1}, frames{1, 0, 1, 1})},
	{name: "all well again", at: outages, card: debit, fen: 100, want: takes(100, none)},

	// Parties that are slow, and what issuers say.
	{name: "issuer slow, but in time", at: delays, card: debit, fen: 100, before: issuerTakes(250 * time.Millisecond), mend: issuerTakes(0), want: takes(100, none)},
	{name: "issuer too slow", at: delays, quick: true, card: debit, fen: 100, before: issuerTakes(700 * time.Millisecond), mend: issuerTakes(0), want: turnsDown("issuer_unavailable", "91", none, "fdda")},
	{name: "approval too late for the host", at: delays, quick: true, card: debit, fen: 100, before: func(v *visit) { v.Scheme.SetDelay(1100 * time.Millisecond) },
		steps: []step{{crossed(bankWire, "0210", 1), func(v *visit) { time.Sleep(pause); v.Scheme.SetDelay(0) }}},
		want:  turnsDown("issuer_unavailable", "91", none, "fdda").wires(frames{1, 1}, frames{1, 1, 1, 1})},
	{name: "issuer says 05", at: delays, card: debit, fen: 100, before: issuerSays("05"), mend: issuerSays(""), want: turnsDown("declined_by_issuer", "05", none, "fdda")},
	{name: "issuer says 41", at: delays, card: debit, fen: 100, before: issuerSays("41"), mend: issuerSays(""), want: turnsDown("card_lost", "41", none, "fdda")},
	{name: "issuer says 61", at: delays, card: "unionpay-phone", fen: 500_000, before: issuerSays("61"), mend: issuerSays(""), want: turnsDown("amount_limit", "61", cdcvm, "fdda")},
	{name: "issuer says what nobody knows", at: delays, card: debit, fen: 100, before: issuerSays("Z9"), mend: issuerSays(""), want: turnsDown("declined_by_issuer", "Z9", none, "fdda")},
}

// thrice sells the same thing three times.
func (v *visit) thrice() terminal.Result {
	v.t.Helper()
	var last terminal.Result
	for range 3 {
		v.held, v.moment = false, ""
		if last = v.sell(); last.Outcome != terminal.Approved {
			break
		}
	}
	return last
}

// askedTwice begins one payment, asks for it again while it runs and after its
// end, and with another amount.
func (v *visit) askedTwice() terminal.Result {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), visitLimit)
	defer cancel()
	id, err := pay.NewPaymentID(v.Kit.Env.Rand())
	check(v.t, err)
	begin := func(fen int64) error {
		got, err := v.Terminal.StartSale(ctx, terminal.SaleRequest{ID: id, Amount: pay.Fen(fen)})
		if got != id && err == nil {
			v.t.Errorf("another payment: %s", got)
		}
		return err
	}
	check(v.t, begin(v.row.fen))
	check(v.t, begin(v.row.fen))
	v.id = id
	first := v.attend(ctx)
	check(v.t, begin(v.row.fen))
	if err := begin(v.row.fen + 1); !isErr(err, terminal.ErrAmount) {
		v.t.Errorf("the same id with another amount: %v", err)
	}
	again, err := v.Terminal.Wait(ctx, id)
	check(v.t, err)
	if again.RRN != first.RRN || again.STAN != first.STAN || again.Outcome != first.Outcome {
		v.t.Errorf("asked again: %+v, first %+v", again, first)
	}
	return first
}

// repeated sells, sends the request's bytes once more and compares the answers.
func (v *visit) repeated() terminal.Result {
	v.t.Helper()
	r := v.sell()
	check(v.t, v.tap.repeatSale())
	v.await(posWire, "0210", 2)
	heard, _ := v.tap.since(v.mark)
	for _, f := range heard {
		if f.wire == posWire && f.mti == "0210" && (f.rrn != r.RRN || f.auth != r.AuthCode || f.code != r.ResponseCode) {
			v.t.Errorf("an answer with RRN %s, authorisation %s, response %s; the first had %s, %s, %s", f.rrn, f.auth, f.code, r.RRN, r.AuthCode, r.ResponseCode)
		}
	}
	return r
}

// What rows do to the world.

func both(f, g func(*visit)) func(*visit) { return func(v *visit) { f(v); g(v) } }

func mishaps(wire, mti string, what ...int) func(*visit) {
	return func(v *visit) { v.tap.plan(wire, mti, what...) }
}

func faults(f demo.Faults) func(*visit) { return func(v *visit) { v.SetFaults(f) } }

func issuerTakes(d time.Duration) func(*visit) { return func(v *visit) { v.Issuer.SetDelay(d) } }

func issuerSays(code string) func(*visit) {
	return func(v *visit) { check(v.t, v.Issuer.SetResponse(code)) }
}

func schemeDown(v *visit) {
	v.Scheme.SetDown(true)
	for end := time.Now().Add(restLimit); v.Host.Up() && time.Now().Before(end); time.Sleep(glance) {
	}
}

func schemeUp(v *visit) { v.Scheme.SetDown(false) }

// busy tries to begin another sale.
func busy(v *visit) {
	if _, err := v.Terminal.StartSale(v.t.Context(), terminal.SaleRequest{Amount: pay.Fen(1)}); !isErr(err, terminal.ErrBusy) {
		v.t.Errorf("a second sale: %v", err)
	}
}

func readerIs(c nfc.Condition) func(*visit) { return func(v *visit) { v.Field.SetCondition(c) } }

func notice(word string) func(*visit, terminal.View) bool {
	return func(_ *visit, v terminal.View) bool { return v.Payment.Notice == word }
}

// fails has the reader fail once a card is asked for, before it comes: noticed
// and named within a second, and used again when it is back.
func fails(c nfc.Condition) []step {
	is := func(_ *visit, v terminal.View) bool {
		return v.Payment.Phase == terminal.PhasePresent && v.Payment.Notice == ""
	}
	return []step{{is, func(v *visit) {
		v.Field.SetCondition(c)
		v.settles("reader "+string(c), func(view terminal.View) bool {
			return view.Reader.Condition == string(c) && view.Payment.Notice == "reader_"+string(c) && view.Payment.Cancellable
		})
		v.Field.SetCondition(nfc.Ready)
		v.settles("reader well again", func(view terminal.View) bool { return view.Reader.Condition == string(nfc.Ready) })
	}}}
}

// The table is as large and as wide as it is meant to be.
func TestTableIsWhole(t *testing.T) {
	names, quick, air := map[string]bool{}, 0, 0
	for _, r := range rows {
		if names[r.name] {
			t.Errorf("two rows %q", r.name)
		}
		names[r.name] = true
		if r.quick {
			quick++
		}
		if r.overAir {
			air++
		}
	}
	t.Logf("%d rows, %d of them under -short, %d over PC/SC", len(rows), quick, air)
	if len(rows) < 55 || quick*3 < len(rows) || air < 10 {
		t.Error("the table has shrunk")
	}
}
