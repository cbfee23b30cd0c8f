package emv

import (
	"fmt"
	"time"
)

// MessageID is a user interface message identifier (Book A 9.4).
type MessageID byte

// Message identifiers.
const (
	MsgApproved           MessageID = 0x03
	MsgNotAuthorised      MessageID = 0x07
	MsgEnterPIN           MessageID = 0x09
	MsgProcessingError    MessageID = 0x0F
	MsgRemoveCard         MessageID = 0x10
	MsgWelcome            MessageID = 0x14
	MsgPresentCard        MessageID = 0x15
	MsgProcessing         MessageID = 0x16
	MsgCardReadOK         MessageID = 0x17
	MsgInsertOrSwipe      MessageID = 0x18
	MsgOneCardOnly        MessageID = 0x19
	MsgApprovedSign       MessageID = 0x1A
	MsgAuthorising        MessageID = 0x1B
	MsgInsertSwipeOrOther MessageID = 0x1C
	MsgInsertCard         MessageID = 0x1D
	MsgClearDisplay       MessageID = 0x1E
	MsgSeePhone           MessageID = 0x20
	MsgPresentAgain       MessageID = 0x21
)

func (m MessageID) String() string { return fmt.Sprintf("%02X", byte(m)) }

// Status is the reader status that drives lights and tones (Book A 9.2, 9.3).
type Status byte

// Reader statuses.
const (
	StatusNotReady        Status = 0x00
	StatusIdle            Status = 0x01
	StatusReadyToRead     Status = 0x02
	StatusProcessing      Status = 0x03
	StatusCardReadOK      Status = 0x04 // success tone
	StatusProcessingError Status = 0x05 // alert tone
	StatusNone            Status = 0xFF
)

func (s Status) String() string {
	switch s {
	case StatusNotReady:
		return "not_ready"
	case StatusIdle:
		return "idle"
	case StatusReadyToRead:
		return "ready_to_read"
	case StatusProcessing:
		return "processing"
	case StatusCardReadOK:
		return "card_read_ok"
	case StatusProcessingError:
		return "processing_error"
	}
	return "none"
}

// UIRequest is a user interface request (Book A 6.2.4, 9).
type UIRequest struct {
	Message  MessageID
	Status   Status
	Hold     time.Duration // shortest time that the message stays
	Language []byte        // 5F2D, where the card gave one
	// Balance or amount for the customer, where the kernel gives one.
	ValueQualifier byte // 10 amount, 20 balance, 0 none
	Value          int64
	Currency       uint16
}

// Display takes user interface requests. Show must not wait.
type Display interface{ Show(UIRequest) }
