// How figures are written: as the commands write them.

const units = ["kB", "MB", "GB", "TB", "PB"];

// size writes bytes in powers of 1000, with three digits.
export function size(n: number): string {
  if (n < 1000) return `${Math.round(n)} B`;
  let f = n;
  let unit = "";
  for (const u of units) {
    f /= 1000;
    unit = u;
    if (f < 999.5) break;
  }
  return `${f < 9.995 ? f.toFixed(2) : f < 99.95 ? f.toFixed(1) : f.toFixed(0)} ${unit}`;
}

export const rate = (n: number): string => `${size(n)}/s`;

// clock writes a remaining time, in milliseconds.
export function clock(ms: number): string {
  const s = Math.round(ms / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = Math.floor(s / 60) % 60;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

export function span(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : clock(ms);
}

export const percent = (done: number, all: number): number => (all > 0 ? Math.min(100, Math.floor((100 * done) / all)) : 0);

export const when = (ms: number): string => (ms > 0 ? new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "");

export const time = (ms: number): string => new Date(ms).toLocaleTimeString();
