package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"huika/acquirer/book"
)

// Conditions of SQLSTATE (PostgreSQL manual, appendix A).
const (
	codeUnique       = "23505"
	codeSerialize    = "40001"
	codeDeadlock     = "40P01"
	codeReadOnly     = "25006" // the server has become a standby
	codeLockTimeout  = "55P03"
	codeCanceled     = "57014"
	codeManyClients  = "53300"
	classIntervened  = "57P" // it is shutting down, has crashed, is starting
	classConnection  = "08"
	severityError    = "ERROR"
	transactionIdle  = 'I'
	commandCommitted = "COMMIT"
)

// again reports whether what failed before its commit may well succeed the next
// time: a conflict with another transaction, or a server that is changing over.
func again(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return !errors.Is(err, errNotDurable) // no answer from a server: it is gone, or can't be reached
	}
	switch pg.Code {
	case codeSerialize, codeDeadlock, codeReadOnly, codeLockTimeout, codeCanceled, codeManyClients:
		return true
	}
	return strings.HasPrefix(pg.Code, classIntervened) || strings.HasPrefix(pg.Code, classConnection)
}

// committed says what became of a commit that was sent. Only an error that the
// session survives means that it was rolled back; a server that says that it is
// ending may have committed before.
func committed(tag pgconn.CommandTag, err error, conn *pgconn.PgConn) error {
	var pg *pgconn.PgError
	switch {
	case err == nil && tag.String() == commandCommitted:
		return nil
	case err == nil:
		return fmt.Errorf("%w: the commit ended as %s", errRolledBack, tag)
	case errors.As(err, &pg) && pg.Severity == severityError && !conn.IsClosed() && conn.TxStatus() == transactionIdle:
		return fmt.Errorf("%w: %w", errRolledBack, err)
	}
	return fmt.Errorf("%w: %w", book.ErrUnknown, err)
}

// errRolledBack says that a commit was answered and did not happen.
var errRolledBack = errors.New("rolled back at the commit")

// before is the error of what wrote nothing.
func before(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", book.ErrNotApplied, err)
}
