package main

import (
	"database/sql"
	"errors"

	"huika/acquirer/payment"
)

// sqlTamper writes past the store, with the driver that it brought along.
func sqlTamper(path string, key payment.Key) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(`UPDATE payments SET amount=amount*10 WHERE merchant=? AND stan=?`, key.Merchant, key.STAN)
	return errors.Join(err, db.Close())
}
