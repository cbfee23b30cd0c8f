import type { Language } from "@huika/ui";
import type { Payment } from "../api/console.ts";

type Pair = readonly [string, string];

const pick = (language: Language, p: Pair | undefined, other: string): string => p?.[language === "zh" ? 0 : 1] ?? other;

/** Kinds of transaction, with the names that terminals print, in the order of the API. */
export const kinds: Record<Payment["kind"], Pair> = {
  sale: ["消费", "Sale"],
  void: ["消费撤销", "Void"],
  refund: ["退货", "Refund"],
  preauth: ["预授权", "Pre-authorisation"],
  preauth_cancel: ["预授权撤销", "Pre-auth cancel"],
  completion: ["预授权完成", "Completion"],
  completion_void: ["完成撤销", "Completion void"],
  completion_advice: ["完成通知", "Completion advice"],
  balance: ["余额查询", "Balance inquiry"],
  settlement: ["结算", "Settlement"],
};

/** What a state means. */
export const states: Record<Payment["state"], Pair> = {
  admitted: ["等应答", "Awaiting answer"],
  approved: ["已批准", "Approved"],
  declined: ["未批准", "Declined"],
  reversing: ["冲正中", "Reversing"],
  reversed: ["已冲正", "Reversed"],
  tombstone: ["冲正先到", "Reversed before it came"],
  undone: ["已撤销", "Voided"],
  used: ["已完成", "Completed"],
  forwarding: ["待送通知", "Advice to send"],
  abandoned: ["人工结束", "Ended by hand"],
};

export const kindWord = (l: Language, k: Payment["kind"]): string => pick(l, kinds[k], k);
export const stateWord = (l: Language, s: Payment["state"]): string => pick(l, states[s], s);

const responses: Record<string, Pair> = {
  "00": ["批准", "approved"],
  "03": ["商户无效", "merchant not valid"],
  "05": ["发卡行不予承兑", "not honoured by the issuer"],
  "12": ["交易无效", "transaction not valid"],
  "13": ["金额无效", "amount not valid"],
  "14": ["卡号无效", "card number not valid"],
  "25": ["找不到原交易", "original not found"],
  "30": ["报文格式错误", "message format wrong"],
  "38": ["密码错误次数超限", "too many wrong PINs"],
  "41": ["挂失卡", "lost card"],
  "43": ["被盗卡", "stolen card"],
  "51": ["余额不足", "not enough money"],
  "54": ["卡已过期", "card expired"],
  "55": ["密码不对", "wrong PIN"],
  "57": ["不允许持卡人做此交易", "not permitted to the cardholder"],
  "58": ["不允许终端做此交易", "not permitted to the terminal"],
  "61": ["金额超限", "over the amount limit"],
  "62": ["受限制的卡", "restricted card"],
  "64": ["原始金额不符", "original amount differs"],
  "65": ["次数超限", "over the count limit"],
  "68": ["发卡行超时", "issuer timed out"],
  "75": ["密码次数超限", "PIN tries used up"],
  "90": ["正在日切", "day cut-over under way"],
  "91": ["发卡行不能操作", "issuer not operating"],
  "94": ["重复交易", "duplicate transaction"],
  "96": ["系统故障", "system fault"],
  "98": ["没有收到应答", "no reply received"],
  "06": ["其他原因", "other reason"],
  A0: ["报文校验错", "MAC error"],
};

/** An F39 in words; the code itself where we have none. */
export const responseWord = (l: Language, code: string): string => pick(l, responses[code], code);

const cvms: Record<string, Pair> = {
  none: ["免密免签", "none asked"],
  online_pin: ["联机密码", "online PIN"],
  cdcvm: ["持卡设备验证", "on the device"],
  signature: ["签名", "signature"],
};
export const cvmWord = (l: Language, cvm: string): string => pick(l, cvms[cvm], cvm);

const ways: Record<string, Pair> = {
  "01": ["手工输入", "manual"],
  "02": ["刷卡", "stripe"],
  "03": ["扫码", "QR code"],
  "05": ["插卡", "contact chip"],
  "07": ["挥卡", "contactless"],
};
const pins: Record<string, Pair> = { "1": ["有密码", "with PIN"], "2": ["无密码", "no PIN"] };

/** F22 decoded: how the card was read (two digits), and whether a PIN came (third). */
export function entryWord(l: Language, f22: string): string {
  return [pick(l, ways[f22.slice(0, 2)], f22.slice(0, 2)), ...(f22.length > 2 ? [pick(l, pins[f22.slice(2, 3)], f22.slice(2))] : [])].join(l === "zh" ? "，" : ", ");
}

const accounts: Record<string, Pair> = {
  merchant: ["商户", "merchant"],
  clearing: ["清算", "clearing"],
  fees: ["手续费收入", "fees"],
  reserve: ["保证金", "reserve"],
  transit: ["在途", "in transit"],
  hold: ["预授权冻结", "on hold"],
  held: ["预授权对方", "held against"],
};

/** An account of the books: "merchant:898…" as "商户 898…". */
export function accountWord(l: Language, account: string): string {
  const [name = "", of] = account.split(":", 2);
  return pick(l, accounts[name], name) + (of ? ` ${of}` : "");
}

const moves: Record<string, Pair> = {
  sale: ["收款", "sale"],
  fee: ["手续费", "fee"],
  refund: ["退款", "refund"],
  "fee returned": ["退手续费", "fee returned"],
  hold: ["冻结", "hold"],
  "hold released": ["解冻", "hold released"],
};

/** What a transfer is for. */
export function moveWord(l: Language, what: string): string {
  const of = what.replace(/^reversal of /, "");
  const word = pick(l, moves[of], of);
  return of === what ? word : l === "zh" ? `冲回：${word}` : `reversal of ${word}`;
}

const scopes: Record<string, Pair> = {
  "payments:read": ["查看交易、导出、实时数据", "read payments, exports, live counts"],
  "payments:refund": ["退货与撤销", "refund and void"],
  "operations:read": ["查看批次、商户、终端、状态", "read batches, merchants, terminals, status"],
  "operations:write": ["人工结束", "end dead letters by hand"],
  "webhooks:manage": ["管理事件推送", "manage webhooks"],
  "keys:manage": ["管理密钥（等于全部权限）", "manage keys (as good as all)"],
};
export const scopeWord = (l: Language, scope: string): string => pick(l, scopes[scope], scope);

const events: Record<string, Pair> = {
  sale: ["收款", "sale"],
  fee: ["手续费", "fee"],
  refund: ["退款", "refund"],
  fee_returned: ["退手续费", "fee returned"],
  hold: ["冻结", "hold"],
  hold_released: ["解冻", "hold released"],
  reversal: ["冲正", "reversal"],
  payout: ["开始付款给商户", "payout begun"],
  paid_out: ["已付款给商户", "paid out"],
  payout_returned: ["付款被退回", "payout returned"],
  reserve_kept: ["留存保证金", "reserve kept"],
  reserve_released: ["释放保证金", "reserve released"],
};
export const eventWord = (l: Language, event: string): string => pick(l, events[event], event);

/** Who did something: the console, the command line, or an API key. */
export function byWord(l: Language, by: string): string {
  if (by === "console") return pick(l, ["收单台", "the console"], by);
  if (by === "command line") return pick(l, ["命令行", "the command line"], by);
  return l === "zh" ? `密钥 ${by}` : `API key ${by}`;
}
