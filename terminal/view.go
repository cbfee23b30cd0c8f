package terminal

import (
	"time"

	"huika/emv"
	"huika/pay"
)

// View is all that a screen needs to draw the POS at one moment. It is a copy:
// a new one is published at every change, and holds no clear card data.
type View struct {
	Seq      uint64         `json:"seq"`
	Mode     string         `json:"mode"` // "demo" or "live"
	Merchant string         `json:"merchant"`
	Name     string         `json:"merchant_name"`
	Terminal pay.TerminalID `json:"terminal"`
	Reader   ReaderView     `json:"reader"`
	Host     HostView       `json:"host"`
	Shift    ShiftView      `json:"shift"`
	Payment  *PaymentView   `json:"payment,omitempty"` // the payment under way, or the last one until a new one starts
}

// ReaderView is the reader's health in words.
type ReaderView struct {
	Name      string    `json:"name"`
	Condition string    `json:"condition"` // nfc.Condition
	Since     time.Time `json:"since"`
}

// HostView is the link to the acquirer.
type HostView struct {
	Online           bool      `json:"online"`
	SignedIn         bool      `json:"signed_in"`
	PendingReversals int       `json:"pending_reversals"` // unsent reversals; the clerk sees them
	Since            time.Time `json:"since"`
}

// ShiftView sums what was approved since the batch began.
type ShiftView struct {
	Batch   string `json:"batch"`
	Count   int    `json:"count"`
	Refunds int    `json:"refunds"`
	Sum     string `json:"sum"` // decimal
}

// Phase is where a payment stands, one word per screen.
type Phase string

// Phases in the order of a sale.
const (
	PhasePresent Phase = "present" // waiting for a card
	PhaseReading Phase = "reading" // a card is in the field
	PhasePIN     Phase = "pin"     // the PIN pad is open
	PhaseHost    Phase = "host"    // the acquirer is asked: no cancel from here on
	PhaseDone    Phase = "done"
)

// Lights are the reader's four lights (Book A 9.3): off, on or blinking.
type Lights [4]string

// PaymentView is one payment as a screen draws it.
type PaymentView struct {
	ID          pay.PaymentID `json:"id"`
	Kind        Kind          `json:"kind"`
	Amount      string        `json:"amount"` // decimal
	Currency    string        `json:"currency"`
	Phase       Phase         `json:"phase"`
	Started     time.Time     `json:"started"`
	Until       time.Time     `json:"until"` // when this phase ends by itself
	Cancellable bool          `json:"cancellable"`
	Notice      string        `json:"notice,omitempty"` // a reason word to show beside the phase: "wrong_pin", "reader_unplugged"
	UI          *UIView       `json:"ui,omitempty"`     // newest user-interface request
	PIN         *PINView      `json:"pin,omitempty"`
	Result      *Result       `json:"result,omitempty"`
	Trace       []TraceRow    `json:"trace,omitempty"`
}

// UIView is a user interface request in the screen's terms. Tone is "", "success" or "alert".
type UIView struct {
	Seq     uint64        `json:"seq"` // so that a tone sounds once
	Message emv.MessageID `json:"-"`
	ID      string        `json:"message_id"` // two hex digits
	Status  string        `json:"status"`
	Lights  Lights        `json:"lights"`
	Tone    string        `json:"tone,omitempty"`
	HoldMS  int64         `json:"hold_ms,omitempty"`
}

// PINView is what the page needs to seal a PIN: RFC 9180 base mode,
// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM; the sealed message is
// enc ‖ ct, aad is empty, info is Info's bytes.
type PINView struct {
	PublicKey string `json:"public_key"` // base64 of the uncompressed P-256 point
	Info      string `json:"info"`       // payment id "/" try
	Try       int    `json:"try"`        // 1, then 2 after a wrong PIN
	MinDigits int    `json:"min_digits"`
	MaxDigits int    `json:"max_digits"`
}

// OutcomeWord is how a payment ended.
type OutcomeWord string

// Outcomes of a payment, as `huika tap --json` prints them.
const (
	Approved       OutcomeWord = "approved"
	Declined       OutcomeWord = "declined"
	Reversed       OutcomeWord = "reversed" // no answer: nothing was taken, or it goes back
	Cancelled      OutcomeWord = "cancelled"
	TryAgain       OutcomeWord = "try_again"
	OtherInterface OutcomeWord = "other_interface"
)

// Timings are milliseconds from the moment the card was present.
type Timings struct {
	Select float64 `json:"select"`
	GPO    float64 `json:"gpo"`
	Read   float64 `json:"read"`
	ODA    float64 `json:"oda"`
	Host   float64 `json:"host"`
	Total  float64 `json:"total"`
}

// Result is a finished payment. Reason is a stable word that the edge turns
// into zh and en sentences (e.g. "insufficient_funds", "one_card_only",
// "cancelled_by_clerk", "present_timeout", "card_not_genuine", "card_expired",
// "reader_unplugged", "no_answer", "pin_not_given", "signed_in_again").
type Result struct {
	Payment      pay.PaymentID `json:"payment"`
	Kind         Kind          `json:"kind,omitempty"` // "" is a sale
	Outcome      OutcomeWord   `json:"outcome"`
	Reason       string        `json:"reason,omitempty"`
	Amount       string        `json:"amount"`
	Currency     string        `json:"currency"`
	CVM          string        `json:"cvm"`    // none, online_pin, cdcvm, signature
	Kernel       int           `json:"kernel"` // 0 where none ran
	ODA          string        `json:"oda"`    // none, fdda, cda, failed
	MaskedPAN    string        `json:"masked_pan,omitempty"`
	AID          string        `json:"aid,omitempty"`
	Label        string        `json:"label,omitempty"`
	STAN         string        `json:"stan,omitempty"`
	Batch        string        `json:"batch,omitempty"`
	RRN          string        `json:"rrn"`
	AuthCode     string        `json:"auth_code"`
	ResponseCode string        `json:"response_code"`
	Balance      string        `json:"balance,omitempty"`    // decimal, of a balance inquiry
	MessageID    string        `json:"message_id,omitempty"` // last user-interface message
	Time         time.Time     `json:"time"`
	Timings      Timings       `json:"timings_ms"`
}

// TraceRow is one exchange with the card, in plain words, masked.
type TraceRow struct {
	AtMS     float64 `json:"at_ms"` // since the card was present
	TookMS   float64 `json:"took_ms"`
	Title    string  `json:"title"`    // "SELECT PPSE", "GET PROCESSING OPTIONS", "READ RECORD 1 of SFI 2"
	Says     string  `json:"says"`     // in words: what the answer meant
	Command  string  `json:"command"`  // hex, sensitive values left out
	Response string  `json:"response"` // hex, sensitive values left out
	SW       string  `json:"sw"`
}
