import type { Sample } from "../api/console.ts";

/** Mean of a count over the last n samples, one digit behind the point. */
export function rate(samples: readonly Sample[], of: (s: Sample) => number, n = 10): string {
  const last = samples.slice(-n);
  if (last.length === 0) return "0";
  const mean = last.reduce((sum, s) => sum + of(s), 0) / last.length;
  return mean >= 100 ? mean.toFixed(0) : mean.toFixed(1);
}

/** Sum of a count over all samples. */
export const total = (samples: readonly Sample[], of: (s: Sample) => number): number => samples.reduce((sum, s) => sum + of(s), 0);

/** The newest sample that answered somebody: its waits are the newest known. */
export const answered = (samples: readonly Sample[]): Sample | undefined => [...samples].reverse().find((s) => s.answered > 0);

/** The moments of the samples, seconds since 1970, as a plot wants them. */
export const times = (samples: readonly Sample[]): number[] => samples.map((s) => Date.parse(s.at) / 1000);
