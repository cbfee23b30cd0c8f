package iso8583

// Class is what a response code (F39) means for the flow.
type Class uint8

// Classes of response codes.
const (
	Approved  Class = iota + 1
	Declined        // this payment is over; the card or the data is the reason
	Retry           // the same card may try again: new tap, new STAN, new cryptogram
	PickUp          // declined, and the issuer wants the card kept or reported
	Technical       // somebody on the way could not answer; nothing is known about the card
	SignIn          // the terminal signs in again, then the clerk repeats the payment
	CutOver         // the day is being closed; repeat in a few minutes
)

func (c Class) String() string {
	return [...]string{"unknown", "approved", "declined", "retry", "pick-up", "technical", "sign-in", "cut-over"}[min(int(c), int(CutOver))]
}

// Response is one response code in words. ZH and EN say what happened, for
// customer and clerk; NextZH and NextEN what the clerk does next.
type Response struct {
	Code           string
	Class          Class
	ZH, EN         string
	NextZH, NextEN string
}

// responses are the codes seen at terminals (public descriptions of ISO 8583:1987 F39).
var responses = [...]Response{
	{"00", Approved, "交易成功", "Approved", "交付商品和签购单", "Hand over goods and receipt"},
	{"03", Declined, "商户无效", "Invalid merchant", "联系收单机构核对商户号", "Call the acquirer about the merchant number"},
	{"05", Declined, "发卡行拒绝交易", "Declined by the issuer", "请客人换卡或联系发卡行", "Ask for another card; the customer may call the issuer"},
	{"12", Declined, "无效交易", "Invalid transaction", "核对交易类型,或请客人换卡", "Check the kind of transaction, or ask for another card"},
	{"13", Declined, "金额无效", "Invalid amount", "重新输入金额", "Key in the amount again"},
	{"14", Declined, "卡号无效", "Invalid card number", "请客人换卡", "Ask for another card"},
	{"25", Declined, "找不到原交易", "Original transaction not found", "核对凭证号后重试", "Check the trace number and try again"},
	{"30", Technical, "报文格式错误", "Message format error", "重试一次,仍失败则联系收单机构", "Try once more, then call the acquirer"},
	{"38", PickUp, "密码错误次数超限", "PIN tries exceeded", "请客人联系发卡行,换卡支付", "The customer calls the issuer; ask for another card"},
	{"41", PickUp, "该卡已挂失", "Card reported lost", "不要退还卡片,联系发卡行", "Keep the card if safe, and call the issuer"},
	{"43", PickUp, "该卡已报失窃", "Card reported stolen", "不要退还卡片,联系发卡行", "Keep the card if safe, and call the issuer"},
	{"51", Declined, "余额不足", "Insufficient funds", "请客人换卡或改变金额", "Ask for another card or a smaller amount"},
	{"54", Declined, "卡片已过期", "Card expired", "请客人换卡", "Ask for another card"},
	{"55", Retry, "密码错误", "Incorrect PIN", "请客人重新挥卡并输入密码", "Tap again and key in the PIN again"},
	{"57", Declined, "该卡不允许此交易", "Not permitted for this card", "请客人换卡", "Ask for another card"},
	{"58", Declined, "该终端不允许此交易", "Not permitted at this terminal", "联系收单机构开通此交易", "Call the acquirer to have it enabled"},
	{"61", Declined, "超出金额限制", "Exceeds the amount limit", "请客人换卡或减少金额", "Ask for another card or a smaller amount"},
	{"62", Declined, "卡片受限制", "Restricted card", "请客人换卡并联系发卡行", "Ask for another card; the customer may call the issuer"},
	{"64", Declined, "与原交易金额不符", "Amount differs from the original", "核对原交易金额", "Check the amount of the original"},
	{"65", Declined, "超出交易次数限制", "Exceeds the number of transactions", "请客人换卡", "Ask for another card"},
	{"68", Technical, "发卡行应答超时", "Issuer answered too late", "查询交易结果后再重试", "Check the result before trying again"},
	{"75", Declined, "密码错误次数超限", "PIN tries exceeded", "请客人联系发卡行,换卡支付", "The customer calls the issuer; ask for another card"},
	{"90", CutOver, "系统日切,请稍候", "Day being closed, please wait", "几分钟后重试", "Try again in a few minutes"},
	{"91", Technical, "发卡行不能操作", "Issuer not available", "稍后重试或请客人换卡", "Try again later, or ask for another card"},
	{"94", Technical, "重复交易", "Duplicate transaction", "查询原交易结果", "Look up the first result"},
	{"96", Technical, "系统故障", "System malfunction", "稍后重试", "Try again later"},
	{"A0", SignIn, "报文校验错,请重新签到", "Message check failed, sign in again", "终端签到后重新交易", "Sign the terminal in, then start again"},
}

// Responses lists the known codes in ascending order.
func Responses() []Response { return append([]Response(nil), responses[:]...) }

// ResponseFor explains a code. One that is not known is a decline, with known false.
func ResponseFor(code string) (r Response, known bool) {
	for _, r := range responses {
		if r.Code == code {
			return r, true
		}
	}
	return Response{code, Declined, "交易未成功", "Not approved", "请客人换卡或联系收单机构", "Ask for another card, or call the acquirer"}, false
}
