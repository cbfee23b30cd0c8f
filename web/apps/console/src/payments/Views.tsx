import { Button, Input, Popover } from "antd";
import { useState } from "react";
import { call, IconCross, type Refused } from "@huika/ui";
import { act } from "../api/act.ts";
import type { View, ViewsOutputBody } from "../api/console.ts";
import { refusedOf, useAsk } from "../api/useAsk.ts";
import { Problem } from "../parts/Notice.tsx";
import type { Word } from "../words/words.ts";
import { useWords } from "../words/use.ts";
import { dayStart, queryOf, type Filter } from "./filter.ts";

const ours: { word: Word; of: () => Filter }[] = [
  { word: "viewAll", of: () => ({}) },
  { word: "viewToday", of: () => ({ from: dayStart(0) }) },
  { word: "viewDeclined", of: () => ({ state: ["declined"] }) },
  { word: "viewOpen", of: () => ({ state: ["admitted", "reversing", "forwarding"] }) },
  { word: "viewBack", of: () => ({ kind: ["refund", "void", "preauth_cancel", "completion_void"] }) },
];

/** Ways to look at payments: ours, and those that people saved. */
export function Views({ filter, set }: { filter: Filter; set: (f: Filter) => void }) {
  const { t } = useWords();
  const { answer, again } = useAsk<ViewsOutputBody>("/api/v1/views");
  const [problem, setProblem] = useState<Refused | null>(null);
  const now = queryOf(filter).toString();
  const forget = async (v: View) => {
    try {
      await call(`/api/v1/views/${v.id}`, undefined, { method: "DELETE" });
    } catch (err) {
      setProblem(refusedOf(err));
    }
    again();
  };
  const saved = answer?.views ?? [];
  const isSaved = saved.some((v) => queryOf(v.filter).toString() === now) || ours.some((o) => queryOf(o.of()).toString() === now);
  return (
    <>
      <div className="views" role="group" aria-label={t("views")}>
        {ours.map((o) => {
          const f = o.of();
          return <button key={o.word} type="button" className="view" aria-pressed={queryOf(f).toString() === now} onClick={() => set(f)}>{t(o.word)}</button>;
        })}
        {saved.map((v) => (
          <span key={v.id} className="view-of">
            <button type="button" className="view" aria-pressed={queryOf(v.filter).toString() === now} onClick={() => set(v.filter)}>{v.name}</button>
            <button type="button" className="view-off" aria-label={t("forgetView", v.name)} onClick={() => void forget(v)}><IconCross size={16} /></button>
          </span>
        ))}
        {now !== "" && !isSaved && <Save filter={filter} done={again} failed={setProblem} />}
      </div>
      {problem && <Problem problem={problem} />}
    </>
  );
}

function Save({ filter, done, failed }: { filter: Filter; done: () => void; failed: (r: Refused) => void }) {
  const { t } = useWords();
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const save = async () => {
    try {
      await act<View>("/api/v1/views", { name: name.trim(), filter });
      setName("");
      done();
    } catch (err) {
      failed(refusedOf(err));
    }
    setOpen(false);
  };
  const content = (
    <form className="save" onSubmit={(e) => { e.preventDefault(); if (name.trim()) void save(); }}>
      <label htmlFor="view-name">{t("viewName")}</label>
      <Input id="view-name" value={name} maxLength={80} autoFocus onChange={(e) => setName(e.target.value)} />
      <Button type="primary" htmlType="submit" disabled={!name.trim()}>{t("save")}</Button>
    </form>
  );
  return (
    <Popover trigger="click" open={open} onOpenChange={setOpen} placement="bottomLeft" content={content} destroyOnHidden>
      <Button type="link">{t("saveView")}</Button>
    </Popover>
  );
}
