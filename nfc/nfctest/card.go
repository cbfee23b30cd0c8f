package nfctest

import "sync"

// Card is a small card for the suite: it answers SELECT, and GET DATA (80 CA)
// with the command's data reversed, the latter only after a SELECT since its
// last reset (else 6985). Any task may read its counts.
type Card struct {
	mu       sync.Mutex
	mute     bool
	selected bool
	resets   int
	commands int
}

// NewCard makes a card; a mute one never answers a command.
func NewCard(mute bool) *Card { return &Card{mute: mute} }

// SelectCommand is a SELECT of the PPSE name, which every card here answers.
var SelectCommand = append([]byte{0x00, 0xA4, 0x04, 0x00, 0x0E}, "2PAY.SYS.DDF01\x00"...)

// SelectResponse is the card's answer to it: an empty FCI.
var SelectResponse = []byte{0x6F, 0x02, 0x84, 0x00, 0x90, 0x00}

// ATR is a contactless card's ATR (PC/SC part 3) with four historical bytes.
func (c *Card) ATR() []byte {
	return []byte{0x3B, 0x84, 0x80, 0x01, 'H', 'U', 'I', 'K', 0x84 ^ 0x80 ^ 0x01 ^ 'H' ^ 'U' ^ 'I' ^ 'K'}
}

// Reset ends the session.
func (c *Card) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.selected = false
	c.resets++
}

// Transmit answers a command.
func (c *Card) Transmit(command []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands++
	switch {
	case c.mute:
		return nil
	case len(command) >= 2 && command[1] == 0xA4:
		c.selected = true
		return append([]byte(nil), SelectResponse...)
	case len(command) >= 5 && command[1] == 0xCA && len(command) == 5+int(command[4]):
		if !c.selected {
			return []byte{0x69, 0x85}
		}
		return append(reversed(command[5:]), 0x90, 0x00)
	}
	return []byte{0x6D, 0x00}
}

// Commands is how many commands reached the card.
func (c *Card) Commands() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commands
}

// Resets is how often the card was reset.
func (c *Card) Resets() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resets
}

// getData is a GET DATA whose answer is data reversed.
func getData(data []byte) []byte {
	return append([]byte{0x80, 0xCA, 0x00, 0x00, byte(len(data))}, data...)
}

func reversed(b []byte) []byte {
	r := make([]byte, 0, len(b)+2)
	for i := len(b) - 1; i >= 0; i-- {
		r = append(r, b[i])
	}
	return r
}
