package site

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"huika/acquirer/host"
	"huika/pay"
)

// DemoMark stands in the name of every certificate authority that a
// demonstration makes; live refuses certificates below such a one.
const DemoMark = "DEMO"

// Roles of the parties on the wire, as their certificates name them.
const (
	RoleHost   = "acquirer"
	RoleScheme = "scheme" // UnionPay's; SchemeRole gives that of any
	roleIssuer = "issuer"
)

// SchemeRole is what a scheme's certificate calls it: no scheme passes for another.
func SchemeRole(name string) string {
	if name == SchemeName {
		return RoleScheme
	}
	return RoleScheme + "-" + name
}

// mayDial says which roles a party's door is for; the host's own check of
// terminals comes with their first message.
func mayDial(role, peer string) bool {
	switch {
	case role == RoleScheme || strings.HasPrefix(role, RoleScheme+"-"):
		return peer == RoleHost
	case role == roleIssuer:
		return peer == RoleScheme || strings.HasPrefix(peer, RoleScheme+"-")
	}
	return true
}

// RoleTerminal is what a terminal's certificate calls it.
func RoleTerminal(t pay.TerminalID, m pay.MerchantID) string {
	return "terminal " + string(t) + " " + string(m)
}

// pki is the demonstration's certificate authority and the certificates below it.
type pki struct {
	dir   string
	roots *x509.CertPool
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	org   string // in every name
}

// Certificate lifetimes.
const (
	caYears   = 10
	leafYears = 5
)

// loadPKI reads pki/ of the data directory, or makes an authority there.
func loadPKI(data string, mode Mode, now time.Time) (*pki, error) {
	p := &pki{dir: filepath.Join(data, "pki"), roots: x509.NewCertPool(), org: "Huika"}
	if mode == Demo {
		p.org += " " + DemoMark
	}
	if err := makeDir(p.dir); err != nil {
		return nil, err
	}
	pair, err := p.read("ca")
	if errors.Is(err, fs.ErrNotExist) && mode == Live {
		return nil, fmt.Errorf("%w: live needs a certificate authority of your own: put its certificate and key into %s", ErrConfig, filepath.Join(p.dir, "ca.pem"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := p.make("ca", now, nil); err != nil {
			return nil, err
		}
		pair, err = p.read("ca")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: certificate authority: %w", ErrData, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: the certificate authority's key is not ECDSA", ErrData)
	}
	p.ca, p.key = pair.Leaf, key
	p.roots.AddCert(p.ca)
	return p, nil
}

func (p *pki) read(name string) (tls.Certificate, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, name+".pem"))
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(text, text)
}

// leaf is the certificate of one party, made at first use.
func (p *pki) leaf(role string, now time.Time) (tls.Certificate, error) {
	name := strings.ReplaceAll(role, " ", "-")
	pair, err := p.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := p.make(name, now, &role); err != nil {
			return pair, err
		}
		pair, err = p.read(name)
	}
	if err != nil {
		return pair, fmt.Errorf("%w: certificate of %s: %w", ErrData, role, err)
	}
	return pair, nil
}

// make writes one certificate and its key; role nil makes the authority itself.
func (p *pki) make(name string, now time.Time, role *string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	t := &x509.Certificate{SerialNumber: serial, NotBefore: now.Add(-time.Hour), BasicConstraintsValid: true}
	parent, signer := t, key
	if role == nil {
		t.Subject = pkix.Name{CommonName: "Huika " + DemoMark + " CA", Organization: []string{p.org}}
		t.IsCA, t.KeyUsage, t.NotAfter = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, now.AddDate(caYears, 0, 0)
	} else {
		t.Subject = pkix.Name{CommonName: *role, Organization: []string{p.org}}
		t.NotAfter, t.KeyUsage = now.AddDate(leafYears, 0, 0), x509.KeyUsageDigitalSignature
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		t.DNSNames = []string{strings.Fields(*role)[0] + ".huika.invalid"}
		parent, signer = p.ca, p.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, signer)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...)
	return writeDurable(filepath.Join(p.dir, name+".pem"), text)
}

// server is the TLS side that accepts: both ends show a certificate.
func (p *pki) server(role string, now time.Time) (*tls.Config, error) {
	pair, err := p.leaf(role, now)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.roots,
		VerifyConnection: func(cs tls.ConnectionState) error {
			if peer := cs.PeerCertificates[0].Subject.CommonName; !mayDial(role, peer) {
				return fmt.Errorf("certificate of %q: %s does not serve it", peer, role)
			}
			return nil
		},
	}, nil
}

// client is the TLS side that dials the party of another role.
func (p *pki) client(role, peer string, now time.Time) (*tls.Config, error) {
	pair, err := p.leaf(role, now)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: p.roots, ServerName: peer + ".huika.invalid"}, nil
}

// identify reads terminal and merchant from a terminal's certificate.
func identify(c net.Conn) (host.Identity, error) {
	for {
		w, wrapped := c.(interface{ NetConn() net.Conn })
		if _, is := c.(*tls.Conn); is || !wrapped {
			break
		}
		c = w.NetConn()
	}
	t, ok := c.(*tls.Conn)
	if !ok {
		return host.Identity{}, errors.New("not a TLS connection")
	}
	certs := t.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return host.Identity{}, errors.New("no client certificate")
	}
	f := strings.Fields(certs[0].Subject.CommonName)
	if len(f) != 3 || f[0] != "terminal" {
		return host.Identity{}, errors.New("the certificate is not a terminal's")
	}
	return host.Identity{Terminal: pay.TerminalID(f[1]), Merchant: pay.MerchantID(f[2])}, nil
}

// refuseDemo is live's check of a certificate authority.
func refuseDemo(ca *x509.Certificate) error {
	if strings.Contains(ca.Subject.CommonName, DemoMark) {
		return fmt.Errorf("%w: certificate authority %q carries the %s mark: live needs one of your own", ErrConfig, ca.Subject.CommonName, DemoMark)
	}
	return nil
}
