// Package entry is Entry Point (EMV Contactless Book B): what stands between
// the till and a kernel. For one transaction it works out the limits of every
// combination (AID and kernel), switches the field on and waits for one card,
// reads the card's directory (PPSE), orders what both sides support, selects
// an application, activates its kernel and acts on the kernel's outcome:
// next application, another try, or the end.
//
// It is not a kernel, not a reader and not a point of sale. It does no I/O of
// its own and starts nothing: reader, display, kernels, combinations, time and
// randomness are fields of [Point], so an outside test bench can drive it with
// its own parts. The seam:
//
//   - [Reader]: field on, field off with hold time, wait for card (time-out,
//     collision), wait for removal, exchange. The unpredictable number comes from
//     Point.Rand, the interface device serial number from Point.Terminal.IFDSerial.
//   - [emv.Display]: every user interface request, in order, of Entry Point and
//     of kernels. The [emv.Transceiver] that a kernel is handed is an emv.Display
//     too; that is how a kernel shows "card read OK" before its outcome.
//   - [Kernels]: kernels registered by kernel id and application version.
//   - [Combination]: one configured pair of AID and kernel with its limits,
//     TTQ and flags, per transaction type.
//   - [Point.Run], [Point.Resume] and [Point.Activate]: a transaction from its
//     start (A, or B with Autorun), again with the issuer's answer, or at any
//     start point. Each ends in a [Result] with the final [emv.Outcome].
//   - [Observer]: every exchange, user interface request, start and outcome
//     with its time by Point.Now, for traces and timings.
//
// Where the book's wording was not at hand a comment says "public description"
// or "unverified"; docs/spec-coverage.md lists rule, code and test.
package entry
