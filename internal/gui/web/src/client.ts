// How the page talks to the program: docs of the package say who is let in.

import type { Message, Problem } from "./api";

const place = "qft-token";
let token = localStorage.getItem(place) ?? "";

// page names this page for the program, which asks it for bytes of dropped files.
export const page = crypto.randomUUID();

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.what);
  }
}

// enter shows the key of the page's address, if it has one. The key works once,
// so it goes from the address at once.
export async function enter(): Promise<void> {
  const key = /^#([A-Z2-7]{20,})$/.exec(location.hash)?.[1];
  if (!key) return;
  history.replaceState(null, "", "/");
  try {
    const got = await call<{ token: string }>("/api/login", { key });
    token = got.token;
    localStorage.setItem(place, token);
  } catch (e) {
    if (!token) throw e; // else another page of this browser has been let in before
  }
}

// call asks the program; with a body, it has it do something.
export async function call<T>(path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { "Qft-Token": token };
  const init: RequestInit = { headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    init.method = "POST";
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const r = await fetch(path, init);
  if (r.ok) return (await r.json()) as T;
  throw new Refused(r.status, await problemOf(r));
}

async function problemOf(r: Response): Promise<Problem> {
  try {
    const p = (await r.json()) as Partial<Problem>;
    return { kind: p.kind ?? "", what: p.what ?? r.statusText, advice: p.advice ?? "" };
  } catch {
    return { kind: "", what: r.statusText, advice: "" };
  }
}

// answerRead sends bytes that the program has asked for, or why there are none.
export async function answerRead(id: number, answer: Blob | Problem): Promise<void> {
  const bytes = answer instanceof Blob ? answer : null;
  const problem = answer instanceof Blob ? "" : `?${new URLSearchParams({ error: answer.what, advice: answer.advice })}`;
  await fetch(`/api/reads/${id}${problem}`, {
    method: "POST",
    headers: { "Qft-Token": token, "Content-Type": "application/octet-stream" },
    body: bytes ?? new Blob([]),
    credentials: "same-origin",
  });
}

// listen yields what happens until the program or the connection ends.
export async function* listen(): AsyncGenerator<Message> {
  const r = await fetch(`/api/events?page=${page}`, { headers: { "Qft-Token": token }, credentials: "same-origin", cache: "no-store" });
  if (!r.ok || !r.body) throw new Refused(r.status, await problemOf(r));
  const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const event = rest.slice(0, end);
      rest = rest.slice(end + 2);
      if (event.startsWith("data: ")) yield JSON.parse(event.slice(6)) as Message;
    }
  }
}
