-- The journal only grows: a record is a line that is never changed or removed.
-- body is JSON (huika/terminal/journal); what is secret in it is sealed.

-- +goose Up
CREATE TABLE record (
	seq     INTEGER PRIMARY KEY,
	kind    TEXT NOT NULL,
	payment TEXT NOT NULL,
	batch   TEXT NOT NULL,
	stan    INTEGER NOT NULL,
	body    BLOB NOT NULL
) STRICT;
CREATE INDEX record_payment ON record (payment) WHERE payment <> '';
CREATE UNIQUE INDEX record_begun ON record (payment) WHERE kind = 'begun';
CREATE UNIQUE INDEX record_ended ON record (payment) WHERE kind = 'ended';
CREATE UNIQUE INDEX record_sent ON record (batch, stan) WHERE kind = 'sent';
CREATE INDEX record_done ON record (batch, stan) WHERE kind = 'reversal_done';

-- +goose StatementBegin
CREATE TRIGGER record_no_update BEFORE UPDATE ON record BEGIN
	SELECT RAISE(ABORT, 'the journal only grows');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER record_no_delete BEFORE DELETE ON record BEGIN
	SELECT RAISE(ABORT, 'the journal only grows');
END;
-- +goose StatementEnd

-- Sealed full traces: the newest few, not part of the journal's truth.
CREATE TABLE trace (
	seq     INTEGER PRIMARY KEY,
	payment TEXT NOT NULL UNIQUE,
	box     BLOB NOT NULL
) STRICT;

-- +goose Down
DROP TABLE trace;
DROP TABLE record;
