package entry

import (
	"time"

	"huika/emv"
)

// EventKind says what an Event tells.
type EventKind byte

// Event kinds, in the order in which a tap has them.
const (
	EventStart    EventKind = iota + 1 // Entry Point begins at Event.Start
	EventCard                          // one card is active: times count from here
	EventCollided                      // more than one card was seen
	EventExchange                      // one command and its response
	EventSelected                      // final selection: AID and Kernel are set
	EventUI                            // a user interface request
	EventOutcome                       // a kernel's or Entry Point's outcome
)

// Event is one thing that happened. Byte slices alias live data: an observer
// that keeps them copies them. Command and Response hold card data in clear;
// what stores them seals or masks them.
type Event struct {
	Kind     EventKind
	At       time.Time     // by Point.Now; of an exchange: its beginning
	Took     time.Duration // of an exchange
	Start    emv.Start
	Kernel   emv.KernelID // kernel that is active; 0 in Entry Point itself
	AID      []byte
	Command  []byte
	Response []byte
	Err      error // of an exchange that failed
	UI       emv.UIRequest
	Outcome  *emv.Outcome
}

// Observer sees every event in order. Observe must not wait.
type Observer interface{ Observe(Event) }
