// What the console's scripts build pages of: elements, windows, questions and messages. Text goes in
// as text: nothing here reads HTML.

import { gettext } from "./words.js";

/**
 * Make an element. Properties: `class`, `data` ({name: value}), `on` ({event: listener}), attributes
 * by name (true: without a value; false, null, undefined: not at all). Children: nodes and texts.
 */
export const el = (name, properties = {}, ...children) => {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) {
      continue;
    }
    if (property === "on") {
      Object.entries(value).forEach(([event, listener]) => made.addEventListener(event, listener));
    } else if (property === "data") {
      Object.assign(made.dataset, value);
    } else {
      made.setAttribute(property, value === true ? "" : value);
    }
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
};

/** A symbol of the theme's icon font; says nothing to screen readers. */
export const icon = (symbol) => el("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, symbol);

/** A button: kind is "" (plain), "primary", "danger" or "quiet". */
export const button = (label, { kind = "", symbol, on, ...more } = {}) =>
  el("button", { type: "button", class: `button ${kind && `button-${kind}`}`.trim(), on: on && { click: on }, ...more },
    symbol ? icon(symbol) : null, label);

/**
 * Open a window over the page and answer {element, close, closed}; `closed` resolves to what `close`
 * was given ("" after Escape). `actions` are buttons for its foot.
 */
export const openDialog = ({ title, body = [], actions = [], wide = false }) => {
  const id = `dialog-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const before = document.activeElement;
  const element = el("dialog", { class: `window${wide ? " window-wide" : ""}`, "aria-labelledby": id },
    el("header", {}, el("h2", { id }, title),
      el("button", { type: "button", class: "button button-quiet", "aria-label": gettext("Close"), on: { click: () => element.close("") } }, icon("close"))),
    el("div", { class: "window-body" }, body),
    actions.length ? el("footer", {}, actions) : null);
  const closed = new Promise((resolve) => {
    element.addEventListener("close", () => {
      element.remove();
      before?.focus?.();
      resolve(element.returnValue);
    });
  });
  document.body.append(element);
  element.showModal();
  return { element, close: (value = "") => element.close(value), closed };
};

/**
 * Ask before something is done; answer whether to. `typed`: what must be typed first, for what
 * cannot be undone and is large.
 */
export const confirm = async ({ title, body = [], action, isDanger = false, typed }) => {
  const go = button(action, { kind: isDanger ? "danger" : "primary", on: () => window_.close("yes"), disabled: typed !== undefined });
  const parts = [body].flat();
  if (typed !== undefined) {
    const field = el("input", { type: "text", class: "field", autocomplete: "off", spellcheck: "false",
      on: {
        input: () => { go.disabled = field.value !== typed; },
        keydown: (event) => { if (event.key === "Enter" && field.value === typed) { window_.close("yes"); } },
      } });
    parts.push(el("label", { class: "window-typed" }, el("span", {}, gettext("To go on, type"), " ", el("code", {}, typed)), field));
  }
  const window_ = openDialog({ title, body: parts, actions: [button(gettext("Cancel"), { on: () => window_.close("") }), go] });
  if (typed === undefined) {
    go.focus();
  }
  return (await window_.closed) === "yes";
};

const shelf = () => {
  let found = document.getElementById("messages-shelf");
  if (found === null) {
    found = el("div", { id: "messages-shelf", role: "status", "aria-live": "polite" });
    document.body.append(found);
  }
  return found;
};

const SECONDS = { success: 6, info: 8, error: 0 }; // 0: until it is closed

/** Say what happened: kind is "success", "info" or "error". Answers what takes it away. */
export const toast = (text, kind = "success", { action } = {}) => {
  const made = el("div", { class: `message message-${kind}`, role: kind === "error" ? "alert" : null },
    icon({ success: "check_circle", info: "info", error: "error" }[kind]),
    el("p", {}, text), action ?? null,
    el("button", { type: "button", class: "button button-quiet", "aria-label": gettext("Dismiss"), on: { click: () => made.remove() } }, icon("close")));
  shelf().append(made);
  if (SECONDS[kind]) {
    setTimeout(() => made.remove(), SECONDS[kind] * 1000);
  }
  return () => made.remove();
};

/** Say what went wrong, whatever it was; a session that is over offers to sign in again. */
export const tellTrouble = (error, doing = "") => {
  if (error.name === "AbortError") {
    return;
  }
  const text = doing ? `${doing} ${error.message}` : error.message;
  const link = error.name !== "SignedOut" ? null
    : el("a", { class: "button", href: `/login/?next=${encodeURIComponent(location.pathname + location.search)}` }, gettext("Sign in"));
  toast(text, "error", { action: link });
};

/** Put a text on the clipboard; navigator.clipboard exists only on https and localhost. */
export const copyText = async (text) => {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = el("textarea", { class: "out-of-sight" });
  field.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
};
