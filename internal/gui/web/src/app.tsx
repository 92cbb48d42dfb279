// The page: what is around the views, and which of them is shown.

import { render } from "preact";
import { useEffect } from "preact/hooks";
import "uplot/dist/uPlot.min.css";
import "./app.css";
import { Doctor } from "./doctor";
import { release } from "./drop";
import { percent } from "./format";
import { History } from "./history";
import { Home } from "./home";
import { begin, contact, problem, route, running, spoken, state } from "./model";
import { ProblemBox } from "./parts";
import { Settings } from "./settings";
import { text } from "./text.en";
import { TransferView } from "./transfer";

const pages: [path: string, name: string, test: string][] = [
  ["/", text.nav.home, "nav-home"],
  ["/history", text.nav.history, "nav-history"],
  ["/doctor", text.nav.doctor, "nav-doctor"],
  ["/settings", text.nav.settings, "nav-settings"],
  ["/help", text.nav.help, "nav-help"],
];

function App() {
  const where = route.value;
  useEffect(() => {
    const moving = running.value.flatMap((t) => t.sessions).filter((s) => s.size > 0);
    const done = moving.reduce((sum, s) => sum + s.done, 0);
    const size = moving.reduce((sum, s) => sum + s.size, 0);
    document.title = text.documentTitle(size > 0 ? percent(done, size) : null);
    if (state.value) release(new Set(running.value.map((t) => t.id)));
  }, [state.value]);
  useEffect(() => {
    // Who pressed what led here, and is gone, goes on at the top of the view.
    if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
  }, [where]);
  if (contact.value === "shut" || (contact.value === "over" && !state.value)) return <Shut />;
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        {text.skipTo}
      </a>
      <header class="top">
        <span class="brand">
          <img src="icon.svg" alt="" width={28} height={28} /> {text.title}
        </span>
        <nav aria-label={text.nav.label}>
          {pages.map(([path, name, test]) => (
            <a key={path} href={`#${path}`} aria-current={where === path ? "page" : path === "/" && where.startsWith("/t/") ? "true" : undefined} data-test={test}>
              {name}
            </a>
          ))}
        </nav>
        <span class="machine">
          <bdi>{state.value?.machine}</bdi>
        </span>
      </header>
      <main id="main" tabIndex={-1}>
        {contact.value === "away" && (
          <p class="warn" role="status" data-test="away">
            {text.away}
          </p>
        )}
        {contact.value === "over" && (
          <p class="warn" role="status" data-test="over">
            {text.over}
          </p>
        )}
        <ProblemBox of={problem.value} />
        <div class="page">{contact.value === "entering" || !state.value ? <p role="status">{text.entering}</p> : <View path={where} />}</div>
      </main>
      <div class="unseen" aria-live="polite">
        {spoken.value}
      </div>
    </>
  );
}

function View({ path }: { path: string }) {
  const id = /^\/t\/(\d+)$/.exec(path)?.[1];
  if (id) return <TransferView id={Number(id)} key={id} />;
  switch (path) {
    case "/history":
      return <History />;
    case "/doctor":
      return <Doctor />;
    case "/settings":
      return <Settings />;
    case "/help":
      return <Help />;
    default:
      return <Home />;
  }
}

function Help() {
  return (
    <>
      <h1>{text.help}</h1>
      <section class="card topics">
        {text.topics.map(([title, words]) => (
          <section key={title}>
            <h2>{title}</h2>
            <p>{words}</p>
          </section>
        ))}
      </section>
    </>
  );
}

function Shut() {
  return (
    <main id="main" class="shut">
      <h1>{text.shut}</h1>
      <p>{text.shutAdvice}</p>
      <ProblemBox of={problem.value} />
    </main>
  );
}

const root = document.getElementById("app");
if (root) render(<App />, root);
void begin();
