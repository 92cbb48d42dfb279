// What the network allows.

import { useState } from "preact/hooks";
import type { Diagnosis, IPCheck, ServerCheck } from "./api";
import { call } from "./client";
import { size } from "./format";
import { attempt, state } from "./model";
import { Check, Fact, ProblemBox } from "./parts";
import { text } from "./text.en";

export function Doctor() {
  const [long, setLong] = useState(false);
  const d = state.value?.doctor;
  if (!d) return null;
  return (
    <>
      <h1>{text.doctor}</h1>
      <section class="card">
        <p class="lead">{text.doctorLead}</p>
        <Check label={text.doctorLong} on={long} set={setLong} disabled={d.running} test="doctor-long" />
        <button type="button" class="primary" disabled={d.running} data-test="doctor-run" onClick={() => void attempt(() => call("/api/doctor", { long }))}>
          {d.running ? text.doctorRunning : text.doctorRun}
        </button>
        <p role="status" class="hint">
          {d.running && d.rest > 0 && text.doctorRest(Math.round(d.rest / 1000))}
        </p>
        <ProblemBox of={d.error} />
      </section>
      {d.diagnosis && !d.running && <Verdict of={d.diagnosis} />}
    </>
  );
}

function Verdict({ of: d }: { of: Diagnosis }) {
  return (
    <>
      <section class={`card verdict ${d.verdict.rating}`} aria-labelledby="verdict-title" data-test="doctor-verdict" data-rating={d.verdict.rating}>
        <h2 id="verdict-title">{text.ratings[d.verdict.rating]}</h2>
        <p>{d.verdict.text}</p>
        {(d.verdict.advice ?? []).length > 0 && (
          <>
            <h3>{text.advice}</h3>
            <ul>
              {(d.verdict.advice ?? []).map((a) => (
                <li key={a}>{a}</li>
              ))}
            </ul>
          </>
        )}
      </section>
      <section class="card" aria-labelledby="details-title" data-test="doctor-details">
        <h2 id="details-title">{text.details}</h2>
        <h3>{text.servers}</h3>
        <ul>
          {(d.servers ?? []).map((s) => (
            <li key={s.name + s.address}>{serverLine(s)}</li>
          ))}
        </ul>
        <Family name={text.family.ipv4} of={d.ipv4} />
        <Family name={text.family.ipv6} of={d.ipv6} />
        <h3>{text.nat}</h3>
        <dl class="facts">
          <Fact name={text.natFacts.mapping} value={d.nat.mapping} />
          <Fact name={text.natFacts.keeps} value={text.tri[d.nat.keeps_port] ?? ""} />
          <Fact name={text.natFacts.hairpin} value={text.tri[d.nat.hairpin] ?? ""} />
          <Fact name={text.natFacts.lives} value={[d.nat.lives_s > 0 ? text.atLeast(d.nat.lives_s) : "", d.nat.lives_less_s > 0 ? text.lessThan(d.nat.lives_less_s) : ""].filter(Boolean).join(", ")} />
        </dl>
        <h3>{text.routers}</h3>
        <ul>
          {!d.routers_asked && <li>{text.routersUnasked}</li>}
          {(d.routers ?? []).map((r) => (
            <li key={r.address + r.protocol}>{[r.address, r.protocol, (r.opened ?? []).length > 0 ? text.opens : text.opensNot, r.said].filter(Boolean).join(" · ")}</li>
          ))}
        </ul>
        <h3>{text.machine}</h3>
        <dl class="facts">
          <Fact name={text.buffers} value={`${size(d.machine.receive_buffer)}, ${size(d.machine.send_buffer)}`} />
          <Fact name={text.offload} value={[d.machine.send_offload, d.machine.receive_offload].map((on) => text.tri[on ? "yes" : "no"]).join(", ")} />
          <Fact name={text.clock} value={text.tri[d.machine.clock] ?? ""} />
        </dl>
        <ul>
          {(d.machine.hints ?? []).map((h) => (
            <li key={h}>{h}</li>
          ))}
        </ul>
      </section>
    </>
  );
}

function serverLine(s: ServerCheck): string {
  if (s.error) return `${s.name}: ${s.error}`;
  const ports = (s.udp ?? []).map((p) => `UDP ${p.port} ${p.answered ? text.answers : text.silent}`);
  const lines = (s.tcp ?? []).map((p) => `TCP ${p.port} ${p.state}`);
  return [`${s.name} (${s.address})`, ...ports, ...lines].join(" · ");
}

function Family({ name, of: f }: { name: string; of: IPCheck }) {
  return (
    <>
      <h3>{name}</h3>
      <dl class="facts">
        <Fact name={text.outside} value={f.outside} />
        <Fact name={text.nat} value={text.tri[f.nat] ?? ""} />
        <Fact name={text.otherPorts} value={text.tri[f.other_ports] ?? ""} />
        <Fact name={text.mtu} value={f.mtu > 0 ? text.bytes(f.mtu) : ""} />
      </dl>
    </>
  );
}
