package book3

import (
	"huika/emv/apdu"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Bounds of one issuer's answer.
const (
	MaxScripts        = 8  // issuer script templates
	MaxScriptCommands = 32 // script commands
)

// Script is one issuer script template: 71 (before the final GENERATE AC) or 72 (after it).
type Script struct {
	Tag      tlv.Tag
	ID       [4]byte
	Result   byte // upper half 0 not sent, 1 failed, 2 successful; lower half the command that failed (EMV Book 4, annex A5)
	commands [][]byte
	bad      bool
}

// Results of a script.
const (
	ScriptFailed = 0x10
	ScriptDone   = 0x20
)

// ParseScripts takes 71 and 72 apart in the order in which the issuer sent them
// (EMV Book 3, 10.10). A template that can't be read, and what is beyond
// MaxScripts or MaxScriptCommands, counts as failed and is not sent.
func ParseScripts(b []byte) []Script {
	var scripts []Script
	left := MaxScriptCommands
	for r := tlv.NewReader(b); r.Next() && len(scripts) < MaxScripts; {
		x := r.TLV()
		if x.Tag != tag.Script1 && x.Tag != tag.Script2 {
			continue
		}
		s := Script{Tag: x.Tag}
		body := tlv.NewReader(x.Value)
		for body.Next() {
			switch o := body.TLV(); o.Tag {
			case tag.ScriptID:
				copy(s.ID[:], o.Value)
			case tag.ScriptCommand:
				s.commands = append(s.commands, o.Value)
			}
		}
		if left -= len(s.commands); body.Err() != nil || left < 0 {
			s.commands, s.bad, s.Result, left = nil, true, ScriptFailed, max(left, 0)
		}
		scripts = append(scripts, s)
	}
	return scripts
}

// Run sends the commands of a script until one is refused (SW1 other than 90, 62
// and 63) and notes the result. sw is the status word that refused, 0 where none did.
func (c *Card) Run(s *Script) (sw uint16, lost bool, err error) {
	for n, command := range s.commands {
		s.Result = ScriptFailed | byte(min(n+1, 0x0F))
		if _, err := apdu.ParseCommand(command); err != nil {
			return 0, false, nil // what is no command is not sent
		}
		r, lost, err := c.Send(command)
		if lost || err != nil {
			return 0, lost, err
		}
		if hi := r.SW >> 8; hi != 0x90 && hi != 0x62 && hi != 0x63 {
			return r.SW, false, nil
		}
	}
	if !s.bad {
		s.Result = ScriptDone
	}
	return 0, false, nil
}

// Failed reports that a script was not carried out whole.
func (s *Script) Failed() bool { return s.Result>>4 != ScriptDone>>4 }

// Results is 9F5B: five bytes a script, result and identifier.
func Results(scripts []Script) []byte {
	b := make([]byte, 0, 5*len(scripts))
	for i := range scripts {
		b = append(append(b, scripts[i].Result), scripts[i].ID[:]...)
	}
	return b
}
