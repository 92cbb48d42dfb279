// The dialog that lists this machine's folders: nothing is copied, and what is
// interrupted can go on.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Entry, Listing, Problem } from "./api";
import { call, Refused } from "./client";
import { size, when } from "./format";
import { state } from "./model";
import { Check, Modal, ProblemBox, TextField } from "./parts";
import { text } from "./text.en";

interface Props {
  title: string;
  begin: string;
  folder: boolean; // one folder is to be chosen; else any number of anything
  done: (paths: string[]) => void;
  cancel: () => void;
}

const join = (dir: string, name: string): string => {
  const separator = /^[A-Za-z]:/.test(dir) ? "\\" : "/"; // elsewhere \ is a character like any other
  return dir.endsWith(separator) ? dir + name : dir + separator + name;
};

export function FolderDialog(p: Props) {
  const [list, setList] = useState<Listing | null>(null);
  const [hidden, setHidden] = useState(false);
  const [chosen, setChosen] = useState<string[]>([]);
  const [trouble, setTrouble] = useState<Problem | null>(null);
  const [making, setMaking] = useState<string | null>(null);
  const [waiting, setWaiting] = useState(false);
  const asked = useRef(0); // folders so far
  const top = useRef<HTMLUListElement>(null);

  // go shows another folder. A disk may take long to answer, so who has gone
  // elsewhere meanwhile stays there.
  const go = async (path: string, showHidden = hidden) => {
    const mine = ++asked.current;
    setTrouble(null);
    setWaiting(true);
    try {
      const l = await call<Listing>(`/api/folder?path=${encodeURIComponent(path)}&hidden=${showHidden ? 1 : 0}`);
      if (mine !== asked.current) return;
      setList(l);
      top.current?.scrollTo(0, 0);
    } catch (e) {
      if (mine === asked.current && e instanceof Refused) setTrouble(e.problem);
    } finally {
      if (mine === asked.current) setWaiting(false);
    }
  };
  useEffect(() => {
    void go(p.begin || state.value?.places[0]?.path || "");
  }, []);

  const toggle = (path: string) => setChosen(chosen.includes(path) ? chosen.filter((c) => c !== path) : [...chosen, path]);
  const make = async () => {
    if (!list || !making) return;
    try {
      const made = await call<{ path: string }>("/api/folder", { path: join(list.path, making) });
      setMaking(null);
      await go(made.path);
    } catch (e) {
      if (e instanceof Refused) setTrouble(e.problem);
    }
  };
  const entries = (list?.entries ?? []).filter((e) => !p.folder || e.folder);

  return (
    <Modal title={p.title} close={p.cancel} test="dialog" wide>
      <div class="folders">
        <nav class="places" aria-label={text.places}>
          {(state.value?.places ?? []).map((place) => (
            <button type="button" class="quiet" key={place.path} data-test="dialog-place" data-path={place.path} title={place.path} onClick={() => void go(place.path)}>
              {place.name}
            </button>
          ))}
        </nav>
        <div class="listing">
          <div class="where">
            <button type="button" class="quiet" disabled={!list?.parent} data-test="dialog-up" onClick={() => list && void go(list.parent)}>
              ↑ {text.up}
            </button>
            <span class="path" data-test="dialog-path">
              <bdi>{list?.path}</bdi>
            </span>
            {waiting && (
              <span class="late hint" role="status" data-test="dialog-waiting">
                {text.entering}
              </span>
            )}
          </div>
          <ProblemBox of={trouble} />
          <ul ref={top} class="entries" aria-label={text.pathLabel} aria-busy={waiting}>
            {list && entries.length === 0 && <li class="empty">{text.empty}</li>}
            {entries.map((e) => (
              <Row key={e.name} entry={e} folder={p.folder} chosen={!!list && chosen.includes(join(list.path, e.name))} toggle={() => list && toggle(join(list.path, e.name))} enter={() => list && void go(join(list.path, e.name))} />
            ))}
            {!!list?.more && <li class="empty">{text.more(list.more)}</li>}
          </ul>
          <div class="under">
            <Check
              label={text.hidden}
              on={hidden}
              test="dialog-hidden"
              set={(on) => {
                setHidden(on);
                if (list) void go(list.path, on);
              }}
            />
            {p.folder && making === null && (
              <button type="button" class="quiet" data-test="dialog-new" onClick={() => setMaking("")}>
                {text.newFolder}
              </button>
            )}
          </div>
          {making !== null && (
            <form
              class="inline"
              onSubmit={(e) => {
                e.preventDefault();
                void make();
              }}
            >
              <TextField label={text.newFolderName} value={making} set={setMaking} test="dialog-new-name" />
              <button type="submit" disabled={!making} data-test="dialog-make">
                {text.make}
              </button>
            </form>
          )}
          {p.folder && list && !list.write && <p class="hint">{text.noWrite}</p>}
        </div>
      </div>
      <div class="buttons end">
        <button type="button" class="quiet" data-test="dialog-cancel" onClick={p.cancel}>
          {text.cancel}
        </button>
        <button
          type="button"
          class="primary"
          data-test="dialog-ok"
          disabled={p.folder ? !list?.write : chosen.length === 0}
          onClick={() => p.done(p.folder ? [list?.path ?? ""] : chosen)}
        >
          {p.folder ? text.here : text.chooseN(chosen.length)}
        </button>
      </div>
    </Modal>
  );
}

function Row(p: { entry: Entry; folder: boolean; chosen: boolean; toggle: () => void; enter: () => void }) {
  const { entry: e } = p;
  const about = e.folder ? "" : `${size(e.size)}`;
  return (
    <li class={p.chosen ? "entry chosen" : "entry"}>
      {!p.folder && <input type="checkbox" checked={p.chosen} aria-label={e.name} data-test="dialog-entry" data-name={e.name} onChange={p.toggle} />}
      {e.folder ? (
        <button type="button" class="name" data-test="dialog-enter" data-name={e.name} onClick={p.enter}>
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M1 3h5l2 2h7v9H1z" />
          </svg>{" "}
          <bdi>{e.name}</bdi>
        </button>
      ) : (
        <button type="button" class="name" tabIndex={-1} onClick={p.toggle}>
          <bdi>{e.name}</bdi>
        </button>
      )}
      <span class="about">{about}</span>
      <span class="about date">{when(e.modified)}</span>
    </li>
  );
}
