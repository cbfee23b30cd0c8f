package terminal

import (
	"strings"

	"huika/iso8583"
	"huika/nfc"
)

// Reasons: stable words that say why a payment did not end in an approval.
// Result.Reason holds one of them, or one of ReasonOfResponse.
const (
	ReasonHostDown         = "host_down"
	ReasonReversalPending  = "reversal_pending"
	ReasonNoAnswer         = "no_answer"
	ReasonLinkCut          = "link_cut"
	ReasonMACError         = "mac_error"
	ReasonAnswerUnusable   = "answer_unusable"
	ReasonPresentTimeout   = "present_timeout"
	ReasonOneCardOnly      = "one_card_only"
	ReasonCardNotRead      = "card_not_read"
	ReasonCardNotSupported = "card_not_supported"
	ReasonCardNotUsable    = "card_not_usable"
	ReasonSeePhone         = "see_phone"
	NoticeCardUpdate       = "card_update" // of a view only: the payment has ended
	ReasonOtherInterface   = "use_other_interface"
	ReasonOverLimit        = "over_contactless_limit"
	ReasonCardDeclined     = "card_declined"
	ReasonNotGenuine       = "card_not_genuine"
	ReasonCardExpired      = "card_expired"
	ReasonCardBlocked      = "card_blocked"
	ReasonNotVerified      = "cardholder_not_verified"
	ReasonOfflineRefused   = "offline_refused"
	ReasonCancelledByClerk = "cancelled_by_clerk"
	ReasonPINNotGiven      = "pin_not_given"
	ReasonProcessing       = "processing_error"
	ReasonTerminalStopped  = "terminal_stopped"
	ReasonTerminalRestart  = "terminal_restarted"
	ReasonWrongPIN         = "wrong_pin"
	ReasonSignedInAgain    = "signed_in_again"
)

// Words explain a reason to a person: what happened, and what to do.
type Words struct {
	Reason     string `json:"reason"`
	ZH         string `json:"zh"`
	EN         string `json:"en"`
	NextZH     string `json:"next_zh"`
	NextEN     string `json:"next_en"`
	MoneySafe  bool   `json:"money_safe"`              // nothing was taken from the card, or it goes back
	ReasonCode string `json:"response_code,omitempty"` // F39 behind it, for support
}

