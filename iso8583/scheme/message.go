package scheme

import (
	"fmt"
	"io"
	"log/slog"

	"huika/pay"
)

// Bounds of what every dialect can carry.
const (
	MaxName     = 22 // characters of Place.Name
	MaxCity     = 13 // characters of Place.City
	MaxICC      = 250
	MaxBalances = 6 * BalanceSize
	MaxKey      = 24 // bytes of WorkingKey.Wrapped: a 16-byte key under RFC 3394

	BalanceSize = 20 // one entry of F54: account n2, kind n2, currency n3, sign C or D, amount n12
)

// Message is what is said between acquirer and scheme, in no scheme's words. A
// zero field is absent. Texts hold printable ASCII (Place.Name also GBK where the
// dialect can carry it) and do not end in a space: dialects pad, and cut padding.
//
// It prints without its contents, whatever the verb.
type Message struct {
	Kind     Kind
	Response bool
	// Transaction of a Payment; of a Reversal what it takes back. An answer need not
	// tell: whoever asked knows. 0 as decoded: none that this package knows.
	Transaction Transaction
	Function    Function // of a Management message

	PAN          pay.PAN   // F2
	Amount       pay.Money // F4 and F49; currency 0: both absent
	Transmission string    // F7, MMDDhhmmss in UTC
	STAN         pay.STAN  // F11; a reversal has its own
	// Local is the shop's date and time, F12 and F13: YYMMDDhhmmss. From a dialect
	// that has no year it comes as MMDDhhmmss; Amex asks for the year.
	Local      string
	Expiry     string // F14, YYMM
	Settlement string // F15, MMDD
	MCC        string // F18, n4
	Entry      Entry  // F22
	PINEntry   PINEntry
	Sequence   string // F23, n3: PAN sequence number, tag 5F34
	Acquirer   string // F32, up to n11
	Forwarder  string // F33, up to n11
	Track2     pay.Secret
	RRN        pay.RRN // F37, an12
	AuthCode   string  // F38, an6

	// Code is F39 of an answer in the two characters of iso8583.Responses, whatever
	// the scheme says. SchemeCode is the scheme's own: Decode fills it, Encode
	// writes it where it is set, and derives it from Code where not.
	Code       string
	SchemeCode string
	Reason     Reason // of a Reversal

	Terminal pay.TerminalID // F41
	Merchant pay.MerchantID // F42
	Place    Place          // F43 and F19

	Additional string // F44, up to 25 characters
	PINBlock   []byte // F52, 8 bytes, ISO 9564 format 0 under the zone PIN key
	Balances   string // F54: entries of BalanceSize
	ICC        []byte // F55, BER-TLV, up to MaxICC bytes

	// Original says which payment a reversal, void, refund or completion means.
	Original Original
	// Trace is the scheme's own identifier of the payment's life: it comes with the
	// answer and goes along with every follow-up. Shape as the scheme's: see there.
	Trace string
	Key   WorkingKey // of KeyExchange
}

// Kind is the class of a message.
type Kind uint8

// Kinds. Unknown is what Decode gives a well-formed message that is none of them.
const (
	Unknown    Kind = iota
	Payment         // authorisation, financial or advice: Transaction says which
	Reversal        // takes back a Payment whose result is in doubt
	Management      // about the link: Function says what
)

func (k Kind) String() string {
	return name(k, "unknown", "payment", "reversal", "management")
}

// Transaction is what a payment message asks for. The names are those of
// acquirer/payment.
type Transaction uint8

// Transactions.
const (
	Sale             Transaction = iota + 1
	Void                         // gives a whole sale back, same day
	Refund                       // gives a sale or completion back, whole or in part
	PreAuth                      // holds an amount
	PreAuthCancel                // frees it
	Completion                   // takes what was held
	CompletionVoid               // gives a whole completion back, same day
	CompletionAdvice             // a completion that asks nobody
	Balance                      // balance inquiry
)

// Transactions lists them all.
var Transactions = [...]Transaction{Sale, Void, Refund, PreAuth, PreAuthCancel, Completion, CompletionVoid, CompletionAdvice, Balance}

func (t Transaction) String() string {
	return name(t, "none", "sale", "void", "refund", "pre-authorisation", "pre-authorisation cancel", "completion", "completion void", "completion advice", "balance inquiry")
}

// follows lists what a transaction's original may be, the likeliest first.
func (t Transaction) follows() []Transaction {
	switch t {
	case Void:
		return []Transaction{Sale}
	case Refund:
		return []Transaction{Sale, Completion, CompletionAdvice}
	case PreAuthCancel, Completion, CompletionAdvice:
		return []Transaction{PreAuth}
	case CompletionVoid:
		return []Transaction{Completion}
	}
	return nil
}

// Function is what a management message does.
type Function uint8

// Functions.
const (
	SignOn Function = iota + 1
	SignOff
	Echo
	KeyExchange // carries Key
	CutOver     // the business day ends
)

// Functions lists them all.
var Functions = [...]Function{SignOn, SignOff, Echo, KeyExchange, CutOver}

func (f Function) String() string {
	return name(f, "none", "sign-on", "sign-off", "echo", "key exchange", "cut-over")
}

