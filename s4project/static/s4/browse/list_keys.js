// The keyboard: rows are gone through, chosen and acted upon without a mouse.

import { el, openDialog } from "../dom.js";
import { gettext } from "../words.js";
import { choose, chooseAll } from "./list_rows.js";
import { browser } from "./state.js";

const rows = document.getElementById("browse-rows");
const search = document.getElementById("browse-search");

const KEYS = [
  ["↑ ↓", gettext("Go through the list")],
  ["Enter", gettext("Open")],
  [gettext("Space"), gettext("Select; with Shift all between")],
  ["Ctrl A", gettext("Select all that is shown")],
  ["Esc", gettext("Select nothing")],
  [gettext("Backspace"), gettext("To the folder above")],
  ["/", gettext("Search")],
  ["F2", gettext("Rename")],
  [gettext("Delete"), gettext("Delete what is selected")],
  ["?", gettext("This list")],
];

const showKeys = () =>
  openDialog({
    title: gettext("Keyboard"),
    body: el("dl", { class: "browse-keys" }, KEYS.flatMap(([key, does]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, does)])),
  });

const rowAtFocus = () => document.activeElement?.closest?.("#browse-rows tr") ?? null;

const goTo = (row, isRange) => {
  if (row) {
    row.querySelector(".browse-open").focus();
    row.scrollIntoView({ block: "nearest" });
    if (isRange) {
      choose(row, { isRange: true });
    }
  }
};

const step = (by, isRange) => {
  const row = rowAtFocus();
  if (row === null) {
    goTo(by > 0 ? rows.firstElementChild : rows.lastElementChild, false);
    return;
  }
  if (isRange && !browser.chosen.has(row.dataset.id)) {
    choose(row);
  }
  goTo(by > 0 ? row.nextElementSibling : row.previousElementSibling, isRange);
};

// What an action of the keyboard is done to: what is selected, else the row that has the focus.
const meant = () => {
  const row = rowAtFocus();
  const chosen = browser.selection;
  return chosen.length || row === null ? chosen : browser.entries.filter((entry) => entry.id === row.dataset.id);
};

const up = () => {
  if (browser.prefix) {
    browser.enter(browser.prefix.replace(/[^/]*\/$/, ""));
  }
};

const PLAIN = {
  ArrowDown: (event) => step(1, event.shiftKey),
  ArrowUp: (event) => step(-1, event.shiftKey),
  Home: () => goTo(rows.firstElementChild, false),
  End: () => goTo(rows.lastElementChild, false),
  Backspace: up,
  Delete: () => browser.act("delete", meant()),
  F2: () => browser.act("rename", meant()),
  Escape: () => browser.select([]),
  "/": () => search.focus(),
  "?": showKeys,
};

const onKey = (event) => {
  const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog, [role=menu], #browse-details, #browse-transfers");
  if (isTyping || event.altKey || event.defaultPrevented) {
    return;
  }
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "a") {
      event.preventDefault();
      chooseAll();
    }
    return;
  }
  const row = rowAtFocus();
  if (event.key === " " && row && !event.target.matches("[type=checkbox], button")) {
    event.preventDefault();
    choose(row, { isRange: event.shiftKey });
    return;
  }
  const does = PLAIN[event.key];
  if (does) {
    event.preventDefault();
    does(event);
  }
};

document.addEventListener("keydown", onKey);
search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "Escape") {
    event.preventDefault();
    if (event.key === "Escape") {
      search.value = "";
      search.dispatchEvent(new Event("search"));
    }
    goTo(rows.firstElementChild, false);
  }
});
browser.offer("keys", showKeys);
