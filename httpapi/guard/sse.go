package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Limits of event streams.
const (
	MaxStreams   = 32               // open streams of one server; one more is refused
	heartbeat    = 15 * time.Second // a comment line, so that both ends notice a dead connection
	writeTimeout = 5 * time.Second  // for one event
	retryMS      = 1000             // how soon a browser connects again
)

// Streams counts the open event streams of a server.
type Streams struct{ open atomic.Int64 }

// Serve sends events until the client leaves, ctx ends, or next fails. next
// waits for the newest state numbered above seq and returns it as JSON; the
// first call has now set, and must not wait.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, next func(ctx context.Context, seq uint64, now bool) (json []byte, newSeq uint64, err error)) {
	defer s.open.Add(-1)
	if s.open.Add(1) > MaxStreams {
		NewProblem(http.StatusServiceUnavailable, "too_many_streams", "too many screens are connected",
			"close the pages that are not needed").Write(w)
		return
	}
	c := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	send := func(format string, a ...any) bool {
		// A server without deadlines (httptest's recorder) still streams.
		if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := fmt.Fprintf(w, format, a...); err != nil {
			return false
		}
		return c.Flush() == nil
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	var seq uint64
	if !send("retry: %d\n\n", retryMS) {
		return
	}
	for first := true; ; first = false {
		ctx, cancel := context.WithTimeout(r.Context(), heartbeat)
		data, n, err := next(ctx, seq, first)
		cancel()
		switch {
		case err == nil:
			seq = n
			if !send("id: %d\ndata: %s\n\n", n, data) {
				return
			}
		case r.Context().Err() == nil && errors.Is(err, context.DeadlineExceeded):
			if !send(": still here\n\n") {
				return
			}
		default: // the client left, the server stops, or the service ended: the browser asks again
			return
		}
	}
}
