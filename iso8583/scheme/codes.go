package scheme

// CodePair is a response code of a scheme, and the code of iso8583.Responses
// that says the same.
type CodePair struct{ Scheme, Neutral string }

// Codes is a scheme's response codes as far as they differ. Of several pairs with
// one Neutral, the first is what is sent.
type Codes []CodePair

// Neutral is the code that a scheme's code means; one that the table lacks means itself.
func (c Codes) Neutral(code string) string {
	for _, p := range c {
		if p.Scheme == code {
			return p.Neutral
		}
	}
	return code
}

// Scheme is the scheme's code for a neutral one.
func (c Codes) Scheme(code string) string {
	for _, p := range c {
		if p.Neutral == code {
			return p.Scheme
		}
	}
	return code
}
