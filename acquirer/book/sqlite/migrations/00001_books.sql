-- +goose Up
-- One row a payment, one row a transfer (both legs), lane first in every key.
CREATE TABLE payments (
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
  reversal_reason TEXT NOT NULL,
  PRIMARY KEY (lane, merchant, terminal, batch, stan, kind)
) STRICT, WITHOUT ROWID;

-- Only what is unresolved (states 1 and 4) is indexed: it stays small.
CREATE INDEX payments_unresolved ON payments (lane, merchant, terminal, batch, stan, kind) WHERE state IN (1, 4);

CREATE TABLE transfers (
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
  prev     BLOB    NOT NULL,
  hash     BLOB    NOT NULL,
  PRIMARY KEY (lane, merchant, seq)
) STRICT, WITHOUT ROWID;

-- Immutable: what is wrong is put right by another row.
-- +goose StatementBegin
CREATE TRIGGER transfers_no_update BEFORE UPDATE ON transfers BEGIN SELECT RAISE(ABORT, 'a transfer is immutable'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER transfers_no_delete BEFORE DELETE ON transfers BEGIN SELECT RAISE(ABORT, 'a transfer is immutable'); END;
-- +goose StatementEnd

CREATE TABLE lanes (
  lane  INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE lanes;
DROP TABLE transfers;
DROP TABLE payments;
