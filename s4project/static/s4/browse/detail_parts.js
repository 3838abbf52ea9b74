// What the details panel is built of: facts, notes, rows of names and values, editors that save.

import { button, copyText, el, icon, tellTrouble, toast } from "../dom.js";
import { gettext, say } from "../words.js";
import { Changed } from "./object_calls.js";

// Characters that are not seen, or that turn the direction of what follows: shown by their number.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Write a text so that everything in it can be seen. */
export const seen = (text) => text.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const code = (text) => el("code", { class: "detail-code", dir: "auto" }, seen(text));

/** A button that puts a text on the clipboard. */
export const copyButton = (text, label) =>
  button("", {
    kind: "quiet detail-copy", symbol: "content_copy", title: label, "aria-label": label,
    on: async () => {
      await copyText(text);
      toast(gettext("Copied."), "info");
    },
  });

/** A list of facts: rows of [title, value, text to copy?]; without a value there is no row. */
export const factList = (rows) =>
  el("dl", { class: "detail-facts" }, rows.filter(([, value]) => value !== "" && value !== null && value !== undefined).flatMap(([title, value, copied]) => [
    el("dt", {}, title),
    el("dd", {}, el("span", { class: "detail-value" }, value), copied ? copyButton(copied, say(gettext("Copy: %(title)s"), { title })) : null),
  ]));

/** A word beside what is shown: kind is info, warning or danger. */
export const note = (kind, ...content) =>
  el("div", { class: `detail-note detail-note-${kind}`, role: kind === "danger" ? "alert" : null },
    icon({ info: "info", warning: "warning", danger: "error" }[kind]), el("div", {}, content));

export const waiting = () => el("p", { class: "detail-waiting", role: "status" }, gettext("Loading …"));

/** Say in place what went wrong, and offer to try again. */
export const troubleNote = (error, again) => {
  const texts = {
    AccessDenied: gettext("Your policies do not let you see this."),
    NoSuchKey: gettext("The object is not there any more."),
    NoSuchVersion: gettext("This version is not there any more."),
    NoSuchBucket: gettext("The bucket is not there any more."),
  };
  const signIn = error.name === "SignedOut"
    ? el("a", { class: "button", href: `/login/?next=${encodeURIComponent(location.pathname + location.search)}` }, gettext("Sign in"))
    : null;
  return note(error.code === "AccessDenied" ? "info" : "danger",
    el("p", {}, texts[error.code] ?? error.message), signIn ?? button(gettext("Try again"), { on: again }));
};

/**
 * Fill a place with what `load` answers: `build(loaded)` makes its content. What was asked for
 * before and comes later is dropped.
 */
export const fill = async (place, load, build) => {
  const turn = Symbol("turn");
  place.turn = turn;
  place.replaceChildren(waiting());
  place.setAttribute("aria-busy", "true");
  let content;
  try {
    content = build(await load());
  } catch (error) {
    if (error.name === "AbortError") return;
    content = troubleNote(error, () => fill(place, load, build));
  }
  if (place.turn === turn) {
    place.replaceChildren(...[content].flat().filter(Boolean));
    place.removeAttribute("aria-busy");
  }
};

/**
 * Do a change that a button asks for. `save(isAnyhow)` makes it; when somebody else has changed the
 * same, `tellChange(now)` says what it is now, and both are offered: to take theirs, or to go on.
 */
export const saving = async ({ by, place, save, done, reload, tellChange }, isAnyhow = false) => {
  by.disabled = true;
  place.replaceChildren();
  try {
    await save(isAnyhow);
    done();
  } catch (error) {
    if (error instanceof Changed) {
      place.replaceChildren(changedNote(error.now, { by, place, save, done, reload, tellChange }));
      place.firstChild.scrollIntoView({ block: "nearest" });
    } else if (error.code === "PreconditionFailed" || error.code === "ConditionalRequestConflict") {
      place.replaceChildren(changedNote(null, { by, place, save, done, reload, tellChange }));
    } else if (error.name === "SignedOut") {
      tellTrouble(error);
    } else if (error.name !== "AbortError") {
      place.replaceChildren(note("danger", el("p", {}, refusalText(error))));
    }
  } finally {
    by.disabled = false;
  }
};

/** What a refusal means to who pressed the button. */
export const refusalText = (error) =>
  ({
    NoSuchKey: gettext("Nothing was saved: the object is not there any more."),
    NoSuchVersion: gettext("Nothing was saved: this version is not there any more."),
    NoSuchBucket: gettext("Nothing was saved: the bucket is not there any more."),
    AccessControlListNotSupported: gettext("Nothing was saved: ACLs are disabled in this bucket."),
  })[error.code] ?? say(gettext("Nothing was saved. %(reason)s"), { reason: error.message });

const changedNote = (now, plan) =>
  note("warning",
    el("p", {}, gettext("Somebody else has changed this since you opened it. Nothing was saved yet.")),
    now && plan.tellChange ? plan.tellChange(now) : null,
    el("div", { class: "detail-buttons" },
      button(gettext("Show what it is now"), { on: plan.reload }),
      button(gettext("Save mine over it"), { kind: "danger", on: () => saving(plan, true) })));

/**
 * An editor of rows of a name and a value. Answers {element, rows()}; rows() leaves empty ones out.
 * `onChange` is called whenever something is typed; more than `max` rows cannot be added.
 */
export const rowsEditor = ({ rows, titles, max = Infinity, mayEdit = true, onChange = () => {}, nameAttributes = {}, valueAttributes = {} }) => {
  const list = el("div", { class: "detail-rows" });
  const add = button(titles.add, { symbol: "add", on: () => {
    const row = addRow("", "");
    row.querySelector("input").focus();
    changed();
  } });
  const changed = () => {
    add.disabled = list.children.length >= max;
    onChange();
  };
  const field = (value, label, attributes) => {
    const made = el("input", { type: "text", class: "field", "aria-label": label, placeholder: label, autocomplete: "off", autocapitalize: "off", spellcheck: "false", readonly: !mayEdit, dir: "auto", ...attributes, on: { input: changed } });
    made.value = value;
    return made;
  };
  const addRow = (name, value) => {
    const row = el("div", { class: "detail-row" }, field(name, titles.name, nameAttributes), field(value, titles.value, valueAttributes));
    if (mayEdit) {
      row.append(button("", { kind: "quiet", symbol: "delete", title: titles.remove, "aria-label": titles.remove, on: () => {
        const next = row.nextElementSibling ?? row.previousElementSibling;
        row.remove();
        (next?.querySelector("input") ?? add).focus();
        changed();
      } }));
    }
    list.append(row);
    return row;
  };
  rows.forEach(([name, value]) => addRow(name, value));
  add.disabled = rows.length >= max;
  const typed = () => [...list.children].map((row) => [...row.querySelectorAll("input")].map((each) => each.value));
  return {
    element: el("div", { class: "detail-editor" }, list, mayEdit ? add : null),
    rows: () => typed().filter(([name, value]) => name || value),
  };
};
