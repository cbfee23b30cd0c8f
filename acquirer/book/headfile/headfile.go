// Package headfile keeps the ends of the merchants' chains in a file of their
// own, outside the books, each line under a MAC. Whoever can write the
// database but not this file can't cut or rewrite history unseen.
//
// Lines are appended without a sync: the file guards against hands, not
// against power cuts, and may lag behind the books, never run ahead.
package headfile

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"

	"huika/acquirer/book"
	"huika/pay"
)

// CompactAfter is how many lines are appended before the file is written anew.
const CompactAfter = 65_536

// ErrForged says that a line's MAC is wrong: somebody else wrote it.
var ErrForged = errors.New("chain heads: a line was not written with this key")

// File is a book.HeadKeeper.
type File struct {
	path string
	key  pay.Secret

	mu    sync.Mutex
	f     *os.File
	lines int
	heads map[pay.MerchantID]book.Head
}

var _ book.HeadKeeper = (*File)(nil)

// Open reads the file, or begins one. Errors: ErrForged, the file system's.
func Open(path string, key pay.Secret) (*File, error) {
	k := &File{path: path, key: key}
	heads, err := Read(path, key)
	if err != nil {
		return nil, err
	}
	k.heads = heads
	return k, k.compact()
}

// Read gives the newest head of each merchant. A torn last line is left out.
func Read(path string, key pay.Secret) (map[pay.MerchantID]book.Head, error) {
	heads := map[pay.MerchantID]book.Head{}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return heads, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := r.ReadString('\n')
		if err != nil {
			return heads, nil // the end, or a line that a crash cut
		}
		m, h, ok := parse(strings.TrimSuffix(line, "\n"), key)
		if !ok {
			return nil, fmt.Errorf("%w: %s line %d", ErrForged, path, n)
		}
		if h.Seq > heads[m].Seq {
			heads[m] = h
		}
	}
}

// Keep implements book.HeadKeeper.
func (k *File) Keep(heads []book.MerchantHead) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b strings.Builder
	for _, h := range heads {
		if h.Seq > k.heads[h.Merchant].Seq {
			k.heads[h.Merchant] = h.Head
		}
		b.WriteString(line(h.Merchant, h.Head, k.key))
	}
	if k.lines += len(heads); k.lines > CompactAfter {
		return k.compact()
	}
	_, err := k.f.WriteString(b.String())
	return err
}

// Close ends the file.
func (k *File) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.f.Close()
}

// compact writes the newest heads into a fresh file and puts it in the old one's place.
func (k *File) compact() error {
	ms := make([]pay.MerchantID, 0, len(k.heads))
	for m := range k.heads {
		ms = append(ms, m)
	}
	sort.Slice(ms, func(i, j int) bool { return ms[i] < ms[j] })
	f, err := os.OpenFile(k.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, m := range ms {
		_, err = w.WriteString(line(m, k.heads[m], k.key))
	}
	if err = errors.Join(err, w.Flush(), f.Sync()); err == nil {
		err = os.Rename(k.path+".new", k.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	old := k.f
	k.f, k.lines = f, len(ms)
	if old != nil {
		return old.Close()
	}
	return nil
}

func line(m pay.MerchantID, h book.Head, key pay.Secret) string {
	body := fmt.Sprintf("%s %d %x", m, h.Seq, h.Hash)
	return body + " " + hex.EncodeToString(mac(body, key)) + "\n"
}

func mac(body string, key pay.Secret) []byte {
	d := hmac.New(sha256.New, key.Reveal())
	_, _ = d.Write([]byte("huika head 1 " + body)) // hash.Hash never fails
	return d.Sum(nil)[:16]
}

func parse(s string, key pay.Secret) (pay.MerchantID, book.Head, bool) {
	cut := strings.LastIndexByte(s, ' ')
	f := strings.Split(s, " ")
	if cut < 0 || len(f) != 4 {
		return "", book.Head{}, false
	}
	sum, err := hex.DecodeString(f[3])
	if err != nil || !hmac.Equal(sum, mac(s[:cut], key)) {
		return "", book.Head{}, false
	}
	seq, err := strconv.ParseUint(f[1], 10, 64)
	hash, herr := hex.DecodeString(f[2])
	var h book.Head
	if err != nil || herr != nil || len(hash) != len(h.Hash) {
		return "", book.Head{}, false
	}
	h.Seq = seq
	copy(h.Hash[:], hash)
	return pay.MerchantID(f[0]), h, true
}
