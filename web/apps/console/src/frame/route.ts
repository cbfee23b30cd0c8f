import { useSyncExternalStore } from "react";

/** Where the console stands: "#/payments/REF?kind=sale" is path ["payments", "REF"] and a query. */
export interface Route {
  path: readonly string[];
  query: URLSearchParams;
}

/** The route that an address' fragment names; a broken escape leads home. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  try {
    return { path: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
  } catch {
    return { path: [], query: new URLSearchParams() };
  }
}

/** The address of a place, for links. */
export function addressOf(path: readonly string[], query?: URLSearchParams): string {
  const q = query?.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${q ? `?${q}` : ""}`;
}

const MOVED = "huika:moved";

// How far this page has gone by itself: a step back stays within the console.
let steps = 0;
addEventListener("hashchange", () => steps++);

/** Back to where we were in the console, or to a place where one can go on. */
export function back(otherwise: readonly string[]): void {
  if (steps > 0) history.back();
  else go(otherwise);
}

function follow(moved: () => void): () => void {
  addEventListener("hashchange", moved);
  addEventListener(MOVED, moved);
  return () => {
    removeEventListener("hashchange", moved);
    removeEventListener(MOVED, moved);
  };
}

/** The fragment of the address, as it changes. */
export const useHash = (): string => useSyncExternalStore(follow, () => location.hash);

/** Goes to a place; the browser's back button leads to where we were. */
export function go(path: readonly string[], query?: URLSearchParams): void {
  location.hash = addressOf(path, query);
}

/** Changes the address without a step in the history: while a filter is being typed. */
export function replace(path: readonly string[], query?: URLSearchParams): void {
  history.replaceState(history.state, "", addressOf(path, query));
  dispatchEvent(new Event(MOVED));
}
