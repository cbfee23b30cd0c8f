import { useEffect, useRef, useState, type KeyboardEvent, type MouseEvent, type ReactNode, type RefObject } from "react";

/** One column of a table. */
export interface Column<T> {
  name: string;
  head: string;
  cell: (row: T) => ReactNode;
  end?: boolean; // figures: flush right
  lead?: boolean; // the cell that is the row's link, large on a small screen
}

interface Rows<T> {
  label: string;
  columns: Column<T>[];
  rows: readonly T[];
  id: (row: T) => string;
  /** The address that a row opens. */
  open?: (row: T) => string;
  /** The row that was looked at last has the focus when the list comes back. */
  last?: string | null;
  onMark?: (id: string) => void;
  children?: ReactNode; // under the rows: the way to more
}

/**
 * Rows under a head that stays. Arrow keys, Home and End move from row to row,
 * Enter opens; on a small screen each row is a card with its columns' names.
 */
export function Table<T>({ label, columns, rows, id, open, last = null, onMark, children }: Rows<T>) {
  const place = useRef<HTMLDivElement>(null);
  const wide = useWide(place);
  const body = useRef<HTMLTableSectionElement>(null);
  const came = useRef(last);
  useEffect(() => {
    if (came.current === null) return;
    const link = body.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(came.current)}"] a`);
    if (!link) return;
    came.current = null;
    link.focus({ preventScroll: true });
    link.scrollIntoView({ block: "nearest" });
  }, [rows]);

  const move = (e: KeyboardEvent) => {
    const links = [...(body.current?.querySelectorAll<HTMLElement>("tr > .lead-cell a") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[e.key];
    if (to === undefined || at < 0) return;
    e.preventDefault();
    links[Math.max(0, Math.min(to, links.length - 1))]?.focus();
  };
  const click = (e: MouseEvent, row: T) => {
    // A click on a link, a selection of text, or with a key held is the browser's.
    if (!open || e.defaultPrevented || e.ctrlKey || e.metaKey || e.shiftKey || (e.target as HTMLElement).closest("a, button") || getSelection()?.toString()) return;
    onMark?.(id(row));
    location.hash = open(row);
  };
  return (
    <div className="table" ref={place} data-wide={wide}>
      <table aria-label={label}>
        <thead>
          <tr>{columns.map((c) => <th key={c.name} scope="col" className={c.end ? "end" : undefined}>{c.head}</th>)}</tr>
        </thead>
        <tbody ref={body} onKeyDown={move}>
          {rows.map((row) => (
            <tr key={id(row)} data-row={id(row)} data-open={open !== undefined} onClick={(e) => click(e, row)}>
              {columns.map((c) => {
                const inner = c.cell(row);
                const empty = inner === undefined || inner === null || inner === false || inner === "";
                return (
                  <td key={c.name} data-name={c.name} data-head={c.head} data-empty={empty} className={[c.end ? "end" : "", c.lead ? "lead-cell" : ""].join(" ").trim() || undefined}>
                    {c.lead && open ? <a href={open(row)} onClick={() => onMark?.(id(row))}>{inner}</a> : inner}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {children}
    </div>
  );
}

/** Whether the table in place is wider than it: then it scrolls by itself, and its head stays all the same. */
function useWide(place: RefObject<HTMLDivElement | null>): boolean {
  const [wide, set] = useState(false);
  useEffect(() => {
    const table = place.current?.querySelector("table");
    if (!place.current || !table) return;
    const look = () => set((place.current?.clientWidth ?? 0) < table.scrollWidth);
    const seen = new ResizeObserver(look);
    seen.observe(place.current);
    seen.observe(table);
    return () => seen.disconnect();
  }, [place]);
  return wide;
}

/** Grey rows while the first page is on its way. */
export function Waiting({ rows = 8, what }: { rows?: number; what: string }) {
  return (
    <div className="waiting" role="status">
      <span className="quiet-for-eyes">{what}</span>
      {Array.from({ length: rows }, (_, i) => <div key={i} aria-hidden="true" />)}
    </div>
  );
}
