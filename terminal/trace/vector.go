package trace

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"huika/emv/apdu"
	"huika/pay"
)

// vector is an exchange in the form of public test vectors: commands and
// responses in hex, with the terminal's data and the CA keys beside them. Only
// the exchanges are needed; every name that people use for their halves is
// read (see halves).
type vector struct {
	Name        string            `json:"name"`
	UN          looseHex          `json:"unpredictable_number"`
	Date        string            `json:"date"`        // YYMMDD
	Transaction looseHex          `json:"transaction"` // TLV: 9F02, 5F2A, 9C
	Exchanges   []json.RawMessage `json:"exchanges"`
	APDUs       []json.RawMessage `json:"apdus"` // the same under another name
	CAKey       *CAKey            `json:"ca_public_key"`
	CAKeys      []CAKey           `json:"ca_public_keys"`
}

// looseHex is hex as people write it: upper or lower case, with spaces, colons, hyphens or a leading 0x.
type looseHex []byte

// UnmarshalText reads it.
func (h *looseHex) UnmarshalText(b []byte) error {
	out, err := parseHex(string(b))
	*h = out
	return err
}

var hexNoise = strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", "", ":", "", "-", "", "_", "")

func parseHex(s string) ([]byte, error) {
	s = hexNoise.Replace(s)
	if len(s) > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s = s[2:]
	}
	return hex.DecodeString(s)
}

// halves are the names under which files keep the command, the response and a status word beside it.
var halves = [3][]string{
	{"command", "capdu", "c_apdu", "c-apdu", "cmd", "request", "tx", "send", "sent"},
	{"response", "rapdu", "r_apdu", "r-apdu", "resp", "answer", "reply", "rx", "recv", "received", "data"},
	{"sw", "status", "status_word", "sw1sw2", "sw12"},
}

// parseVector makes a trace of a vector, which has no recorded outcome. What a
// vector does not say about the terminal is read from what its commands
// carry; s says the rest (Settings).
func parseVector(b []byte, s Settings) (Trace, error) {
	var v vector
	if len(b) > 0 && b[0] == '[' { // the bare list of exchanges
		if err := json.Unmarshal(b, &v.Exchanges); err != nil {
			return Trace{}, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	} else if err := json.Unmarshal(b, &v); err != nil {
		return Trace{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	t := Trace{Version: Version, Name: v.Name, Transaction: Transaction{Currency: uint16(pay.CNY)}, CAKeys: v.CAKeys, Foreign: &Foreign{}}
	if v.CAKey != nil {
		t.CAKeys = append(t.CAKeys, *v.CAKey)
	}
	list := v.Exchanges
	if len(list) == 0 {
		list = v.APDUs
	}
	if len(list) > MaxSteps/2 {
		return Trace{}, fmt.Errorf("%w: %d exchanges, want at most %d", ErrFormat, len(list), MaxSteps/2)
	}
	var pairs []apdu.Exchange
	for i, raw := range list {
		x, err := parsePair(raw)
		if err != nil {
			return Trace{}, fmt.Errorf("%w: exchange %d: %w", ErrFormat, i+1, err)
		}
		pairs = append(pairs, x)
	}
	if v.Date != "" {
		if _, err := time.Parse("060102", v.Date); err != nil {
			return Trace{}, fmt.Errorf("%w: date %q: want YYMMDD", ErrFormat, v.Date)
		}
		if s.Date == "" {
			s.Date = v.Date
		}
	}
	if len(s.UN) == 0 {
		s.UN = Hex(v.UN)
	}
	if err := t.derive(joined(pairs), v.Transaction, s); err != nil {
		return Trace{}, err
	}
	return t, t.check()
}

// parsePair reads one exchange: an object with its halves by name, or a list of two or three.
func parsePair(raw json.RawMessage) (x apdu.Exchange, err error) {
	var parts [3]string
	var list []string
	var object map[string]json.RawMessage
	switch {
	case json.Unmarshal(raw, &list) == nil:
		if len(list) < 2 || len(list) > 3 {
			return x, fmt.Errorf("a list of %d: want command, response and perhaps a status word", len(list))
		}
		copy(parts[:], list)
	case json.Unmarshal(raw, &object) == nil:
		for i, names := range halves {
			for _, name := range names {
				if text, ok := object[name]; ok && parts[i] == "" {
					if err := json.Unmarshal(text, &parts[i]); err != nil {
						return x, fmt.Errorf("%s: want hex digits in quotes", name)
					}
				}
			}
		}
	default:
		return x, fmt.Errorf("want an object with command and response")
	}
	for i, to := range []*[]byte{&x.Command, &x.Response} {
		if *to, err = parseHex(parts[i]); err != nil {
			return x, fmt.Errorf("%s: not hex: %w", halves[i][0], err)
		}
	}
	sw, err := parseHex(parts[2])
	if err != nil || (len(sw) != 0 && len(sw) != 2) {
		return x, fmt.Errorf("sw: want four hex digits")
	}
	if len(sw) == 2 && !(len(x.Response) >= 2 && string(x.Response[len(x.Response)-2:]) == string(sw)) {
		x.Response = append(x.Response, sw...)
	}
	if len(x.Command) < 4 {
		return x, fmt.Errorf("command: want at least 4 bytes")
	}
	return x, nil
}

// joined takes the transport's own commands out (ISO/IEC 7816-4): a GET RESPONSE
// after 61xx brings what its command asked for, a 6Cxx is asked again with
// another Le.
func joined(list []apdu.Exchange) []apdu.Exchange {
	var out []apdu.Exchange
	for _, x := range list {
		if n := len(out); n > 0 {
			last := &out[n-1]
			r, err := apdu.ParseResponse(last.Response)
			switch {
			case err == nil && r.SW>>8 == 0x61 && x.Command[1] == apdu.InsGetResponse:
				last.Response = append(append([]byte{}, r.Data...), x.Response...)
				continue
			case err == nil && r.SW>>8 == 0x6C && string(last.Command[:4]) == string(x.Command[:4]):
				*last = x
				continue
			}
		}
		out = append(out, x)
	}
	return out
}