// reasons is the table of the terminal's own reasons; responseReasons has the
// acquirer's, whose words are those of iso8583.ResponseFor.
var reasons = [...]Words{
	{Reason: ReasonHostDown, ZH: "网络不通,未发起扣款", EN: "No connection: nothing was charged", NextZH: "检查网络后重新收款", NextEN: "Check the network, then start again", MoneySafe: true},
	{Reason: ReasonReversalPending, ZH: "上一笔冲正尚未完成,未发起扣款", EN: "An earlier reversal is still open: nothing was charged", NextZH: "稍候再收款", NextEN: "Wait a moment, then start again", MoneySafe: true},
	{Reason: ReasonNoAnswer, ZH: "银行没有应答,交易自动撤回", EN: "No answer from the bank: the payment is being taken back", NextZH: "请勿交货;可以重新收款", NextEN: "Do not hand over the goods; you may start again", MoneySafe: true},
	{Reason: ReasonLinkCut, ZH: "网络中断,交易自动撤回", EN: "The connection broke: the payment is being taken back", NextZH: "请勿交货;网络恢复后重新收款", NextEN: "Do not hand over the goods; start again when the network is back", MoneySafe: true},
	{Reason: ReasonMACError, ZH: "应答校验不符,交易自动撤回", EN: "The answer failed its check: the payment is being taken back", NextZH: "请勿交货;重新收款", NextEN: "Do not hand over the goods; start again", MoneySafe: true},
	{Reason: ReasonAnswerUnusable, ZH: "应答无法识别,交易自动撤回", EN: "The answer could not be read: the payment is being taken back", NextZH: "请勿交货;重新收款,仍失败则联系收单机构", NextEN: "Do not hand over the goods; start again, or call the acquirer", MoneySafe: true},
	{Reason: ReasonPresentTimeout, ZH: "没有等到卡片", EN: "No card was presented", NextZH: "重新收款并请客人挥卡", NextEN: "Start again and ask for the card", MoneySafe: true},
	{Reason: ReasonOneCardOnly, ZH: "读到多张卡", EN: "More than one card", NextZH: "请客人只用一张卡", NextEN: "Present one card only", MoneySafe: true},
	{Reason: ReasonCardNotRead, ZH: "没有读完卡片", EN: "The card was not read to the end", NextZH: "请客人把卡贴住,直到听到提示音", NextEN: "Hold the card still until the beep", MoneySafe: true},
	{Reason: ReasonCardNotSupported, ZH: "这不是本机支持的银行卡", EN: "This is not a card that we take", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonCardNotUsable, ZH: "卡片数据无法使用", EN: "The card's data can't be used", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonOtherInterface, ZH: "此卡要求插卡", EN: "The card wants to be inserted", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonSeePhone, ZH: "手机或手表没有解锁", EN: "The phone or watch was not unlocked", NextZH: "请客人看手机,解锁后再挥", NextEN: "Ask the customer to unlock it, then start again", MoneySafe: true},
	{Reason: NoticeCardUpdate, ZH: "交易已完成;发卡行要更新卡片", EN: "The payment is done; the issuer has an update for the card", NextZH: "请再挥一次卡", NextEN: "Ask for the card once more", MoneySafe: true},
	{Reason: ReasonOverLimit, ZH: "金额超过挥卡限额", EN: "The amount is above the contactless limit", NextZH: "请换其他付款方式", NextEN: "Use another way to pay", MoneySafe: true},
	{Reason: ReasonCardDeclined, ZH: "卡片拒绝交易", EN: "The card declined", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonNotGenuine, ZH: "卡片未通过真伪验证", EN: "The card could not be verified as genuine", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonCardExpired, ZH: "卡片已过期", EN: "The card has expired", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonCardBlocked, ZH: "此卡已被列入止付名单", EN: "The card is on the stop list", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonNotVerified, ZH: "此卡无法验证持卡人", EN: "The cardholder can't be verified with this card", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonOfflineRefused, ZH: "本机不接受脱机交易", EN: "Offline payments are not taken here", NextZH: "请客人换一张卡", NextEN: "Ask for another card", MoneySafe: true},
	{Reason: ReasonCancelledByClerk, ZH: "已取消", EN: "Cancelled", NextZH: "可以重新收款", NextEN: "You may start again", MoneySafe: true},
	{Reason: ReasonPINNotGiven, ZH: "没有输入密码", EN: "No PIN was given", NextZH: "重新收款", NextEN: "Start again", MoneySafe: true},
	{Reason: ReasonProcessing, ZH: "终端无法处理,未发起扣款", EN: "The terminal could not go on: nothing was charged", NextZH: "重试一次,仍失败则联系支持", NextEN: "Try once more, then call support", MoneySafe: true},
	{Reason: ReasonTerminalStopped, ZH: "终端已停止", EN: "The terminal was stopped", NextZH: "启动后重新收款", NextEN: "Start the terminal, then start again", MoneySafe: true},
	{Reason: ReasonTerminalRestart, ZH: "终端重启,交易未完成;如已扣款将自动退回", EN: "The terminal was restarted: the payment did not finish, and is taken back if it went through", NextZH: "请勿交货;重新收款", NextEN: "Do not hand over the goods; start again", MoneySafe: true},
}

