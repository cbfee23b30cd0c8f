package site

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"huika/acquirer/book"
	"huika/httpapi/guard"
)

// operation adds /healthz and /metrics to a local listener. They hold counts
// and conditions, nothing of a payment, and answer only under local names.
func (s *System) operation(mux *http.ServeMux, port string) {
	hosts := guard.LocalHosts(port, s.Kit.Config.Terminal.Hosts...)
	mux.Handle("GET /healthz", guard.Hosts(hosts, guard.Headers(http.HandlerFunc(s.healthz))))
	mux.Handle("GET /metrics", guard.Hosts(hosts, guard.Headers(promhttp.HandlerFor(s.metrics(), promhttp.HandlerOpts{}))))
}

// openMetrics serves a host's health and counts where acquirer.metrics_listen says.
func (s *System) openMetrics() error {
	addr := s.Kit.Config.Acquirer.MetricsListen
	if addr == "" {
		return nil
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("acquirer.metrics_listen: %w", err)
	}
	s.onClose(func() error { return ignoreClosed(ln.Close()) })
	s.metricsAddr = ln.Addr().String()
	_, port, err := net.SplitHostPort(s.metricsAddr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	s.operation(mux, port)
	s.serve("metrics", ln, mux)
	return nil
}

// health is one part's condition; OK is false where somebody should look.
type health struct {
	OK    bool              `json:"ok"`
	Parts map[string]string `json:"parts"`
}

func (s *System) healthz(w http.ResponseWriter, r *http.Request) {
	h := health{OK: s.ctx.Err() == nil, Parts: map[string]string{}}
	part := func(name string, ok bool, bad string) {
		h.Parts[name] = "ok"
		if !ok {
			h.OK, h.Parts[name] = false, bad
		}
	}
	if s.Host != nil {
		part("scheme link", s.Host.Up(), "down")
		for _, l := range s.Host.Links() {
			part("link "+l.Name, l.Up, "down")
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		_, err := s.Books.Unresolved(ctx, 0, book.Cursor{})
		part("books", err == nil, "not readable")
	}
	if s.Terminal != nil {
		v, _ := s.Terminal.View()
		part("acquirer link", v.Host.SignedIn, "not signed in")
		part("reader", v.Reader.Condition == "ready" || v.Reader.Condition == "busy", v.Reader.Condition)
	}
	w.Header().Set("Content-Type", "application/json")
	if !h.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err := json.NewEncoder(w).Encode(h); err != nil {
		s.Kit.Log.Debug("health not delivered", "err", err)
	}
}

func (s *System) metrics() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counter := func(name, help string, f func() uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "huika", Name: name, Help: help}, func() float64 { return float64(f()) }))
	}
	if s.Host != nil {
		st := &s.Host.Stats
		for i, l := range s.Host.Links() {
			reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Namespace: "huika", Name: "scheme_link_up", Help: "1 where the link is signed on.", ConstLabels: prometheus.Labels{"scheme": l.Scheme, "link": l.Name},
			}, func() float64 {
				if s.Host.Links()[i].Up {
					return 1
				}
				return 0
			}))
			reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Namespace: "huika", Name: "scheme_calls", Help: "Calls under way on the link.", ConstLabels: prometheus.Labels{"scheme": l.Scheme, "link": l.Name},
			}, func() float64 { return float64(s.Host.Links()[i].Calls) }))
		}
		counter("host_messages_total", "Messages received from terminals.", st.Messages.Load)
		counter("host_refused_total", "Messages refused: wrong MAC, wrong terminal, malformed.", st.Refused.Load)
		counter("host_admitted_total", "Payments written down before a scheme was asked.", st.Admitted.Load)
		counter("host_approved_total", "Payments approved.", st.Approved.Load)
		counter("host_declined_total", "Payments declined.", st.Declined.Load)
		counter("host_reversals_total", "Reversals owed to a scheme.", st.Reversals.Load)
		counter("host_reversed_total", "Reversals that a scheme took.", st.Reversed.Load)
		counter("host_full_total", "Terminals told to try again because a queue was full.", st.Full.Load)
		counter("host_late_total", "Answers of a scheme that came after their time.", st.Late.Load)
		counter("host_commits_total", "Durable writes of the books.", st.Commits.Load)
		counter("host_commit_operations_total", "Operations in those writes.", st.CommitOps.Load)
		gauge := func(name, help string, f func() float64) {
			reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "huika", Name: name, Help: help}, f))
		}
		gauge("host_unresolved", "Payments that somebody still has to finish.", func() float64 { return float64(st.Unresolved.Load()) })
		gauge("host_dead_letters", "What schemes keep refusing: a person must look at it.", func() float64 { return float64(len(s.Host.DeadLetters())) })
		gauge("host_lanes", "Lanes that this host owns.", func() float64 { return float64(s.Host.Lanes()) })
	}
	if s.Terminal != nil {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "huika", Name: "terminal_pending_reversals", Help: "Reversals that the terminal still owes."},
			func() float64 { v, _ := s.Terminal.View(); return float64(v.Host.PendingReversals) }))
	}
	return reg
}
