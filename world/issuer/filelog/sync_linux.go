package filelog

import (
	"os"
	"syscall"
)

// datasync writes the file's data, and of its metadata what reading it back needs (its size).
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}
