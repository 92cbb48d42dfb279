// What a person is asked while a transfer runs.

import { useState } from "preact/hooks";
import type { Proposal, Transfer } from "./api";
import { size } from "./format";
import { act } from "./model";
import { Check, Field } from "./parts";
import { text } from "./text.en";

export function Question({ of: t }: { of: Transfer }) {
  if (!t.ask) return null;
  const number = t.ask.number;
  const answer = (body: object) => void act(t, "answer", { number, accept: false, existing: "", all: false, token: "", ...body });
  switch (t.ask.kind) {
    case "accept":
      return t.ask.proposal && <Accept proposal={t.ask.proposal} folder={t.folder} answer={answer} />;
    case "conflict":
      return <Conflict path={t.ask.path} answer={answer} />;
    default:
      return <TheirToken answer={answer} />;
  }
}

interface Answering {
  answer: (body: object) => void;
}

function Accept({ proposal: p, folder, answer }: { proposal: Proposal; folder: string } & Answering) {
  const short = p.room > 0 && p.room < p.bytes;
  return (
    <section class="card ask" aria-labelledby="ask-title" data-test="ask" data-kind="accept">
      <h2 id="ask-title">{text.acceptTitle}</h2>
      <p class="what">{p.stream ? text.acceptStream : text.acceptWhat(p.files, size(p.bytes), p.counted)}</p>
      <ul class="names">
        {p.names.map((n) => (
          <li key={n} data-test="ask-name">
            <bdi>{n}</bdi>
          </li>
        ))}
        {p.items > p.names.length && <li class="more">{text.more(p.items - p.names.length)}</li>}
      </ul>
      <p class="hint">
        {text.into} <bdi>{folder}</bdi>
        {p.room > 0 && <span class={short ? "bad" : ""}> · {short ? text.roomShort(size(p.room)) : text.room(size(p.room))}</span>}
      </p>
      <div class="buttons">
        <button type="button" class="primary" data-test="accept" onClick={() => answer({ accept: true })}>
          {text.accept}
        </button>
        <button type="button" data-test="refuse" onClick={() => answer({ accept: false })}>
          {text.refuse}
        </button>
      </div>
    </section>
  );
}

function Conflict({ path, answer }: { path: string } & Answering) {
  const [all, setAll] = useState(false);
  const button = (existing: string, label: string, style = "") => (
    <button type="button" class={style} data-test={`conflict-${existing}`} onClick={() => answer({ existing, all })}>
      {label}
    </button>
  );
  return (
    <section class="card ask" aria-labelledby="ask-title" data-test="ask" data-kind="conflict">
      <h2 id="ask-title">{text.conflictTitle}</h2>
      <p class="path">
        <bdi>{path}</bdi>
      </p>
      <Check label={text.forAll} on={all} set={setAll} test="conflict-all" />
      <div class="buttons">
        {button("rename", text.rename, "primary")}
        {button("overwrite", text.overwrite)}
        {button("skip", text.skip)}
        {button("fail", text.endIt, "danger")}
      </div>
    </section>
  );
}

function TheirToken({ answer }: Answering) {
  const [token, setToken] = useState("");
  return (
    <section class="card ask" aria-labelledby="ask-title" data-test="ask" data-kind="token">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          answer({ token });
        }}
      >
        <Field label={text.theirToken}>
          {(id) => <textarea id={id} rows={6} class="mono" value={token} data-test="token-theirs" onInput={(e) => setToken(e.currentTarget.value)} />}
        </Field>
        <button type="submit" class="primary" disabled={!token.trim()} data-test="token-send">
          {text.tokenSend}
        </button>
      </form>
    </section>
  );
}
