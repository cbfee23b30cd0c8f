package host

import (
	"context"

	"huika/iso8583"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/pay"
)

// Downloader says what a terminal downloads. Its methods may be called from any
// task and must not wait: what they give is in memory.
type Downloader interface {
	Parameters(pay.TerminalID) pos.Parameters
	// FreeBINs are first digits of cards for which payments without a PIN are meant.
	FreeBINs() []string
	// Blacklist are card numbers that no terminal takes. It stays as it is once given.
	Blacklist() []string
}

// signInOrDownload takes an 0800: a sign-in, which has no MAC yet, or a question
// for parameters or lists, which must have one.
func (h *Host) signInOrDownload(ctx context.Context, c *link.Conn, hdr pos.Header, s *session, m *iso8583.Message, frame []byte) {
	f60, err := pos.ParseF60(m.Get(60))
	if err != nil {
		h.reply(c, hdr, m, answer{code: "30"}, nil)
		return
	}
	switch f60.Network {
	case pos.NetworkParameters, pos.NetworkBINs, pos.NetworkBlacklist:
	default:
		h.signIn(ctx, c, hdr, m, s)
		return
	}
	w, ok := h.proven(c, hdr, s, m, frame)
	if !ok {
		return
	}
	f62, code := h.download(s.terminal.ID, f60.Network, m.Bytes(pos.FieldDownload))
	h.replyWith(c, hdr, m, answer{code: code}, w.mac, func(r *iso8583.Message) {
		if code == approved {
			r.SetBytes(pos.FieldDownload, f62)
		}
	})
}

// download is F62 of an answer, or the code of a refusal.
func (h *Host) download(t pay.TerminalID, what string, asked []byte) ([]byte, string) {
	if h.cfg.Downloads == nil {
		return nil, "12"
	}
	if what == pos.NetworkParameters {
		return h.cfg.Downloads.Parameters(t).Append(nil), approved
	}
	page, ok := pos.RequestedPage(asked)
	if !ok {
		return nil, "30"
	}
	list := h.cfg.Downloads.FreeBINs
	if what == pos.NetworkBlacklist {
		list = h.cfg.Downloads.Blacklist
	}
	f62, err := pos.AppendPage(nil, list(), page)
	if err != nil {
		h.cfg.Log.Error("a list for terminals has an entry that is no card number", "list", what, "err", err)
		return nil, "96"
	}
	return f62, approved
}

// proven is the working keys that the message's MAC was made with; else the
// terminal has been answered A0.
func (h *Host) proven(c *link.Conn, hdr pos.Header, s *session, m *iso8583.Message, frame []byte) (*workingKeys, bool) {
	w := s.working()
	if w == nil || pos.CheckMAC(frame, w.mac) != nil {
		h.refuse(c, "MAC", nil)
		h.reply(c, hdr, m, answer{code: "A0"}, nil)
		return nil, false
	}
	return w, true
}

// manage takes an 0820: an echo, which proves nothing and changes nothing, or a
// sign-out, after which the working keys are gone.
func (h *Host) manage(c *link.Conn, hdr pos.Header, s *session, m *iso8583.Message, frame []byte) {
	w := s.working()
	if f60, err := pos.ParseF60(m.Get(60)); err == nil && f60.Network == pos.NetworkSignOut && w != nil {
		if _, ok := h.proven(c, hdr, s, m, frame); !ok {
			return
		}
		s.mu.Lock()
		if s.keys == w { // not signed in again meanwhile
			s.keys = nil
		}
		s.mu.Unlock()
		h.cfg.Log.Info("terminal signed out", "terminal", s.terminal.ID)
	}
	a := answer{code: approved}
	if w != nil && h.env.Now().Sub(w.since) >= h.cfg.TerminalKeysEvery {
		a.orders = pos.RequireSignIn
	}
	h.reply(c, hdr, m, a, w.code())
}
