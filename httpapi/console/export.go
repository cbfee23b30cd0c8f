package console

const (
	typeCSV  = "text/csv"
	typeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// Bounds of exports.
const (
	MaxExport  = 50_000 // payments
	maxExports = 2      // at once
)

type exportInput struct {
	FilterInput
	Format string `query:"format" enum:"csv,xlsx" default:"csv"`
}
