import { useEffect, useRef, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useWords } from "../words/use.ts";

/** One line of a chart. */
export interface Series {
  label: string;
  ink: "go" | "look" | "line-strong"; // a token
  area?: boolean;
  dash?: boolean; // told apart without colour
}

interface Props {
  question: string; // the title: what the chart answers
  now: ReactNode; // the answer in figures
  says: string; // the same as a sentence, for readers
  series: Series[];
  data: uPlot.AlignedData; // seconds, then one row for each series
  unit?: string;
  sparse?: boolean; // seconds without a value: what stands alone is drawn as a point
  theme: string; // draws again in other colours
}

const HEIGHT = 150;
const SPAN_S = 300; // as long as the server remembers

/** A chart that answers one question, said in its title. */
export function Chart({ question, now, says, series, data, unit = "", sparse = false, theme }: Props) {
  const { language } = useWords();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef(data);
  shown.current = data;
  const made = JSON.stringify(series);

  useEffect(() => {
    const el = place.current;
    if (!el) return;
    const style = getComputedStyle(document.documentElement);
    const ink = (name: string) => style.getPropertyValue(`--${name}`).trim();
    const axis: uPlot.Axis = { stroke: ink("ink-quiet"), font: `12px ${ink("font")}`, grid: { stroke: ink("line"), width: 1 }, ticks: { show: false } };
    const p = new uPlot(
      {
        width: el.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false }, padding: [8, 8, 0, 0],
        scales: { x: { time: true, range: (_u, _min, max) => [max - SPAN_S, max] }, y: { range: (_u, _min, max) => [0, Math.max(max * 1.1, 1)] } },
        axes: [
          { ...axis, grid: { show: false }, values: (_u, at) => at.map((s) => new Date(s * 1000).toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB", { hour12: false, hour: "2-digit", minute: "2-digit" })), space: 80, size: 24, incrs: [60, 120, 300] },
          { ...axis, size: 48, splits: (_u, _i, min, max) => (max < 4 ? [min, Math.floor(max)] : [min, Math.round(max / 2), Math.floor(max)]), values: (_u, at) => at.map((v) => `${v}${unit}`) },
        ],
        series: [{}, ...(JSON.parse(made) as Series[]).map((s): uPlot.Series => ({ label: s.label, stroke: ink(s.ink), width: 2, points: { show: sparse, size: 5, fill: ink(s.ink) }, ...(s.dash ? { dash: [4, 4] } : {}), ...(s.area ? { fill: ink("go-soft") } : {}) }))],
      },
      shown.current,
      el,
    );
    plot.current = p;
    const fit = new ResizeObserver(() => p.setSize({ width: el.clientWidth, height: HEIGHT }));
    fit.observe(el);
    return () => {
      fit.disconnect();
      p.destroy();
      plot.current = null;
    };
  }, [made, theme, unit, sparse, language]);

  useEffect(() => plot.current?.setData(data), [data]);

  return (
    <figure className="chart">
      <figcaption>
        <h2>{question}</h2>
        <p className="now num">{now}</p>
      </figcaption>
      {series.length > 1 && <ul className="legend">{series.map((s) => <li key={s.label} data-ink={s.ink} data-dash={s.dash === true}>{s.label}</li>)}</ul>}
      <div ref={place} role="img" aria-label={`${question} ${says}`} className="plot" />
    </figure>
  );
}
