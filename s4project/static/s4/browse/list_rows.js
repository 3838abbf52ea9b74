// Draws the rows of the list, in the order that a heading asks for, and keeps what is selected.

import { copyText, el, icon, toast } from "../dom.js";
import { gettext, momentText, ngettext, numberText, say as fill, sizeText } from "../words.js";
import { browser, isFolder, MARKER, OBJECT, VERSION } from "./state.js";

const NAME_SHOWN = 60; // characters that surely fit a row

const part = (id) => document.getElementById(id);
const body = part("browse-rows");
const all = part("browse-all");
const bar = part("browse-selection");
const headings = [...document.querySelectorAll(".browse-files [data-sort]")];

// What a row can be asked for, in the order of its menu.
const MENU = [
  ["open", "folder_open", gettext("Open")],
  ["details", "info", gettext("Details")],
  ["download", "download", gettext("Download")],
  ["share", "share", gettext("Share")],
  ["rename", "edit", gettext("Rename")],
  ["move", "drive_file_move", gettext("Move or copy")],
  ["undelete", "restore_from_trash", gettext("Undelete")],
  ["measure", "calculate", gettext("Count what is in it")],
  ["copy-name", "content_copy", gettext("Copy S3 address")],
  ["delete", "delete", gettext("Delete")],
];

let order = { by: "name", isDescending: false };
let last = null; // the id of the row that a range of rows is counted from

// --- order ----------------------------------------------------------------------------------------

const collator = new Intl.Collator("en", { numeric: true });
const ORDERS = {
  name: (one, other) => collator.compare(one.name, other.name),
  size: (one, other) => (one.size ?? 0) - (other.size ?? 0),
  modified: (one, other) => (one.modified ?? "").localeCompare(other.modified ?? ""),
};

const isPlain = () => order.by === "name" && !order.isDescending;

// S3's own order is that of bytes; it stands until a heading asks for another. Folders come first.
const ordered = (entries, isSorted) => {
  if (!isSorted || isPlain()) {
    return entries;
  }
  const sign = order.isDescending ? -1 : 1;
  return [...entries].sort((one, other) => isFolder(other) - isFolder(one) || sign * ORDERS[order.by](one, other));
};

const drawHeadings = (isSorted, isWhole) => {
  for (const heading of headings) {
    const isNow = isSorted && heading.dataset.sort === order.by;
    const button = heading.querySelector("button");
    button.disabled = !isSorted;
    button.title = isSorted && !isWhole ? gettext("Sorts what is shown: S3 lists by name") : "";
    if (isNow) {
      heading.setAttribute("aria-sort", order.isDescending ? "descending" : "ascending");
    } else {
      heading.removeAttribute("aria-sort");
    }
  }
};

// --- rows -----------------------------------------------------------------------------------------

const SYMBOLS = [
  [/\.(png|jpe?g|gif|webp|avif|svg|bmp|ico|tiff?|heic)$/i, "image"],
  [/\.(mp4|mkv|webm|mov|avi)$/i, "movie"],
  [/\.(mp3|flac|ogg|wav|m4a|opus)$/i, "music_note"],
  [/\.(zip|gz|tgz|bz2|xz|zst|7z|rar|tar)$/i, "folder_zip"],
  [/\.pdf$/i, "picture_as_pdf"],
  [/\.(csv|tsv|xlsx?|ods|parquet)$/i, "table"],
  [/\.(txt|md|log|rst|docx?|odt)$/i, "description"],
  [/\.(json|xml|ya?ml|toml|js|ts|py|go|rs|c|h|cpp|java|rb|sh|sql|html?|css)$/i, "code"],
];

const symbolOf = (entry) => {
  if (isFolder(entry)) {
    return "folder";
  }
  if (entry.kind === MARKER) {
    return "delete";
  }
  return SYMBOLS.find(([pattern]) => pattern.test(entry.name))?.[1] ?? "draft";
};

const nameOf = (entry) => entry.name || gettext("(no name)");

const placeOf = (entry) =>
  isFolder(entry)
    ? { prefix: entry.key, search: "", page: "", object: "", version: "" }
    : { object: entry.key, version: entry.versionId ?? "" };

const open = (entry) => {
  if (isFolder(entry)) {
    browser.enter(entry.key);
  } else {
    browser.openObject(entry.key, entry.versionId ?? "");
  }
};

