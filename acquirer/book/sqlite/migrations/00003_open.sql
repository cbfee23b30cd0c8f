-- +goose Up
-- The same rows as before, said without IN: of a list of three SQLite makes a
-- temporary table, twice with each change of a payment.
DROP INDEX payments_open;
CREATE INDEX payments_open ON payments (lane) WHERE state=1 OR state=4 OR state=9;

-- Books are never brought back to an older form: restore a backup.
