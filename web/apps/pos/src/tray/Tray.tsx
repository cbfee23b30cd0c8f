import { useCallback, useMemo, useState } from "react";
import { call, IconCards, IconCross, IconDown, Refused } from "@huika/ui";
import { useLive } from "../api/live.ts";
import type { Card, Faults, Tray as Desk } from "../api/tray.ts";
import { useKeys } from "../parts/useKeys.ts";
import { useWords } from "../words/use.ts";
import { sticker as stickerWords, type Word } from "../words/words.ts";

/** The kind of data that a dragged card carries. */
export const CARD = "application/x-huika-card";

export interface TrayHandle {
  desk: Desk | null;
  sticker: string;
  choose: (s: string) => void;
  put: (name: string) => Promise<void>;
  take: (id: number) => Promise<void>;
  faults: (f: Faults) => Promise<void>;
  problem: string | null;
}

/** The desk beside the terminal: what lies on it, and the visitor's hand. */
export function useTray(origin: string | null): TrayHandle {
  const { state } = useLive<Desk>(origin, "/api/tray/events", "/api/tray");
  const [sticker, choose] = useState("none");
  const [problem, setProblem] = useState<string | null>(null);
  const act = useCallback(
    async (path: string, body: unknown) => {
      if (origin === null) return;
      try {
        await call(origin + path, body);
        setProblem(null);
      } catch (err) {
        setProblem(err instanceof Refused ? `${err.message} — ${err.advice}` : String(err));
      }
    },
    [origin],
  );
  return {
    desk: state,
    sticker,
    choose,
    problem,
    put: useCallback((name: string) => act("/api/tray/put", { card: name, fault: sticker }), [act, sticker]),
    take: useCallback((id: number) => act("/api/tray/take", { id }), [act]),
    faults: useCallback((f: Faults) => act("/api/tray/faults", f), [act]),
  };
}

/** What people call a scheme; one that is not here is shown as the terminal names it. */
const schemes: Record<string, [string, string]> = {
  unionpay: ["银联", "UnionPay"],
  visa: ["Visa", "Visa"],
  mastercard: ["万事达", "Mastercard"],
  amex: ["运通", "Amex"],
  jcb: ["JCB", "JCB"],
  discover: ["Discover", "Discover"],
  c8: ["C-8", "C-8"],
  "": ["其他", "Other"],
};

const schemeName = (language: string, scheme: string) => schemes[scheme]?.[language === "zh" ? 0 : 1] ?? scheme;

const behind: [keyof Faults, Word][] = [["host_down", "hostDown"], ["response_lost", "responseLost"], ["issuer_down", "issuerDown"]];

/** The desk as a picture: cards to drag or press, stickers, faults behind the terminal. */
export function Tray({ tray, waving }: { tray: TrayHandle; waving: boolean }) {
  const { t, language } = useWords();
  const [open, setOpen] = useState(false);
  const { desk, put, take } = tray;
  const all = useMemo(() => desk?.cards ?? [], [desk]);
  const groups = useMemo(() => [...new Set(all.map((c) => c.scheme))], [all]);
  const [chosen, setChosen] = useState<string | null>(null);
  const group = chosen !== null && groups.includes(chosen) ? chosen : (groups[0] ?? "");
  const cards = useMemo(() => all.filter((c) => c.scheme === group), [all, group]);
  const press = useCallback((c: Card) => void (c.place === "reader" ? take(c.id ?? 0) : put(c.name)), [put, take]);
  useKeys(
    useCallback(
      (key: string) => {
        const c = waving && /^[1-9]$/.test(key) ? cards[Number(key) - 1] : undefined;
        if (!c) return false;
        press(c);
        return true;
      },
      [cards, press, waving],
    ),
  );
  return (
    <aside className="tray" data-open={open} data-waving={waving} aria-label={t("desk")}>
      <button type="button" className="handle" aria-expanded={open} onClick={() => setOpen(!open)}>
        <IconCards /> {t("desk")} <IconDown size={20} />
      </button>
      <div className="inside">
        <h2>{t("desk")}</h2>
        <p className="hint">{t("deskHint")}</p>
        {tray.problem && <p className="hint" role="alert" data-look="true">{tray.problem}</p>}
        {groups.length > 1 && (
          <fieldset className="stickers groups">
            <legend>{t("scheme")}</legend>
            {groups.map((g) => (
              <label key={g} data-busy={g !== group && all.some((c) => c.scheme === g && c.place === "reader")}>
                <input type="radio" name="scheme" value={g} checked={g === group} onChange={() => setChosen(g)} />
                <span>{schemeName(language, g)}</span>
              </label>
            ))}
          </fieldset>
        )}
        <ul className="cards">
          {cards.map((c, i) => (
            <li key={c.name}>
              <button type="button" className="card" data-form={c.form} data-scheme={c.scheme} data-name={c.name} data-place={c.place} draggable={c.place === "desk"}
                onDragStart={(e) => e.dataTransfer.setData(CARD, c.name)} onClick={() => press(c)} aria-pressed={c.place === "reader"}>
                <span className="face">
                  {c.form === "card" && <span className="chipmark" aria-hidden="true" />}
                  <span className="num pan">{c.masked_pan ? `•• ${c.masked_pan.slice(-4)}` : ""}</span>
                  {c.scheme && <span className="scheme">{schemeName(language, c.scheme)}</span>}
                </span>
                <span className="title">
                  {i < 9 && <kbd>{i + 1}</kbd>} {language === "zh" ? c.title_zh : c.title_en}
                  {c.place === "reader" && <em>{t("onReader")}</em>}
                </span>
              </button>
            </li>
          ))}
        </ul>
        {all.some((c) => c.place === "reader") && (
          <button type="button" className="quiet" onClick={() => void take(0)}>
            <IconCross size={18} /> {t("takeAll")}
          </button>
        )}
        <fieldset className="stickers">
          <legend>{t("sticker")}</legend>
          {(desk?.stickers ?? []).map((s) => (
            <label key={s}>
              <input type="radio" name="sticker" value={s} checked={tray.sticker === s} onChange={() => tray.choose(s)} />
              <span>{stickerWords(language, s)}</span>
            </label>
          ))}
        </fieldset>
        {desk && (
          <fieldset className="stickers">
            <legend>{t("faults")}</legend>
            {behind.map(([name, word]) => (
              <label key={name}>
                <input type="checkbox" name={name} checked={desk.faults[name]} onChange={(e) => void tray.faults({ ...desk.faults, [name]: e.target.checked })} />
                <span>{t(word)}</span>
              </label>
            ))}
          </fieldset>
        )}
      </div>
    </aside>
  );
}
