package cup

import "huika/iso8583/scheme"

// Dialect is this package behind the seam of all schemes. It drops Additional
// (F44) and Trace, for which UnionPay's interchange as we know it has no place,
// and the year of Local. F43 is name 25, city 13, country 2; the name may be GBK.
// A working key stands in F48 after "NK", in our reading.
var Dialect scheme.Dialect = dialect

// RowOf is how this dialect writes a transaction; the zero Row where it is none.
func RowOf(t scheme.Transaction) scheme.Row {
	if r := dialect.Rows.Of(t); r != nil {
		return *r
	}
	return scheme.Row{}
}

// TransactionOf is the first transaction of that message type and processing
// code, or 0. Which one of several does not matter to a reversal.
func TransactionOf(mti, processing string) scheme.Transaction {
	return dialect.Rows.Find(mti, processing, "")
}

var dialect = &scheme.Dialect87{
	Title: "cup",
	Wire:  scheme.Wire{Spec: Spec, Always128: true},
	Version87: scheme.Version87{
		Reversal: MTIReversal,
		Rows: scheme.Rows{ // Mark: F25
			{Transaction: scheme.Sale, MTI: MTIFinancial, Processing: "000000", Mark: "00"},
			{Transaction: scheme.Void, MTI: MTIFinancial, Processing: "200000", Mark: "00"},
			{Transaction: scheme.Refund, MTI: MTIAdvice, Processing: "200000", Mark: "00"},
			{Transaction: scheme.PreAuth, MTI: MTIAuthorisation, Processing: "030000", Mark: "06"},
			{Transaction: scheme.PreAuthCancel, MTI: MTIAuthorisation, Processing: "200000", Mark: "06"},
			{Transaction: scheme.Completion, MTI: MTIFinancial, Processing: "000000", Mark: "06"},
			{Transaction: scheme.CompletionVoid, MTI: MTIFinancial, Processing: "200000", Mark: "06"},
			{Transaction: scheme.CompletionAdvice, MTI: MTIAdvice, Processing: "000000", Mark: "06"},
			{Transaction: scheme.Balance, MTI: MTIFinancial, Processing: "310000", Mark: "00"},
		},
		Functions: scheme.FunctionCodes{
			{Function: scheme.SignOn, Code: NetworkSignOn},
			{Function: scheme.SignOff, Code: NetworkSignOff},
			{Function: scheme.Echo, Code: NetworkEcho},
			{Function: scheme.KeyExchange, Code: "101"},
			{Function: scheme.CutOver, Code: "201"},
		},
	},
	Place:      scheme.PlaceForm{Name: 25, City: 13, Letters: 2},
	Entry:      3,
	PINControl: "2600000000000000",
	Reasons:    scheme.Codes{}, // the terminal's codes as they are
	KeyPrefix:  "NK",
}
