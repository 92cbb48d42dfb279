// The first page: send, receive, and what runs.

import type { Transfer } from "./api";
import { clock, percent, rate } from "./format";
import { isEnded, state } from "./model";
import { Bar } from "./parts";
import { ReceiveCard } from "./receive";
import { SendCard } from "./send";
import { text } from "./text.en";

export function Home() {
  const all = state.value?.transfers ?? [];
  const now = all.filter((t) => !isEnded(t));
  const over = all.filter(isEnded).reverse();
  return (
    <>
      <h1 class="unseen">{text.nav.home}</h1>
      <div class="two">
        <SendCard />
        <ReceiveCard />
      </div>
      <List title={text.running} of={now} />
      <List title={text.ended} of={over} />
    </>
  );
}

function List({ title, of }: { title: string; of: Transfer[] }) {
  if (of.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <ul class="transfers">
        {of.map((t) => (
          <Row key={t.id} of={t} />
        ))}
      </ul>
    </section>
  );
}

function Row({ of: t }: { of: Transfer }) {
  const done = t.sessions.reduce((sum, s) => sum + s.done, 0);
  const size = t.sessions.reduce((sum, s) => sum + s.size, 0);
  const speed = t.sessions.reduce((sum, s) => sum + s.rate, 0);
  const left = Math.max(0, ...t.sessions.map((s) => s.left));
  const name = t.name || text.unnamed;
  const share = t.phase === "done" ? 100 : percent(done, size);
  return (
    <li class="row" data-test="row" data-id={t.id} data-phase={t.phase}>
      <a href={`#/t/${t.id}`}>
        <span class="row-name">
          <span aria-hidden="true" class="arrow">
            {t.kind === "send" ? "↑" : "↓"}
          </span>{" "}
          <bdi>{name}</bdi>
        </span>
        <span class={`phase ${t.phase}`}>
          {t.phase === "moving" ? (t.steering.paused ? text.pausedHere : [rate(speed), left > 0 ? clock(left) : ""].filter(Boolean).join(" · ")) : text.phases[t.phase]}
        </span>
      </a>
      {size > 0 && <Bar share={share} name={name} quiet={isEnded(t)} />}
    </li>
  );
}
