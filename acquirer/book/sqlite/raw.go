package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
)

// raw is the writer's connection below database/sql: its prepared statements
// are called without that package's locks, conversions and goroutines. One
// task has it at a time.
type raw struct {
	conn  driver.ConnPrepareContext
	stmts [statementCount]driver.Stmt
	args  []driver.NamedValue
}

// statement names a prepared statement.
type statement int

const (
	stBegin statement = iota
	stCommit
	stRollback
	stVersion
	stEpochs
	stSetEpoch
	stFind
	stInsert
	stInsertNew
	stUpdate
	stHead
	stTransfer
	stTransfers
	stMove
	stMoves
	stTransferAt
	statementCount
)

var statementText = [statementCount]string{
	stBegin:    `BEGIN IMMEDIATE`,
	stCommit:   `COMMIT`,
	stRollback: `ROLLBACK`,
	stVersion:  `PRAGMA data_version`,
	stEpochs:   `SELECT lane, epoch FROM lanes`,
	stSetEpoch: `INSERT INTO lanes (lane, epoch) VALUES (?,?) ON CONFLICT (lane) DO UPDATE SET epoch=excluded.epoch`,
	stFind:     `SELECT row, ` + paymentColumns + ` FROM payments WHERE lane=? AND merchant=? AND terminal=? AND batch=? AND stan=? AND kind=?`,
	stInsert:   `INSERT INTO payments (lane, ` + paymentColumns + `) VALUES (` + marks(columns+1) + `) ON CONFLICT DO NOTHING`,
	// A payment that begins and follows none: what it can't know yet is part of the statement.
	stInsertNew:  `INSERT INTO payments (lane, ` + paymentColumns + `) VALUES (` + marks(newColumns+1) + `,'','','','','',0,0,0,0,?,0,?,0) ON CONFLICT DO NOTHING`,
	stUpdate:     `UPDATE payments SET state=?, updated_ms=?, response=?, auth_code=?, reversal_reason=?, held=?, taken=?, fee=?, fee_back=?, hold=? WHERE row=?`,
	stHead:       `SELECT seq, hash FROM transfers WHERE lane=? AND merchant=? ORDER BY seq DESC LIMIT 1`,
	stTransfer:   insertTransfers(transferValue, 1),
	stTransfers:  insertTransfers(transferValue, transferRows),
	stMove:       insertTransfers(moveValue, 1),
	stMoves:      insertTransfers(moveValue, transferRows),
	stTransferAt: `SELECT ` + transferColumns + ` FROM transfers WHERE lane=? AND merchant=? AND seq=?`,
}

const (
	transferColumns = `merchant, seq, terminal, batch, stan, kind, debit, credit, amount, currency, what, at_ms, hash`
	transferRows    = 32                                // of stTransfers and stMoves
	transferValue   = `(?,?,?,?,?,?,?,?,?,?,?,?,?,?)`   // lane and transferColumns
	moveValue       = `(?,?,?,'','',0,0,?,?,?,?,?,?,?)` // of a transfer that belongs to no payment
)

// insertTransfers is an INSERT of so many rows.
func insertTransfers(value string, rows int) string {
	return `INSERT INTO transfers (lane, ` + transferColumns + `) VALUES ` + value + strings.Repeat(`,`+value, rows-1)
}

func marks(n int) string {
	b := make([]byte, 0, 2*n)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '?')
	}
	return string(b)
}

// background has no end: a statement is not watched by a goroutine, and what
// was begun is finished.
var background = context.Background()

func (r *raw) prepare(conn any) error {
	c, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return fmt.Errorf("the driver's connection is a %T", conn)
	}
	r.conn = c
	for i, text := range statementText {
		var err error
		if r.stmts[i], err = c.PrepareContext(background, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

func (r *raw) close() error {
	var errs []error
	for i, st := range r.stmts {
		if st != nil {
			errs = append(errs, st.Close())
			r.stmts[i] = nil
		}
	}
	return errors.Join(errs...)
}

// with begins a new list of arguments: int64, string, []byte or nil.
func (r *raw) with(values ...driver.Value) *raw {
	r.args = r.args[:0]
	return r.and(values...)
}

func (r *raw) and(values ...driver.Value) *raw {
	for _, v := range values {
		r.args = append(r.args, driver.NamedValue{Ordinal: len(r.args) + 1, Value: v})
	}
	return r
}

// exec runs a statement with the arguments of with.
func (r *raw) exec(st statement) error {
	_, err := r.stmts[st].(driver.StmtExecContext).ExecContext(background, r.args)
	return err
}

// insert runs an INSERT … ON CONFLICT DO NOTHING and returns where the new row
// stands, 0 where there was one. (RETURNING would say it as well, and costs a
// temporary table each time.)
func (r *raw) insert(st statement) (at int64, err error) {
	res, err := r.stmts[st].(driver.StmtExecContext).ExecContext(background, r.args)
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return 0, err
	}
	return res.LastInsertId()
}

// query calls f for each row; dest is f's only until it returns.
func (r *raw) query(st statement, dest []driver.Value, f func() error) error {
	rows, err := r.stmts[st].(driver.StmtQueryContext).QueryContext(background, r.args)
	if err != nil {
		return err
	}
	for {
		if err = rows.Next(dest); err != nil {
			break
		}
		if err = f(); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, rows.Close())
}
