/** One stretch of a tone: frequency in Hz, from and to in milliseconds. */
export interface Stretch {
  hertz: number;
  from: number;
  to: number;
}

export type Tone = "success" | "alert";

/**
 * The reader's tones after EMVCo's habits (public description of Book A 9.3):
 * success about 1500 Hz for half a second, alert about 750 Hz twice 200 ms
 * with 200 ms between.
 */
export const tones: Record<Tone, readonly Stretch[]> = {
  success: [{ hertz: 1500, from: 0, to: 500 }],
  alert: [
    { hertz: 750, from: 0, to: 200 },
    { hertz: 750, from: 400, to: 600 },
  ],
};

const LOUDNESS = 0.25;
const EDGE_S = 0.008; // a ramp at both ends, so that the tone does not click

let context: AudioContext | undefined;

/** Browsers allow sound only after a touch: call this from one. */
export function unlockSound(): void {
  context ??= new AudioContext();
  // Refused until the next touch, which asks again.
  if (context.state === "suspended") context.resume().catch(() => {});
}

/** Plays a tone now. Without a touch before, it stays silent: words and lights say the same. */
export function play(tone: Tone): void {
  if (context?.state !== "running") return;
  const start = context.currentTime;
  for (const s of tones[tone]) {
    const osc = context.createOscillator();
    const gain = context.createGain();
    const from = start + s.from / 1000;
    const to = start + s.to / 1000;
    osc.frequency.value = s.hertz;
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(LOUDNESS, from + EDGE_S);
    gain.gain.setValueAtTime(LOUDNESS, to - EDGE_S);
    gain.gain.linearRampToValueAtTime(0, to);
    osc.connect(gain).connect(context.destination);
    osc.start(from);
    osc.stop(to);
  }
}
