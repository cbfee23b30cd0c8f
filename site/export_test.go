package site

import "context"

// OpenOver starts the parts over a kit that was opened before, so that a test
// can stand on its wires. What it started ends with Close.
func OpenOver(kit Kit, parts Parts) (*System, error) {
	c := kit.Config
	s := &System{Kit: kit, hostAddr: c.Acquirer.Listen, schemeAddr: c.World.Scheme, issuerAddr: c.World.Issuer}
	s.Kit.Fatal = s.fail
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.start(parts); err != nil {
		_ = s.Close() // the first error says more
		return nil, err
	}
	return s, nil
}