const badges = (entry) => {
  const version = () => el("code", { class: "browse-version" }, entry.versionId);
  if (entry.kind === MARKER) {
    return [el("span", { class: "browse-badge browse-badge-deleted" }, entry.isLatest ? gettext("deleted") : gettext("delete marker")), version()];
  }
  if (entry.kind === VERSION) {
    return [el("span", { class: "browse-badge" }, entry.isLatest ? gettext("current") : gettext("earlier")), version()];
  }
  return entry.kind === OBJECT && entry.storageClass !== "STANDARD" ? [el("span", { class: "browse-badge" }, entry.storageClass)] : [];
};

const classOf = (entry) => {
  const isEarlier = (entry.kind === VERSION || entry.kind === MARKER) && !entry.isLatest;
  return [isEarlier && "browse-earlier", entry.kind === MARKER && "browse-deleted"].filter(Boolean).join(" ");
};

const drawRow = (entry) => {
  const name = nameOf(entry);
  const choose = el("input", { type: "checkbox", "aria-label": fill(gettext("Select %(name)s"), { name }) });
  choose.checked = browser.chosen.has(entry.id);
  const link = el("a", { class: "browse-open", href: browser.addressOf(placeOf(entry)) },
    icon(symbolOf(entry)), el("span", { class: "browse-text", dir: "auto", title: name.length > NAME_SHOWN ? name : null }, name, isFolder(entry) ? "/" : ""));
  const more = el("button", { type: "button", class: "button button-quiet browse-menu-button", "aria-haspopup": "menu",
    "aria-label": fill(gettext("What can be done with %(name)s"), { name }) }, icon("more_vert"));
  const size = isFolder(entry) || entry.kind === MARKER ? "" : sizeText(entry.size);
  const exact = size && fill(ngettext("%(count)s byte", "%(count)s bytes", entry.size), { count: numberText(entry.size) });
  const moment = entry.modified ? momentText(entry.modified) : "";
  const short = [size, moment].filter(Boolean).join(", "); // on a phone, which has no room for columns
  return el("tr", { data: { id: entry.id }, class: classOf(entry), "aria-selected": String(choose.checked) },
    el("td", { class: "browse-check" }, choose),
    el("td", { class: "browse-name" }, link, badges(entry), short ? el("span", { class: "browse-short" }, short) : null),
    el("td", { class: "browse-size" }, size ? el("span", { title: exact }, size) : ""),
    el("td", { class: "browse-modified" }, moment ? el("time", { datetime: entry.modified, title: entry.modified }, moment) : ""),
    el("td", { class: "browse-more" }, more));
};

const drawAll = (isSorted) => {
  const focused = document.activeElement?.closest?.("#browse-rows tr")?.dataset.id;
  body.replaceChildren(...ordered(browser.entries, isSorted).map(drawRow));
  if (focused !== undefined) {
    (rowOf(focused) ?? body.firstElementChild)?.querySelector(".browse-open").focus();
  }
};

const rowOf = (id) => [...body.children].find((row) => row.dataset.id === id);
const entryOf = (row) => browser.entries.find((entry) => entry.id === row.dataset.id);

// --- what is selected --------------------------------------------------------------------------------

const tellSelection = () => {
  const chosen = browser.selection;
  const bytes = chosen.reduce((sum, entry) => sum + (entry.size ?? 0), 0);
  const count = fill(ngettext("%(count)s selected", "%(count)s selected", chosen.length), { count: numberText(chosen.length) });
  part("browse-selected").textContent = bytes ? `${count}, ${sizeText(bytes)}` : count;
  bar.hidden = chosen.length === 0;
  all.checked = chosen.length > 0 && chosen.length === browser.entries.length;
  all.indeterminate = chosen.length > 0 && !all.checked;
  all.disabled = browser.entries.length === 0;
  for (const row of body.children) {
    const isChosen = browser.chosen.has(row.dataset.id);
    row.setAttribute("aria-selected", String(isChosen));
    row.querySelector("[type=checkbox]").checked = isChosen;
  }
};

