import type { Problem } from "./pos.ts";

/** An API's refusal, with its stable code and what to do. */
export class Refused extends Error {
  readonly code: string;
  readonly advice: string;
  constructor(p: Partial<Problem>) {
    super(p.title ?? "unreachable");
    this.code = p.code ?? "unreachable";
    this.advice = p.do ?? "";
  }
}

const PATIENCE_MS = 10_000;

/** One request; T is what the API answers. A network that is gone is Refused with code "unreachable". */
export async function call<T>(url: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: body === undefined ? "GET" : "POST",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Refused({});
  }
  const text = await answer.text();
  const json = (answer.headers.get("Content-Type") ?? "").includes("json");
  if (!answer.ok) throw new Refused(json ? (JSON.parse(text) as Problem) : {});
  return (json ? JSON.parse(text) : text) as T;
}
