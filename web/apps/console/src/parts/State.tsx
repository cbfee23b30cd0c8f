import { IconCheck, IconClock, IconCross, IconLook, IconUndo } from "@huika/ui";
import type { Payment } from "../api/console.ts";
import { stateWord } from "../words/terms.ts";
import { useWords } from "../words/use.ts";

export type Tone = "go" | "look" | "fail" | "plain";

const tones: Record<Payment["state"], Tone> = {
  admitted: "look", approved: "go", declined: "plain", reversing: "look", reversed: "plain",
  tombstone: "plain", undone: "plain", used: "go", forwarding: "look", abandoned: "fail",
};

const icons = { admitted: IconClock, approved: IconCheck, declined: IconCross, reversing: IconClock, reversed: IconUndo, tombstone: IconUndo, undone: IconUndo, used: IconCheck, forwarding: IconClock, abandoned: IconLook };

/** A payment's state: icon, word and colour. */
export function State({ state }: { state: Payment["state"] }) {
  const { language } = useWords();
  const Icon = icons[state];
  return <span className="state" data-tone={tones[state]}><Icon size={16} /> {stateWord(language, state)}</span>;
}

/** A word of a state that is not a payment's. */
export function Mark({ tone, children }: { tone: Tone; children: string }) {
  const Icon = tone === "go" ? IconCheck : tone === "fail" ? IconCross : tone === "look" ? IconClock : IconCross;
  return <span className="state" data-tone={tone}>{tone !== "plain" && <Icon size={16} />} {children}</span>;
}
