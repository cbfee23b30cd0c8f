package console

import (
	"time"

	"huika/terminal"
)

// Transfer is one row of the merchant's chain that the payment moved.
type Transfer struct {
	Seq    int64     `json:"seq" doc:"its place in the merchant's chain"`
	At     time.Time `json:"at"`
	What   string    `json:"what" example:"sale"`
	Debit  string    `json:"debit" doc:"account"`
	Credit string    `json:"credit" doc:"account"`
	Amount Money     `json:"amount"`
	Hash   string    `json:"hash" doc:"hex"`
}

// Step is one thing that happened to the payment, as far as its rows tell.
type Step struct {
	At    time.Time `json:"at"`
	What  string    `json:"what" enum:"admitted,approved,declined,reversal_owed,reversed,booked,taken_back,followed,asked,ended_by_hand" doc:"stable word"`
	Text  string    `json:"text" doc:"in words"`
	Ref   string    `json:"ref,omitempty" doc:"the payment that it comes from"`
	State string    `json:"state,omitempty"`
}

// Act is what a person did through the API, and why.
type Act struct {
	At     time.Time `json:"at"`
	What   string    `json:"what" enum:"refund,void,end_dead_letter"`
	By     string    `json:"by" doc:"console, or an API key's id"`
	Reason string    `json:"reason"`
}

// Letter is what the scheme has not taken.
type Letter struct {
	Payment Payment   `json:"payment"`
	Owed    string    `json:"owed" enum:"reversal,advice"`
	Tries   int       `json:"tries" doc:"since the host started"`
	Code    string    `json:"code,omitempty" doc:"F39 of the last answer; none came where it is empty"`
	Since   time.Time `json:"since"`
	Last    time.Time `json:"last"`
}

// Story is one payment with everything that is known of it.
type Story struct {
	Payment   Payment             `json:"payment"`
	Original  *Payment            `json:"original,omitempty" doc:"the payment that it follows"`
	FollowUps []Payment           `json:"follow_ups" nullable:"false" doc:"payments that follow it, the newest first"`
	Steps     []Step              `json:"steps" nullable:"false" doc:"oldest first"`
	Transfers []Transfer          `json:"transfers" nullable:"false"`
	Trace     []terminal.TraceRow `json:"trace" nullable:"false" doc:"what card and terminal said, masked; empty where this process does not hold the terminal, or no card was there"`
	Acts      []Act               `json:"acts" nullable:"false" doc:"what people did about it through this API"`
	Letter    *Letter             `json:"letter,omitempty" doc:"what the scheme has not taken of it, where a person should look"`
	Partial   bool                `json:"partial" doc:"the search for follow-ups ended before the newest payments: there may be more"`
	May       []string            `json:"may" nullable:"false" doc:"what can be asked for now" enum:"refund,void"`
	Left      Money               `json:"left" doc:"what can still be given back"`
}

// RefInput names a payment in the path. It is exported because huma does not
// look into embedded structs that are not.
type RefInput struct {
	Ref string `path:"ref" maxLength:"128" doc:"ref of a payment"`
}

type storyOutput struct{ Body Story }
