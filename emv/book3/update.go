package book3

import (
	"huika/emv"
	"huika/emv/apdu"
)

// Lengths of issuer authentication data, 91 (EMV Book 3, annex A).
const (
	minAuthData = 8
	maxAuthData = 16
)

// Update carries an issuer's answer to the card of a second presentation, as
// kernels 3 and 7 do it: EXTERNAL AUTHENTICATE with 91 where it has 8 to 16
// bytes, then each script. A refused command ends its script and is reported in
// fault; the next script goes on. A lost card ends all of it. results is 9F5B, nil
// without scripts. err: the reader failed.
func (c *Card) Update(online *emv.OnlineResponse) (results []byte, fault emv.ErrorIndication, err error) {
	scripts := ParseScripts(online.Scripts)
	fault, err = c.answer(online.AuthData, scripts)
	if len(scripts) > 0 {
		results = Results(scripts)
	}
	return results, fault, err
}

func (c *Card) answer(auth []byte, scripts []Script) (fault emv.ErrorIndication, err error) {
	if n := len(auth); n >= minAuthData && n <= maxAuthData {
		const step = "external authenticate"
		r, lost, err := c.Send(apdu.Command{INS: apdu.InsExternalAuth, Data: auth, Le: -1}.Append(make([]byte, 0, 32)))
		switch {
		case err != nil:
			return fault, err
		case lost:
			return emv.ErrorIndication{L1: true, Step: step}, nil
		case r.SW != apdu.SWOK:
			fault = emv.ErrorIndication{L2: "status bytes", SW: r.SW, Step: step}
		}
	}
	for i := range scripts {
		const step = "issuer script"
		sw, lost, err := c.Run(&scripts[i])
		switch {
		case err != nil:
			return fault, err
		case lost:
			return emv.ErrorIndication{L1: true, Step: step}, nil
		case sw != 0:
			fault = emv.ErrorIndication{L2: "status bytes", SW: sw, Step: step}
		}
	}
	return fault, nil
}
