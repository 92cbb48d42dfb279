// Files that were dropped on the page: the program asks for their bytes, part by
// part, so nothing is copied, and what is interrupted can go on.

import { signal } from "@preact/signals";
import type { DroppedFile, Failure, Problem, Read } from "./api";
import { text } from "./text.en";

export interface Dropped {
  id: string;
  files: File[]; // a stand-in for each folder that is empty
  list: DroppedFile[];
  lost: Failure[]; // what cannot be read, and so is left out
}

// mostDropped is how many files and folders the program takes, and dropLimit how
// many bytes of a request that lists them.
const mostDropped = 200_000;
const dropLimit = 32 << 20;

const tooMuch = (): Problem => ({ kind: "", what: text.dropTooMany(mostDropped, dropLimit >> 20), advice: text.dropTooManyAdvice });

// checkSize throws if the program would not take a request that lists a drop. It
// would not even read it, so its answer might not get here.
export function checkSize(request: unknown): void {
  if (new Blob([JSON.stringify(request)]).size > dropLimit) throw new Unread(tooMuch());
}

// held are drops that a transfer may still read; its number is not known before
// the program has answered.
const held = new Map<string, { files: File[]; transfer: number | null }>();
export const holding = signal(0);

// hold has the files of a drop ready for the program.
export function hold(d: Dropped): void {
  held.set(d.id, { files: d.files, transfer: null });
  holding.value = held.size;
}

// bind says which transfer reads a drop; null: none came of it.
export function bind(d: Dropped, transfer: number | null): void {
  if (transfer === null) held.delete(d.id);
  else held.set(d.id, { files: d.files, transfer });
  holding.value = held.size;
}

// release forgets drops whose transfers are over.
export function release(running: Set<number>): void {
  for (const [id, { transfer }] of held) {
    if (transfer !== null && !running.has(transfer)) held.delete(id);
  }
  holding.value = held.size;
}

// Unread is why a file cannot be read.
export class Unread extends Error {
  constructor(readonly problem: Problem) {
    super(problem.what);
  }
}

export async function readDropped(r: Read): Promise<Blob> {
  const files = held.get(r.drop)?.files;
  if (!files) throw new Unread({ kind: "", what: text.dropForgotten, advice: text.dropAgain });
  const parts = r.parts.map((p) => files[p.file]?.slice(p.offset, p.offset + p.length) ?? new Blob());
  try {
    return new Blob([await new Blob(parts).arrayBuffer()]); // read here, so that an error is ours
  } catch (e) {
    throw new Unread({ kind: "", what: reason(e, text.dropChanged), advice: text.dropAgain });
  }
}

// reason says why the browser does not read something; other is for what it does
// not say more of.
const reason = (e: unknown, other: string): string => (e instanceof DOMException && e.name === "NotFoundError" ? text.dropGone : other);

const empty = (): Dropped => ({ id: crypto.randomUUID(), files: [], list: [], lost: [] });

// fromInput is what a person chose in the browser's own dialog.
export function fromInput(files: Iterable<File>): Dropped {
  const d = empty();
  for (const f of files) add(d, f.webkitRelativePath || f.name, f);
  return d;
}

function add(d: Dropped, path: string, f: File): void {
  d.files.push(f);
  d.list.push({ path, size: f.size, modified: f.lastModified });
}

export const top = (path: string): string => path.split("/", 1)[0] ?? path;

// join adds a drop to another. What has the name of something there takes its
// place.
export function join(to: Dropped | null, d: Dropped): Dropped {
  const names = new Set([...d.list, ...d.lost].map((f) => top(f.path)));
  const all = empty();
  to?.list.forEach((f, i) => {
    const file = to.files[i];
    if (!file || names.has(top(f.path))) return;
    all.files.push(file);
    all.list.push(f);
  });
  for (let i = 0; i < d.list.length; i++) {
    all.files.push(d.files[i] as File);
    all.list.push(d.list[i] as DroppedFile);
  }
  all.lost = [...(to?.lost ?? []).filter((f) => !names.has(top(f.path))), ...d.lost];
  return all;
}

export interface Walking {
  signal: AbortSignal; // ends it
  told: (files: number) => void; // hears now and then how many there are so far
}

const toldEvery = 100; // milliseconds

// fromDrop walks what was dropped, folders too. What cannot be read does not keep
// the rest from being sent.
export async function fromDrop(data: DataTransfer, walking: Walking): Promise<Dropped> {
  const d = empty();
  // Entries are to be taken at once: the data is gone when the event is over.
  const entries = [...data.items].map((i) => i.webkitGetAsEntry()).filter((e) => e !== null);
  if (entries.length === 0) {
    for (const f of data.files) add(d, f.name, f);
    return d;
  }
  let last = 0;
  const told = (n: number) => {
    if (performance.now() - last < toldEvery) return;
    last = performance.now();
    walking.told(n);
  };
  for (const e of entries) await walk(d, e, "", { signal: walking.signal, told });
  return d;
}

// walk asks for one thing after the other: answers that come in crowds hold the
// page up.
async function walk(d: Dropped, e: FileSystemEntry, above: string, walking: Walking): Promise<void> {
  walking.signal.throwIfAborted();
  walking.told(d.list.length);
  if (d.list.length > mostDropped) throw new Unread(tooMuch());
  const path = above + e.name;
  try {
    if (e.name === "") d.lost.push({ path: above + "?", why: text.dropNameless }); // what cannot be written as text has become none
    else if (e.isFile) add(d, path, await new Promise<File>((ok, no) => (e as FileSystemFileEntry).file(ok, no)));
    else await walkFolder(d, e as FileSystemDirectoryEntry, path, walking);
  } catch (x) {
    if (walking.signal.aborted || !(x instanceof DOMException)) throw x;
    d.lost.push({ path: e.isFile ? path : path + "/", why: reason(x, text.dropUnreadable) });
  }
}

async function walkFolder(d: Dropped, e: FileSystemDirectoryEntry, path: string, walking: Walking): Promise<void> {
  const reader = e.createReader();
  for (let none = true; ; none = false) {
    const some = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no)); // tells part of them at a time
    for (const s of some) await walk(d, s, path + "/", walking);
    if (some.length > 0) continue;
    if (none) {
      d.files.push(new File([], e.name));
      d.list.push({ path: path + "/", size: 0, modified: 0 });
    }
    return;
  }
}

addEventListener("beforeunload", (e) => {
  if (holding.value > 0) e.preventDefault();
});
