package entry_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"huika/emv"
	"huika/emv/entry"
	"huika/pay"
)

// scripted is a reader that plays a recorded card.
type scripted struct{ answers []string }

func (s *scripted) FieldOn(context.Context) error                 { return nil }
func (s *scripted) FieldOff(context.Context, time.Duration) error { return nil }
func (s *scripted) WaitCard(context.Context, time.Duration) (entry.Presence, error) {
	return entry.OneCard, nil
}
func (s *scripted) WaitRemoval(context.Context, time.Duration) (bool, error) { return true, nil }
func (s *scripted) Transmit(_ context.Context, command []byte) ([]byte, error) {
	fmt.Printf("→ %X\n", command)
	if len(s.answers) == 0 {
		return nil, emv.ErrCardLost
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return hex.DecodeString(answer)
}

// lamp is the display: it prints message identifiers and reader status.
type lamp struct{}

func (lamp) Show(r emv.UIRequest) { fmt.Printf("message %v, %v\n", r.Message, r.Status) }

// alwaysOnline is the smallest kernel: it asks the issuer at once.
type alwaysOnline struct{}

func (alwaysOnline) Process(_ context.Context, in emv.Input, card emv.Transceiver) (emv.Outcome, error) {
	fmt.Printf("kernel %d for %X, TTQ %X\n", in.Kernel, in.AID, in.Indicators.TTQ)
	return emv.Outcome{
		Kind: emv.OnlineRequest, CVM: emv.CVMNone,
		Start: emv.StartNone, OnlineResponseData: emv.OnlineNotApplicable, Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone,
		UIOutcome: &emv.UIRequest{Message: emv.MsgAuthorising, Status: emv.StatusCardReadOK},
	}, nil
}

// A bench drives Entry Point with its own reader, display, kernels and configuration.
func Example() {
	var kernels entry.Kernels
	if err := kernels.Register(7, 0x0030, alwaysOnline{}); err != nil {
		fmt.Println(err)
		return
	}
	point := &entry.Point{
		Combinations: []entry.Combination{{
			AID: []byte{0xA0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01}, Kernel: 7,
			TTQ:        &[4]byte{0x27, 0x00, 0x40, 0x80},
			FloorLimit: entry.Limit(0),       // everything goes online
			CVMLimit:   entry.Limit(100_001), // PIN-free up to and including 1000.00
		}},
		Kernels: &kernels,
		Reader: &scripted{answers: []string{
			"6F24840E325041592E5359532E4444463031A512BF0C0F610D4F08A0000003330101018701019000", // PPSE
			"6F178408A000000333010101A50B5008554E494F4E5041599000",                             // application
		}},
		Display: lamp{},
		Rand:    strings.NewReader("bench"),
	}
	result, err := point.Run(context.Background(), emv.Transaction{Amount: pay.Fen(8880), Time: time.Date(2026, 3, 15, 14, 30, 0, 0, time.UTC)})
	fmt.Println(result.Outcome.Kind, err)

	result, err = point.Resume(context.Background(), result, emv.OnlineResponse{Approved: true, ResponseCode: "00"})
	fmt.Println(result.Outcome.Kind, err)

	// Output:
	// message 15, ready_to_read
	// → 00A404000E325041592E5359532E444446303100
	// → 00A4040008A00000033301010100
	// kernel 7 for A000000333010101, TTQ 27804080
	// message 1B, card_read_ok
	// Online Request <nil>
	// message 03, idle
	// Approved <nil>
}

// Pre-processing of one combination: what 1000.01 means to a reader.
func ExamplePreprocess() {
	c := entry.Combination{TTQ: &[4]byte{0x27, 0x00, 0x40, 0x80}, FloorLimit: entry.Limit(0), CVMLimit: entry.Limit(100_001)}
	for _, fen := range []int64{100_000, 100_001} {
		in := entry.Preprocess(&c, emv.Transaction{Amount: pay.Fen(fen)})
		fmt.Printf("%v: CVM required %v, TTQ %X\n", pay.Fen(fen), in.CVMRequiredLimitExceeded, in.TTQ)
	}
	// Output:
	// 1000.00 CNY: CVM required false, TTQ 27804080
	// 1000.01 CNY: CVM required true, TTQ 27C04080
}
