// The card that sends.

import { useRef, useState } from "preact/hooks";
import type { Transfer } from "./api";
import { call, page } from "./client";
import { type Dropped, fromDrop, fromInput, keep } from "./drop";
import { FolderDialog } from "./folders";
import { size } from "./format";
import { attempt, open, state } from "./model";
import { noOptions, OptionsPanel, order } from "./options";
import { Field } from "./parts";
import { text } from "./text.en";

const base = (path: string): string => path.split(/[/\\]/).filter(Boolean).pop() ?? path;

export function SendCard() {
  const [paths, setPaths] = useState<string[]>([]);
  const [drop, setDrop] = useState<Dropped | null>(null);
  const [words, setWords] = useState<string | null>(null);
  const [options, setOptions] = useState(noOptions);
  const [choosing, setChoosing] = useState(false);
  const [over, setOver] = useState(false);
  const [reading, setReading] = useState(false);

  const clear = () => {
    setPaths([]);
    setDrop(null);
    setWords(null);
  };
  const take = (d: Dropped) => {
    if (d.files.length === 0) return;
    clear();
    setDrop(d);
  };
  const start = async () => {
    const rest = words !== null ? { text: words } : drop ? { drop: { id: drop.id, page, files: drop.list } } : { paths };
    if (drop) keep(drop);
    const t = await attempt(() => call<Transfer>("/api/transfers", order("send", options, rest)));
    if (!t) return;
    clear();
    open(t);
  };
  const nothing = paths.length === 0 && !drop && !words?.trim();

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
              setReading(true);
              void fromDrop(e.dataTransfer).then(take).finally(() => setReading(false));
            }}
          >
            <p aria-live="polite">{reading ? text.reading : over ? text.dropNow : text.drop}</p>
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
  if (p.drop) {
    const bytes = p.drop.list.reduce((sum, f) => sum + f.size, 0);
    const tops = [...new Set(p.drop.list.map((f) => f.path.split("/")[0] ?? f.path))];
    return (
      <div class="selection" data-test="send-selection">
        <ul aria-label={text.selection}>
          <li>
            <bdi>{tops.slice(0, 3).join(", ") + (tops.length > 3 ? ` … ` : "")}</bdi>
            <span class="about">{`${text.files(p.drop.list.length)}, ${size(bytes)}`}</span>
            <Remove name={tops[0] ?? ""} remove={p.clear} />
          </li>
        </ul>
        <p class="hint">{text.droppedNote}</p>
      </div>
    );
  }
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

function Remove(p: { name: string; remove: () => void }) {
  return (
    <button type="button" class="icon" aria-label={text.removeItem(p.name)} data-test="send-remove" onClick={p.remove}>
      ×
    </button>
  );
}
