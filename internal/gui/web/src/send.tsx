// The card that sends.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Transfer } from "./api";
import { call, page } from "./client";
import { bind, checkSize, type Dropped, fromDrop, fromInput, hold, join, top } from "./drop";
import { FolderDialog } from "./folders";
import { size } from "./format";
import { attempt, open, state } from "./model";
import { noOptions, OptionsPanel, order } from "./options";
import { Field } from "./parts";
import { text } from "./text.en";

// mostLost is how many names of what is left out are shown.
const mostLost = 5;

const base = (path: string): string => path.split(/[/\\]/).filter(Boolean).pop() ?? path;

export function SendCard() {
  const [paths, setPaths] = useState<string[]>([]);
  const [drop, setDrop] = useState<Dropped | null>(null);
  const [words, setWords] = useState<string | null>(null);
  const [options, setOptions] = useState(noOptions);
  const [choosing, setChoosing] = useState(false);
  const [over, setOver] = useState(false);
  const [reading, setReading] = useState<number | null>(null); // files found so far in what was dropped
  const walk = useRef<AbortController | null>(null);
  useEffect(() => () => walk.current?.abort(), []);

  const clear = () => {
    setPaths([]);
    setDrop(null);
    setWords(null);
  };
  const take = (d: Dropped) => {
    if (d.files.length === 0 && d.lost.length === 0) return;
    setPaths([]);
    setDrop((was) => join(was, d));
  };
  const stop = () => {
    walk.current?.abort();
    walk.current = null;
    setReading(null);
  };
  const look = async (data: DataTransfer) => {
    stop();
    const mine = new AbortController();
    walk.current = mine;
    setReading(0);
    const walking = { signal: mine.signal, told: (n: number) => !mine.signal.aborted && setReading(n) };
    const d = await attempt(() =>
      fromDrop(data, walking).catch((e: unknown) => {
        if (!mine.signal.aborted) throw e;
      }),
    );
    if (mine.signal.aborted) return;
    stop();
    if (d) take(d);
  };
  const start = async () => {
    const rest = words !== null ? { text: words } : drop ? { drop: { id: drop.id, page, files: drop.list } } : { paths };
    if (drop) hold(drop);
    const t = await attempt(async () => {
      const request = order("send", options, rest);
      if (drop) checkSize(request);
      return call<Transfer>("/api/transfers", request);
    });
    if (drop) bind(drop, t ? t.id : null);
    if (!t) return;
    clear();
    open(t);
  };
  const nothing = reading !== null || (paths.length === 0 && !drop?.list.length && !words?.trim());

  return (
    <section class="card" aria-labelledby="send-title">
      <h2 id="send-title">{text.send}</h2>
      <p class="lead">{text.sendLead}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void start();
        }}
      >
        {words !== null ? (
          <Field label={text.textLabel}>
            {(id) => <textarea id={id} rows={5} maxLength={48 << 10} value={words} data-test="send-text-area" onInput={(e) => setWords(e.currentTarget.value)} />}
          </Field>
        ) : (
          <div
            class={over ? "drop over" : "drop"}
            data-test="send-drop"
            onDragOver={(e) => {
              e.preventDefault();
              setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={(e) => {
              e.preventDefault();
              setOver(false);
              if (!e.dataTransfer) return;
              void look(e.dataTransfer);
            }}
          >
            <p aria-live="polite">{reading !== null ? text.reading : over ? text.dropNow : text.drop}</p>
            {reading !== null && (
              <p class="reading">
                <span data-test="send-reading">{text.readSoFar(reading)}</span>{" "}
                <button type="button" class="quiet" data-test="send-reading-stop" onClick={stop}>
                  {text.readStop}
                </button>
              </p>
            )}
            <div class="buttons">
              <button type="button" data-test="send-choose" onClick={() => setChoosing(true)}>
                {text.choose}
              </button>
              <BrowserFiles take={(files) => take(fromInput(files))} />
            </div>
          </div>
        )}
        <Selection paths={paths} drop={drop} setPaths={setPaths} clear={clear} />
        <div class="buttons">
          <button type="button" class="quiet" data-test="send-text" onClick={() => (words === null ? (clear(), setWords("")) : setWords(null))}>
            {words === null ? text.writeText : text.textCancel}
          </button>
        </div>
        <OptionsPanel kind="send" value={options} set={setOptions} />
        <button type="submit" class="primary wide" disabled={nothing} data-test="send-start">
          {text.sendStart}
        </button>
      </form>
      {choosing && (
        <FolderDialog
          title={text.chooseTitle}
          begin={state.value?.places[0]?.path ?? ""}
          folder={false}
          cancel={() => setChoosing(false)}
          done={(more) => {
            setChoosing(false);
            setDrop(null);
            setWords(null);
            setPaths([...new Set([...paths, ...more])]);
          }}
        />
      )}
    </section>
  );
}

// BrowserFiles is the browser's own dialog.
function BrowserFiles({ take }: { take: (files: FileList) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class="quiet" data-test="send-browser" onClick={() => input.current?.click()}>
        {text.browserFiles}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={text.browserFiles}
        data-test="send-input"
        onChange={(e) => {
          if (e.currentTarget.files?.length) take(e.currentTarget.files);
          e.currentTarget.value = "";
        }}
      />
    </>
  );
}

function Selection(p: { paths: string[]; drop: Dropped | null; setPaths: (paths: string[]) => void; clear: () => void }) {
  if (p.drop) return <DroppedSelection drop={p.drop} clear={p.clear} />;
  if (p.paths.length === 0) return null;
  return (
    <div class="selection" data-test="send-selection">
      <ul aria-label={text.selection}>
        {p.paths.map((path) => (
          <li key={path} title={path}>
            <bdi>{base(path)}</bdi>
            <Remove name={base(path)} remove={() => p.setPaths(p.paths.filter((o) => o !== path))} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function DroppedSelection({ drop, clear }: { drop: Dropped; clear: () => void }) {
  const sum = useMemo(() => {
    const files = drop.list.filter((f) => !f.path.endsWith("/"));
    return { files: files.length, bytes: files.reduce((n, f) => n + f.size, 0), tops: [...new Set(drop.list.map((f) => top(f.path)))] };
  }, [drop]);
  return (
    <>
      {drop.list.length > 0 && (
        <div class="selection" data-test="send-selection">
          <ul aria-label={text.selection}>
            <li>
              <bdi>{sum.tops.slice(0, 3).join(", ") + (sum.tops.length > 3 ? ` … ` : "")}</bdi>
              <span class="about">{`${text.files(sum.files)}, ${size(sum.bytes)}`}</span>
              <Remove name={sum.tops[0] ?? ""} remove={clear} />
            </li>
          </ul>
          <p class="hint">{text.droppedNote}</p>
        </div>
      )}
      {drop.lost.length > 0 && (
        <div class="warn" role="alert" data-test="send-lost">
          <p>{text.lost(drop.lost.length)}</p>
          <ul class="paths">
            {drop.lost.slice(0, mostLost).map((f, i) => (
              <li key={i}>
                <bdi>{f.path}</bdi>: {f.why}
              </li>
            ))}
            {drop.lost.length > mostLost && <li>{text.more(drop.lost.length - mostLost)}</li>}
          </ul>
          <p>{text.lostAdvice}</p>
        </div>
      )}
    </>
  );
}

function Remove(p: { name: string; remove: () => void }) {
  return (
    <button type="button" class="icon" aria-label={text.removeItem(p.name)} data-test="send-remove" onClick={p.remove}>
      ×
    </button>
  );
}
