package console

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"huika/httpapi/guard"
)

type Live struct{}

func todo() error {
	return guard.NewProblem(http.StatusNotImplemented, "not_yet", "not built yet", "wait for the next commit")
}

func (s *server) export(context.Context, *exportInput) (*huma.StreamResponse, error) {
	return nil, todo()
}
func (s *server) story(context.Context, *RefInput) (*storyOutput, error)      { return nil, todo() }
func (s *server) refund(context.Context, *refundInput) (*followOutput, error) { return nil, todo() }
func (s *server) void(context.Context, *voidInput) (*followOutput, error)     { return nil, todo() }
func (s *server) tally(context.Context, *tallyInput) (*tallyOutput, error)    { return nil, todo() }
func (s *server) live(context.Context, *struct{}) (*liveOutput, error)        { return nil, todo() }
func (s *server) liveEvents(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return nil, todo()
}
func (s *server) batches(context.Context, *batchesInput) (*batchesOutput, error) { return nil, todo() }
func (s *server) batch(context.Context, *batchInput) (*batchOutput, error)       { return nil, todo() }
func (s *server) merchants(context.Context, *merchantsInput) (*merchantsOutput, error) {
	return nil, todo()
}
func (s *server) merchant(context.Context, *merchantInput) (*merchantOutput, error) {
	return nil, todo()
}
func (s *server) terminals(context.Context, *terminalsInput) (*terminalsOutput, error) {
	return nil, todo()
}
func (s *server) status(context.Context, *struct{}) (*statusOutput, error) { return nil, todo() }
func (s *server) deadLetters(context.Context, *struct{}) (*deadLettersOutput, error) {
	return nil, todo()
}
func (s *server) endDeadLetter(context.Context, *endInput) (*endOutput, error)  { return nil, todo() }
func (s *server) views(context.Context, *struct{}) (*viewsOutput, error)        { return nil, todo() }
func (s *server) saveView(context.Context, *saveViewInput) (*viewOutput, error) { return nil, todo() }
func (s *server) deleteView(context.Context, *IDInput) (*struct{}, error)       { return nil, todo() }
func (s *server) keys(context.Context, *struct{}) (*keysOutput, error)          { return nil, todo() }
func (s *server) createKey(context.Context, *createKeyInput) (*createKeyOutput, error) {
	return nil, todo()
}
func (s *server) revokeKey(context.Context, *IDInput) (*struct{}, error) { return nil, todo() }
func (s *server) hooks(context.Context, *struct{}) (*hooksOutput, error) { return nil, todo() }
func (s *server) createHook(context.Context, *createHookInput) (*createHookOutput, error) {
	return nil, todo()
}
func (s *server) pauseHook(context.Context, *pauseInput) (*hookOutput, error) { return nil, todo() }
func (s *server) deleteHook(context.Context, *IDInput) (*struct{}, error)     { return nil, todo() }
