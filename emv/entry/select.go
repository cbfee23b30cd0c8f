package entry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Lengths and bounds of selection.
const (
	minAID     = 5 // ADF name, EMV Book 1, 12.2.1
	maxAID     = 16
	maxEntries = 32 // directory entries that are read; a response of 256 bytes holds fewer
)

// extendedSelection is tag 9F29, which no kernel's dictionary needs.
const extendedSelection tlv.Tag = 0x9F29

// ppse is the name of the contactless directory (Book B 3.3.2.2).
var ppse = []byte("2PAY.SYS.DDF01")

// Candidate is one combination that both sides support (Book B 3.3.2.5).
type Candidate struct {
	Combination int    // index into Point.Combinations
	ADF         []byte // ADF name from the directory entry
	Kernel      emv.KernelID
	Priority    byte   // application priority indicator (87), 0 where absent
	Extended    []byte // extended selection (9F29), where the card gives it and the combination supports it
	Label       []byte // application label (50), where given
	Order       int    // position of its directory entry
	Tried       bool   // taken off the list: SELECT failed, its kernel is missing, or Select Next
}

// entry61 is one directory entry (61).
type entry61 struct {
	adf, label, kernel, extended []byte
	priority                     byte
}

// selectPPSE is 3.3.2, steps 1 and 2.
func (s *session) selectPPSE(ctx context.Context) (step, error) {
	r, err := s.exchange(ctx, apdu.Select(ppse, false))
	switch {
	case errors.Is(err, emv.ErrCardLost):
		return s.back() // 3.3.3.7
	case err != nil:
		return stepDone, err
	}
	s.r.Candidates, s.r.current = nil, -1
	if r.OK() { // 3.3.2.3
		s.r.Candidates = s.p.candidates(r.Data, s.r.indicators)
	}
	return stepList, nil
}

// candidates builds the candidate list, best first (3.3.2.4, 3.3.2.5, 3.3.3.2).
// A directory that is not TLV has no entries.
func (p *Point) candidates(fci []byte, indicators []emv.Indicators) []Candidate {
	entries := directory(fci)
	var list []Candidate
	for i := range p.Combinations {
		c := &p.Combinations[i]
		if indicators[i].NotAllowed {
			continue
		}
		for order := range entries {
			e := &entries[order]
			if !e.matches(c) {
				continue
			}
			cand := Candidate{Combination: i, ADF: bytes.Clone(e.adf), Kernel: c.Kernel, Priority: e.priority, Order: order, Label: bytes.Clone(e.label)}
			if c.ExtendedSelection { // 3.3.3.3
				cand.Extended = bytes.Clone(e.extended)
			}
			list = append(list, cand)
		}
	}
	// A stable sort keeps the reader's order among equals, where the book allows any.
	slices.SortStableFunc(list, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(rank(a.Priority), rank(b.Priority)), cmp.Compare(a.Order, b.Order))
	})
	return list
}

// rank orders application priorities: 1 is highest, 0 (or absent) comes after 15 (3.3.3.2).
func rank(priority byte) byte {
	if priority &= 0x0F; priority == 0 {
		return 16
	}
	return priority
}

// directory reads the entries of a PPSE's FCI: 6F / A5 / BF0C / 61.
func directory(fci []byte) []entry61 {
	list, ok := tlv.Find(fci, tag.FCITemplate, tag.FCIProprietary, tag.DirectoryDiscretionary)
	if !ok {
		return nil
	}
	var entries []entry61
	for r := tlv.NewReader(list); r.Next() && len(entries) < maxEntries; {
		if r.TLV().Tag != tag.ApplicationTemplate {
			continue
		}
		var e entry61
		items := tlv.NewReader(r.TLV().Value)
		for items.Next() {
			t := items.TLV()
			switch t.Tag {
			case tag.AID:
				e.adf = t.Value
			case tag.ApplicationLabel:
				e.label = t.Value
			case tag.ApplicationPriority:
				if len(t.Value) == 1 {
					e.priority = t.Value[0]
				}
			case tag.KernelID:
				e.kernel = t.Value
			case extendedSelection:
				e.extended = t.Value
			}
		}
		if items.Err() != nil {
			e.adf = nil // not coded as it should be: the entry keeps its place and matches nothing
		}
		entries = append(entries, e)
	}
	return entries
}