// Entry is how the card was read.
type Entry uint8

// Entries, with the first two digits of F22 in ISO 8583:1987 usage.
const (
	Manual            Entry = iota + 1 // 01
	Stripe                             // 02, or 90 with its full track
	Scan                               // 03
	Chip                               // 05
	Contactless                        // 07
	ContactlessStripe                  // 91
)

func (e Entry) String() string {
	return name(e, "not said", "manual", "stripe", "scan", "chip", "contactless", "contactless stripe")
}

// PINEntry is the last digit of F22 as the scheme reads it: for UnionPay whether
// a PIN came along, for the others whether the terminal could have taken one.
type PINEntry uint8

// PIN entries.
const (
	PINUnspecified PINEntry = iota
	PINYes
	PINNo
)

// Reason is why a payment is reversed.
type Reason uint8

// Reasons, with the code that a terminal gives in F39 (iso8583/pos).
const (
	NoReply  Reason = iota + 1 // 98
	Fault                      // 96
	MACError                   // A0
	Other                      // 06
)

var reasonCodes = [...]string{NoReply: "98", Fault: "96", MACError: "A0", Other: "06"}

// ReasonOf reads a terminal's code.
func ReasonOf(code string) (Reason, bool) {
	for r := NoReply; r <= Other; r++ {
		if reasonCodes[r] == code {
			return r, true
		}
	}
	return 0, false
}

// Code is the terminal's code, or "".
func (r Reason) Code() string {
	if int(r) < len(reasonCodes) {
		return reasonCodes[r]
	}
	return ""
}

// Place is the shop: F43, and F19 for the country.
type Place struct {
	Name    string // up to MaxName
	City    string // up to MaxCity
	Country string // ISO 3166-1 alpha-2: "CN"
}

// Original names an earlier payment: F90, or F56 in the 1993 version.
type Original struct {
	// Transaction of the original. A decoded one is the likeliest of those that the
	// dialect's message type allows: a refund's completion may come back as a sale.
	Transaction  Transaction
	STAN         pay.STAN // F11 of the original
	Transmission string   // F7 of the original
	Local        string   // YYMMDDhhmmss of the original; only Amex carries it, and asks for it
	Acquirer     string   // F32 of the original
	Forwarder    string   // F33 of the original
}

// KeyUse is what a working key is for.
type KeyUse uint8

// Uses of keys.
const (
	PINKey KeyUse = iota + 1 // zone PIN key
	MACKey
)

// WorkingKey is a key on its way, wrapped under the zone's master key.
type WorkingKey struct {
	Use     KeyUse
	Wrapped []byte  // 16 or 24 bytes: TDES under TDES, or RFC 3394
	Check   [4]byte // keys.KCV
}

// ResponseTo makes m the answer to request with that code: the parts that an
// answer repeats, and the code. The rest of the outcome is for the caller to add.
func (m *Message) ResponseTo(request *Message, code string) {
	*m = Message{
		Kind: request.Kind, Response: true, Transaction: request.Transaction, Function: request.Function,
		PAN: request.PAN, Amount: request.Amount, Transmission: request.Transmission, STAN: request.STAN, Local: request.Local,
		Acquirer: request.Acquirer, Forwarder: request.Forwarder, RRN: request.RRN,
		Terminal: request.Terminal, Merchant: request.Merchant, Original: request.Original, Trace: request.Trace, Code: code,
	}
}

// Wipe clears what must not stay in memory, and empties the message.
func (m *Message) Wipe() {
	clear(m.PINBlock)
	clear(m.ICC)
	m.Track2.Wipe()
	*m = Message{}
}

// Class is what a message is, in words: "reversal of sale, answer".
func (m *Message) Class() string {
	s := m.Kind.String()
	switch m.Kind {
	case Payment:
		s = m.Transaction.String()
	case Reversal:
		s += " of " + m.Transaction.String()
	case Management:
		s = m.Function.String()
	}
	if m.Response {
		s += ", answer"
	}
	return s
}

// Format keeps the contents out of whatever prints a Message.
func (m Message) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, m.Summary()) // fmt.State's Write reports to fmt itself
}

// LogValue does the same for log/slog.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.Summary()) }

// Summary is a message in one line that holds no cardholder data but the masked PAN.
func (m *Message) Summary() string {
	s := m.Class()
	for _, part := range [...]struct{ name, value string }{
		{"pan", m.PAN.Masked()}, {"rrn", string(m.RRN)}, {"code", m.Code}, {"scheme_code", m.SchemeCode},
		{"terminal", string(m.Terminal)}, {"merchant", string(m.Merchant)},
	} {
		if part.value != "" {
			s += " " + part.name + "=" + part.value
		}
	}
	if m.STAN != 0 {
		s += " stan=" + m.STAN.String()
	}
	if m.Amount.Currency != 0 {
		s += " amount=" + m.Amount.String()
	}
	return s
}

// name is the word of a small enumeration.
func name[T ~uint8](v T, words ...string) string {
	if int(v) < len(words) {
		return words[v]
	}
	return fmt.Sprintf("%d", uint8(v))
}
