package console

import "time"

// View is a filter with a name.
type View struct {
	ID     string      `json:"id"`
	Name   string      `json:"name"`
	Filter FilterInput `json:"filter"`
	By     string      `json:"by"`
	Saved  time.Time   `json:"saved"`
}

type viewsOutput struct {
	Body struct {
		Views []View `json:"views" nullable:"false"`
	}
}

type saveViewInput struct {
	Body struct {
		Name   string      `json:"name" minLength:"1" maxLength:"80"`
		Filter FilterInput `json:"filter"`
	}
}

type viewOutput struct{ Body View }

// IDInput names something in the path. It is exported because huma does not
// look into embedded structs that are not.
type IDInput struct {
	ID string `path:"id" maxLength:"64"`
}

// Key is an API key without its secret.
type Key struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Scopes  []string  `json:"scopes" nullable:"false"`
	By      string    `json:"by" doc:"who made it: command line, console, or a key's id"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
}

type keysOutput struct {
	Body struct {
		Keys   []Key    `json:"keys" nullable:"false"`
		Scopes []string `json:"scopes" nullable:"false" doc:"every scope that there is"`
	}
}

type createKeyInput struct {
	Body struct {
		Name    string    `json:"name" minLength:"1" maxLength:"80"`
		Scopes  []string  `json:"scopes" nullable:"false" minItems:"1" maxItems:"16"`
		Expires time.Time `json:"expires,omitzero"`
	}
}

type createKeyOutput struct {
	Stored string `header:"Huika-Stored-Reply" hidden:"true"`
	Body   struct {
		Key    Key    `json:"key"`
		Secret string `json:"secret" doc:"the whole key, to be sent as bearer; shown this once. Empty in a repeated answer: revoke it and make another one if it was lost"`
	}
}

// Hook is a webhook subscription and how its deliveries go.
type Hook struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	Name      string    `json:"name,omitempty"`
	Merchant  string    `json:"merchant,omitempty" doc:"empty: all"`
	Events    []string  `json:"events" nullable:"false" doc:"empty: all"`
	By        string    `json:"by"`
	Created   time.Time `json:"created" doc:"it is told what happened from then on"`
	State     string    `json:"state" enum:"active,failing,paused" doc:"failing: it is tried again, with pauses up to 15 minutes, until it takes the events; nothing is dropped"`
	Delivered int64     `json:"delivered" doc:"events that it took since this process started"`
	Last      time.Time `json:"last,omitzero" doc:"when it took the last one"`
	Since     time.Time `json:"failing_since,omitzero"`
	Tries     int       `json:"tries" doc:"of the event that it does not take"`
	Error     string    `json:"error,omitempty" doc:"of the last try"`
	Next      time.Time `json:"next_try,omitzero"`
}

type hooksOutput struct {
	Body struct {
		Hooks  []Hook   `json:"webhooks" nullable:"false"`
		Events []string `json:"events" nullable:"false" doc:"every event that there is"`
	}
}

type createHookInput struct {
	Body struct {
		URL      string   `json:"url" minLength:"8" maxLength:"2048" format:"uri" doc:"https; in demo also http to this machine"`
		Name     string   `json:"name,omitempty" maxLength:"80"`
		Merchant string   `json:"merchant,omitempty" maxLength:"15"`
		Events   []string `json:"events,omitempty" maxItems:"16" doc:"empty: all"`
	}
}

type createHookOutput struct {
	Stored string `header:"Huika-Stored-Reply" hidden:"true"`
	Body   struct {
		Hook   Hook   `json:"webhook"`
		Secret string `json:"secret" doc:"signs the deliveries; shown this once, empty in a repeated answer"`
	}
}

type pauseInput struct {
	IDInput
	Body struct {
		Paused bool `json:"paused"`
	}
}

type hookOutput struct{ Body Hook }
