import type { ReactNode } from "react";
import { IconCheck, IconLook, type Refused } from "@huika/ui";
import { problemWords } from "../words/problems.ts";
import { useWords } from "../words/use.ts";

/** Something to know: what, and what to do now. */
export function Notice({ tone, title, children }: { tone: "go" | "look" | "fail"; title: string; children?: ReactNode }) {
  return (
    <div className="notice" data-tone={tone} role={tone === "go" ? "status" : "alert"}>
      {tone === "go" ? <IconCheck /> : <IconLook />}
      <div>
        <strong>{title}</strong>
        {children}
      </div>
    </div>
  );
}

/** A refusal: what happened, what to do, and a way on. */
export function Problem({ problem, again }: { problem: Refused; again?: () => void }) {
  const { language, t } = useWords();
  const [what, then] = problemWords(language, problem);
  return (
    <Notice tone={problem.status === 0 || problem.status >= 500 ? "fail" : "look"} title={what}>
      <p>
        {then} <small className="code">{problem.code}</small>
      </p>
      {again && (
        <button type="button" className="plain" onClick={again}>
          {t("again")}
        </button>
      )}
    </Notice>
  );
}

/** Nothing is here, why, and what to do. */
export function Nothing({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="nothing">
      <p className="lead">{title}</p>
      {children}
    </div>
  );
}
