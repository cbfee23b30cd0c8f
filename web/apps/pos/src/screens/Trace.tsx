import { IconTrace } from "@huika/ui";
import type { TraceRow } from "../api/pos.ts";
import { useWords } from "../words/use.ts";

/** The tap in plain words: a row per exchange, with its time; opened, its masked bytes. */
export function Trace({ rows }: { rows: TraceRow[] }) {
  const { t } = useWords();
  return (
    <details className="trace">
      <summary>
        <IconTrace size={18} /> {t("trace")} <span className="num">{rows.length > 0 ? `· ${rows.length}` : ""}</span>
      </summary>
      {rows.length === 0 && <p className="hint">{t("traceEmpty")}</p>}
      <ol>
        {rows.map((r, i) => (
          <li key={i}>
            <details>
              <summary>
                <span className="num when">{r.at_ms.toFixed(1)}</span>
                <span className="what">
                  <b>{r.title}</b> {r.says}
                </span>
                <span className="num took">{r.took_ms.toFixed(2)} ms</span>
              </summary>
              <code>→ {r.command}</code>
              <code>
                ← {r.response} {r.sw}
              </code>
            </details>
          </li>
        ))}
      </ol>
    </details>
  );
}
