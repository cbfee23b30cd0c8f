import type { TraceRow } from "../api/console.ts";
import { useWords } from "../words/use.ts";

/** The tap: one row for each exchange of card and terminal, masked. Each opens to its bytes. */
export function Tap({ rows }: { rows: TraceRow[] }) {
  const { t } = useWords();
  return (
    <ol className="tap">
      {rows.map((r, i) => (
        <li key={i}>
          <details>
            <summary>
              <span className="num at">{r.at_ms.toFixed(1)}</span>
              <strong>{r.title}</strong>
              <span className="code">{r.sw}</span>
              {r.says && <p>{r.says}</p>}
            </summary>
            <dl className="bytes">
              <dt>{t("tapAsked")}</dt><dd className="code">{bytes(r.command)}</dd>
              <dt>{t("tapAnswered", r.took_ms.toFixed(1))}</dt><dd className="code">{bytes(r.response)}</dd>
            </dl>
          </details>
        </li>
      ))}
    </ol>
  );
}

/** Hex in pairs, so that it breaks between bytes. */
const bytes = (hex: string): string => (/^[0-9A-F*]+$/i.test(hex) ? (hex.match(/.{1,2}/g) ?? []).join(" ") : hex);
