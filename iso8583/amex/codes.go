package amex

import "huika/iso8583/scheme"

// actions are the action codes of F39 and the codes of iso8583.Responses that say
// the same. Of several with one Neutral the first is sent.
var actions = scheme.Codes{
	{Scheme: "000", Neutral: "00"},
	{Scheme: "001", Neutral: "00"}, // approved, with identification
	{Scheme: "003", Neutral: "00"}, // approved, VIP
	{Scheme: "400", Neutral: "00"}, // reversal accepted
	{Scheme: "800", Neutral: "00"}, // network management accepted
	{Scheme: "900", Neutral: "00"}, // advice acknowledged
	{Scheme: "100", Neutral: "05"},
	{Scheme: "101", Neutral: "54"},
	{Scheme: "106", Neutral: "75"}, // PIN tries exceeded
	{Scheme: "206", Neutral: "38"}, // PIN tries exceeded, pick up
	{Scheme: "109", Neutral: "03"},
	{Scheme: "110", Neutral: "13"},
	{Scheme: "111", Neutral: "14"},
	{Scheme: "115", Neutral: "12"}, // function not supported
	{Scheme: "902", Neutral: "12"},
	{Scheme: "116", Neutral: "51"},
	{Scheme: "117", Neutral: "55"},
	{Scheme: "119", Neutral: "57"},
	{Scheme: "120", Neutral: "58"},
	{Scheme: "121", Neutral: "61"},
	{Scheme: "123", Neutral: "65"},
	{Scheme: "104", Neutral: "62"}, // restricted card
	{Scheme: "107", Neutral: "01"}, // call the issuer
	{Scheme: "122", Neutral: "63"}, // security violation
	{Scheme: "181", Neutral: "30"},
	{Scheme: "904", Neutral: "30"},
	{Scheme: "187", Neutral: "05"}, // a new card was issued
	{Scheme: "189", Neutral: "03"}, // merchant cancelled
	{Scheme: "200", Neutral: "04"}, // pick up
	{Scheme: "208", Neutral: "41"},
	{Scheme: "209", Neutral: "43"},
	{Scheme: "906", Neutral: "90"},
	{Scheme: "911", Neutral: "68"}, // issuer timed out
	{Scheme: "912", Neutral: "91"},
	{Scheme: "907", Neutral: "91"}, // issuer or switch inoperative
	{Scheme: "908", Neutral: "92"}, // destination of the message not found
	{Scheme: "913", Neutral: "94"},
	{Scheme: "914", Neutral: "25"}, // not able to trace back to the original
	{Scheme: "110", Neutral: "64"},
	{Scheme: "916", Neutral: "A0"}, // MAC incorrect
	{Scheme: "909", Neutral: "96"},
}

// neutralCode is the class's general code for an action that the table lacks: 1xx
// and all below are a refusal, 2xx a pick-up, 9xx a failure on the way.
func neutralCode(action string) string {
	if code := actions.Neutral(action); code != action {
		return code
	}
	switch {
	case action >= "900":
		return "96"
	case action >= "200" && action < "300":
		return "04"
	}
	return "05"
}

// actionCode is F39 of an answer: an approval is said in the words of its class.
func actionCode(m *scheme.Message) string {
	switch {
	case m.SchemeCode != "":
		return m.SchemeCode
	case m.Code == "":
		return ""
	case m.Code == "00" && m.Kind == scheme.Reversal:
		return "400"
	case m.Code == "00" && m.Kind == scheme.Management:
		return "800"
	case m.Code == "00" && m.Transaction == scheme.CompletionAdvice:
		return "900"
	}
	if action := actions.Scheme(m.Code); action != m.Code {
		return action
	}
	return "100"
}
