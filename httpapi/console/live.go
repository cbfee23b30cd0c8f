package console

import "time"

// Sample is one second of the host.
type Sample struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at" doc:"its end"`
	Admitted  int       `json:"admitted" doc:"payments written down in this second"`
	Approved  int       `json:"approved"`
	Declined  int       `json:"declined"`
	Reversals int       `json:"reversals" doc:"that came to be owed"`
	Full      int       `json:"full" doc:"terminals told to try again"`
	Open      int       `json:"open" doc:"payments that somebody still has to finish, now"`
	Answered  int       `json:"answered" doc:"payments whose terminal was answered"`
	P50       int       `json:"p50_ms" doc:"half were answered within it, milliseconds; the upper end of a step of the histogram; 0: none"`
	P95       int       `json:"p95_ms"`
	P99       int       `json:"p99_ms"`
}

type liveOutput struct {
	Body struct {
		Samples []Sample `json:"samples" nullable:"false" doc:"oldest first, up to 300"`
	}
}

// TallyRow is what one span of time came to, in one currency.
type TallyRow struct {
	At       time.Time `json:"at" doc:"its beginning"`
	Approved int       `json:"approved"`
	Declined int       `json:"declined"`
	Undone   int       `json:"undone" doc:"reversed, void"`
	Sum      Money     `json:"sum" doc:"of approved sales and completions, without what was given back"`
}

type tallyInput struct {
	Merchant string    `query:"merchant" maxLength:"15"`
	From     time.Time `query:"from" required:"true" doc:"RFC 3339"`
	To       time.Time `query:"to" required:"true"`
	Step     string    `query:"step" enum:"minute,quarter,hour,day" default:"hour"`
}

type tallyOutput struct {
	Body struct {
		Rows []TallyRow `json:"rows" nullable:"false" doc:"oldest first; empty spans are left out"`
	}
}
