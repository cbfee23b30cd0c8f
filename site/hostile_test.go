package site_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"huika/iso8583"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
)

// door is one socket of an installation, and who may come through it.
type door struct {
	name, role, peer string // the certificates of this side, and of who dials
	addr             string
}

func (l life) doors() []door {
	term := site.RoleTerminal(pay.TerminalID(l.Kit.Config.Terminal.ID), pay.MerchantID(l.Kit.Config.Merchant.ID))
	return []door{
		{"host", site.RoleHost, term, l.HostAddr()},
		{"unionpay", site.RoleScheme, site.RoleHost, l.SchemeAddr()},
		{"visa", site.SchemeRole("visa"), site.RoleHost, l.SchemeAddrOf("visa")},
		{"amex", site.SchemeRole("amex"), site.RoleHost, l.SchemeAddrOf("amex")},
		{"issuer", "issuer", site.RoleScheme, l.IssuerAddr()},
	}
}

// enter dials a door with the certificate of a role.
func (l life) enter(d door, role string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Second)
	defer cancel()
	return l.Kit.Wire.Dialer(role, d.role, func() string { return d.addr })(ctx)
}

// sells proves that the service goes on: a payment through every wire.
func (l life) sells(after string) {
	l.t.Helper()
	if r := l.do(terminal.Request{Amount: pay.Fen(100)}); r.Outcome != terminal.Approved {
		l.t.Errorf("after %s: %s %s %s", after, r.Outcome, r.Reason, r.ResponseCode)
	}
}

// ends waits until the other side closes; what it says before is given back.
func ends(t *testing.T, c net.Conn, within time.Duration) []byte {
	t.Helper()
	check(t, c.SetReadDeadline(time.Now().Add(within)))
	said, err := io.ReadAll(c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Error("the connection stays open")
	}
	return said
}

