package host_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/pay"
)

type shelf struct{ blocked []string }

func (shelf) Parameters(pay.TerminalID) pos.Parameters {
	return pos.Parameters{Free: true, NoPINLimit: 50_000}
}
func (shelf) FreeBINs() []string    { return []string{"62", "81"} }
func (s shelf) Blacklist() []string { return s.blocked }

func management(mti, stan, network string, page int) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(mti)
	m.Set(11, stan)
	m.Set(41, tid)
	m.Set(42, merchant)
	m.Set(60, pos.F60{Type: "00", Batch: "000001", Network: network}.String())
	if page >= 0 {
		m.SetBytes(pos.FieldDownload, pos.PageRequest(page))
	}
	return m
}

func TestDownloads(t *testing.T) {
	s := newStage(t)
	var blocked []string
	for i := range pos.PageEntries + 1 {
		blocked = append(blocked, "62284800000000"+pay.STAN(i).String()[1:])
	}
	s.downloads = shelf{blocked}
	s.host()
	s.script("download", func(c *terminal) {
		r := c.call(management(pos.MTISignIn, "000002", pos.NetworkParameters, -1), c.mac)
		p, err := pos.ParseParameters(r.Bytes(pos.FieldDownload), pos.Parameters{CDCVM: true})
		if err != nil || p != (pos.Parameters{Free: true, NoPINLimit: 50_000}) {
			t.Errorf("parameters %+v %v", p, err)
		}
		r = c.call(management(pos.MTISignIn, "000003", pos.NetworkBINs, -1), c.mac)
		if list, more, err := pos.ParsePage(r.Bytes(pos.FieldDownload)); err != nil || more || strings.Join(list, " ") != "62 81" {
			t.Errorf("BINs %v %v %v", list, more, err)
		}
		var got []string
		for page := range 2 {
			r = c.call(management(pos.MTISignIn, "00000"+string(rune('4'+page)), pos.NetworkBlacklist, page), c.mac)
			list, more, err := pos.ParsePage(r.Bytes(pos.FieldDownload))
			if err != nil || more != (page == 0) {
				t.Errorf("page %d: %v %v", page, more, err)
			}
			got = append(got, list...)
		}
		if strings.Join(got, " ") != strings.Join(blocked, " ") {
			t.Errorf("blacklist %v", got)
		}
		wrong, err := keys.CMAC(secret(9))
		if err != nil {
			t.Error(err)
		}
		code(t, c.call(management(pos.MTISignIn, "000010", pos.NetworkBlacklist, 0), wrong), "A0")
		code(t, c.call(management(pos.MTISignIn, "000011", pos.NetworkBlacklist, 0), nil), "A0")
		odd := management(pos.MTISignIn, "000012", pos.NetworkBlacklist, -1)
		odd.SetBytes(pos.FieldDownload, []byte("x"))
		code(t, c.call(odd, c.mac), "30")
	})
}

func TestNoDownloads(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("nothing", func(c *terminal) {
		code(t, c.call(management(pos.MTISignIn, "000002", pos.NetworkParameters, -1), c.mac), "12")
	})
}

// A sign-out ends the working keys, and only who has them can send it; keys that
// are old are exchanged by the order to sign in again.
func TestSignOut(t *testing.T) {
	s := newStage(t)
	s.keysEvery = time.Minute
	s.host()
	s.script("out", func(c *terminal) {
		code(t, c.call(management(pos.MTIManagement, "000002", pos.NetworkSignOut, -1), nil), "A0")
		code(t, c.call(sale("000003", "000000000100"), c.mac), "00")
		code(t, c.call(management(pos.MTIManagement, "000004", pos.NetworkSignOut, -1), c.mac), "00")
		code(t, c.call(sale("000005", "000000000100"), c.mac), "A0")
		c.signIn()
		code(t, c.call(sale("000006", "000000000100"), c.mac), "00")
		if c.orders(management(pos.MTIManagement, "000007", pos.NetworkEcho, -1)) != pos.RequireNothing {
			t.Error("fresh keys, and the host wants a new sign-in")
		}
	})
	s.script("old keys", func(c *terminal) {
		_ = c.env.Sleep(context.Background(), time.Minute)
		if c.orders(management(pos.MTIManagement, "000008", pos.NetworkEcho, -1)) != pos.RequireSignIn {
			t.Error("old keys, and nothing is ordered")
		}
	})
	s.books(200)
}

// orders sends m and gives what the answer's header orders.
func (t *terminal) orders(m *iso8583.Message) pos.Requirement {
	frame, err := pos.Encode(nil, pos.Request(1), m, nil)
	if err != nil {
		t.s.t.Error(err)
		return 0
	}
	got, err := t.mux.Call(context.Background(), pos.Key(m), frame)
	if err != nil {
		t.s.t.Error(err)
		return 0
	}
	h, err := pos.Decode(got, iso8583.NewMessage())
	if err != nil {
		t.s.t.Error(err)
	}
	return h.Requirement()
}
