// The live trace: asks for the stream of requests that the filter wants, and shows the newest of them.

import { el, openDialog } from "./dom.js";
import { gettext, ngettext, numberText, say, sizeText } from "./words.js";

const ROWS_MAX = 500; // shown, and kept while it is paused
const TYPING_MS = 400;
const REFUSED = 400;
const FAILED = 500;

const form = document.getElementById("trace-filter");
const rows = document.getElementById("trace-rows");
const state = document.getElementById("trace-state");
const counts = document.getElementById("trace-counts");
const empty = document.getElementById("trace-empty");
const pause = document.getElementById("trace-pause");

let source = null;
let isPaused = false;
let waiting = []; // events that came while it was paused, newest last
const seen = { all: 0, lost: 0, dropped: 0 };

const timeText = (ms) => new Date(ms).toISOString().slice(11, 23);
const tookText = (ms) => (ms < 1000 ? `${ms.toPrecision(3)} ms` : `${(ms / 1000).toPrecision(3)} s`);
const objectText = ({ bucket, key }) => (bucket ? `${bucket}${key ? `/${key}` : ""}` : "/");
const userText = ({ user, is_session: isSession }) => (user ? `${user}${isSession ? ` (${gettext("console")})` : ""}` : "-");
const statusClass = (status) => (!status || status >= FAILED ? "trace-failed" : status >= REFUSED ? "trace-refused" : "trace-good");

const NAMES = {
  at: gettext("Began"), id: gettext("Request ID"), operation: gettext("Operation"), method: gettext("Method"),
  bucket: gettext("Bucket"), key: gettext("Key"), query: gettext("Query"), range: gettext("Range"),
  status: gettext("Status"), code: gettext("Code"), user: gettext("User"), access_key: gettext("Access key"),
  from: gettext("From"), "user-agent": gettext("Client"), first_ms: gettext("Answer began after"), ms: gettext("Took"),
  received: gettext("Received"), sent: gettext("Sent"),
};
const WRITERS = {
  at: (ms) => `${new Date(ms).toISOString().replace("T", " ").slice(0, 23)} UTC`,
  query: (query) => Object.entries(query).map(([name, value]) => `${name}=${value}`).join("\n"),
  user: (_, event) => userText(event),
  first_ms: tookText, ms: tookText, received: sizeText, sent: sizeText,
};

const showOne = (event) => {
  const facts = Object.entries(NAMES).filter(([name]) => event[name]).flatMap(([name, title]) => [
    el("dt", {}, title), el("dd", {}, String(WRITERS[name]?.(event[name], event) ?? event[name])),
  ]);
  openDialog({ title: event.operation || gettext("Request"), body: el("dl", { class: "trace-facts" }, facts), wide: true });
};

const row = (event) => el("tr", {},
  el("td", {}, timeText(event.at)),
  el("td", { class: statusClass(event.status) }, String(event.status ?? gettext("none"))),
  el("td", {}, el("button", { type: "button", class: "trace-open", on: { click: () => showOne(event) } }, event.operation || gettext("unknown"))),
  el("td", { class: "trace-object", title: objectText(event) }, objectText(event)),
  el("td", {}, userText(event)),
  el("td", { class: "trace-number" }, tookText(event.ms ?? 0)),
  el("td", { class: "trace-number trace-wide" }, event.received ? sizeText(event.received) : ""),
  el("td", { class: "trace-number trace-wide" }, event.sent ? sizeText(event.sent) : ""),
  el("td", { class: "trace-wide" }, event.from ?? ""));

const lostText = (count) => say(ngettext(
  "%(count)s request is missing here: it came faster than it could be told.",
  "%(count)s requests are missing here: they came faster than they could be told.", count), { count: numberText(count) });
const lostRow = (count) => el("tr", { class: "trace-lost" }, el("td", { colspan: 9 }, lostText(count)));

const count = () => {
  const said = [say(ngettext("%(count)s request", "%(count)s requests", seen.all), { count: numberText(seen.all) })];
  if (seen.lost) {
    said.push(say(gettext("%(count)s lost"), { count: numberText(seen.lost) }));
  }
  if (waiting.length) {
    said.push(say(gettext("%(count)s wait"), { count: numberText(waiting.length) }));
  }
  if (seen.dropped) {
    said.push(say(gettext("%(count)s not kept while paused"), { count: numberText(seen.dropped) }));
  }
  counts.textContent = `· ${said.join(" · ")}`;
};

const show = (events) => {
  const made = events.slice(-ROWS_MAX).flatMap((event) => (event.lost ? [lostRow(event.lost), row(event)] : [row(event)]));
  rows.prepend(...made.reverse());
  while (rows.childElementCount > ROWS_MAX) {
    rows.lastElementChild.remove();
  }
  empty.hidden = rows.childElementCount > 0;
};

const take = (events) => {
  seen.all += events.length;
  seen.lost += events.reduce((sum, event) => sum + (event.lost ?? 0), 0);
  if (isPaused) {
    waiting.push(...events);
    seen.dropped += Math.max(0, waiting.length - ROWS_MAX);
    waiting = waiting.slice(-ROWS_MAX);
  } else {
    show(events);
  }
  count();
};

const wanted = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value));

const STATES = {
  open: gettext("Watching"),
  lost: gettext("The connection was lost; trying again. What happens meanwhile is not shown."),
  refused: gettext("The trace has ended: the filter is not understood, or you are not signed in any more. Reload the page."),
  over: gettext("The trace has ended: your session is over, or you may see it no more. Reload the page."),
  trouble: gettext("The trace has ended: the server can make no pipe for it. Its log says why; look at the room on its disk."),
  full: gettext("As many watch already as may. Close a page that does, and reload this one."),
};

const watch = () => {
  source?.close();
  const asked = wanted();
  history.replaceState(null, "", `${location.pathname}${asked.size ? `?${asked}` : ""}`);
  state.textContent = gettext("Connecting");
  const mine = source = new EventSource(`${form.dataset.events}?${asked}`);
  const end = (said) => () => { mine.close(); state.textContent = STATES[said]; };
  mine.addEventListener("open", () => { state.textContent = STATES.open; });
  mine.addEventListener("message", ({ data }) => take(JSON.parse(data)));
  mine.addEventListener("over", end("over"));
  mine.addEventListener("full", end("full"));
  mine.addEventListener("trouble", end("trouble"));
  mine.addEventListener("error", () => {
    state.textContent = mine.readyState === EventSource.CLOSED ? STATES.refused : STATES.lost;
  });
};

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.setAttribute("aria-pressed", String(isPaused));
  pause.replaceChildren(
    el("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, isPaused ? "play_arrow" : "pause"),
    el("span", {}, isPaused ? gettext("Go on") : gettext("Pause")));
  if (!isPaused) {
    show(waiting);
    waiting = [];
    seen.dropped = 0;
  }
  count();
});

document.getElementById("trace-clear").addEventListener("click", () => {
  rows.replaceChildren();
  waiting = [];
  Object.assign(seen, { all: 0, lost: 0, dropped: 0 });
  empty.hidden = false;
  count();
});

let typing = 0;
form.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(watch, TYPING_MS);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  watch();
});
window.addEventListener("pagehide", () => source?.close());
window.addEventListener("pageshow", ({ persisted }) => persisted && watch());
watch();
