// The panel of uploads: how it goes with all of them, what stopped and why, and a row for each that
// is worth one. Drawn anew a few times a second while anything changes.
import { button, el, icon } from "../dom.js";
import { gettext, ngettext, numberText, say } from "../words.js";
import * as engine from "./upload_engine.js";
import { headText, paceText, stateText } from "./upload_words.js";

const DRAW_MS = 250;
const ROWS_MAX = 60;
const PACE_SECONDS = 10; // over which a pace is taken
const PACE_SECONDS_MIN = 1.5; // before there is one
// Rows in the order of what needs a person first.
const ORDER = [
  ...[engine.EXISTS, engine.FAILED, engine.NEEDS_FILE, engine.FINISHING, engine.CHECKING, engine.SENDING],
  ...[engine.PAUSED, engine.WAITING, engine.SKIPPED, engine.DONE],
];
const AHEAD = [engine.WAITING, engine.CHECKING, engine.SENDING, engine.FINISHING];
const PAUSABLE = new Set([engine.WAITING, engine.CHECKING, engine.SENDING]);
const SYMBOLS = {
  [engine.EXISTS]: "help",
  [engine.FAILED]: "error",
  [engine.NEEDS_FILE]: "attach_file",
  [engine.PAUSED]: "pause_circle",
  [engine.DONE]: "check_circle",
  [engine.SKIPPED]: "remove_circle",
};

const tool = (symbol, label, act) =>
  el("button", { type: "button", class: "upload-tool", title: label, "aria-label": label, on: { click: act } }, icon(symbol));

const put = (node, text) => {
  if (node.textContent !== text) {
    node.textContent = text;
  }
};

// One upload's row: made once, drawn when the upload changes.
class Row {
  constructor(upload, uploads, onFile) {
    this.upload = upload;
    this.symbol = icon("draft");
    this.state = el("span", { class: "upload-state" });
    this.bar = el("progress", { class: "upload-bar", "aria-hidden": "true" });
    const each = (act) => () => act.call(uploads, [upload]);
    const name = upload.name;
    this.tools = {
      attach: tool("attach_file", say(gettext("Choose the file of %(name)s again"), { name }), () => onFile(upload)),
      replace: tool("published_with_changes", say(gettext("Replace %(name)s"), { name }), each(uploads.replace)),
      skip: tool("step_over", say(gettext("Skip %(name)s"), { name }), each(uploads.skip)),
      pause: tool("pause", say(gettext("Pause %(name)s"), { name }), each(uploads.pause)),
      resume: tool("play_arrow", say(gettext("Go on with %(name)s"), { name }), each(uploads.resume)),
      retry: tool("replay", say(gettext("Try %(name)s again"), { name }), each(uploads.resume)),
      cancel: tool("close", say(gettext("Cancel %(name)s"), { name }), each(uploads.cancel)),
    };
    this.element = el("li", { class: "upload-row", data: { upload: upload.key } },
      this.symbol,
      el("div", { class: "upload-what" }, el("span", { class: "upload-name", title: upload.key }, name), this.state, this.bar),
      el("div", { class: "upload-tools" }, Object.values(this.tools)));
  }

  draw() {
    const { upload, tools, bar } = this;
    const { state } = upload;
    this.element.dataset.state = state;
    put(this.symbol, SYMBOLS[state] ?? "upload_file");
    put(this.state, stateText(upload));
    bar.hidden = !upload.isMoving && state !== engine.PAUSED && state !== engine.NEEDS_FILE;
    bar.max = Math.max(1, upload.size);
    bar.value = state === engine.CHECKING ? upload.checked : upload.sent;
    tools.attach.hidden = state !== engine.NEEDS_FILE;
    tools.replace.hidden = tools.skip.hidden = state !== engine.EXISTS;
    tools.pause.hidden = !PAUSABLE.has(state);
    tools.resume.hidden = state !== engine.PAUSED;
    tools.retry.hidden = state !== engine.FAILED || !upload.file || upload.error.code === "FileChanged";
    tools.cancel.hidden = upload.isEnded || state === engine.FINISHING;
  }
}

