-- +goose Up
-- One row a payment, one row a transfer (both legs), lane first in every key:
-- on Citus it is the distribution column, and a unique key must hold it. Text
-- of keys sorts by its bytes, as every store sorts.
CREATE TABLE payments (
  lane        integer NOT NULL,
  stan        integer NOT NULL,
  amount      bigint  NOT NULL,
  place       bigint  NOT NULL, -- order of admission: milliseconds * 2^20 and a count
  admitted_ms bigint  NOT NULL,
  updated_ms  bigint  NOT NULL,
  held        bigint  NOT NULL,
  taken       bigint  NOT NULL,
  fee         bigint  NOT NULL,
  fee_back    bigint  NOT NULL,
  hold        bigint  NOT NULL,
  scheme_stan integer NOT NULL,
  original_stan integer NOT NULL,
  kind        smallint NOT NULL,
  state       smallint NOT NULL,
  currency    smallint NOT NULL,
  original_kind smallint NOT NULL,
  merchant    text COLLATE "C" NOT NULL,
  terminal    text COLLATE "C" NOT NULL,
  batch       text COLLATE "C" NOT NULL,
  id          text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  sealed_pan  bytea,
  masked_pan  text COLLATE "C" NOT NULL,
  rrn         text COLLATE "C" NOT NULL,
  entry       text COLLATE "C" NOT NULL,
  cvm         text COLLATE "C" NOT NULL,
  scheme      text COLLATE "C" NOT NULL,
  scheme_time text COLLATE "C" NOT NULL,
  response    text COLLATE "C" NOT NULL,
  auth_code   text COLLATE "C" NOT NULL,
  reversal_reason   text COLLATE "C" NOT NULL,
  original_terminal text COLLATE "C" NOT NULL,
  original_batch    text COLLATE "C" NOT NULL,
  fee_rule    text COLLATE "C" NOT NULL,
  PRIMARY KEY (lane, merchant, terminal, batch, stan, kind)
);
-- Only what is unresolved (states 1, 4, 9) is in it: it stays small.
CREATE INDEX payments_open ON payments (lane, merchant, terminal, batch, stan, kind) WHERE state IN (1, 4, 9);
-- What the console and a refund ask for. A payment that has just been admitted
-- is not in them: it gets there when it is written a second time, so that a
-- commit before the scheme is asked touches two indexes and no more. A query
-- adds the open ones from payments_open.
CREATE INDEX payments_rrn ON payments (lane, rrn, merchant) WHERE state <> 1;
CREATE INDEX payments_place ON payments (place) WHERE state <> 1;
CREATE INDEX payments_merchant ON payments (lane, merchant, place) WHERE state <> 1;

CREATE TABLE transfers (
  lane     integer NOT NULL,
  stan     integer NOT NULL,
  seq      bigint  NOT NULL,
  amount   bigint  NOT NULL,
  at_ms    bigint  NOT NULL,
  kind     smallint NOT NULL,
  currency smallint NOT NULL,
  merchant text COLLATE "C" NOT NULL,
  terminal text COLLATE "C" NOT NULL,
  batch    text COLLATE "C" NOT NULL,
  debit    text COLLATE "C" NOT NULL,
  credit   text COLLATE "C" NOT NULL,
  what     text COLLATE "C" NOT NULL,
  hash     bytea NOT NULL,
  PRIMARY KEY (lane, merchant, seq)
);
-- Immutable: what is wrong is put right by another row.
-- +goose StatementBegin
CREATE FUNCTION huika_immutable() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a transfer is immutable'; END $$;
-- +goose StatementEnd
CREATE TRIGGER transfers_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
  FOR EACH STATEMENT EXECUTE FUNCTION huika_immutable();

-- Who owns a lane. A batch locks its lane's row: a lane has one writer at a
-- time, and a new owner waits for what the old one is committing.
CREATE TABLE lanes (
  lane     integer PRIMARY KEY,
  epoch    bigint  NOT NULL,
  until_ms bigint  NOT NULL,
  owner    text COLLATE "C" NOT NULL
);

CREATE TABLE checkpoints (
  lane     integer NOT NULL,
  seq      bigint  NOT NULL,
  balance  bigint  NOT NULL,
  currency smallint NOT NULL,
  merchant text COLLATE "C" NOT NULL,
  account  text COLLATE "C" NOT NULL,
  PRIMARY KEY (lane, merchant, seq, currency, account)
);

-- What is no merchant's: on Citus a reference table, whole on every node.
CREATE TABLE entries (
  version    bigint NOT NULL,
  updated_ms bigint NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  body       bytea NOT NULL,
  PRIMARY KEY (kind, id)
);

-- Books are never brought back to an older form: restore a backup.
