package pos

import (
	"strings"

	"huika/iso8583"
)

// Message types of requests; the answer's third digit is one higher.
const (
	MTIAuthorisation = "0100" // pre-authorisation
	MTIFinancial     = "0200" // sale, void, completion, balance
	MTIAdvice        = "0220" // refund, completion advice, offline settlement
	MTIUpload        = "0320" // batch upload
	MTIReversal      = "0400"
	MTISettlement    = "0500"
	MTIScript        = "0620" // result of an issuer script
	MTISignIn        = "0800"
	MTIManagement    = "0820" // sign-out, echo
)

// Processing codes (F3).
const (
	ProcessSale             = "000000"
	ProcessVoid             = "200000" // void and refund
	ProcessPreAuthorisation = "030000"
	ProcessBalance          = "310000"
)

// Network management codes (F60.3).
const (
	NetworkNone           = "000"
	NetworkSignOut        = "002"
	NetworkSignIn         = "004"
	NetworkSettlement     = "201"
	NetworkUploadEndOff   = "202" // batch upload ends, totals did not balance
	NetworkUploadEnd      = "207" // batch upload ends, balanced
	NetworkEcho           = "301"
	NetworkParameters     = "394"
	NetworkBINs           = "396"
	NetworkBlacklist      = "398"
	NetworkMasterKey      = "401"
	NetworkScriptResult   = "951"
	CapabilityContactless = "6" // F60.4: stripe, chip and contactless
	ICConditionFallback   = "2" // F60.5
)

// Entry modes: the first two digits of F22; the third is PINEntered or PINNotEntered.
const (
	EntryManual      = "01"
	EntryStripe      = "02"
	EntryQR          = "03"
	EntryContact     = "05"
	EntryContactless = "07"
	// EntryContactlessStripe is mag-stripe mode of a contactless card.
	EntryContactlessStripe = "91"

	PINEntered    = "1"
	PINNotEntered = "2"
)

// Reversal reasons (F39 of a 0400).
const (
	ReasonNoReply  = "98"
	ReasonFault    = "96"
	ReasonMACError = "A0"
	ReasonOther    = "06"
)

// Kind is one transaction of the dialect: what its request looks like. An empty
// part means that the field is absent, or as in the original.
type Kind struct {
	Name       string
	MTI        string
	Processing string // F3
	Condition  string // F25
	Type       string // F60.1
	Network    string // F60.3
}

// Kinds is the table of transactions.
var Kinds = [...]Kind{
	{"sale", MTIFinancial, ProcessSale, "00", "22", NetworkNone},
	{"void", MTIFinancial, ProcessVoid, "00", "23", NetworkNone},
	{"refund", MTIAdvice, ProcessVoid, "00", "25", NetworkNone},
	{"offline refund", MTIAdvice, ProcessVoid, "00", "27", NetworkNone},
	{"pre-authorisation", MTIAuthorisation, ProcessPreAuthorisation, "06", "10", NetworkNone},
	{"pre-authorisation cancel", MTIAuthorisation, ProcessVoid, "06", "11", NetworkNone},
	{"completion", MTIFinancial, ProcessSale, "06", "20", NetworkNone},
	{"completion void", MTIFinancial, ProcessVoid, "06", "21", NetworkNone},
	{"completion advice", MTIAdvice, ProcessSale, "06", "24", NetworkNone},
	{"balance", MTIFinancial, ProcessBalance, "00", "01", NetworkNone},
	{"offline upload", MTIFinancial, ProcessSale, "00", "36", NetworkNone},
	{"offline settlement", MTIAdvice, ProcessSale, "00", "30", NetworkNone},
	{"offline adjustment", MTIAdvice, ProcessSale, "00", "32", NetworkNone},
	{"reversal", MTIReversal, "", "", "", NetworkNone},
	{"settlement", MTISettlement, "", "", "00", NetworkSettlement},
	{"batch upload end", MTIUpload, "", "", "00", NetworkUploadEnd},
	{"sign-in", MTISignIn, "", "", "00", NetworkSignIn},
	{"master key download", MTISignIn, "", "", "00", NetworkMasterKey},
	{"parameter download", MTISignIn, "", "", "00", NetworkParameters},
	{"BIN list download", MTISignIn, "", "", "00", NetworkBINs},
	{"blacklist download", MTISignIn, "", "", "00", NetworkBlacklist},
	{"sign-out", MTIManagement, "", "", "00", NetworkSignOut},
	{"echo", MTIManagement, "", "", "00", NetworkEcho},
	{"script result", MTIScript, "", "", "00", NetworkScriptResult},
}

// KindOf finds the transaction that a request is, or false. A reversal is told
// by its message type alone.
func KindOf(m *iso8583.Message) (Kind, bool) {
	mti := m.MTI()
	f60, err := ParseF60(m.Get(60))
	if err != nil && mti != MTIReversal {
		return Kind{}, false
	}
	processing := m.Get(3)
	for i := range Kinds {
		switch k := &Kinds[i]; {
		case k.MTI != mti, k.Processing != "" && k.Processing != processing:
		case k.Type != "" && k.Type != f60.Type, k.Network != NetworkNone && k.Network != f60.Network:
		default:
			return *k, true
		}
	}
	return Kind{}, false
}

// F60 is field 60. The last parts may be empty, from the right.
type F60 struct {
	Type        string // .1, n2
	Batch       string // .2, n6
	Network     string // .3, n3
	Capability  string // .4, n1
	ICCondition string // .5, n1
}

// String is the field's value. Pack refuses it where a part is not a number or
// the whole is too long; ParseF60 where a part is missing.
func (f F60) String() string {
	return f.Type + f.Batch + f.Network + f.Capability + f.ICCondition
}

// ParseF60 splits the field: 8, 11, 12 or 13 digits.
func ParseF60(s string) (F60, error) {
	var f F60
	rest := s
	for _, p := range []struct {
		part *string
		n    int
	}{{&f.Type, 2}, {&f.Batch, 6}, {&f.Network, 3}, {&f.Capability, 1}, {&f.ICCondition, 1}} {
		if rest == "" && p.part != &f.Type && p.part != &f.Batch {
			break
		}
		if len(rest) < p.n {
			return F60{}, &iso8583.Error{Op: "parse", Field: "F60", Why: "want 8, 11, 12 or 13 digits"}
		}
		*p.part, rest = rest[:p.n], rest[p.n:]
	}
	if rest != "" || !digits(s) {
		return F60{}, &iso8583.Error{Op: "parse", Field: "F60", Why: "want 8, 11, 12 or 13 digits"}
	}
	return f, nil
}

// Original is field 61: which transaction a reversal, void or refund means.
type Original struct {
	Batch string // n6
	STAN  string // n6
	Date  string // n4, MMDD
}

// String is the field's value.
func (o Original) String() string { return o.Batch + o.STAN + o.Date }

// ParseOriginal splits field 61: 16 digits.
func ParseOriginal(s string) (Original, error) {
	if len(s) != 16 || !digits(s) {
		return Original{}, &iso8583.Error{Op: "parse", Field: "F61", Why: "want 16 digits: batch, STAN and date"}
	}
	return Original{s[:6], s[6:12], s[12:]}, nil
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
