-- +goose Up
-- Rows stand in the order in which they came, so that a commit touches few
-- pages; keys are indexes beside them. Payments that follow another one, what
-- they claim of it, fees; leases of lanes; checkpoints.
ALTER TABLE payments RENAME TO payments_1;
DROP INDEX payments_unresolved;
CREATE TABLE payments (
  row         INTEGER PRIMARY KEY,
  lane        INTEGER NOT NULL,
  merchant    TEXT    NOT NULL,
  terminal    TEXT    NOT NULL,
  batch       TEXT    NOT NULL,
  stan        INTEGER NOT NULL,
  kind        INTEGER NOT NULL,
  id          TEXT    NOT NULL,
  state       INTEGER NOT NULL,
  fingerprint BLOB    NOT NULL,
  amount      INTEGER NOT NULL,
  currency    INTEGER NOT NULL,
  sealed_pan  BLOB,
  masked_pan  TEXT    NOT NULL,
  rrn         TEXT    NOT NULL,
  entry       TEXT    NOT NULL,
  cvm         TEXT    NOT NULL,
  scheme      TEXT    NOT NULL,
  scheme_stan INTEGER NOT NULL,
  scheme_time TEXT    NOT NULL,
  admitted_ms INTEGER NOT NULL,
  updated_ms  INTEGER NOT NULL,
  response    TEXT    NOT NULL,
  auth_code   TEXT    NOT NULL,
  reversal_reason   TEXT NOT NULL,
  original_terminal TEXT NOT NULL,
  original_batch    TEXT NOT NULL,
  original_stan     INTEGER NOT NULL,
  original_kind     INTEGER NOT NULL,
  held        INTEGER NOT NULL,
  taken       INTEGER NOT NULL,
  fee         INTEGER NOT NULL,
  fee_back    INTEGER NOT NULL,
  fee_rule    TEXT    NOT NULL,
  hold        INTEGER NOT NULL
) STRICT;
INSERT INTO payments (lane, merchant, terminal, batch, stan, kind, id, state, fingerprint, amount, currency, sealed_pan,
 masked_pan, rrn, entry, cvm, scheme, scheme_stan, scheme_time, admitted_ms, updated_ms, response, auth_code, reversal_reason,
 original_terminal, original_batch, original_stan, original_kind, held, taken, fee, fee_back, fee_rule, hold)
SELECT *, '', '', 0, 0, 0, 0, 0, 0, '', 0 FROM payments_1 ORDER BY admitted_ms;
DROP TABLE payments_1;
CREATE UNIQUE INDEX payments_key ON payments (lane, merchant, terminal, batch, stan, kind);
-- Only what is unresolved (states 1, 4, 9) is indexed: it stays small.
CREATE INDEX payments_open ON payments (lane) WHERE state IN (1, 4, 9);
CREATE INDEX payments_rrn ON payments (rrn);

-- The hash of the row before is not kept twice: it is that row's own.
DROP TRIGGER transfers_no_update;
DROP TRIGGER transfers_no_delete;
ALTER TABLE transfers RENAME TO transfers_1;
CREATE TABLE transfers (
  row      INTEGER PRIMARY KEY,
  lane     INTEGER NOT NULL,
  merchant TEXT    NOT NULL,
  seq      INTEGER NOT NULL,
  terminal TEXT    NOT NULL,
  batch    TEXT    NOT NULL,
  stan     INTEGER NOT NULL,
  kind     INTEGER NOT NULL,
  debit    TEXT    NOT NULL,
  credit   TEXT    NOT NULL,
  amount   INTEGER NOT NULL,
  currency INTEGER NOT NULL,
  what     TEXT    NOT NULL,
  at_ms    INTEGER NOT NULL,
  hash     BLOB    NOT NULL
) STRICT;
INSERT INTO transfers (lane, merchant, seq, terminal, batch, stan, kind, debit, credit, amount, currency, what, at_ms, hash)
SELECT lane, merchant, seq, terminal, batch, stan, kind, debit, credit, amount, currency, what, at_ms, hash FROM transfers_1 ORDER BY at_ms;
DROP TABLE transfers_1;
CREATE UNIQUE INDEX transfers_chain ON transfers (lane, merchant, seq);
-- Immutable: what is wrong is put right by another row.
-- +goose StatementBegin
CREATE TRIGGER transfers_no_update BEFORE UPDATE ON transfers BEGIN SELECT RAISE(ABORT, 'a transfer is immutable'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER transfers_no_delete BEFORE DELETE ON transfers BEGIN SELECT RAISE(ABORT, 'a transfer is immutable'); END;
-- +goose StatementEnd

ALTER TABLE lanes ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE lanes ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 0;

CREATE TABLE checkpoints (
  lane     INTEGER NOT NULL,
  merchant TEXT    NOT NULL,
  seq      INTEGER NOT NULL,
  currency INTEGER NOT NULL,
  account  TEXT    NOT NULL,
  balance  INTEGER NOT NULL,
  PRIMARY KEY (lane, merchant, seq, currency, account)
) STRICT, WITHOUT ROWID;

-- Books are never brought back to an older form: restore a backup.
