-- +goose Up
-- What is no merchant's and moves no money: API keys, webhook subscriptions and
-- their places, idempotent replies, saved views (book.Reference).
CREATE TABLE reference (
  kind       TEXT    NOT NULL,
  id         TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  body       BLOB    NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
