// Files that were dropped on the page: the program asks for their bytes, part by
// part, so nothing is copied, and what is interrupted can go on.

import { signal } from "@preact/signals";
import type { DroppedFile, Read } from "./api";

export interface Dropped {
  id: string;
  files: File[];
  list: DroppedFile[];
}

const drops = new Map<string, File[]>();
export const holding = signal(0); // drops that a transfer may still read

// keep has the files of a drop ready for the program.
export function keep(d: Dropped): void {
  drops.set(d.id, d.files);
  holding.value = drops.size;
}

export async function readDropped(r: Read): Promise<Blob> {
  const f = drops.get(r.drop)?.[r.file];
  if (!f) throw new Error("the page does not hold this file any more");
  const part = f.slice(r.offset, r.offset + r.length);
  return new Blob([await part.arrayBuffer()]); // read here, so that an error is ours
}

// fromInput is what a person chose in the browser's own dialog.
export function fromInput(files: Iterable<File>): Dropped {
  const d: Dropped = { id: crypto.randomUUID(), files: [], list: [] };
  for (const f of files) add(d, f.webkitRelativePath || f.name, f);
  return d;
}

function add(d: Dropped, path: string, f: File): void {
  d.files.push(f);
  d.list.push({ path, size: f.size, modified: f.lastModified });
}

// fromDrop walks what was dropped, folders too.
export async function fromDrop(data: DataTransfer): Promise<Dropped> {
  const d: Dropped = { id: crypto.randomUUID(), files: [], list: [] };
  // Entries are to be taken at once: the data is gone when the event is over.
  const entries = [...data.items].map((i) => i.webkitGetAsEntry()).filter((e) => e !== null);
  if (entries.length === 0) {
    for (const f of data.files) add(d, f.name, f);
    return d;
  }
  for (const e of entries) await walk(d, e, "");
  return d;
}

async function walk(d: Dropped, e: FileSystemEntry, above: string): Promise<void> {
  const path = above + e.name;
  if (e.isFile) {
    add(d, path, await new Promise<File>((ok, no) => (e as FileSystemFileEntry).file(ok, no)));
    return;
  }
  const reader = (e as FileSystemDirectoryEntry).createReader();
  let empty = true;
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no));
    if (some.length === 0) break;
    empty = false;
    for (const s of some) await walk(d, s, path + "/");
  }
  if (empty) {
    d.files.push(new File([], e.name));
    d.list.push({ path: path + "/", size: 0, modified: 0 });
  }
}

addEventListener("beforeunload", (e) => {
  if (holding.value > 0) e.preventDefault();
});

// release forgets drops whose transfers are over.
export function release(inUse: boolean): void {
  if (inUse || drops.size === 0) return;
  drops.clear();
  holding.value = 0;
}
