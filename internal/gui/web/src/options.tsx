// What can be said about a send or a receive beside what and where.

import type { NewTransfer } from "./api";
import { state } from "./model";
import { Check, Field, TextField } from "./parts";
import { text } from "./text.en";

export type Options = Pick<NewTransfer, "helper" | "phrase" | "limit" | "background" | "archive" | "queue" | "receivers" | "gitignore" | "existing"> & { exclude: string };

export const noOptions: Options = {
  helper: "",
  phrase: "",
  limit: "",
  background: false,
  archive: false,
  queue: false,
  receivers: 1,
  gitignore: false,
  existing: "",
  exclude: "",
};

// order is the request that options and the rest make.
export function order(kind: "send" | "receive", o: Options, rest: Partial<NewTransfer>): NewTransfer {
  return {
    kind,
    paths: [],
    text: "",
    drop: null,
    receivers: o.receivers === 0 ? -1 : o.receivers,
    name: "",
    exclude: o.exclude.split(/\s+/).filter((s) => s !== ""),
    gitignore: o.gitignore,
    code: "",
    folder: "",
    existing: o.existing,
    helper: o.helper.trim(),
    phrase: o.phrase,
    stun: [],
    limit: o.limit.trim(),
    background: o.background,
    archive: o.archive,
    queue: o.queue,
    ...rest,
  };
}

export function OptionsPanel(p: { kind: "send" | "receive"; value: Options; set: (o: Options) => void }) {
  const { value: o, set } = p;
  const change = (part: Partial<Options>) => set({ ...o, ...part });
  return (
    <details class="options" data-test={`${p.kind}-options`}>
      <summary>{text.options}</summary>
      <div class="grid">
        <TextField label={text.helper} hint={text.helperHint(state.value?.helper ?? "")} value={o.helper} set={(helper) => change({ helper })} test={`${p.kind}-helper`} />
        <TextField label={text.ownPhrase} hint={text.phraseHint} value={o.phrase} set={(phrase) => change({ phrase })} test={`${p.kind}-phrase`} secret />
        <TextField label={text.limit} hint={text.limitHint} value={o.limit} set={(limit) => change({ limit })} test={`${p.kind}-limit`} />
        {p.kind === "send" ? <SendOptions o={o} change={change} /> : <ReceiveOptions o={o} change={change} />}
        <Check label={text.background} on={o.background} set={(background) => change({ background })} test={`${p.kind}-background`} />
        <Check label={text.archive} on={o.archive} set={(archive) => change({ archive })} test={`${p.kind}-archive`} />
        <Check label={text.queue} on={o.queue} set={(queue) => change({ queue })} test={`${p.kind}-queue`} />
      </div>
    </details>
  );
}

interface Part {
  o: Options;
  change: (part: Partial<Options>) => void;
}

function SendOptions({ o, change }: Part) {
  return (
    <>
      <Field label={text.receivers} hint={text.receiversHint}>
        {(id, hint) => (
          <input id={id} type="number" min={0} max={1000} value={o.receivers} aria-describedby={hint} data-test="send-receivers" onInput={(e) => change({ receivers: e.currentTarget.valueAsNumber || 0 })} />
        )}
      </Field>
      <TextField label={text.exclude} hint={text.excludeHint} value={o.exclude} set={(exclude) => change({ exclude })} test="send-exclude" />
      <Check label={text.gitignore} on={o.gitignore} set={(gitignore) => change({ gitignore })} test="send-gitignore" />
    </>
  );
}

function ReceiveOptions({ o, change }: Part) {
  return (
    <Field label={text.existing}>
      {(id) => (
        <select id={id} value={o.existing || "ask"} data-test="receive-existing" onChange={(e) => change({ existing: e.currentTarget.value })}>
          {Object.entries(text.existingChoices).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
