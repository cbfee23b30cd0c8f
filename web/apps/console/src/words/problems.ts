import type { Language, Refused } from "@huika/ui";
import { responseWord } from "./terms.ts";

type Said = readonly [what: string, then: string];

// zh for the API's codes: what happened, what to do. In English the API speaks
// for itself.
const zh: Record<string, Said> = {
  unreachable: ["连不上收单程序", "请看程序是否在运行；页面会自己重连，也可以再试一次。"],
  not_signed_in: ["此浏览器尚未配对", "请打开程序启动时打印的控制台地址（Console）。"],
  api_key: ["密钥无效", "请换一把没有吊销、没有过期的密钥。"],
  scope: ["没有这项权限", "请用有此权限的密钥。"],
  no_payment: ["没有这笔交易", "请从交易列表里打开。"],
  payment_ref: ["这个链接不指向任何交易", "请从交易列表里打开。"],
  cursor: ["列表已经变了", "请从头再查一次。"],
  changed: ["别人刚刚改过", "请重新读取后再试。"],
  other_host: ["这个商户的分区由另一台主机负责", "请到那台主机的控制台操作。"],
  not_open: ["已经没有未了结的部分", "这笔自己了结了，请重新读取。"],
  idempotency_key_reused: ["这个请求编号已用于另一件事", "请重新读取后再做一次。"],
  too_large: ["内容太长，或没有传完", "请缩短后再试。"],
  try_again: ["主机现在接不了，什么都没有开始，或还在处理", "请再试一次，同一请求不会做两遍。"],
  in_progress: ["同一请求正在处理", "请稍等一下再试。"],
  no_key: ["没有这把密钥", "请刷新列表。"],
  name: ["名称不合适", "请写 1 到 80 个字。"],
  too_many_keys: ["密钥太多了", "已吊销的也算；请减少需要的密钥。"],
  no_scope: ["没有这项权限名", "请用列出的权限。"],
  expires: ["到期时间已过", "请选将来的时间，或不设到期。"],
  no_webhook: ["没有这个推送", "请刷新列表。"],
  too_many_webhooks: ["推送太多了", "请先删掉不用的。"],
  no_event: ["没有这种事件", "请用列出的事件。"],
  url: ["这个地址不能用", "请填公网的 https 地址。"],
  too_slow: ["查得太久了", "请缩小范围：更短的时间，或一个商户。"],
  books: ["账本现在读写不了", "请稍等一下再试。"],
  internal: ["主机没有做成", "请再试一次；一直不行请看日志。"],
  filter: ["筛选条件不对", "请检查标出的条件。"],
  bad_request: ["内容不合要求", "请检查标出的项目。"],
  amount: ["这个金额不能退", "请写成 88.80 这样，不超过可退金额。"],
  card_number: ["原因里像有卡号", "请去掉：原因会保存并给别人看。"],
  not_voidable: ["这种交易不能撤销", "如果可以退货，请退货。"],
  too_many_exports: ["别的导出正在进行", "请稍等一下再试。"],
  export_too_large: ["筛出的交易超过 50000 笔", "请缩小到一天或一个商户，分几次导出。"],
  too_many_views: ["保存的视图已有 200 个", "请先删掉不用的。"],
  no_dead_letter: ["这笔还不用人处理：主机还在自己重试", "请等等；多次不成才会列到这里。"],
  no_batch: ["没有这个批次", "请从交易或批次列表里打开。"],
  no_merchant: ["没有这个商户", "请从商户列表里打开。"],
  span: ["时间段太长或是空的", "请缩短时间段。"],
  cross_origin: ["这个请求来自别的网页", "请在收单台自己的页面上操作。"],
  too_many_streams: ["打开的页面太多", "请关掉不用的页面。"],
  page: ["页面自己出了错", "请刷新页面再试。"],
};

const en: Record<string, Said> = {
  unreachable: ["The acquirer can't be reached", "See that the program runs. This page connects again by itself; you can also try now."],
  not_signed_in: ["This browser is not paired", "Open the Console address that the program printed when it started."],
  page: ["This page made a mistake", "Load it again."],
};

const sentence = (text: string): string => (text ? text.charAt(0).toUpperCase() + text.slice(1) : text);

/** A refusal in the language chosen: what happened, and what to do. */
export function problemWords(language: Language, r: Refused): Said {
  const known = (language === "zh" ? zh : en)[r.code];
  if (known) return r.where.length ? [known[0], `${known[1]} (${r.where.join(", ")})`] : known;
  if (language === "zh" && r.code.startsWith("refused_")) return ["收单系统没有接受", `${responseWord(language, r.code.slice("refused_".length))}。请重新读取这笔交易，看现在能做什么。`];
  return [sentence(r.message), r.advice ? `${sentence(r.advice)}.` : ""];
}