export class Panel {
  #rows = new Map();
  #samples = [];
  #timer = 0;

  // `onFile(upload)`: ask for the file of an upload again. `signInUrl`: where one signs in.
  constructor(place, uploads, { onFile, onSignedIn, signInUrl, keepsReplaced }) {
    Object.assign(this, { uploads, onFile, keepsReplaced });
    this.head = el("h2", { class: "upload-head" });
    this.pace = el("p", { class: "upload-pace" });
    this.bar = el("progress", { class: "upload-total", "aria-label": gettext("All uploads") });
    this.list = el("ul", { class: "upload-rows", id: "upload-rows" });
    this.more = el("p", { class: "upload-more" });
    this.tools = {
      pause: tool("pause", gettext("Pause all"), () => uploads.pause(uploads.all)),
      resume: tool("play_arrow", gettext("Go on with all"), () => uploads.resume(this.#in(engine.PAUSED))),
      cancel: tool("cancel", gettext("Cancel all"), () => this.onCancel()),
      fold: tool("expand_more", gettext("Show or hide the list"), () => this.#fold()),
      clear: tool("close", gettext("Close"), () => uploads.clear()),
    };
    this.tools.fold.setAttribute("aria-controls", "upload-rows");
    this.tools.fold.setAttribute("aria-expanded", "true");
    this.notices = {
      connection: this.#notice("cloud_off", button(gettext("Try now"), { on: () => uploads.gate.open() })),
      session: this.#notice("lock",
        el("a", { class: "button button-primary", href: signInUrl, target: "_blank", rel: "opener" }, gettext("Sign in")),
        button(gettext("Go on"), { on: onSignedIn })),
      exists: this.#notice("help",
        button(gettext("Replace"), { on: () => uploads.replace(this.#in(engine.EXISTS)) }),
        button(gettext("Skip"), { on: () => uploads.skip(this.#in(engine.EXISTS)) })),
      failed: this.#notice("error", button(gettext("Try again"), { on: () => uploads.resume(this.#in(engine.FAILED)) })),
    };
    this.element = el("section", { class: "uploads", "aria-label": gettext("Uploads"), hidden: true },
      el("header", {}, this.head, el("div", { class: "upload-tools" }, Object.values(this.tools))),
      this.pace, this.bar, Object.values(this.notices).map(({ element }) => element), this.list, this.more);
    place.append(this.element);
    this.session = "";
    uploads.onChange(() => this.#soon());
  }

  // Say what became of signing in: "none" or "another" (user).
  tellSession(found) {
    this.session = found;
    this.#soon();
  }

  #notice(symbol, ...buttons) {
    const text = el("p", {});
    return { text, element: el("div", { class: "upload-notice", hidden: true }, icon(symbol), text, el("div", {}, buttons)) };
  }

  #in(state) {
    return this.uploads.all.filter((upload) => upload.state === state);
  }

  #fold() {
    const isOpen = this.tools.fold.getAttribute("aria-expanded") === "true";
    this.tools.fold.setAttribute("aria-expanded", String(!isOpen));
    this.element.classList.toggle("uploads-folded", isOpen);
  }

  #soon() {
    if (!this.#timer) {
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        this.#draw();
      }, DRAW_MS);
    }
  }

  #draw() {
    const { all } = this.uploads;
    const byState = new Map(ORDER.map((state) => [state, []]));
    all.forEach((upload) => byState.get(upload.state)?.push(upload));
    const count = (state) => byState.get(state).length;
    const rows = ORDER.flatMap((state) => byState.get(state));
    this.element.hidden = !rows.length;
    const ahead = AHEAD.reduce((sum, state) => sum + count(state), 0);
    const bytes = { sent: 0, size: 0 };
    for (const state of [...AHEAD, engine.PAUSED, engine.DONE]) {
      for (const upload of byState.get(state)) {
        bytes.sent += upload.sent;
        bytes.size += upload.size;
      }
    }
    const counts = {
      ahead,
      paused: count(engine.PAUSED),
      done: count(engine.DONE),
      failed: count(engine.FAILED),
      asked: count(engine.EXISTS) + count(engine.NEEDS_FILE),
      total: ahead + count(engine.PAUSED) + count(engine.DONE),
    };
    this.#drawHead(counts, bytes);
    this.#drawNotices(counts, count(engine.EXISTS));
    this.#drawRows(rows.slice(0, ROWS_MAX));
    const rest = rows.length - ROWS_MAX;
    this.more.hidden = rest <= 0;
    put(this.more, say(ngettext("and %(count)s more", "and %(count)s more", rest), { count: numberText(rest) }));
    if (ahead) {
      this.#soon(); // a pace and a countdown go on by themselves
    }
  }

  #drawHead(counts, bytes) {
    put(this.head, headText(counts));
    this.pace.hidden = this.bar.hidden = !counts.ahead;
    put(this.pace, paceText(bytes, this.#paceOf(bytes.sent, counts.ahead)));
    this.bar.max = Math.max(1, bytes.size);
    this.bar.value = bytes.sent;
    const { pause, resume, cancel, clear } = this.tools;
    pause.hidden = !counts.ahead;
    resume.hidden = !counts.paused;
    cancel.hidden = !(counts.ahead + counts.paused + counts.asked + counts.failed);
    clear.hidden = !cancel.hidden;
  }

  #paceOf(sent, isMoving) {
    const now = performance.now() / 1000;
    if (!isMoving || this.uploads.gate.closedFor) {
      this.#samples = [];
      return 0;
    }
    this.#samples = this.#samples.filter(({ at }) => now - at < PACE_SECONDS);
    this.#samples.push({ at: now, sent });
    const [first] = this.#samples;
    return now - first.at < PACE_SECONDS_MIN ? 0 : Math.max(0, sent - first.sent) / (now - first.at);
  }

  #drawNotices({ ahead, failed }, taken) {
    const { connection, session, exists, failed: failures } = this.notices;
    const { closedFor, opensAt } = this.uploads.gate;
    connection.element.hidden = closedFor !== "connection" || !ahead;
    const seconds = Math.max(0, Math.ceil((opensAt - Date.now()) / 1000));
    put(connection.text, say(gettext("The server cannot be reached. It is tried again in %(seconds)s s; nothing is lost."), { seconds }));
    session.element.hidden = closedFor !== "session" || !this.session;
    put(session.text, this.session === "another"
      ? gettext("Somebody else is signed in now. Sign in as who began these uploads, then they go on.")
      : gettext("Your session is over, and the uploads wait. Sign in again, in a new tab: then they go on."));
    exists.element.hidden = !taken;
    const words = ngettext("%(count)s object is there already.", "%(count)s objects are there already.", taken);
    const kept = this.keepsReplaced ? ` ${gettext("What is replaced is kept as a version.")}` : "";
    put(exists.text, say(words, { count: numberText(taken) }) + kept);
    failures.element.hidden = !failed;
    put(failures.text, say(ngettext("%(count)s upload failed.", "%(count)s uploads failed.", failed), { count: numberText(failed) }));
  }

  #drawRows(shown) {
    const focused = document.activeElement;
    const hadFocus = this.list.contains(focused);
    shown.forEach((upload, index) => {
      let row = this.#rows.get(upload.id);
      if (!row) {
        row = new Row(upload, this.uploads, this.onFile);
        this.#rows.set(upload.id, row);
      }
      row.draw();
      if (this.list.children[index] !== row.element) {
        this.list.insertBefore(row.element, this.list.children[index] ?? null);
      }
    });
    while (this.list.children.length > shown.length) {
      this.list.lastChild.remove();
    }
    const ids = new Set(shown.map(({ id }) => id));
    this.#rows.forEach((_, id) => ids.has(id) || this.#rows.delete(id));
    if (hadFocus && document.activeElement !== focused && focused.isConnected) {
      focused.focus();
    }
  }
}
