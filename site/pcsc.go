package site

import (
	"huika/nfc"
	"huika/nfc/pcsc"
)

func openPCSC(k Kit) (nfc.Reader, error) {
	return pcsc.Open(k.Env, pcsc.Options{Readers: k.Config.Terminal.ReaderName})
}
