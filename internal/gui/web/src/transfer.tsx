// One transfer: what to tell the other side, how far it is, what can be changed.

import { useEffect, useState } from "preact/hooks";
import type { Session, Transfer } from "./api";
import { call } from "./client";
import { clock, percent, rate, size, span, time } from "./format";
import { act, attempt, isEnded, open, state } from "./model";
import { Bar, CopyButton, Fact, ProblemBox, QR, Sure } from "./parts";
import { Plot } from "./plot";
import { Question } from "./questions";
import { text } from "./text.en";

export function TransferView({ id }: { id: number }) {
  const t = state.value?.transfers.find((o) => o.id === id);
  useEffect(() => {
    if (!t && state.value) location.hash = "#/";
  }, [t]);
  if (!t) return null;
  const moving = t.sessions.filter((s) => s.size > 0 || s.files > 0 || s.rate > 0);
  return (
    <article class="transfer" data-test="transfer" data-id={t.id} data-phase={t.phase}>
      <header>
        <p class="kind">{text.kind[t.kind]}</p>
        <h1 title={t.name}>
          <bdi>{t.name || (t.ask?.proposal?.names.join(", ") ?? text.unnamed)}</bdi>
        </h1>
        <p class={`phase ${t.phase}`} data-test="phase">
          {t.phase === "moving" && t.steering.paused ? text.pausedHere : text.phases[t.phase]}
        </p>
      </header>
      <ProblemBox of={t.outcome.problem} />
      <Question of={t} />
      {!isEnded(t) && <Invitation of={t} small={t.phase === "moving" && t.receivers === 1} />}
      {t.receivers !== 1 && <p data-test="complete">{text.complete(t.complete, t.receivers)}</p>}
      {moving.map((s) => (
        <SessionView key={s.number} of={s} transfer={t} />
      ))}
      <Result of={t} />
      {isEnded(t) ? <Ended of={t} /> : <Steering of={t} />}
      {t.notes.length > 0 && (
        <section aria-labelledby="notes-title">
          <h2 id="notes-title">{text.notes}</h2>
          <ul class="notes" data-test="notes">
            {t.notes.map((n, i) => (
              <li key={`${i}${n}`}>{n}</li>
            ))}
          </ul>
        </section>
      )}
    </article>
  );
}

// Invitation is what the other side has to be told.
function Invitation({ of: t, small }: { of: Transfer; small: boolean }) {
  const [svg, setSVG] = useState("");
  const { code, command, helper, token } = t.invite;
  useEffect(() => {
    if (code) void call<{ svg: string }>("/api/qr", { text: code }).then((r) => setSVG(r.svg), () => setSVG(""));
  }, [code]);
  if (token) {
    return (
      <section class="card invite">
        <p>{text.token}</p>
        <pre class="token" data-test="token" tabIndex={0}>
          {token}
        </pre>
        <CopyButton label={text.copyToken} what={token} test="copy-token" />
      </section>
    );
  }
  if (!code) return null;
  if (small) {
    return (
      <p class="code-small">
        {text.code}: <span data-test="code">{code}</span>
      </p>
    );
  }
  return (
    <section class="card invite" aria-label={text.tell}>
      <div class="tell">
        <p>{text.tell}</p>
        <p class="code" data-test="code">
          {code}
        </p>
        <div class="buttons">
          <CopyButton label={text.copyCode} what={code} test="copy" />
          <CopyButton label={text.copyCommand} what={command} test="copy-command" />
        </div>
        <p class="hint">
          {text.tellCommand} <code>{command}</code>
        </p>
        {helper && (
          <p class="hint">
            {text.sameHelper} <code>{helper}</code>
          </p>
        )}
        <p class="hint">{text.waitingLead}</p>
      </div>
      {svg && <QR of={code} svg={svg} />}
    </section>
  );
}

function SessionView({ of: s, transfer: t }: { of: Session; transfer: Transfer }) {
  const share = percent(s.done, s.size);
  const live = !isEnded(t) && !s.ended;
  const took = t.ended - t.began;
  const name = s.number > 0 ? text.receiver(s.number) : t.name || text.unnamed;
  return (
    <section class="card session" aria-label={name} data-test="session" data-session={s.number}>
      {s.number > 0 && <h2>{name}</h2>}
      <div class="figures">
        <span class="percent" data-test="percent">
          {share} %
        </span>
        <span data-test="done">{text.of(size(s.done), size(s.size), s.counted)}</span>
        {s.files > 1 && <span>{text.filesOf(s.filesDone, s.files)}</span>}
        {s.resumed > 0 && <span data-test="resumed">{text.resumed(size(s.resumed))}</span>}
      </div>
      <Bar share={share} name={name} session={s.number} quiet={!live} />
      {s.link.lostSince > 0 && live && (
        <p class="warn" role="status" data-test="lost">
          {text.noContact(time(s.link.lostSince))}
        </p>
      )}
      {s.link.paused && live && <p class="warn">{text.pausedThere}</p>}
      {s.problem && <p class="warn">{s.problem}</p>}
      {t.phase === "done" && t.sessions.length === 1 && took > 0 && !t.outcome.text && (
        <p class="good" data-test="done-in">
          {s.size > 0 && s.resumed >= s.size ? text.nothingTravelled : text.doneIn(size(s.size), clock(took), rate((1000 * (s.size - s.resumed)) / took))}
        </p>
      )}
      {live && (
        <>
          <p class="file" title={s.file}>
            <bdi>{s.file}</bdi>
          </p>
          <dl class="facts">
            <Fact name={text.rate} value={rate(s.rate)} test="rate" />
            <Fact name={text.eta} value={s.left > 0 && s.counted ? clock(s.left) : ""} test="eta" />
            <Fact name={text.path} value={s.link.path} test="path" />
            <Fact name={text.rtt} value={s.link.rtt > 0 ? span(s.link.rtt) : ""} test="rtt" />
            <Fact name={text.loss} value={`${(100 * s.link.loss).toFixed(1)} %`} test="loss" />
            <Fact name={text.bottleneck} value={s.link.bottleneck} test="bottleneck" />
            <Fact name={text.pathRate} value={s.link.pathRate > 0 ? rate(s.link.pathRate) : ""} test="path-rate" />
          </dl>
          {t.sessions.length === 1 && s.samples.length > 2 && <Plot of={s} />}
        </>
      )}
    </section>
  );
}

