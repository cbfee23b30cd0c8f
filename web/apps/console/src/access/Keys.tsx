import { Button, Checkbox, DatePicker, Drawer, Input } from "antd";
import type { Dayjs } from "dayjs";
import { useState } from "react";
import { call, type Refused } from "@huika/ui";
import { act } from "../api/act.ts";
import type { CreateKeyInputBody, CreateKeyOutputBody, Key, KeysOutputBody } from "../api/console.ts";
import { refusedOf, useAsk } from "../api/useAsk.ts";
import { Nothing, Problem } from "../parts/Notice.tsx";
import { Mark } from "../parts/State.tsx";
import { Secret } from "../parts/Secret.tsx";
import { Sure } from "../parts/Sure.tsx";
import { Table, Waiting, type Column } from "../parts/Table.tsx";
import { When } from "../parts/When.tsx";
import { byWord, scopeWord } from "../words/terms.ts";
import { useWords } from "../words/use.ts";

/** API keys of programs: made once, shown once, revoked for good. */
export function Keys() {
  const { t, language } = useWords();
  const { answer, problem, loading, again } = useAsk<KeysOutputBody>("/api/v1/keys");
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<CreateKeyOutputBody | null>(null);
  const [failed, setFailed] = useState<Refused | null>(null);
  const revoke = async (k: Key) => {
    setFailed(null);
    try {
      await call(`/api/v1/keys/${k.id}`, undefined, { method: "DELETE" });
    } catch (err) {
      setFailed(refusedOf(err));
    }
    again();
  };
  const over = (k: Key) => k.expires !== undefined && Date.parse(k.expires) <= Date.now();
  const columns: Column<Key>[] = [
    { name: "name", head: t("name"), lead: true, cell: (k) => <strong>{k.name}</strong> },
    { name: "state", head: t("state"), cell: (k) => (k.revoked ? <Mark tone="plain">{t("revoked")}</Mark> : over(k) ? <Mark tone="plain">{t("expired")}</Mark> : <Mark tone="go">{t("valid")}</Mark>) },
    { name: "scopes", head: t("scopes"), cell: (k) => <span className="wrap">{k.scopes.map((s) => scopeWord(language, s)).join(language === "zh" ? "；" : "; ")}</span> },
    { name: "created", head: t("created"), cell: (k) => <When at={k.created} /> },
    { name: "by", head: t("by"), cell: (k) => byWord(language, k.by) },
    { name: "expires", head: t("expires"), cell: (k) => k.expires && <When at={k.expires} /> },
    { name: "act", head: t("actions"), cell: (k) => !k.revoked && <Sure ask={t("revokeSure", k.name)} yes={t("revoke")} label={t("revoke")} act={() => void revoke(k)} /> },
  ];
  return (
    <section className="page">
      <header className="head"><h1>{t("keys_")}</h1><div className="tools"><Button type="primary" onClick={() => setMaking(true)}>{t("makeKey")}</Button></div></header>
      <p className="lead">{t("keysHint")}</p>
      {made && <Secret title={t("keyMade", made.key.name)} secret={made.secret} close={() => setMade(null)} />}
      {failed && <Problem problem={failed} />}
      {problem && <Problem problem={problem} again={again} />}
      {!answer && loading && <Waiting what={t("reading")} rows={3} />}
      {answer && answer.keys.length > 0 && <Table label={t("keys_")} columns={columns} rows={answer.keys} id={(k) => k.id} />}
      {answer && answer.keys.length === 0 && <Nothing title={t("noKeys")}><Button onClick={() => setMaking(true)}>{t("makeKey")}</Button></Nothing>}
      {making && answer && <Make scopes={answer.scopes} close={(k) => { setMaking(false); if (k) { setMade(k); again(); } }} />}
    </section>
  );
}

function Make({ scopes, close }: { scopes: string[]; close: (made?: CreateKeyOutputBody) => void }) {
  const { t, language } = useWords();
  const [name, setName] = useState("");
  const [chosen, choose] = useState<string[]>([]);
  const [expires, setExpires] = useState<Dayjs | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Refused | null>(null);
  const ready = name.trim() !== "" && chosen.length > 0;
  const send = async () => {
    if (busy || !ready) return;
    setBusy(true);
    setProblem(null);
    try {
      const body: CreateKeyInputBody = { name: name.trim(), scopes: chosen, ...(expires ? { expires: expires.toISOString() } : {}) };
      close(await act<CreateKeyOutputBody>("/api/v1/keys", body));
    } catch (err) {
      setProblem(refusedOf(err));
      setBusy(false);
    }
  };
  const narrow = innerWidth < 720;
  return (
    <Drawer open title={t("makeKey")} onClose={() => close()} placement={narrow ? "bottom" : "right"} size={narrow ? "100%" : 460}
      footer={<div className="row"><Button onClick={() => close()}>{t("notNow")}</Button><Button type="primary" size="large" htmlType="submit" form="make-key" loading={busy} disabled={!ready}>{t("makeKey")}</Button></div>}>
      <form id="make-key" onSubmit={(e) => { e.preventDefault(); void send(); }}>
        <label className="field"><span>{t("keyName")}</span><Input value={name} maxLength={80} autoFocus onChange={(e) => setName(e.target.value)} /></label>
        <fieldset className="choose">
          <legend>{t("scopes")}</legend>
          {scopes.map((s) => (
            <Checkbox key={s} checked={chosen.includes(s)} onChange={(e) => choose(e.target.checked ? [...chosen, s] : chosen.filter((c) => c !== s))}>
              {scopeWord(language, s)} <small className="code">{s}</small>
            </Checkbox>
          ))}
        </fieldset>
        <label className="field"><span>{t("expiresHint")}</span><DatePicker value={expires} onChange={setExpires} disabledDate={(d) => d.isBefore(new Date())} /></label>
        {problem && <Problem problem={problem} />}
      </form>
    </Drawer>
  );
}
