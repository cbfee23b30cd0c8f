import { Button, Checkbox, DatePicker, Input, Popover, type InputRef } from "antd";
import dayjs from "dayjs";
import { useEffect, useRef, useState, type MutableRefObject } from "react";
import { IconCross, IconDown } from "@huika/ui";
import type { Payment } from "../api/console.ts";
import { moment } from "../parts/When.tsx";
import { kinds, kindWord, responseWord, states, stateWord } from "../words/terms.ts";
import type { Word } from "../words/words.ts";
import { useWords } from "../words/use.ts";
import { understand, without, type Filter, type One } from "./filter.ts";

interface Props {
  filter: Filter;
  set: (f: Filter, typing?: boolean) => void;
}

/** One line that finds things by what they are, three common filters, the rest behind "more", and what holds now. */
export function Filters({ filter, set, search }: Props & { search: MutableRefObject<HTMLInputElement | null> }) {
  const { t, language } = useWords();
  const [open, setOpen] = useState(false);
  return (
    <div className="filters" data-open={open}>
      <Search filter={filter} set={set} search={search} />
      <Button className="fold" aria-expanded={open} onClick={() => setOpen(!open)} icon={<IconDown size={16} />} iconPlacement="end">{t("filters")}</Button>
      <Pick name={t("state")} any={t("anyState")} all={Object.keys(states) as Payment["state"][]} word={(v) => stateWord(language, v)} chosen={filter.state ?? []}
        choose={(v) => set(v.length ? { ...filter, state: v } : without(filter, "state"))} />
      <Pick name={t("kind")} any={t("anyKind")} all={Object.keys(kinds) as Payment["kind"][]} word={(v) => kindWord(language, v)} chosen={filter.kind ?? []}
        choose={(v) => set(v.length ? { ...filter, kind: v } : without(filter, "kind"))} />
      <DatePicker.RangePicker className="span" format="YYYY-MM-DD" allowEmpty={[true, true]} aria-label={t("time")} placeholder={[t("from"), t("to")]}
        value={[filter.from ? dayjs(filter.from) : null, filter.to ? dayjs(filter.to).subtract(1, "ms") : null]}
        presets={[
          { label: t("viewToday"), value: [dayjs(), dayjs()] },
          { label: t("yesterday"), value: [dayjs().subtract(1, "day"), dayjs().subtract(1, "day")] },
          { label: t("week"), value: [dayjs().subtract(6, "day"), dayjs()] },
        ]}
        onChange={(v) => {
          const next = without(filter, "from", "to");
          if (v?.[0]) next.from = v[0].startOf("day").toISOString();
          if (v?.[1]) next.to = v[1].add(1, "day").startOf("day").toISOString();
          set(next);
        }} />
      <Rest filter={filter} set={set} />
      <Chips filter={filter} set={set} />
    </div>
  );
}

/** Any of several words: a button that says which, and a list to mark them in. */
function Pick<V extends string>({ name, any, all, word, chosen, choose }: { name: string; any: string; all: V[]; word: (v: V) => string; chosen: readonly V[]; choose: (v: V[]) => void }) {
  const content = (
    <fieldset className="choose">
      <legend className="quiet-for-eyes">{name}</legend>
      {all.map((v) => (
        <Checkbox key={v} checked={chosen.includes(v)} onChange={(e) => choose(e.target.checked ? [...chosen, v] : chosen.filter((c) => c !== v))}>
          {word(v)}
        </Checkbox>
      ))}
    </fieldset>
  );
  return (
    <Popover trigger="click" placement="bottomLeft" content={content} destroyOnHidden>
      <Button className="pick" icon={<IconDown size={16} />} iconPlacement="end">
        <span className="quiet-for-eyes">{name}: </span>
        {chosen.length === 0 ? any : chosen.length === 1 ? word(chosen[0] as V) : `${word(chosen[0] as V)} +${chosen.length - 1}`}
      </Button>
    </Popover>
  );
}

function Search({ filter, set, search }: Props & { search: MutableRefObject<HTMLInputElement | null> }) {
  const { t } = useWords();
  const [text, setText] = useState("");
  const found = understand(text);
  const box = useRef<InputRef>(null);
  useEffect(() => {
    search.current = box.current?.input ?? null;
  });
  const names: Record<string, Word> = { last4: "bySearchLast4", rrn: "rrn", id: "paymentID", merchant: "merchant", terminal: "terminal", batch: "batch", min: "amount", response: "response" };
  return (
    <form role="search" className="search" onSubmit={(e) => {
      e.preventDefault();
      if (!found) return;
      set({ ...filter, ...found.filter });
      setText("");
    }}>
      <Input ref={box} value={text} onChange={(e) => setText(e.target.value)} aria-label={t("search")} placeholder={t("searchHint")} autoComplete="off" spellCheck={false}
        aria-describedby="search-says" onKeyDown={(e) => e.key === "Escape" && (setText(""), box.current?.blur())} suffix={<kbd>/</kbd>} />
      {text !== "" && (
        <p id="search-says" className="says" data-look={found === null} role="status">
          {found ? t("searchAs", t(names[found.field] ?? "search"), String(found.filter[found.field] ?? "")) : t("searchNot")}
        </p>
      )}
    </form>
  );
}

