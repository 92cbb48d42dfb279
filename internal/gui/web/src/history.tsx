// What was interrupted, and what has been.

import { useState } from "preact/hooks";
import type { Past, Transfer, Unfinished } from "./api";
import { call } from "./client";
import { clock, percent, size, when } from "./format";
import { attempt, open, state } from "./model";
import { Bar, Sure, TextField } from "./parts";
import { text } from "./text.en";

export function History() {
  const s = state.value;
  if (!s) return null;
  return (
    <>
      <h1>{text.history}</h1>
      <section class="card" aria-labelledby="interrupted-title">
        <h2 id="interrupted-title">{text.interrupted}</h2>
        <p class="lead">{s.unfinished.length > 0 ? text.interruptedLead : text.noneInterrupted}</p>
        <ul class="transfers">
          {s.unfinished.map((u) => (
            <Interrupted key={u.id} of={u} />
          ))}
        </ul>
      </section>
      <section class="card" aria-labelledby="past-title">
        <h2 id="past-title">{text.ended}</h2>
        {s.history.length === 0 ? (
          <p class="lead">{text.noHistory}</p>
        ) : (
          <>
            <ul class="transfers">
              {s.history.map((p) => (
                <PastRow key={`${p.ended}${p.kind}${p.name}`} of={p} />
              ))}
            </ul>
            <button type="button" class="quiet" data-test="history-clear" onClick={() => void attempt(() => call("/api/history/clear", {}))}>
              {text.clear}
            </button>
          </>
        )}
      </section>
    </>
  );
}

function Interrupted({ of: u }: { of: Unfinished }) {
  const [said, setSaid] = useState("");
  const [sure, setSure] = useState(false);
  const wantsCode = u.kind === "receive" && !u.phrase;
  const go = async () => {
    const body = wantsCode ? { code: said, phrase: "" } : { code: "", phrase: said };
    const t = await attempt(() => call<Transfer>(`/api/unfinished/${u.id}/continue`, body));
    if (t) open(t);
  };
  return (
    <li class="row" data-test="unfinished-row" data-id={u.id}>
      <div class="row-head">
        <span class="row-name">
          <span aria-hidden="true" class="arrow">
            {u.kind === "send" ? "↑" : "↓"}
          </span>{" "}
          <bdi>{u.name || text.unnamed}</bdi>
        </span>
        <span class="about">{u.size > 0 ? text.of(size(u.done), size(u.size), true) : size(u.done)}</span>
      </div>
      <p class="hint">
        <bdi>{u.where}</bdi> {u.seen > 0 && `· ${when(u.seen)}`}
      </p>
      {u.size > 0 && <Bar share={percent(u.done, u.size)} name={u.name} quiet />}
      <form
        class="inline"
        onSubmit={(e) => {
          e.preventDefault();
          void go();
        }}
      >
        {(wantsCode || u.phrase) && (
          <TextField label={wantsCode ? text.codeNow : text.phraseThen} value={said} set={setSaid} test="continue-code" secret={!wantsCode} />
        )}
        <button type="submit" class="primary" disabled={(wantsCode || u.phrase) && !said.trim()} data-test="continue">
          {text.continue}
        </button>
        <button type="button" class="danger" data-test="discard" onClick={() => setSure(true)}>
          {text.discard}
        </button>
      </form>
      {sure && (
        <Sure
          what={text.discardSure}
          yes={text.discardYes}
          no={text.cancel}
          done={(yes) => {
            setSure(false);
            if (yes) void attempt(() => call(`/api/unfinished/${u.id}/discard`, {}));
          }}
        />
      )}
    </li>
  );
}

function PastRow({ of: p }: { of: Past }) {
  return (
    <li class="row" data-test="history-row" data-ok={p.ok}>
      <div class="row-head">
        <span class="row-name">
          <span aria-hidden="true" class={p.ok ? "arrow good" : "arrow bad"}>
            {p.kind === "send" ? "↑" : "↓"}
          </span>{" "}
          <bdi>{p.name || text.unnamed}</bdi>
        </span>
        <span class="about">{[p.size > 0 ? size(p.size) : "", p.files > 1 ? text.files(p.files) : "", p.ok ? clock(p.took) : ""].filter(Boolean).join(" · ")}</span>
      </div>
      <p class="hint">
        {when(p.ended)} · <bdi>{p.where}</bdi> {p.detail && `· ${p.detail}`}
      </p>
    </li>
  );
}
