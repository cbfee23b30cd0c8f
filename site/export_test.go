package site

import (
	"huika/iso8583/scheme"
	"huika/iso8583/scheme/schemetest"
)

// The recipe's example (docs/recipes/add-a-scheme.md) is registered as a dialect is.
func init() {
	dialects["lesson"] = func() (scheme.Dialect, error) { return schemetest.Lesson, nil }
}

// OpenOver starts the parts over a kit that was opened before, so that a test
// can stand on its wires. What it started ends with Close.
func OpenOver(kit Kit, parts Parts) (*System, error) {
	s := newSystem(kit.Config)
	s.Kit = kit
	s.Kit.Fatal = s.fail
	if err := s.start(parts); err != nil {
		_ = s.Close() // the first error says more
		return nil, err
	}
	return s, nil
}
