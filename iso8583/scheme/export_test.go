package scheme

import "huika/iso8583"

// PrintableEBCDIC is the table.
const PrintableEBCDIC = printableEBCDIC

// PackRaw writes fields as they are, for the tests that compare with other code.
func PackRaw(w *Wire, m *iso8583.Message) ([]byte, error) { return w.pack(nil, m, nil) }

// UnpackRaw reads them.
func UnpackRaw(w *Wire, b []byte, m *iso8583.Message) error {
	r := raws.Get().(*raw)
	defer r.free()
	if err := w.unpack(b, r); err != nil {
		m.Reset()
		return err
	}
	*m = *r.msg.Clone()
	return nil
}
