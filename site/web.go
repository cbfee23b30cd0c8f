package site

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"huika/httpapi/demo"
	"huika/httpapi/guard"
	"huika/httpapi/pos"
	"huika/web"
)

// shutdownGrace is how long requests under way may take when the system ends.
const shutdownGrace = 3 * time.Second

// openWeb serves the terminal's page and, in demo, the card tray.
func (s *System) openWeb() error {
	c := s.Kit.Config
	ln, err := net.Listen("tcp", c.Terminal.Listen)
	if err != nil {
		return fmt.Errorf("terminal.listen: %w: is another Huika running?", err)
	}
	s.onClose(func() error { return ignoreClosed(ln.Close()) })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	origin := "http://" + ln.Addr().String()
	trayOrigin := ""
	if c.Mode == Demo && c.Terminal.DemoListen != "" && s.Desk != nil {
		if trayOrigin, err = s.openTray(origin); err != nil {
			return err
		}
	}
	pairing := guard.NewPairing(s.Kit.Secrets.Pairing, port)
	files, _ := web.POS()
	h, err := pos.New(pos.Config{
		Service: s.Terminal, Files: files, Origin: origin, Hosts: guard.LocalHosts(port, c.Terminal.Hosts...),
		Demo: trayOrigin, Pairing: pairing, Log: s.Kit.Log.With("part", "page"),
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", h)
	s.operation(mux, port)
	s.POSURL, s.TrayURL = origin+pairing.Path(), trayOrigin
	s.serve("page", ln, mux)
	return nil
}

func (s *System) openTray(origin string) (string, error) {
	c := s.Kit.Config
	ln, err := net.Listen("tcp", c.Terminal.DemoListen)
	if err != nil {
		return "", fmt.Errorf("terminal.demo_listen: %w: is another Huika running?", err)
	}
	s.onClose(func() error { return ignoreClosed(ln.Close()) })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return "", err
	}
	d := newDesk(s)
	s.task("tray", d.follow)
	h, err := demo.New(demo.Config{Service: d, POSOrigin: origin, Hosts: guard.LocalHosts(port, c.Terminal.Hosts...), Log: s.Kit.Log.With("part", "tray")})
	if err != nil {
		return "", err
	}
	s.serve("tray page", ln, h)
	return "http://" + ln.Addr().String(), nil
}

// serve answers HTTP until the system ends, then lets requests under way finish.
func (s *System) serve(name string, ln net.Listener, h http.Handler) {
	srv := guard.NewServer(s.ctx, h, s.Kit.Log)
	s.task(name, func(context.Context) error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	s.task(name+" end", func(ctx context.Context) error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if err := srv.Shutdown(grace); err != nil {
			return errors.Join(err, srv.Close())
		}
		return nil
	})
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
