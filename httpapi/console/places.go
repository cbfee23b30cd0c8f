package console

import "time"

// Batch is one terminal's batch.
type Batch struct {
	Merchant string    `json:"merchant"`
	Terminal string    `json:"terminal"`
	Batch    string    `json:"batch"`
	State    string    `json:"state" enum:"open,settling,closed" doc:"settling: the totals differed, and the terminal has not ended its upload"`
	Balanced bool      `json:"balanced" doc:"of a closed one: the terminal's totals were the books'"`
	Settled  time.Time `json:"settled,omitzero" doc:"when the settlement began"`
	Debits   Money     `json:"debits" doc:"what customers paid"`
	Credits  Money     `json:"credits" doc:"what they got back"`
	DebitN   int       `json:"debit_count"`
	CreditN  int       `json:"credit_count"`
	Open     int       `json:"open" doc:"payments that are being finished: it can't be closed yet"`
}

type batchesInput struct {
	Merchant string `query:"merchant" maxLength:"15"`
	Terminal string `query:"terminal" maxLength:"8"`
	After    string `query:"after" maxLength:"64" doc:"next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

type batchesOutput struct {
	Body struct {
		Batches []Batch `json:"batches" nullable:"false"`
		Next    string  `json:"next,omitempty"`
	}
}

type batchInput struct {
	Merchant string `path:"merchant" maxLength:"15"`
	Terminal string `path:"terminal" maxLength:"8"`
	Batch    string `path:"batch" maxLength:"6"`
}

type batchOutput struct{ Body Batch }

// Balance is one account of a merchant.
type Balance struct {
	Account string `json:"account" example:"merchant:104310048160001"`
	Amount  Money  `json:"amount" doc:"credits less debits; below zero with a minus"`
}

// Merchant is one merchant of the books.
type Merchant struct {
	ID        string `json:"id"`
	Lane      int    `json:"lane"`
	Terminals int    `json:"terminals" doc:"that this host knows"`
}

// MerchantDetail is one merchant with its money.
type MerchantDetail struct {
	Merchant  Merchant   `json:"merchant"`
	Balances  []Balance  `json:"balances" nullable:"false"`
	Terminals []Terminal `json:"terminals" nullable:"false"`
}

type merchantsInput struct {
	After string `query:"after" maxLength:"64" doc:"next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type merchantsOutput struct {
	Body struct {
		Merchants []Merchant `json:"merchants" nullable:"false" doc:"in the order of lane and id"`
		Next      string     `json:"next,omitempty"`
	}
}

type merchantInput struct {
	Merchant string `path:"merchant" maxLength:"15"`
}

type merchantOutput struct{ Body MerchantDetail }

// Terminal is one terminal that the host knows.
type Terminal struct {
	ID       string    `json:"id"`
	Merchant string    `json:"merchant"`
	SignedIn bool      `json:"signed_in" doc:"since this host started"`
	Seen     time.Time `json:"seen,omitzero" doc:"its last message to this host"`
	Batch    string    `json:"batch,omitempty" doc:"of its newest payment"`
	Last     *Payment  `json:"last,omitempty" doc:"its newest payment"`
}

type terminalsInput struct {
	Merchant string `query:"merchant" maxLength:"15"`
	After    string `query:"after" maxLength:"64" doc:"next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type terminalsOutput struct {
	Body struct {
		Terminals []Terminal `json:"terminals" nullable:"false" doc:"in the order of merchant and id"`
		Next      string     `json:"next,omitempty"`
	}
}

// Lane is one lane of the books.
type Lane struct {
	Lane  int   `json:"lane"`
	Owned bool  `json:"owned" doc:"by this host"`
	Epoch int64 `json:"epoch" doc:"of its lease; 0 where another host has it"`
}

// SchemeLink is one connection to a scheme.
type SchemeLink struct {
	Name string `json:"name"`
	Up   bool   `json:"up" doc:"signed on"`
	Open int    `json:"open" doc:"reversals and advices that it has not taken"`
}

// Status is this host now.
type Status struct {
	Mode        string       `json:"mode" enum:"demo,live"`
	Lanes       []Lane       `json:"lanes" nullable:"false"`
	Schemes     []SchemeLink `json:"schemes" nullable:"false"`
	Open        int          `json:"open" doc:"payments that somebody still has to finish"`
	DeadLetters int          `json:"dead_letters"`
	FailingHook int          `json:"failing_webhooks"`
}

type statusOutput struct{ Body Status }

type deadLettersOutput struct {
	Body struct {
		Letters []Letter `json:"letters" nullable:"false"`
	}
}

type endInput struct {
	RefInput
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"how it was put right, for whoever reads the story later"`
	}
}

type endOutput struct {
	Body struct {
		Payment Payment `json:"payment"`
	}
}
