package console

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/xuri/excelize/v2"

	"huika/acquirer/book"
	"huika/httpapi/guard"
)

const (
	typeCSV  = "text/csv"
	typeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// Bounds of exports.
const (
	MaxExport  = 50_000 // payments
	maxExports = 2      // at once
)

type exportInput struct {
	FilterInput
	Format string `query:"format" enum:"csv,xlsx" default:"csv"`
}

// column is one column of an export.
type column struct {
	name string
	of   func(Payment) string
}

var columns = []column{
	{"admitted", func(p Payment) string { return p.Admitted.Format(time.RFC3339Nano) }},
	{"merchant", func(p Payment) string { return p.Merchant }},
	{"terminal", func(p Payment) string { return p.Terminal }},
	{"batch", func(p Payment) string { return p.Batch }},
	{"stan", func(p Payment) string { return p.STAN }},
	{"kind", func(p Payment) string { return p.Kind }},
	{"state", func(p Payment) string { return p.State }},
	{"amount", func(p Payment) string { return p.Amount.Amount }},
	{"currency", func(p Payment) string { return p.Amount.Currency }},
	{"given_back", func(p Payment) string { return p.Given.Amount }},
	{"fee", func(p Payment) string { return p.Fee.Amount }},
	{"card", func(p Payment) string { return p.Card }},
	{"rrn", func(p Payment) string { return p.RRN }},
	{"scheme", func(p Payment) string { return p.Scheme }},
	{"response", func(p Payment) string { return p.Response }},
	{"auth_code", func(p Payment) string { return p.AuthCode }},
	{"entry", func(p Payment) string { return p.Entry }},
	{"cvm", func(p Payment) string { return p.CVM }},
	{"reversal_reason", func(p Payment) string { return p.Reversal }},
	{"updated", func(p Payment) string { return p.Updated.Format(time.RFC3339Nano) }},
	{"id", func(p Payment) string { return p.ID }},
	{"ref", func(p Payment) string { return p.Ref }},
	{"original", func(p Payment) string { return p.Original }},
}

func (s *server) export(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	select {
	case s.exports <- struct{}{}:
	default:
		return nil, guard.NewProblem(http.StatusServiceUnavailable, "too_many_exports", "other exports are being made", "try again in a moment")
	}
	all, err := s.gather(ctx, f)
	if err != nil {
		<-s.exports
		return nil, err
	}
	write, kind := writeCSV, typeCSV+"; charset=utf-8"
	if in.Format == "xlsx" {
		write, kind = writeXLSX, typeXLSX
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer func() { <-s.exports }()
		c.SetHeader("Content-Type", kind)
		c.SetHeader("Content-Disposition", `attachment; filename="payments.`+in.Format+`"`)
		if err := write(c.BodyWriter(), all); err != nil {
			s.cfg.Log.Warn("export broke off", "err", err)
			panic(http.ErrAbortHandler) // a file that ends early must not look whole
		}
	}}, nil
}

// gather pages through everything that a filter shows, before the first byte is
// sent: an export is whole, or it is refused.
func (s *server) gather(ctx context.Context, f book.Filter) ([]Payment, error) {
	ctx, cancel := s.cfg.Env.WithTimeout(ctx, exportTime)
	defer cancel()
	all := []Payment{}
	for after := ""; ; {
		page, err := s.cfg.Books.Search(ctx, f, after, book.MaxPage)
		if err != nil {
			return nil, s.problem("export", err)
		}
		if len(all)+len(page.Found) > MaxExport {
			return nil, guard.NewProblem(http.StatusUnprocessableEntity, "export_too_large", "the filter shows more than 50000 payments", "narrow it, such as to a day or a merchant, and export in parts")
		}
		all = append(all, showAll(page.Found)...)
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

const exportTime = time.Minute

// plain makes a cell that no spreadsheet takes for a formula (OWASP, CSV
// injection): one that would begin one gets an apostrophe before it.
func plain(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func writeCSV(w io.Writer, all []Payment) error {
	out := csv.NewWriter(w)
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = c.name
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, p := range all {
		for i, c := range columns {
			row[i] = plain(c.of(p))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeXLSX writes every cell as text: amounts stay exact, and text is never
// taken for a formula.
func writeXLSX(w io.Writer, all []Payment) (err error) {
	f := excelize.NewFile()
	defer func() { err = errors.Join(err, f.Close()) }()
	const sheet = "Sheet1"
	out, err := f.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	row := make([]any, len(columns))
	for i, c := range columns {
		row[i] = c.name
	}
	for n := 0; ; n++ {
		cell, err := excelize.CoordinatesToCellName(1, n+1)
		if err != nil {
			return err
		}
		if err := out.SetRow(cell, row); err != nil {
			return err
		}
		if n == len(all) {
			break
		}
		for i, c := range columns {
			row[i] = plain(c.of(all[n]))
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Write(w)
}