// matches is 3.3.2.5 bullets A to D for one entry and one combination.
func (e *entry61) matches(c *Combination) bool {
	if n := len(e.adf); n < minAID || n > maxAID { // A
		return false
	}
	if !bytes.HasPrefix(e.adf, c.AID) { // B: full or partial match
		return false
	}
	requested, ok := e.requestedKernel(c.AID)              // C
	return ok && (requested == 0 || requested == c.Kernel) // D
}

// requestedKernel is the kernel that a directory entry asks for (3.3.2.5 C).
// It reports false where the identifier is too short, or of the form whose
// meaning the book leaves open (b8b7 = 1x with a short kernel id of 0).
func (e *entry61) requestedKernel(aid []byte) (emv.KernelID, bool) {
	id := e.kernel
	switch {
	case len(id) == 0:
		return defaultKernel(aid), true
	case id[0]&0x80 == 0: // b8b7 = 00 or 01
		return emv.KernelID(id[0]), true
	case len(id) < 3 || id[0]&0x3F == 0:
		return 0, false
	}
	return emv.KernelID(id[0])<<16 | emv.KernelID(id[1])<<8 | emv.KernelID(id[2]), true
}

// defaultKernels is Book B table 3-6: the kernel of a card that names none.
var defaultKernels = []struct {
	rid    [5]byte
	kernel emv.KernelID
}{
	{[5]byte{0xA0, 0, 0, 0, 0x04}, 2},    // Mastercard
	{[5]byte{0xA0, 0, 0, 0, 0x03}, 3},    // Visa
	{[5]byte{0xA0, 0, 0, 0, 0x25}, 4},    // American Express
	{[5]byte{0xA0, 0, 0, 0, 0x65}, 5},    // JCB
	{[5]byte{0xA0, 0, 0, 0x01, 0x52}, 6}, // Discover
	{[5]byte{0xA0, 0, 0, 0x03, 0x24}, 6}, // Discover (ZIP)
	{[5]byte{0xA0, 0, 0, 0x03, 0x33}, 7}, // UnionPay
}

// visaRID is the RID of rule 3.3.3.6.
var visaRID = []byte{0xA0, 0, 0, 0, 0x03}

// defaultKernel is the kernel of an AID's RID, 0 (any) for others.
func defaultKernel(aid []byte) emv.KernelID {
	for _, d := range defaultKernels {
		if bytes.HasPrefix(aid, d.rid[:]) {
			return d.kernel
		}
	}
	return 0
}

// list is 3.3.2 step 3: go on with the best candidate that is left, or end.
func (s *session) list() step {
	s.r.current = slices.IndexFunc(s.r.Candidates, func(c Candidate) bool { return !c.Tried })
	if s.r.current < 0 { // 3.3.2.7
		return s.end(endApplication("no application is supported by both card and terminal"))
	}
	return stepFinal
}

// selectAID is final combination selection, 3.3.3.
func (s *session) selectAID(ctx context.Context) (step, error) {
	cand := &s.r.Candidates[s.r.current]
	name := make([]byte, 0, len(cand.ADF)+len(cand.Extended))
	name = append(append(name, cand.ADF...), cand.Extended...)
	s.r.Combination, s.r.Indicators = &s.p.Combinations[cand.Combination], s.r.indicators[cand.Combination]
	s.r.AID, s.r.Kernel = name, cand.Kernel
	r, err := s.exchange(ctx, apdu.Select(name, false)) // 3.3.3.4
	switch {
	case errors.Is(err, emv.ErrCardLost):
		return s.back() // 3.3.3.7
	case err != nil:
		return stepDone, err
	}
	s.r.FCI, s.r.FCIStatus = r.Data, r.SW
	if !r.OK() { // 3.3.3.5
		if s.hasIssuerData() {
			return s.end(endApplication("the application of before cannot be selected again")), nil
		}
		return s.remove(), nil
	}
	if s.r.Kernel == 3 && bytes.HasPrefix(name, visaRID) && !asksForTTQ(r.Data) { // 3.3.3.6
		if _, ok := s.p.Kernels.Lookup(1, 0); !ok {
			return s.remove(), nil
		}
		s.r.Kernel = 1
	}
	s.observe(Event{Kind: EventSelected, AID: name, Kernel: s.r.Kernel})
	return stepKernel, nil
}

// asksForTTQ reports whether the PDOL of an FCI lists 9F66.
func asksForTTQ(fci []byte) bool {
	pdol, _ := tlv.Find(fci, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
	for len(pdol) > 0 {
		e, rest, err := dol.Next(pdol)
		if err != nil {
			return false
		}
		if e.Tag == tag.TTQ {
			return true
		}
		pdol = rest
	}
	return false
}
