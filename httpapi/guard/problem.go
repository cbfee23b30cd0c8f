package guard

import (
	"encoding/json"
	"net/http"
)

// Problem is an RFC 9457 problem with a stable code. Pages turn the code into
// a sentence in the clerk's language; Title and Do are for people who read the
// API itself.
type Problem struct {
	Type   string `json:"type" doc:"always about:blank"`
	Title  string `json:"title" doc:"what happened, in words"`
	Status int    `json:"status" doc:"HTTP status"`
	Code   string `json:"code" doc:"stable word for machines" example:"busy"`
	Do     string `json:"do" doc:"what to do now"`
	// Where lists the fields that were not accepted; it never echoes a value.
	Where []string `json:"where,omitempty" doc:"fields that were not accepted"`
}

// NewProblem makes a problem.
func NewProblem(status int, code, title, do string) *Problem {
	return &Problem{Type: "about:blank", Title: title, Status: status, Code: code, Do: do}
}

func (p *Problem) Error() string { return p.Code + ": " + p.Title }

// GetStatus makes a Problem a huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes huma send it as a problem.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// Write sends the problem outside huma.
func (p *Problem) Write(w http.ResponseWriter) {
	b, err := json.Marshal(p)
	if err != nil { // strings and a number always marshal
		panic("guard: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(b)
}
