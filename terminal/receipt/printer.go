package receipt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"huika/rt"
)

// Printer takes ESC/POS bytes. Errors: the file's or the network's, ctx.Err().
type Printer interface {
	Print(ctx context.Context, job []byte) error
}

// PrintTime bounds one job at a network printer, connecting included.
const PrintTime = 10 * time.Second

// MaxJob bounds one job in bytes.
const MaxJob = 64 << 10

var errJob = errors.New("receipt: print job too long")

type filePrinter struct{ path string }

// ToFile appends jobs to a file or a device such as /dev/usb/lp0.
func ToFile(path string) Printer { return filePrinter{path} }

func (p filePrinter) Print(ctx context.Context, job []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(job) > MaxJob {
		return errJob
	}
	f, err := os.OpenFile(p.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	_, err = f.Write(job)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	return nil
}

type netPrinter struct {
	env  rt.Env
	addr string
}

// ToNetwork sends jobs to a printer that listens on addr (usually port 9100).
func ToNetwork(env rt.Env, addr string) Printer { return netPrinter{env, addr} }

func (p netPrinter) Print(ctx context.Context, job []byte) error {
	if len(job) > MaxJob {
		return errJob
	}
	ctx, cancel := p.env.WithTimeout(ctx, PrintTime)
	defer cancel()
	conn, err := p.env.Dial(ctx, p.addr)
	if err != nil {
		return fmt.Errorf("receipt: printer %s: %w", p.addr, err)
	}
	err = conn.SetWriteDeadline(p.env.Now().Add(PrintTime))
	if err == nil {
		_, err = conn.Write(job)
	}
	if err := errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("receipt: printer %s: %w", p.addr, err)
	}
	return nil
}
