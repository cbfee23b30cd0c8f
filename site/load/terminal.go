package load

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"huika/iso8583"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/pay"
	"huika/site"
)

// terminal is one terminal of the load: it has one request under way at a time.
type terminal struct {
	id     pay.TerminalID
	conn   net.Conn
	in     *bufio.Reader
	mac    iso8583.MAC
	stan   pay.STAN
	batch  int
	m      iso8583.Message
	answer iso8583.Message
	buf    []byte
	back   []byte

	took   []time.Duration // of the payments that were measured
	failed int
	err    error
}

// f55 is what a contactless UnionPay card and its terminal send: 22 objects.
const f55 = "9F260811223344556677889F2701809F101307010103A02000010A010000000000A1B2C3D49F3704AABBCCDD9F36020017950500000000009A032611249C01009F02060000000000885F2A02015682027C009F1A0201569F03060000000000009F330360F0C89F34031F00029F3501229F1E0831323334353637388408A0000003330101029F090200309F4104000000179F6310" +
	"30303031303030300000000000000000"

// connectAtOnce bounds the TLS handshakes under way.
const connectAtOnce = 32

// maxFirstBatch leaves room for the batches that a terminal goes through.
const maxFirstBatch = 900_000

func connect(ctx context.Context, kit site.Kit, o Options, addr string) ([]*terminal, error) {
	ts := make([]*terminal, o.Terminals)
	errs := make([]error, o.Terminals)
	slots := make(chan struct{}, connectAtOnce)
	var all sync.WaitGroup
	first := 1
	if o.Store == "postgres" { // its books may hold an earlier run's payments
		first += int(kit.Env.Now().Unix()) % maxFirstBatch
	}
	for i := range ts {
		ts[i] = &terminal{id: terminalID(i), batch: first}
		slots <- struct{}{}
		all.Go(func() {
			errs[i] = ts[i].open(ctx, kit, merchantID(o.merchantOf(i)), addr)
			<-slots
		})
	}
	all.Wait()
	return ts, errors.Join(errs...)
}

// open connects and signs in.
func (t *terminal) open(ctx context.Context, kit site.Kit, m pay.MerchantID, addr string) (err error) {
	dial := kit.Wire.Dialer(site.RoleTerminal(t.id, m), site.RoleHost, func() string { return addr })
	if t.conn, err = dial(ctx); err != nil {
		return err
	}
	t.in = bufio.NewReader(t.conn)
	in := iso8583.NewMessage()
	in.SetMTI(pos.MTISignIn)
	in.Set(11, "000001")
	in.Set(41, string(t.id))
	in.Set(42, string(m))
	in.Set(60, pos.F60{Type: "00", Batch: "000001", Network: pos.NetworkSignIn}.String())
	in.Set(63, "01 ")
	if err := t.exchange(in, nil); err != nil {
		return err
	}
	k, err := pos.OpenKeys(kit.Secrets.TMK, t.answer.Bytes(pos.FieldKeys))
	if err != nil {
		return err
	}
	if t.mac, err = keys.CMAC(k.MAC); err != nil {
		return err
	}
	chip, err := hex.DecodeString(f55)
	if err != nil {
		return err
	}
	const pan = "6228480000000001117"
	t.m.SetMTI(pos.MTIFinancial)
	for f, v := range map[int]string{
		2: pan, 3: pos.ProcessSale, 4: "000000008880", 14: "3012", 22: "072", 23: "001", 25: "00", 35: pan + "=30122011234567890",
		41: string(t.id), 42: string(m), 49: "156", 53: "2600000000000000",
	} {
		t.m.Set(f, v)
	}
	t.m.SetBytes(55, chip)
	return nil
}

// exchange sends one request and reads its answer into t.answer.
func (t *terminal) exchange(m *iso8583.Message, mac iso8583.MAC) error {
	frame, err := pos.Encode(t.buf[:0], pos.Request(3), m, mac)
	if err != nil {
		return err
	}
	t.buf = frame
	t.back = link.AppendFrame(t.back[:0], frame)
	if _, err := t.conn.Write(t.back); err != nil {
		return err
	}
	got, err := link.ReadFrame(t.in, t.back[:0])
	if err != nil {
		return err
	}
	t.back = got
	if _, err := pos.Decode(got, &t.answer); err != nil {
		return err
	}
	if mac != nil {
		if err := pos.CheckMAC(got, mac); err != nil {
			return err
		}
	}
	if code := t.answer.Get(39); code != "00" {
		return fmt.Errorf("terminal %s: %s answered %s", t.id, m.MTI(), code)
	}
	return nil
}

// pay is one sale with a number of its own.
func (t *terminal) pay() error {
	if t.stan = t.stan.Next(); t.stan == 1 && t.m.Has(11) {
		t.batch++ // a number stands once a batch
	}
	t.m.Set(11, t.stan.String())
	t.m.Set(46, fmt.Sprintf("%s%06d%s%06d", t.id, t.batch, t.stan, 0))
	t.m.Set(60, pos.F60{Type: "22", Batch: fmt.Sprintf("%06d", t.batch), Network: pos.NetworkNone, Capability: pos.CapabilityContactless, ICCondition: "0"}.String())
	return t.exchange(&t.m, t.mac)
}
