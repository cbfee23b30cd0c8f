import { Button, Checkbox, Drawer, Input } from "antd";
import { useState } from "react";
import { call, type Refused } from "@huika/ui";
import { act, newKey } from "../api/act.ts";
import type { CreateHookInputBody, CreateHookOutputBody, Hook, HooksOutputBody } from "../api/console.ts";
import { refusedOf, useAsk } from "../api/useAsk.ts";
import { Nothing, Problem } from "../parts/Notice.tsx";
import { Mark } from "../parts/State.tsx";
import { Secret } from "../parts/Secret.tsx";
import { Sure } from "../parts/Sure.tsx";
import { Waiting } from "../parts/Table.tsx";
import { When } from "../parts/When.tsx";
import { eventWord } from "../words/terms.ts";
import { useWords } from "../words/use.ts";

const EVERY_MS = 5000;

/** Webhooks: who is told of what, and how the deliveries go. */
export function Hooks() {
  const { t, language } = useWords();
  const { answer, problem, loading, again } = useAsk<HooksOutputBody>("/api/v1/webhooks", EVERY_MS);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<CreateHookOutputBody | null>(null);
  const [failed, setFailed] = useState<Refused | null>(null);
  const attempt = async (work: () => Promise<unknown>) => {
    setFailed(null);
    try {
      await work();
    } catch (err) {
      setFailed(refusedOf(err));
    }
    again();
  };
  const pause = (h: Hook) => attempt(() => call(`/api/v1/webhooks/${h.id}/pause`, { paused: h.state !== "paused" }, { key: newKey() }));
  const end = (h: Hook) => attempt(() => call(`/api/v1/webhooks/${h.id}`, undefined, { method: "DELETE" }));
  return (
    <section className="page">
      <header className="head"><h1>{t("hooks")}</h1><div className="tools"><Button type="primary" onClick={() => setMaking(true)}>{t("makeHook")}</Button></div></header>
      <p className="lead">{t("hooksHint")}</p>
      {made && <Secret title={t("hookMade")} secret={made.secret} close={() => setMade(null)} />}
      {failed && <Problem problem={failed} />}
      {problem && <Problem problem={problem} again={again} />}
      {!answer && loading && <Waiting what={t("reading")} rows={3} />}
      {answer && answer.webhooks.length === 0 && <Nothing title={t("noHooks")}><Button onClick={() => setMaking(true)}>{t("makeHook")}</Button></Nothing>}
      <ul className="letters">
        {answer?.webhooks.map((h) => (
          <li key={h.id} className="letter hook">
            <div>
              <p><strong>{h.name || h.url}</strong> {h.state === "active" ? <Mark tone="go">{t("hookActive")}</Mark> : h.state === "failing" ? <Mark tone="fail">{t("hookFailing")}</Mark> : <Mark tone="plain">{t("hookPaused")}</Mark>}</p>
              {h.name && <p className="code wrap">{h.url}</p>}
              <p className="quiet-ink">
                {h.events.length ? h.events.map((e) => eventWord(language, e)).join(language === "zh" ? "、" : ", ") : t("allEvents")} · {h.merchant ? <span className="code">{h.merchant}</span> : t("allMerchants")} · {t("delivered", h.delivered)}
                {h.last && <> · {t("lastOne")} <When at={h.last} /></>}
              </p>
              {h.state === "failing" && <p className="look-ink">{t("hookTries", h.tries)}{h.next_try && <> <When at={h.next_try} /></>}{h.error && <> · {h.error}</>}</p>}
              <p className="go-on">
                <Button onClick={() => void pause(h)}>{t(h.state === "paused" ? "hookGoOn" : "hookPause")}</Button>
                <Sure ask={t("hookEndSure")} yes={t("hookEnd")} label={t("hookEnd")} act={() => void end(h)} />
              </p>
            </div>
          </li>
        ))}
      </ul>
      {making && answer && <Make events={answer.events} close={(h) => { setMaking(false); if (h) { setMade(h); again(); } }} />}
    </section>
  );
}

function Make({ events, close }: { events: string[]; close: (made?: CreateHookOutputBody) => void }) {
  const { t, language } = useWords();
  const [url, setURL] = useState("https://");
  const [name, setName] = useState("");
  const [merchant, setMerchant] = useState("");
  const [chosen, choose] = useState<string[]>([]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Refused | null>(null);
  const ready = /^https?:\/\/./.test(url);
  const send = async () => {
    if (busy || !ready) return;
    setBusy(true);
    setProblem(null);
    try {
      const body: CreateHookInputBody = { url: url.trim(), events: chosen, ...(name.trim() ? { name: name.trim() } : {}), ...(merchant.trim() ? { merchant: merchant.trim() } : {}) };
      close(await act<CreateHookOutputBody>("/api/v1/webhooks", body));
    } catch (err) {
      setProblem(refusedOf(err));
      setBusy(false);
    }
  };
  const narrow = innerWidth < 720;
  return (
    <Drawer open title={t("makeHook")} onClose={() => close()} placement={narrow ? "bottom" : "right"} size={narrow ? "100%" : 460}
      footer={<div className="row"><Button onClick={() => close()}>{t("notNow")}</Button><Button type="primary" size="large" htmlType="submit" form="make-hook" loading={busy} disabled={!ready}>{t("makeHook")}</Button></div>}>
      <form id="make-hook" onSubmit={(e) => { e.preventDefault(); void send(); }}>
        <label className="field"><span>{t("hookURL")}</span><Input value={url} inputMode="url" maxLength={2048} autoFocus onChange={(e) => setURL(e.target.value)} /></label>
        <label className="field"><span>{t("hookName")}</span><Input value={name} maxLength={80} onChange={(e) => setName(e.target.value)} /></label>
        <label className="field"><span>{t("hookMerchant")}</span><Input value={merchant} maxLength={15} onChange={(e) => setMerchant(e.target.value)} /></label>
        <fieldset className="choose">
          <legend>{t("hookEvents")}</legend>
          {events.map((e) => <Checkbox key={e} checked={chosen.includes(e)} onChange={(x) => choose(x.target.checked ? [...chosen, e] : chosen.filter((c) => c !== e))}>{eventWord(language, e)} <small className="code">{e}</small></Checkbox>)}
        </fieldset>
        {problem && <Problem problem={problem} />}
      </form>
    </Drawer>
  );
}
