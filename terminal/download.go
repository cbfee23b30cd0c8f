package terminal

import (
	"context"
	"fmt"

	"huika/emv/entry"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/pay"
)

// MaxListed bounds a downloaded list; a longer one is not taken, and the one
// before stays.
const MaxListed = 20_000

// rules are what the host's downloads say, over the configuration. They live in
// memory: each sign-in brings them anew, and no card number of the blacklist is
// ever written down.
type rules struct {
	params  pos.Parameters
	blocked map[string]struct{} // card numbers
	kernels *entry.Kernels      // made for params
}

// configured are the rules without any download.
func (t *Terminal) configured() (rules, error) {
	r := rules{params: pos.Parameters{Free: true, CDCVM: true, NoPINLimit: t.cfg.Limits.CVM - 1}}
	var err error
	r.kernels, err = t.kernelsFor(r.params)
	return r, err
}

// cvmLimit is the smallest amount that needs the cardholder.
func cvmLimit(p pos.Parameters) int64 {
	if !p.Free {
		return 1
	}
	return p.NoPINLimit + 1
}

func (t *Terminal) kernelsFor(p pos.Parameters) (*entry.Kernels, error) {
	return Kernels(KernelConfig{
		CAKeys: t.cfg.CAKeys, ExceptionFile: t.listed, CVMLimit: cvmLimit(p), Limit: t.cfg.Limits.Transaction, MagStripe: t.cfg.MagStripe,
	})
}

// ruled are the rules now.
func (t *Terminal) ruled() rules {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rules
}

// listed is the exception file of every kernel: the configuration's own, and the
// blacklist that was downloaded.
func (t *Terminal) listed(pan pay.PAN, psn string) bool {
	if _, blocked := t.ruled().blocked[pan.Reveal()]; blocked {
		return true
	}
	return t.cfg.ExceptionFile != nil && t.cfg.ExceptionFile(pan, psn)
}

// cdcvmBit is TTQ byte 3 bit 7: the terminal supports CDCVM (Book A, table 5-4).
const cdcvmBit = 0x40

// combinations are those of the configuration under the rules of now.
func (t *Terminal) combinations(r rules, inquiry bool) []entry.Combination {
	cfg := t.cfg
	cfg.Limits.CVM = cvmLimit(r.params)
	out := cfg.combinations(inquiry)
	for i := range out {
		if out[i].TTQ != nil && !r.params.CDCVM {
			q := *out[i].TTQ
			q[2] &^= cdcvmBit
			out[i].TTQ = &q
		}
	}
	return out
}

// download asks the host for parameters and blacklist, as it has ordered with its
// sign-in. What it refuses, or gives in a form that can't be, leaves the rules as
// they were; only a link that fails is an error.
func (t *Terminal) download(ctx context.Context, mux *link.Mux, s *session) error {
	r := t.ruled()
	f62, err := t.fetch(ctx, mux, s, pos.NetworkParameters, nil)
	if err != nil {
		return err
	}
	if len(f62) > 0 {
		if err := t.takeParameters(&r, f62); err != nil {
			t.cfg.Log.Error("the host's parameters can't be used: the old ones stay", "err", err)
		}
	}
	switch list, ok, err := t.fetchList(ctx, mux, s, pos.NetworkBlacklist); {
	case err != nil:
		return err
	case ok:
		r.blocked = make(map[string]struct{}, len(list))
		for _, digits := range list {
			r.blocked[digits] = struct{}{}
		}
	}
	t.mu.Lock()
	t.rules = r
	t.mu.Unlock()
	t.cfg.Log.Info("downloaded", "no_pin_limit", r.params.NoPINLimit, "pin_free", r.params.Free, "cdcvm", r.params.CDCVM, "blacklist", len(r.blocked))
	return nil
}

func (t *Terminal) takeParameters(r *rules, f62 []byte) error {
	p, err := pos.ParseParameters(f62, r.params)
	if err != nil {
		return err
	}
	kernels, err := t.kernelsFor(p)
	if err != nil {
		return err
	}
	r.params, r.kernels = p, kernels
	return nil
}

// fetchList reads a list page by page; ok is false where it is not to be had.
func (t *Terminal) fetchList(ctx context.Context, mux *link.Mux, s *session, what string) (list []string, ok bool, err error) {
	for page := range pos.MaxPages {
		f62, err := t.fetch(ctx, mux, s, what, pos.PageRequest(page))
		if err != nil || f62 == nil {
			return nil, false, err
		}
		entries, more, err := pos.ParsePage(f62)
		if err != nil {
			t.cfg.Log.Error("the host's list can't be read: the old one stays", "list", what, "err", err)
			return nil, false, nil
		}
		if list = append(list, entries...); len(list) > MaxListed {
			break
		}
		if !more {
			return list, true, nil
		}
	}
	t.cfg.Log.Error("the host's list is too long: the old one stays", "list", what, "limit", MaxListed)
	return nil, false, nil
}

// fetch asks for one thing; nil where the host refuses or its MAC does not fit.
func (t *Terminal) fetch(ctx context.Context, mux *link.Mux, s *session, what string, asked []byte) ([]byte, error) {
	k, err := t.drawNumber(ctx)
	if err != nil {
		return nil, err
	}
	m := t.base(pos.MTISignIn, k, pos.F60{Type: "00", Network: what})
	if asked != nil {
		m.SetBytes(pos.FieldDownload, asked)
	}
	a, err := t.exchange(ctx, mux.Call, m, s.mac, t.cfg.Timeouts.Manage)
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", what, err)
	}
	if a.code() != "00" || a.macErr != nil {
		t.cfg.Log.Warn("download refused", "what", what, "response", a.code(), "mac", a.macErr)
		return nil, nil
	}
	return append([]byte{}, a.m.Bytes(pos.FieldDownload)...), nil
}
