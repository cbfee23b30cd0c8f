import type { Act, Payment, Step, Story, Transfer } from "../api/console.ts";
import type { Tone } from "../parts/State.tsx";

/** One thing on the line of a story. Who did it and what it says are put in words when it is drawn. */
export interface Item {
  key: string;
  what: Step["what"] | "tap";
  at: string | null; // null: only its place in the order is known
  tone: Tone;
  who: "card" | "terminal" | "host" | "scheme" | "person";
  act?: Act;
  moved?: Transfer[];
  follow?: Payment;
  text: string; // the API's own words
}

const tones: Record<Step["what"], Tone> = {
  admitted: "plain", approved: "go", declined: "plain", reversal_owed: "look", reversed: "plain",
  booked: "go", taken_back: "look", followed: "plain", asked: "plain", ended_by_hand: "fail",
};

const doers: Record<Step["what"], Item["who"]> = {
  admitted: "terminal", approved: "scheme", declined: "scheme", reversal_owed: "host", reversed: "scheme",
  booked: "scheme", taken_back: "host", followed: "terminal", asked: "person", ended_by_hand: "person",
};

/** Whether the payment was made at the acquirer, by a person, and not at a terminal (its batch begins with A). */
export const atAcquirer = (p: Payment): boolean => p.batch.startsWith("A");

/** The line: the tap, then the API's steps in their order, each with what it holds. */
export function lineOf(s: Story): Item[] {
  const items: Item[] = [];
  if (s.trace.length) items.push({ key: "tap", what: "tap", at: null, tone: "go", who: "card", text: "" });
  const acts = [...s.acts];
  for (const [i, step] of s.steps.entries()) {
    const item: Item = { key: `${i} ${step.what}`, what: step.what, at: step.at, tone: tones[step.what], who: doers[step.what], text: step.text };
    if (step.what === "asked") {
      const act = acts.shift(); // both are oldest first
      if (act) item.act = act;
    }
    if (step.what === "booked" || step.what === "taken_back") item.moved = s.transfers.filter((t) => t.at === step.at);
    if (step.what === "followed") {
      const follow = s.follow_ups.find((f) => f.ref === step.ref);
      if (follow) item.follow = follow;
      if (follow && atAcquirer(follow)) item.who = "person";
    }
    if (step.what === "reversed" || step.what === "ended_by_hand") {
      const end = s.acts.find((a) => a.what === "end_dead_letter");
      if (end) Object.assign(item, { act: end, who: "person" });
    }
    if (step.what === "admitted" && atAcquirer(s.payment)) item.who = "person";
    if ((step.what === "declined" && !s.payment.scheme) || s.payment.kind === "settlement") item.who = "host";
    items.push(item);
  }
  return items;
}
