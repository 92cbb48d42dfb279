// Small pieces that several views use.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Problem } from "./api";
import { text } from "./text.en";

// ProblemBox says what went wrong and what to do.
export function ProblemBox({ of }: { of: Problem | null }) {
  if (!of) return null;
  return (
    <div class="problem" role="alert" data-test="problem">
      <strong>{sentence(of.what)}</strong>
      {of.advice && <p data-test="advice">{sentence(of.advice)}</p>}
    </div>
  );
}

// sentence begins with a capital letter: errors of programs do not.
export const sentence = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1);

export function Field(props: { label: string; hint?: string; children: (id: string, hint: string | undefined) => ComponentChildren }) {
  const id = useId();
  const hint = props.hint ? `${id}-hint` : undefined;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.children(id, hint)}
      {props.hint && (
        <p class="hint" id={hint}>
          {props.hint}
        </p>
      )}
    </div>
  );
}

export function TextField(props: {
  label: string;
  hint?: string;
  value: string;
  set: (v: string) => void;
  test?: string;
  secret?: boolean;
  placeholder?: string;
}) {
  return (
    <Field label={props.label} {...(props.hint ? { hint: props.hint } : {})}>
      {(id, hint) => (
        <input
          id={id}
          type={(props.secret ? "password" : "text") as "text"}
          value={props.value}
          placeholder={props.placeholder}
          aria-describedby={hint}
          autocomplete="off"
          spellcheck={false}
          data-test={props.test}
          onInput={(e) => props.set(e.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function Check(props: { label: string; on: boolean; set: (on: boolean) => void; test?: string; disabled?: boolean }) {
  return (
    <label class="check">
      <input type="checkbox" checked={props.on} disabled={props.disabled} data-test={props.test} onChange={(e) => props.set(e.currentTarget.checked)} />
      <span>{props.label}</span>
    </label>
  );
}

// CopyButton copies, and says so for a moment.
export function CopyButton(props: { label: string; what: string; test?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(props.what);
    } catch {
      copyOldWay(props.what);
    }
    setDone(true);
  };
  return (
    <button type="button" data-test={props.test ?? "copy"} onClick={() => void copy()}>
      <span aria-live="polite">{done ? text.copied : props.label}</span>
    </button>
  );
}

// copyOldWay is for browsers that do not let a page write to the clipboard.
function copyOldWay(what: string): void {
  const area = document.createElement("textarea");
  area.value = what;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

// Modal is a dialog over the page: the browser keeps the focus in it, and it goes
// back to where it was.
export function Modal(props: { title: string; close: () => void; children: ComponentChildren; test?: string; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const d = ref.current;
    const before = document.activeElement;
    d?.showModal();
    return () => {
      d?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.wide ? "wide" : ""}
      aria-labelledby={id}
      data-test={props.test}
      onCancel={(e) => {
        e.preventDefault();
        props.close();
      }}
    >
      <h2 id={id}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

// Sure asks before something that cannot be taken back.
export function Sure(props: { what: string; yes: string; no: string; done: (yes: boolean) => void }) {
  return (
    <Modal title={props.what} close={() => props.done(false)} test="sure">
      <div class="buttons end">
        <button type="button" class="quiet" data-test="sure-no" onClick={() => props.done(false)}>
          {props.no}
        </button>
        <button type="button" class="danger" data-test="sure-yes" onClick={() => props.done(true)}>
          {props.yes}
        </button>
      </div>
    </Modal>
  );
}

export function Bar(props: { share: number; name: string; session?: number; label?: string; quiet?: boolean }) {
  const style = { width: `${props.share}%` };
  return (
    <div
      class={props.quiet ? "bar quiet" : "bar"}
      role="progressbar"
      aria-label={text.progressOf(props.name)}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={props.share}
      data-test="bar"
      data-session={props.session ?? 0}
    >
      <div class="fill" style={style} />
      {props.label && <span class="bar-label">{props.label}</span>}
    </div>
  );
}

export function Fact(props: { name: string; value: string; test?: string }) {
  return (
    <div class="fact">
      <dt>{props.name}</dt>
      <dd data-test={props.test}>{props.value || text.unknown}</dd>
    </div>
  );
}

// QR is the code as a picture, drawn by the program.
export function QR({ of, svg }: { of: string; svg: string }) {
  return <img class="qr" src={`data:image/svg+xml,${encodeURIComponent(svg)}`} alt={text.qr(of)} data-test="qr" />;
}
