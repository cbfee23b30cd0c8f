/** An API's refusal as it comes over the wire (RFC 9457, with our code and advice). */
interface Problem {
  title?: string;
  code?: string;
  do?: string;
  status?: number;
  where?: string[] | null;
}

/** An API's refusal, with its stable code and what to do. */
export class Refused extends Error {
  readonly code: string;
  readonly advice: string;
  /** Of HTTP; 0: no answer came. */
  readonly status: number;
  /** The fields that were not accepted. */
  readonly where: readonly string[];
  constructor(p: Problem) {
    super(p.title ?? "unreachable");
    this.code = p.code ?? "unreachable";
    this.advice = p.do ?? "";
    this.status = p.status ?? 0;
    this.where = p.where ?? [];
  }
}

const PATIENCE_MS = 10_000;

/** How a request is made, where it is not a GET or a plain POST. */
export interface How {
  method?: "GET" | "POST" | "DELETE";
  /** The Idempotency-Key: the same for every try of one thing. */
  key?: string;
  /** How long the answer may take, milliseconds. */
  patience?: number;
  /** Gives the request up. */
  signal?: AbortSignal;
}

/** One request's answer. A network that is gone is Refused with code "unreachable". */
export async function ask(url: string, body?: unknown, how: How = {}): Promise<Response> {
  const patience = AbortSignal.timeout(how.patience ?? PATIENCE_MS);
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: how.method ?? (body === undefined ? "GET" : "POST"),
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...(how.key ? { "Idempotency-Key": how.key } : {}) },
      body: body === undefined ? null : JSON.stringify(body),
      signal: how.signal ? AbortSignal.any([how.signal, patience]) : patience,
    });
  } catch {
    throw new Refused({});
  }
  if (answer.ok) return answer;
  let problem: Problem = {};
  try {
    if (isJSON(answer)) problem = (await answer.json()) as Problem;
  } catch {
    // Broken off: the status alone says that it was refused.
  }
  throw new Refused({ ...problem, status: answer.status });
}

const isJSON = (a: Response) => (a.headers.get("Content-Type") ?? "").includes("json");

/** One request; T is what the API answers. A network that is gone is Refused with code "unreachable". */
export async function call<T>(url: string, body?: unknown, how?: How): Promise<T> {
  const answer = await ask(url, body, how);
  const text = await answer.text();
  return (isJSON(answer) ? JSON.parse(text) : text) as T;
}
