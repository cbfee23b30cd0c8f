package console

type refundInput struct {
	RefInput
	Body struct {
		Amount string `json:"amount,omitempty" maxLength:"16" example:"10.00" doc:"decimal, in the payment's currency; empty: all that is left"`
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"for whoever reads the story later; no card data"`
	}
}

type voidInput struct {
	RefInput
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"for whoever reads the story later; no card data"`
	}
}

type followOutput struct {
	Body struct {
		Payment Payment `json:"payment" doc:"the refund or void as it stands: approved, declined (see response), or reversing, when the scheme did not answer in time and nothing will have been moved"`
	}
}
