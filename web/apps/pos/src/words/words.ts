import type { Language } from "@huika/ui";

/** Every sentence of the POS. zh is written first. */
const all = {
  amount: ["收款金额", "Amount"],
  wave: ["挥卡", "Wave"],
  waveHint: ["输入金额，然后挥卡", "Enter an amount, then wave"],
  erase: ["退格", "Erase"],
  point: ["小数点", "Decimal point"],
  cancel: ["取消收款", "Cancel"],
  cancelling: ["正在取消…", "Cancelling…"],
  cancelLate: ["已向银行请款，不能取消，请稍候", "The bank has been asked: it can't be cancelled now"],
  cancelEnded: ["这笔已经结束", "This payment has ended"],
  until: ["最多再等", "At most"],
  seconds: ["秒", "s"],
  approved: ["已收款", "Paid"],
  failed: ["未成功", "Not paid"],
  cancelled: ["已取消", "Cancelled"],
  reversed: ["已撤销，未收款", "Undone, not paid"],
  again: ["请重试", "Try again"],
  newSale: ["下一笔", "New sale"],
  newSaleHint: ["按任意数字直接开始", "Any digit starts it"],
  receipt: ["小票", "Receipt"],
  trace: ["读卡过程", "What happened"],
  traceEmpty: ["还没有读卡", "No card has been read yet"],
  print: ["打印", "Print"],
  close: ["关闭", "Close"],
  pinTitle: ["请输入密码", "Enter the PIN"],
  pinWrong: ["密码不对，请再输一次", "Wrong PIN, please enter it again"],
  pinHint: ["数字位置每次不同，请遮挡", "The digits move each time; shield them"],
  pinOK: ["确认", "OK"],
  pinClear: ["清除", "Clear"],
  pinSent: ["密码已加密送出", "The PIN is on its way, sealed"],
  digits: ["位", "digits"],
  online: ["已联网", "Online"],
  offline: ["网络中断，正在重连", "Offline, reconnecting"],
  signing: ["正在签到", "Signing in"],
  shift: ["本班", "Shift"],
  count: ["笔", "sales"],
  owed: ["笔冲正待送", "reversals to send"],
  simulation: ["模拟 SIMULATION", "SIMULATION"],
  lost: ["与本机程序断开，正在重连", "Lost the program on this machine, reconnecting"],
  unpaired: ["此浏览器尚未配对：请打开程序启动时打印的地址", "This browser is not paired: open the address that the program printed"],
  loading: ["正在打开…", "Opening…"],
  language: ["English", "中文"],
  theme: ["明暗", "Light or dark"],
  desk: ["卡片托盘（演示）", "Card tray (demo)"],
  scheme: ["卡组织", "Card scheme"],
  deskHint: ["把卡拖到读卡器，或点一下；再点一下拿走", "Drag a card to the reader or press it; press again to take it away"],
  sticker: ["这张卡怎么挥", "How the card is held"],
  onReader: ["在读卡器上", "on the reader"],
  faults: ["网络故障", "Faults behind the terminal"],
  hostDown: ["收单系统不通", "Acquirer down"],
  responseLost: ["应答丢失", "Answers lost"],
  issuerDown: ["发卡行不通", "Issuer down"],
  takeAll: ["全部拿走", "Take all away"],
  place: ["把卡放在这里", "Hold the card here"],
  authorising: ["正在请款，请稍候", "Asking the bank, please wait"],
  refused: ["没有做成", "That did not work"],
  card: ["卡号", "Card"],
  rrn: ["参考号", "Reference"],
  verified: ["验证方式", "Verified by"],
  auth: ["授权码", "Authorisation"],
  code: ["应答码", "Code"],
  pinFree: ["免密免签", "No PIN, no signature"],
  cdcvm: ["持卡设备已验证", "Verified on the device"],
  online_pin: ["已验证密码", "PIN"],
  signature: ["需要签名", "Signature needed"],
} as const;

export type Word = keyof typeof all;

/** A sentence in a language. */
export const say = (language: Language, word: Word): string => all[word][language === "zh" ? 0 : 1];

const messages: Record<string, readonly [string, string]> = {
  "03": ["交易成功", "Approved"],
  "07": ["交易未获批准", "Not authorised"],
  "09": ["请输入密码", "Please enter your PIN"],
  "0F": ["处理出错，请再试", "Processing error"],
  "10": ["请拿走卡片", "Please remove card"],
  "14": ["欢迎", "Welcome"],
  "15": ["请挥卡", "Present card"],
  "16": ["处理中", "Processing"],
  "17": ["读卡成功，请拿走卡片", "Card read OK, remove card"],
  "18": ["请插卡或刷卡", "Please insert or swipe card"],
  "19": ["请只放一张卡", "Please present one card only"],
  "1A": ["交易成功，请签名", "Approved, please sign"],
  "1B": ["正在请款，请稍候", "Authorising, please wait"],
  "1C": ["请插卡、刷卡或换一张卡", "Insert, swipe or try another card"],
  "1D": ["请插卡", "Please insert card"],
  "1E": ["", ""],
  "20": ["请看手机提示", "See phone for instructions"],
  "21": ["请再挥一次", "Present card again"],
};

/** A message identifier (Book A 9.4) in words. */
export const message = (language: Language, id: string): string => messages[id]?.[language === "zh" ? 0 : 1] ?? "";

const conditions: Record<string, readonly [string, string]> = {
  ready: ["读卡器就绪", "Reader ready"],
  busy: ["读卡器使用中", "Reader in use"],
  unplugged: ["读卡器已拔出，请插好", "Reader unplugged: plug it in"],
  hung: ["读卡器没有反应，请重新插拔", "Reader does not answer: unplug and plug it in"],
  taken: ["读卡器被其他程序占用", "Another program holds the reader"],
  disabled: ["读卡器已停用", "Reader is switched off"],
  no_service: ["读卡服务未运行", "The card service does not run"],
  closed: ["读卡器已关闭", "Reader closed"],
};

/** A reader's condition in words. */
export const condition = (language: Language, word: string): string => conditions[word]?.[language === "zh" ? 0 : 1] ?? word;

const stickers: Record<string, readonly [string, string]> = {
  none: ["拿稳", "held still"],
  "removed-before-gpo": ["提前拿走", "pulled away early"],
  "removed-after-gpo": ["读到一半拿走", "pulled away half way"],
  "slow-card": ["慢卡", "slow card"],
  weak: ["信号弱", "weak field"],
  "ctq-edited": ["中间人改 CTQ", "CTQ edited"],
  "ttq-edited": ["中间人改 TTQ", "TTQ edited"],
};

/** A fault sticker in words. */
export const sticker = (language: Language, name: string): string => stickers[name]?.[language === "zh" ? 0 : 1] ?? name;
