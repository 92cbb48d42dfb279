// The card that receives.

import { useEffect, useId, useState } from "preact/hooks";
import type { CodeCheck, Transfer } from "./api";
import { call } from "./client";
import { FolderDialog } from "./folders";
import { attempt, open, state } from "./model";
import { noOptions, OptionsPanel, order } from "./options";
import { sentence } from "./parts";
import { text } from "./text.en";

export function ReceiveCard() {
  const [code, setCode] = useState("");
  const [check, setCheck] = useState<CodeCheck | null>(null);
  const [folder, setFolder] = useState("");
  const [options, setOptions] = useState(noOptions);
  const [choosing, setChoosing] = useState(false);
  const into = folder || (state.value?.folder ?? "");

  const start = async () => {
    const t = await attempt(() => call<Transfer>("/api/transfers", order("receive", options, { code, folder: into })));
    if (!t) return;
    setCode("");
    setCheck(null);
    open(t);
  };
  return (
    <section class="card" aria-labelledby="receive-title">
      <h2 id="receive-title">{text.receive}</h2>
      <p class="lead">{text.receiveLead}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void start();
        }}
      >
        <CodeField code={code} setCode={setCode} check={check} setCheck={setCheck} />
        <div class="field">
          <span class="label" id="into">
            {text.into}
          </span>
          <div class="into">
            <span class="path" data-test="receive-folder" aria-labelledby="into">
              <bdi>{into}</bdi>
            </span>
            <button type="button" class="quiet" data-test="receive-choose" onClick={() => setChoosing(true)}>
              {text.change}
            </button>
          </div>
        </div>
        <OptionsPanel kind="receive" value={options} set={setOptions} />
        <button type="submit" class="primary wide" disabled={!(check?.code || check?.host || options.phrase)} data-test="receive-start">
          {text.receiveStart}
        </button>
      </form>
      {choosing && (
        <FolderDialog
          title={text.chooseFolder}
          begin={into}
          folder
          cancel={() => setChoosing(false)}
          done={([path]) => {
            setChoosing(false);
            setFolder(path ?? "");
          }}
        />
      )}
    </section>
  );
}

interface CodeProps {
  code: string;
  setCode: (code: string) => void;
  check: CodeCheck | null;
  setCheck: (check: CodeCheck | null) => void;
}

// CodeField is a combobox (ARIA APG) that completes the words of a code, and says
// how it was understood.
export function CodeField({ code, setCode, check, setCheck }: CodeProps) {
  const id = useId();
  const [at, setAt] = useState(-1);
  const [open, setOpen] = useState(false);
  const all = open ? (check?.complete ?? []).slice(0, 8) : [];

  useEffect(() => {
    let late = false;
    setAt(-1);
    if (!code.trim()) {
      setCheck(null);
      return;
    }
    void call<CodeCheck>("/api/code", { text: code }).then(
      (c) => late || setCheck(c),
      () => late || setCheck(null),
    );
    return () => {
      late = true;
    };
  }, [code]);

  const take = (value: string) => {
    const more = value.split("-").length < 4;
    setCode(value + (more ? "-" : ""));
    setOpen(more);
  };
  const key = (e: KeyboardEvent) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      setOpen(true);
      if (all.length > 0) setAt((at + (e.key === "ArrowDown" ? 1 : -1) + all.length) % all.length);
    } else if (e.key === "Escape") {
      setOpen(false);
    } else if (e.key === "Tab" && !e.shiftKey && all.length === 1 && all[0] !== code) {
      e.preventDefault();
      take(all[0] ?? code);
    } else if (e.key === "Enter" && at >= 0) {
      e.preventDefault();
      take(all[at] ?? code);
    }
  };
  return (
    <div class="field code-field">
      <label for={id}>{text.code}</label>
      <input
        id={id}
        class="code-input"
        role="combobox"
        aria-expanded={all.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
        aria-describedby={`${id}-said`}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        placeholder="7-acid-robot-zebra"
        value={code}
        data-test="receive-code"
        onInput={(e) => {
          setCode(e.currentTarget.value);
          setOpen(true);
        }}
        onKeyDown={key}
        onBlur={() => setOpen(false)}
      />
      <ul id={`${id}-list`} role="listbox" aria-label={text.completions} class={all.length > 0 ? "completions" : "completions none"} data-test="receive-complete">
        {all.map((c, i) => (
          <li
            key={c}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === at}
            onMouseDown={(e) => {
              e.preventDefault();
              take(c);
            }}
          >
            {c}
          </li>
        ))}
      </ul>
      <p class="hint" id={`${id}-said`} aria-live="polite">
        <Said check={check} open={all.length > 0} />
      </p>
    </div>
  );
}

function Said({ check, open }: { check: CodeCheck | null; open: boolean }) {
  if (!check) return <>{text.codeHint}</>;
  if (check.repaired.length > 0) return <span data-test="receive-repaired">{text.repaired(`${check.code} (${check.repaired.join(", ")})`)}</span>;
  if (check.code) return <span class="good">✓ {check.code + (check.host ? ` @ ${check.host}` : "")}</span>;
  if (open) return <>{text.codeHint}</>;
  return <span data-test="receive-problem">{sentence(check.problem)}</span>;
}