// TestHostileInput: what docs/threat-model.md says of hostile input at sockets.
func TestHostileInput(t *testing.T) {
	l := openLife(t)
	for _, d := range l.doors() {
		t.Run(d.name, func(t *testing.T) {
			l := life{t, l.System}
			for name, bytes := range map[string][]byte{
				"length 0":          {0, 0, 1, 2, 3},
				"length beyond all": {0xFF, 0xFF, 1, 2, 3},
				"one byte too many": binary.BigEndian.AppendUint16(nil, link.MaxFrame+1),
				"HTTP":              []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
			} {
				c, err := l.enter(d, d.peer)
				check(t, err)
				_, err = c.Write(bytes)
				check(t, err)
				if said := ends(t, c, 5*time.Second); len(said) > 0 {
					t.Errorf("%s: answered with %x", name, said)
				}
				_ = c.Close()
			}
			// Frames that are none of the dialect's: not answered, whatever they hold.
			for range 20 {
				c, err := l.enter(d, d.peer)
				check(t, err)
				garbage := make([]byte, 1+len(rand.Text())*8)
				_, err = rand.Read(garbage)
				check(t, err)
				_, err = c.Write(link.AppendFrame(nil, garbage))
				check(t, err)
				check(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
				if said, err := io.ReadAll(c); len(said) > 0 {
					t.Errorf("garbage: answered with %x, %v", said, err)
				}
				_ = c.Close()
			}
			l.sells("garbage at " + d.name)
			// Slow senders hold nothing but themselves.
			for range 50 {
				c, err := l.enter(d, d.peer)
				check(t, err)
				_, err = c.Write([]byte{0})
				check(t, err)
				defer func() { _ = c.Close() }()
			}
			l.sells("slow senders at " + d.name)
		})
	}
}

// TestWrongCertificates: no certificate, one of another authority, one of a party
// that this door is not for.
func TestWrongCertificates(t *testing.T) {
	l := openLife(t)
	stranger := selfMade(t)
	for _, d := range l.doors() {
		for name, conf := range map[string]*tls.Config{
			"no certificate": {}, "another authority": {Certificates: []tls.Certificate{stranger}},
			"TLS 1.2": {MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{stranger}},
		} {
			conf.InsecureSkipVerify = true // the attacker doesn't care whom it speaks with
			c, err := net.Dial("tcp", d.addr)
			check(t, err)
			s := tls.Client(c, conf)
			check(t, s.SetDeadline(time.Now().Add(5*time.Second)))
			err = s.Handshake()
			if err == nil {
				_, err = s.Read(make([]byte, 1)) // TLS 1.3: the refusal comes with the first record
			}
			if err == nil || !strings.Contains(err.Error(), "tls:") {
				t.Errorf("%s, %s: %v", d.name, name, err)
			}
			_ = c.Close()
		}
		if d.name == "host" {
			continue // takes any certificate of the authority, and binds it to F41 and F42: TestRefusals of acquirer/host
		}
		term := site.RoleTerminal("HK000001", "898310048160001")
		c, err := l.enter(d, term)
		if err == nil {
			check(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
			_, err = c.Read(make([]byte, 1))
			_ = c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "tls:") {
			t.Errorf("%s with a terminal's certificate: %v", d.name, err)
		}
	}
	// A Visa stand-in that sits down at UnionPay's address is not taken for it.
	if _, err := l.enter(door{role: site.RoleScheme, addr: l.SchemeAddrOf("visa")}, site.RoleHost); err == nil {
		t.Error("Visa's certificate passes for UnionPay's")
	}
	l.sells("wrong certificates")
}

func selfMade(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: site.RoleHost}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestForgedAndReplayed: a terminal's messages over its own certificate, with a
// wrong MAC, twice, in the wrong order, and from another time's keys.
func TestForgedAndReplayed(t *testing.T) {
	l := openLife(t)
	d := l.doors()[0]
	start := l.customer()
	l.approved(terminal.Request{Amount: pay.Fen(100)})
	c, err := l.enter(d, d.peer)
	check(t, err)
	defer func() { _ = c.Close() }()
	// This sign-in takes the terminal's keys away: the terminal is answered A0 next, and signs in again.
	in := iso8583.NewMessage()
	in.SetMTI(pos.MTISignIn)
	in.Set(11, "900001")
	in.Set(41, l.Kit.Config.Terminal.ID)
	in.Set(42, l.Kit.Config.Merchant.ID)
	in.Set(60, pos.F60{Type: "00", Batch: "000001", Network: pos.NetworkSignIn}.String())
	k, err := pos.OpenKeys(l.Kit.Secrets.TMK, talk(t, c, in, nil).Bytes(pos.FieldKeys))
	check(t, err)
	mac, err := keys.CMAC(k.MAC)
	check(t, err)
	forged, err := keys.CMAC(pay.NewSecret(make([]byte, 16)))
	check(t, err)

	back := iso8583.NewMessage()
	back.SetMTI(pos.MTIReversal)
	for f, v := range map[int]string{
		3: "000000", 4: "000000000100", 11: "900002", 22: "072", 25: "00", 39: "98", 41: l.Kit.Config.Terminal.ID, 42: l.Kit.Config.Merchant.ID, 49: "156",
		60: pos.F60{Type: "22", Batch: "000001", Network: "000", Capability: "6"}.String(),
	} {
		back.Set(f, v)
	}
	for _, step := range []struct {
		name, want string
		mac        iso8583.MAC
	}{{"forged", "A0", forged}, {"without MAC", "A0", nil}, {"before its sale", "25", mac}, {"again", "25", mac}} {
		if got := talk(t, c, back, step.mac).Get(39); got != step.want {
			t.Errorf("reversal %s: %s, want %s", step.name, got, step.want)
		}
	}
	sale := back.Clone()
	sale.SetMTI(pos.MTIFinancial)
	sale.Unset(39)
	for _, a := range l.Kit.Cards.Accounts(func(string) string { return "123456" }) {
		if a.Profile == waved {
			sale.Set(35, a.PAN.Reveal()+"=4912220000000000")
		}
	}
	sale.SetBytes(55, []byte{0x9F, 0x26, 1, 0})
	if got := talk(t, c, sale, mac).Get(39); got != "12" {
		t.Errorf("a sale behind its reversal: %s", got)
	}
	if paid := start - l.customer(); paid != 100 {
		t.Errorf("the customer paid %d fen", paid)
	}
	if r := l.do(terminal.Request{Amount: pay.Fen(100)}); r.Reason != "signed_in_again" {
		t.Errorf("the terminal, whose keys are another's: %s %s", r.Outcome, r.Reason)
	}
	l.sells("forged and replayed messages")
}

// talk sends one message and reads the answer.
func talk(t *testing.T, c net.Conn, m *iso8583.Message, mac iso8583.MAC) *iso8583.Message {
	t.Helper()
	frame, err := pos.Encode(nil, pos.Request(1), m.Clone(), mac)
	check(t, err)
	check(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = c.Write(link.AppendFrame(nil, frame))
	check(t, err)
	got, err := link.ReadFrame(c, nil)
	check(t, err)
	r := iso8583.NewMessage()
	_, err = pos.Decode(got, r)
	check(t, err)
	return r
}

// idleBytes bounds what one idle TLS connection may cost in this process, both
// of its ends together: what was measured (docs/threat-model.md), doubled.
const idleBytes = 64 << 10

// Thousands of connections that say nothing: payments go on, and memory grows by
// a bounded amount for each.
func TestIdleConnections(t *testing.T) {
	want := 10_000
	if testing.Short() {
		want = 300
	}
	var limit syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if most := (int(min(limit.Cur, 1<<20)) - 500) / 2; most < want { // each has two ends here
		t.Logf("the limit of open files allows %d connections, not %d", most, want)
		want = most
	}
	l := openLife(t)
	d := l.doors()[0]
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := used()
	conns := make([]net.Conn, 0, want)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	dial := l.Kit.Wire.Dialer(d.peer, d.role, func() string { return d.addr })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	type end struct {
		c   net.Conn
		err error
	}
	dialled := rt.NewQueue[end](rt.Real(), want)
	next := make(chan struct{}, want)
	for range want {
		next <- struct{}{}
	}
	close(next)
	for range 16 {
		go func() {
			for range next {
				c, err := dial(ctx)
				if err := dialled.Put(end{c, err}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for i := range want {
		e, err := dialled.Get(ctx)
		check(t, err)
		if e.err != nil {
			t.Fatalf("connection %d: %v", i, e.err)
		}
		conns = append(conns, e.c)
		if i%(want/4) == want/4-1 {
			l.sells(fmt.Sprintf("%d idle connections", i+1))
		}
	}
	each := (int64(used()) - int64(before)) / int64(want) // less than nothing where what earlier tests left was freed meanwhile
	t.Logf("%d idle connections, %d bytes each (both ends)", want, each)
	if each > idleBytes {
		t.Errorf("an idle connection costs %d bytes, more than %d", each, idleBytes)
	}
	// Beyond the limit of the host a connection is closed at once; those that are
	// there are served.
	l.sells("all idle connections")
}