// readerReasons names each condition of a reader.
var readerReasons = [...]Words{
	{Reason: "reader_unplugged", ZH: "读卡器没有连接", EN: "The reader is unplugged", NextZH: "接好读卡器,收款会继续", NextEN: "Plug it in; the payment goes on", MoneySafe: true},
	{Reason: "reader_hung", ZH: "读卡器没有响应", EN: "The reader does not respond", NextZH: "重新插拔读卡器", NextEN: "Unplug it and plug it in again", MoneySafe: true},
	{Reason: "reader_busy", ZH: "读卡器正忙", EN: "The reader is busy", NextZH: "稍候", NextEN: "Wait a moment", MoneySafe: true},
	{Reason: "reader_taken", ZH: "读卡器被其他程序占用", EN: "Another program uses the reader", NextZH: "关闭那个程序", NextEN: "Close that program", MoneySafe: true},
	{Reason: "reader_disabled", ZH: "读卡器已停用", EN: "The reader is switched off", NextZH: "在设置中启用读卡器", NextEN: "Enable it in the settings", MoneySafe: true},
	{Reason: "reader_no_service", ZH: "读卡服务没有运行", EN: "The reader service does not run", NextZH: "启动 pcscd 服务", NextEN: "Start pcscd", MoneySafe: true},
	{Reason: "reader_closed", ZH: "读卡器已关闭", EN: "The reader is closed", NextZH: "重启终端", NextEN: "Restart the terminal", MoneySafe: true},
	{Reason: "reader_failed", ZH: "读卡器出错", EN: "The reader failed", NextZH: "重新插拔读卡器", NextEN: "Unplug it and plug it in again", MoneySafe: true},
}

// reasonOfReader is the reason word of a reader's condition.
func reasonOfReader(c nfc.Condition) string {
	if c == nfc.Ready { // it failed a moment ago and says that it is well
		return "reader_failed"
	}
	return "reader_" + string(c)
}

// responseReasons are the words of response codes (F39).
var responseReasons = [...]struct{ code, reason string }{
	{"03", "merchant_invalid"}, {"05", "declined_by_issuer"}, {"12", "transaction_invalid"}, {"13", "amount_invalid"},
	{"14", "card_unknown"}, {"25", "original_unknown"}, {"30", "format_error"}, {"38", "pin_tries_exceeded"},
	{"41", "card_lost"}, {"43", "card_stolen"}, {"51", "insufficient_funds"}, {"54", "issuer_says_expired"},
	{"55", ReasonWrongPIN}, {"57", "card_not_permitted"}, {"58", "terminal_not_permitted"}, {"61", "amount_limit"},
	{"62", "card_restricted"}, {"64", "amount_differs"}, {"65", "count_limit"}, {"68", "issuer_too_late"},
	{"75", "pin_tries_exceeded"}, {"90", "cut_over"}, {"91", "issuer_unavailable"}, {"94", "duplicate"},
	{"96", "host_fault"}, {"A0", ReasonSignedInAgain},
}

// ReasonOfResponse is the reason word of a response code; a code that is not
// known is "declined_by_issuer", and "00" has none.
func ReasonOfResponse(code string) string {
	if code == "00" {
		return ""
	}
	for _, r := range responseReasons {
		if r.code == code {
			return r.reason
		}
	}
	return "declined_by_issuer"
}

// Explain gives the words of a reason; false where it is not known.
func Explain(reason string) (Words, bool) {
	for _, w := range reasons {
		if w.Reason == reason {
			return w, true
		}
	}
	if strings.HasPrefix(reason, "reader_") {
		for _, w := range readerReasons {
			if w.Reason == reason {
				return w, true
			}
		}
	}
	for _, r := range responseReasons {
		if r.reason == reason {
			x, _ := iso8583.ResponseFor(r.code)
			return Words{Reason: reason, ZH: x.ZH, EN: x.EN, NextZH: x.NextZH, NextEN: x.NextEN, MoneySafe: true, ReasonCode: r.code}, true
		}
	}
	return Words{}, false
}

// Reasons lists the words of every reason.
func Reasons() []Words {
	out := append(append([]Words(nil), reasons[:]...), readerReasons[:]...)
	seen := map[string]bool{}
	for _, r := range responseReasons {
		if w, ok := Explain(r.reason); ok && !seen[r.reason] {
			seen[r.reason] = true
			out = append(out, w)
		}
	}
	return out
}
