package scheme

import "huika/iso8583"

// In is a message being read. The texts that Get returns share one string, so
// that they all cost one allocation; card number, track and bytes are never part
// of it. An In is valid until the function that it was given to returns; the
// texts stay.
type In struct {
	msg  iso8583.Message
	text string
	at   [iso8583.MaxField + 1]struct{ from, to uint16 } // in text
	room []byte                                          // what text is made of
}

// load gathers the texts.
func (in *In) load(spec *iso8583.Spec) {
	clear(in.at[:])
	in.room = in.room[:0]
	in.add(spec, 13) // next to F12, so that Local is one text
	in.add(spec, 12)
	for f := 2; f <= iso8583.MaxField; f++ {
		if f != 12 && f != 13 {
			in.add(spec, f)
		}
	}
	in.text = string(in.room)
}

func (in *In) add(spec *iso8583.Spec, f int) {
	field := &spec.Fields[f]
	if field.Type == iso8583.B || field.Type == iso8583.Z || field.Show == iso8583.FirstSix {
		return
	}
	from := len(in.room)
	in.room = append(in.room, in.msg.Bytes(f)...)
	in.at[f].from, in.at[f].to = uint16(from), uint16(len(in.room))
}

// MTI is the message type.
func (in *In) MTI() string { return in.msg.MTI() }

// IsResponse reports whether the MTI is that of an answer.
func (in *In) IsResponse() bool { return in.msg.IsResponse() }

// Has reports whether field f is present.
func (in *In) Has(f int) bool { return in.msg.Has(f) }

// Bytes is the value of field f, or nil. It is not to be kept.
func (in *In) Bytes(f int) []byte { return in.msg.Bytes(f) }

// Get is the value of field f as text that may be kept, or "". Of F2, track 2
// and fields of bytes it is a copy.
func (in *In) Get(f int) string {
	if at := in.at[f]; at.to > at.from {
		return in.text[at.from:at.to]
	}
	return in.msg.Get(f)
}

// Local is F13 and F12 of the 1987 version, MMDDhhmmss; one half alone is none.
func (in *In) Local() string {
	if !in.Has(12) || !in.Has(13) {
		return ""
	}
	return in.text[in.at[13].from:in.at[12].to]
}

// Padded is a text field without the spaces at its end.
func (in *In) Padded(f int) string {
	v := in.Get(f)
	for len(v) > 0 && v[len(v)-1] == ' ' {
		v = v[:len(v)-1]
	}
	return v
}

// RequestMTI is the type of the request that the message is, or answers.
func (in *In) RequestMTI() string {
	mti := in.MTI()
	if !in.IsResponse() {
		return mti
	}
	b := [4]byte{mti[0], mti[1], mti[2] - 1, mti[3]}
	return string(b[:])
}