const drawActions = () => {
  for (const each of document.querySelectorAll("#browse [data-action]")) {
    const { action, of } = each.dataset;
    const entries = of === "selection" ? browser.selection : [];
    each.disabled = !browser.can(action, entries);
    each.hidden = !browser.offers(action) || (each.disabled && "rare" in each.dataset);
    if (!each.hasAttribute("aria-label")) {
      each.title = each.disabled ? browser.whyNot(action, entries) : "";
    }
  }
};

// Choose a row; with Shift all rows between it and the one before.
export const choose = (row, { isRange = false, isChosen } = {}) => {
  const rows = [...body.children];
  const from = rows.findIndex((each) => each.dataset.id === last);
  if (isRange && from >= 0) {
    const [first, end] = [from, rows.indexOf(row)].sort((one, other) => one - other);
    const range = rows.slice(first, end + 1).map(entryOf);
    browser.select([...new Set([...browser.selection, ...range])]);
  } else {
    browser.toggle(entryOf(row), isChosen);
    last = row.dataset.id;
  }
};

export const chooseAll = () => browser.select(browser.entries);

// --- the menu of a row --------------------------------------------------------------------------------

const menu = el("div", { class: "browse-menu", role: "menu", popover: "auto" });
part("browse").append(menu);

const openMenu = (button, entry) => {
  const items = MENU.filter(([action]) => browser.can(action, [entry])).map(([action, symbol, label]) =>
    el("button", { type: "button", role: "menuitem", tabindex: "-1", class: action === "delete" ? "browse-menu-danger" : null,
      on: { click: () => { menu.hidePopover(); button.focus(); browser.act(action, [entry]); } } }, icon(symbol), label));
  menu.replaceChildren(...items);
  menu.showPopover();
  const { right, bottom, top } = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const isUp = bottom + height > window.innerHeight && top > height;
  menu.style.left = `${Math.max(8, right - width)}px`;
  menu.style.top = `${isUp ? top - height : Math.min(bottom, window.innerHeight - height - 8)}px`;
  items[0]?.focus();
};

menu.addEventListener("keydown", (event) => {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items.at(to % items.length).focus();
  } else if (event.key === "Tab") {
    menu.hidePopover();
  }
  event.stopPropagation();
});

// --- events --------------------------------------------------------------------------------------------

// With Shift a range of rows is meant, and none of their text.
body.addEventListener("mousedown", (event) => {
  if (event.shiftKey) {
    event.preventDefault();
  }
});

body.addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  const entry = row && entryOf(row);
  if (!entry) {
    return;
  }
  const isElsewhere = event.ctrlKey || event.metaKey || event.button !== 0;
  if (event.target.closest(".browse-open")) {
    if (!isElsewhere && !event.shiftKey) {
      event.preventDefault();
      open(entry);
    }
  } else if (event.target.closest(".browse-menu-button")) {
    openMenu(event.target.closest(".browse-menu-button"), entry);
  } else if (event.target.matches("[type=checkbox]")) {
    choose(row, { isRange: event.shiftKey, isChosen: event.target.checked });
  } else if (window.getSelection().isCollapsed) {
    choose(row, { isRange: event.shiftKey });
  }
});

all.addEventListener("change", () => (all.checked ? chooseAll() : browser.select([])));

for (const heading of headings) {
  heading.querySelector("button").addEventListener("click", () => {
    const by = heading.dataset.sort;
    order = { by, isDescending: order.by === by ? !order.isDescending : by !== "name" };
    browser.emit("change", "entries");
  });
}

document.getElementById("browse").addEventListener("click", (event) => {
  const asked = event.target.closest("[data-action]");
  if (asked) {
    browser.act(asked.dataset.action, asked.dataset.of === "selection" ? browser.selection : []);
  }
});

/** Draw what changed: all rows for "entries", else what is selected and what can be done. */
export const drawRows = (what, { isSorted, isWhole }) => {
  if (what === "entries") {
    drawHeadings(isSorted, isWhole);
    drawAll(isSorted);
  }
  tellSelection();
  drawActions();
};

browser.offer("open", ([entry]) => open(entry), { when: (entries) => entries.length === 1 && isFolder(entries[0]) });
browser.offer("select-none", () => browser.select([]), { when: (entries) => entries.length > 0 });
browser.offer("copy-name", async ([entry]) => {
  await copyText(`s3://${browser.bucket}/${entry.key}`);
  toast(gettext("The address is on the clipboard."));
}, { when: (entries) => entries.length === 1 });
