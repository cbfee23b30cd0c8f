package scheme

import "huika/iso8583"

// FunctionCode is a management message's code in F70, or in F24 of the 1993 version.
type FunctionCode struct {
	Function Function
	Code     string
}

// FunctionCodes is a dialect's table.
type FunctionCodes []FunctionCode

// Of is the code of a function, or "".
func (c FunctionCodes) Of(f Function) string {
	for _, row := range c {
		if row.Function == f {
			return row.Code
		}
	}
	return ""
}

// Find is the function of a code, or 0.
func (c FunctionCodes) Find(code string) Function {
	for _, row := range c {
		if row.Code == code {
			return row.Function
		}
	}
	return 0
}

// Version87 is what the dialects of ISO 8583:1987 say alike.
type Version87 struct {
	Rows      Rows
	Reversal  string // message type: "0400" or "0420"
	Functions FunctionCodes
	// Codes are the scheme's own codes of F39, for reading. What is written is the
	// neutral code: it is one of the 1987 version, which every scheme keeps.
	Codes Codes
}

// mtiManagement is the type of all management messages.
const mtiManagement = "0800"

// Put sets the message type, F3, F12, F13, F39 of an answer, F70 and F90, and
// gives the row of the transaction, nil for a management message.
func (v *Version87) Put(to *iso8583.Message, m *Message) (*Row, error) {
	mti := mtiManagement
	var row *Row
	switch m.Kind {
	case Payment, Reversal:
		if row = v.Rows.Of(m.Transaction); row == nil {
			return nil, wrong("pack", 3, "no such transaction")
		}
		to.Set(3, row.Processing)
		mti = row.MTI
		if m.Kind == Reversal {
			mti = v.Reversal
		}
	case Management:
		code := v.Functions.Of(m.Function)
		if code == "" {
			return nil, wrong("pack", 70, "no such function")
		}
		to.Set(70, code)
	}
	SetMTI(to, mti, m.Response)
	if m.Response {
		switch {
		case m.SchemeCode != "":
			to.Set(39, m.SchemeCode)
		case m.Code != "":
			to.Set(39, m.Code)
		}
	}
	if err := PutLocal(to, m); err != nil {
		return nil, err
	}
	return row, PutOriginal(to, &m.Original, v.Rows)
}

// Get reads what Put writes; mark is the dialect's for Rows.
func (v *Version87) Get(from *In, m *Message, mark string) error {
	mti := from.RequestMTI()
	m.Response = from.IsResponse()
	switch {
	case mti == mtiManagement:
		m.Kind, m.Function = Management, v.Functions.Find(from.Get(70))
	case mti == v.Reversal:
		original := from.Get(90)
		if len(original) > 4 {
			original = original[:4]
		}
		m.Kind, m.Transaction = Reversal, v.Rows.Find(original, from.Get(3), mark)
	case v.Rows.Has(mti):
		m.Kind, m.Transaction = Payment, v.Rows.Find(mti, from.Get(3), mark)
	}
	if m.Response && from.Has(39) {
		m.SchemeCode = from.Get(39)
		m.Code = v.Codes.Neutral(m.SchemeCode)
	}
	m.Local = from.Local()
	return GetOriginal(from, m, v.Rows)
}

// SetMTI sets a request's type, or that of its answer: 0100 → 0110, 0420 → 0430.
func SetMTI(to *iso8583.Message, request string, response bool) {
	var mti [4]byte
	copy(mti[:], request)
	if response {
		mti[2]++
	}
	to.SetMTI(string(mti[:]))
}
