-- +goose Up
-- Payments that follow another one, what they claim of it, fees; leases of lanes; checkpoints.
ALTER TABLE payments ADD COLUMN original_terminal TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN original_batch TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN original_stan INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN original_kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN fee INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN fee_back INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN fee_rule TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;

DROP INDEX payments_unresolved;
CREATE INDEX payments_unresolved ON payments (lane, merchant, terminal, batch, stan, kind) WHERE state IN (1, 4, 9);
CREATE INDEX payments_rrn ON payments (lane, rrn);

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

-- +goose Down
DROP TABLE checkpoints;
DROP INDEX payments_rrn;
DROP INDEX payments_unresolved;
CREATE INDEX payments_unresolved ON payments (lane, merchant, terminal, batch, stan, kind) WHERE state IN (1, 4);
ALTER TABLE lanes DROP COLUMN owner;
ALTER TABLE lanes DROP COLUMN until_ms;
ALTER TABLE payments DROP COLUMN original_terminal;
ALTER TABLE payments DROP COLUMN original_batch;
ALTER TABLE payments DROP COLUMN original_stan;
ALTER TABLE payments DROP COLUMN original_kind;
ALTER TABLE payments DROP COLUMN held;
ALTER TABLE payments DROP COLUMN taken;
ALTER TABLE payments DROP COLUMN fee;
ALTER TABLE payments DROP COLUMN fee_back;
ALTER TABLE payments DROP COLUMN fee_rule;
ALTER TABLE payments DROP COLUMN hold;