// The slider is logarithmic: from 100 kB/s to 1 GB/s, and none at its end.
const steps = 100;
const least = 1e5;
const most = 1e9;
const limitOf = (step: number): number => (step >= steps ? 0 : least * (most / least) ** (step / (steps - 1)));
const stepOf = (limit: number): number => (limit <= 0 ? steps : Math.max(0, Math.min(steps - 1, Math.round((steps - 1) * (Math.log(limit / least) / Math.log(most / least))))));

function Steering({ of: t }: { of: Transfer }) {
  const [sure, setSure] = useState(false);
  const [limit, setLimit] = useState(stepOf(t.steering.limit));
  useEffect(() => setLimit(stepOf(t.steering.limit)), [t.steering.limit]);
  const change = (part: object) => void act(t, "change", { paused: null, limit: null, background: null, ...part });
  const exact = limit === stepOf(t.steering.limit) ? t.steering.limit : limitOf(limit); // a step stands for what lies around it
  const shown = exact > 0 ? rate(exact) : text.noLimit;
  if (t.phase === "queued") return <Queued of={t} stop={() => void act(t, "stop")} />;
  return (
    <section class="card steering" aria-label={text.options}>
      <div class="buttons">
        <button type="button" data-test="pause" aria-pressed={t.steering.paused} onClick={() => change({ paused: !t.steering.paused })}>
          {t.steering.paused ? text.resume : text.pause}
        </button>
        <button type="button" class="danger" data-test="stop" onClick={() => setSure(true)}>
          {text.stop}
        </button>
      </div>
      <div class="field">
        <label for="limit">{text.limit}</label>
        <div class="slider">
          <input
            id="limit"
            type="range"
            min={0}
            max={steps}
            value={limit}
            aria-valuetext={shown}
            data-test="limit"
            onInput={(e) => setLimit(e.currentTarget.valueAsNumber)}
            onChange={(e) => change({ limit: limitOf(e.currentTarget.valueAsNumber) })}
          />
          <output data-test="limit-value">{shown}</output>
        </div>
      </div>
      <label class="check">
        <input type="checkbox" checked={t.steering.background} data-test="background" onChange={(e) => change({ background: e.currentTarget.checked })} />
        <span>{text.background}</span>
      </label>
      {sure && (
        <Sure
          what={text.stopSure}
          yes={text.stopYes}
          no={text.stopNo}
          done={(yes) => {
            setSure(false);
            if (yes) void act(t, "stop");
          }}
        />
      )}
    </section>
  );
}

function Queued({ of: t, stop }: { of: Transfer; stop: () => void }) {
  return (
    <div class="buttons">
      <button type="button" class="primary" data-test="start-now" onClick={() => void act(t, "start")}>
        {text.startNow}
      </button>
      <button type="button" data-test="earlier" onClick={() => void act(t, "move", { up: true })}>
        {text.earlier}
      </button>
      <button type="button" data-test="later" onClick={() => void act(t, "move", { up: false })}>
        {text.later}
      </button>
      <button type="button" class="danger" data-test="stop" onClick={stop}>
        {text.stop}
      </button>
    </div>
  );
}

// Result is what a transfer came to.
function Result({ of: t }: { of: Transfer }) {
  const o = t.outcome;
  return (
    <>
      {o.text && (
        <section class="card" aria-label={text.textGot}>
          <pre class="got" data-test="result-text" tabIndex={0}>
            {o.text}
          </pre>
          <CopyButton label={text.copyText} what={o.text} test="copy-text" />
        </section>
      )}
      {o.paths.length > 0 && (
        <section class="card" aria-labelledby="result-title">
          <h2 id="result-title">{text.result}</h2>
          <ul class="paths">
            {o.paths.map((p) => (
              <li key={p} data-test="result-path">
                <bdi>{p}</bdi>
              </li>
            ))}
          </ul>
          {state.value?.directories && (
            <button type="button" data-test="show" onClick={() => void act(t, "show")}>
              {text.show}
            </button>
          )}
        </section>
      )}
      {o.failed.length > 0 && (
        <section class="card" aria-labelledby="failed-title">
          <h2 id="failed-title">{text.failed}</h2>
          <ul class="paths">
            {o.failed.map((f) => (
              <li key={f.path} data-test="failed">
                <bdi>{f.path}</bdi>: {f.why}
              </li>
            ))}
            {o.failedMore > 0 && <li>{text.more(o.failedMore)}</li>}
          </ul>
        </section>
      )}
    </>
  );
}

function Ended({ of: t }: { of: Transfer }) {
  const again = async () => {
    const next = await attempt(() => call<Transfer>(`/api/transfers/${t.id}/again`, {}));
    if (next) open(next);
  };
  return (
    <div class="buttons">
      {t.phase !== "done" && !t.dropped && (
        <button type="button" class="primary" data-test="again" onClick={() => void again()}>
          {text.again}
        </button>
      )}
      <button
        type="button"
        class="quiet"
        data-test="remove"
        onClick={() => {
          location.hash = "#/";
          void act(t, "remove");
        }}
      >
        {text.removeEnded}
      </button>
    </div>
  );
}
