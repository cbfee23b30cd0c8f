// Package archtest holds nothing but tests, and they hold the shape of the
// program: which package may import which (arrows_test.go), that everything that
// waits in terminal, acquirer, world and nfc waits through package rt
// (discipline_test.go), and the habits that a reader relies on (habits_test.go).
//
// The tables in these tests are docs/ARCHITECTURE.md as Go literals. When one of
// them stands in the way, change the architecture first, then the table.
package archtest