// What a field for a moment holds, in the zone of this screen, and back.
const local = (at: string | undefined): string => (at ? dayjs(at).format("YYYY-MM-DDTHH:mm") : "");

const fields: { name: One; word: Word; length: number }[] = [
  { name: "merchant", word: "merchant", length: 15 },
  { name: "terminal", word: "terminal", length: 8 },
  { name: "batch", word: "batch", length: 6 },
  { name: "scheme", word: "scheme", length: 32 },
  { name: "response", word: "response", length: 2 },
  { name: "min", word: "amountMin", length: 16 },
  { name: "max", word: "amountMax", length: 16 },
  { name: "currency", word: "currency", length: 3 },
  { name: "from", word: "fromTime", length: 16 },
  { name: "to", word: "toTime", length: 16 },
];

function Rest({ filter, set }: Props) {
  const { t } = useWords();
  const [open, setOpen] = useState(false);
  const [draft, setDraft] = useState<Filter>({});
  const use = () => {
    const next = without(filter, ...fields.map((f) => f.name));
    for (const f of fields) {
      const v = draft[f.name]?.trim();
      if (v) next[f.name] = f.name === "from" || f.name === "to" ? dayjs(v).toISOString() : v;
    }
    if ((next.min || next.max) && !next.currency) next.currency = "CNY";
    set(next);
    setOpen(false);
  };
  const content = (
    <form className="rest" onSubmit={(e) => { e.preventDefault(); use(); }}>
      {fields.map((f) => (
        <label key={f.name}>
          <span>{t(f.word)}</span>
          <Input type={f.name === "from" || f.name === "to" ? "datetime-local" : "text"} value={draft[f.name] ?? ""} maxLength={f.length} onChange={(e) => setDraft({ ...draft, [f.name]: e.target.value })} />
        </label>
      ))}
      <Button type="primary" htmlType="submit">{t("use")}</Button>
    </form>
  );
  return (
    <Popover trigger="click" open={open} placement="bottomRight" content={content} destroyOnHidden onOpenChange={(o) => { setDraft({ ...filter, from: local(filter.from), to: local(filter.to) }); setOpen(o); }}>
      <Button icon={<IconDown size={16} />} iconPlacement="end" aria-expanded={open}>{t("moreFilters")}</Button>
    </Popover>
  );
}

/** What holds now, each with its way out. */
function Chips({ filter, set }: Props) {
  const { t, language } = useWords();
  const chips: { names: (keyof Filter)[]; text: string }[] = [];
  if (filter.state) chips.push({ names: ["state"], text: filter.state.map((s) => stateWord(language, s)).join(" / ") });
  if (filter.kind) chips.push({ names: ["kind"], text: filter.kind.map((k) => kindWord(language, k)).join(" / ") });
  if (filter.from) chips.push({ names: ["from"], text: t("since", moment(language, filter.from)) });
  if (filter.to) chips.push({ names: ["to"], text: t("before", moment(language, filter.to)) });
  if (filter.min || filter.max) {
    const c = filter.currency ?? "";
    chips.push({ names: ["min", "max", "currency"], text: filter.min === filter.max ? `${t("amount")} ${c} ${filter.min}` : `${t("amount")} ${c} ${filter.min ?? "0"} – ${filter.max ?? ""}` });
  } else if (filter.currency) chips.push({ names: ["currency"], text: filter.currency });
  for (const [name, word] of [["last4", "bySearchLast4"], ["rrn", "rrn"], ["id", "paymentID"], ["merchant", "merchant"], ["terminal", "terminal"], ["batch", "batch"], ["scheme", "scheme"]] as const) {
    const v = filter[name];
    if (v) chips.push({ names: [name], text: `${t(word)} ${v}` });
  }
  if (filter.response) chips.push({ names: ["response"], text: `${t("response")} ${filter.response} ${responseWord(language, filter.response)}` });
  if (chips.length === 0) return null;
  return (
    <ul className="chips" aria-label={t("holds")}>
      {chips.map((c) => (
        <li key={c.names.join()}>
          <button type="button" className="chip" onClick={() => set(without(filter, ...c.names))}>
            {c.text} <IconCross size={16} /><span className="quiet-for-eyes">{t("takeOff")}</span>
          </button>
        </li>
      ))}
      <li><button type="button" className="plain" onClick={() => set({})}>{t("clearAll")}</button></li>
    </ul>
  );
}
