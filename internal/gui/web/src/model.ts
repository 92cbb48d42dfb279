// What the page knows: signals that the views show, fed by the program.

import { computed, signal } from "@preact/signals";
import type { Problem, State, Transfer } from "./api";
import { answerRead, call, enter, listen, Refused } from "./client";
import { readDropped, Unread } from "./drop";
import { text } from "./text.en";

// entering: the first answer is waited for. shut: this page is not let in.
// live: the program tells what happens. away: it does not answer. over: it has
// ended.
export type Contact = "entering" | "shut" | "live" | "away" | "over";

export const contact = signal<Contact>("entering");
export const state = signal<State | null>(null);
export const problem = signal<Problem | null>(null); // of what was tried last
export const spoken = signal(""); // for screen readers
export const route = signal(routeOf());

function routeOf(): string {
  return location.hash.startsWith("#/") ? location.hash.slice(1) : "/"; // else it is a key
}

const ended = new Set(["done", "failed", "stopped"]);
export const isEnded = (t: Transfer): boolean => ended.has(t.phase);
export const running = computed(() => (state.value?.transfers ?? []).filter((t) => !isEnded(t)));

const mostSamples = 600;
const sampleTime = 1000;
const sampled = new Map<string, number>();

// What is dropped beside the field for it must not replace the page.
for (const what of ["dragover", "drop"] as const) addEventListener(what, (e) => e.preventDefault());

addEventListener("hashchange", () => {
  route.value = routeOf();
  problem.value = null;
  scrollTo(0, 0);
});

// begin lets the page in and keeps it told for as long as the program lives.
export async function begin(): Promise<void> {
  try {
    await enter();
  } catch (e) {
    shut(e);
    return;
  }
  for (let pause = 500; contact.value !== "over"; pause = Math.min(pause * 2, 10_000)) {
    try {
      for await (const m of listen()) {
        pause = 500;
        if (m.bye) contact.value = "over";
        if (m.state) takeState(m.state);
        if (m.transfer) takeTransfer(m.transfer);
        if (m.read) {
          const read = m.read;
          void readDropped(read).then(
            (b) => answerRead(read.id, b),
            (e: unknown) => answerRead(read.id, e instanceof Unread ? e.problem : { kind: "", what: String(e), advice: "" }),
          );
        }
      }
    } catch (e) {
      if (e instanceof Refused) {
        shut(e);
        return;
      }
    }
    if (contact.value === "over") return;
    contact.value = "away";
    await new Promise((r) => setTimeout(r, pause));
  }
}

function shut(e: unknown): void {
  problem.value = e instanceof Refused && e.status !== 403 ? e.problem : null;
  contact.value = "shut";
}

// opened is what this page has begun, until the program tells of it: the answer
// to the page may be there before.
let opened: Transfer | null = null;

// open shows a transfer that has begun.
export function open(t: Transfer): void {
  const s = state.value;
  if (s && !s.transfers.some((o) => o.id === t.id)) {
    opened = t;
    state.value = { ...s, transfers: [...s.transfers, t] };
  }
  location.hash = `#/t/${t.id}`;
}

function takeState(s: State): void {
  contact.value = "live";
  if (opened && s.transfers.some((t) => t.id === opened?.id)) opened = null;
  for (const t of s.transfers) {
    const was = state.value?.transfers.find((o) => o.id === t.id);
    if (was && was.phase !== t.phase) announce(t);
  }
  state.value = opened ? { ...s, transfers: [...s.transfers, opened] } : s;
}

// takeTransfer puts a changed transfer in its place. Samples of its rates are
// kept here between whole states.
function takeTransfer(t: Transfer): void {
  const s = state.value;
  if (!s) return;
  if (opened?.id === t.id) opened = null;
  const was = s.transfers.find((o) => o.id === t.id);
  const now = Date.now();
  for (const v of t.sessions) {
    v.samples = was?.sessions.find((o) => o.number === v.number)?.samples ?? [];
    const key = `${t.id}/${v.number}`;
    if (t.phase === "moving" && !v.ended && now - (sampled.get(key) ?? 0) >= sampleTime) {
      sampled.set(key, now);
      v.samples = [...v.samples, v.rate].slice(-mostSamples);
    }
  }
  if (was?.phase !== t.phase) announce(t);
  state.value = { ...s, transfers: was ? s.transfers.map((o) => (o.id === t.id ? t : o)) : [...s.transfers, t] };
}

// announce says a change to who does not see it, and to who looks elsewhere.
function announce(t: Transfer): void {
  spoken.value = text.spoken(t);
  if (isEnded(t) && document.hidden && "Notification" in window && Notification.permission === "granted") {
    new Notification(text.spoken(t), { icon: "icon.svg" });
  }
}

// attempt does something, and shows why if it cannot be done.
export async function attempt<T>(what: () => Promise<T>): Promise<T | undefined> {
  problem.value = null;
  try {
    return await what();
  } catch (e) {
    problem.value = e instanceof Refused || e instanceof Unread ? e.problem : { kind: "", what: text.noAnswer, advice: text.noAnswerAdvice };
    return undefined;
  }
}

export const act = (t: Transfer, verb: string, body: unknown = {}): Promise<unknown> => attempt(() => call(`/api/transfers/${t.id}/${verb}`, body));
