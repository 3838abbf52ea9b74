// The panel of one object: what it is, a preview, and what can be changed of it. It follows the state
// of the page (state.js): which object is open stands in the address.

import { button, el, tellTrouble, toast } from "../dom.js";
import { address } from "../s3.js";
import { gettext, momentText, say } from "../words.js";
import { buildAcl } from "./detail_acl.js";
import { buildFacts } from "./detail_facts.js";
import { buildLock } from "./detail_lock.js";
import { buildMetadata } from "./detail_metadata.js";
import { fill, note, seen, troubleNote, waiting } from "./detail_parts.js";
import { buildTags } from "./detail_tags.js";
import { buildVersions, restore } from "./detail_versions.js";
import { readAcl, readHead, readTags, readVersions } from "./object_calls.js";
import { preview } from "./preview.js";
import { browser, isFolder, MARKER, OBJECT, VERSION } from "./state.js";

const panel = document.getElementById("browse-details");
const narrow = matchMedia("(max-width: 1023px)");

let shown = { key: "", version: "" };
let view = null; // what the tabs are built from; null while there is no object
let tab = "overview";
let ended = new AbortController(); // of what the panel still waits for
const drawn = new Map(); // tabs that were open, so that what is typed there stays
let isMissing = false; // nothing was there when it was looked for
let opener = null; // what had the focus before

const nameOf = (key) => key.slice(key.lastIndexOf("/", key.length - 2) + 1) || key;
const isForbidden = (error) => error.code === "AccessDenied";

// --- tabs -----------------------------------------------------------------------------------------

const forbidden = (text) => note("info", el("p", {}, text));

const TABS = {
  overview: { title: gettext("Overview"), draw: (place) => {
    const show = el("div", { class: "preview" });
    place.replaceChildren(...[oldVersionNote(), view.may.read ? show : null, buildFacts(view)].filter(Boolean));
    if (view.may.read) preview(show, view.ref, view.head, ended.signal);
  } },
  metadata: { title: gettext("Metadata"), draw: (place) => place.replaceChildren(...buildMetadata(view).filter(Boolean)) },
  tags: { title: gettext("Tags"), draw: (place) =>
    view.may.readTags
      ? fill(place, () => readTags(view.ref), (tags) => buildTags({ ...view, reload: () => redraw("tags") }, tags))
      : place.replaceChildren(forbidden(gettext("Your policies do not let you see tags here."))) },
  versions: { title: gettext("Versions"), draw: drawVersions },
  lock: { title: gettext("Lock"), draw: (place) => place.replaceChildren(...buildLock(view)) },
  access: { title: gettext("Access"), draw: (place) =>
    view.may.readAcl
      ? fill(place, () => readAcl(view.ref), (acl) => buildAcl({ ...view, reload: () => redraw("access") }, acl))
      : place.replaceChildren(forbidden(gettext("Your policies do not let you see who is granted what here."))) },
};

function drawVersions(place) {
  if (!browser.rights.listVersions) {
    place.replaceChildren(forbidden(gettext("Your policies do not let you list versions here.")));
    return;
  }
  const { key } = shown;
  fill(place, () => readVersions(browser.bucket, key, { signal: ended.signal }), (page) => buildVersions(versionsView(page), page));
}

const versionsView = (page) => ({
  ref: { bucket: browser.bucket, key: shown.key },
  facts: browser.facts,
  may: browser.rights,
  shown: shown.version || page.versions.find((version) => version.isLatest)?.versionId,
  open: (versionId) => {
    tab = "overview";
    browser.openObject(shown.key, versionId);
  },
  download,
  restored: () => changed({ leaveVersion: true }),
  removed: (version) => changed({ leaveVersion: version.versionId === shown.version }),
});

const tabNames = () => {
  if (!view) return ["versions"];
  return Object.keys(TABS).filter((name) => (name !== "lock" || browser.facts.hasLock) && (name !== "versions" || browser.keepsVersions));
};

const drawTab = () => {
  for (const each of panel.querySelectorAll("[role=tab]")) {
    const isOpen = each.dataset.tab === tab;
    each.setAttribute("aria-selected", String(isOpen));
    each.tabIndex = isOpen ? 0 : -1;
  }
  const content = panel.querySelector(".detail-content");
  content.setAttribute("aria-labelledby", `detail-tab-${tab}`);
  if (!drawn.has(tab)) {
    drawn.set(tab, el("div", { class: "detail-tab" }));
    TABS[tab].draw(drawn.get(tab));
  }
  content.replaceChildren(drawn.get(tab));
};

// Draw one tab anew; what is typed in the others stays.
const redraw = (name) => {
  drawn.delete(name);
  if (tab !== name) return;
  drawTab();
  panel.querySelector("[role=tab][aria-selected=true]").focus({ preventScroll: true });
};

const tabList = () => {
  const names = tabNames();
  if (!names.includes(tab)) [tab] = names;
  const list = el("div", { class: "detail-tabs", role: "tablist", "aria-label": gettext("Details") }, names.map((name) =>
    el("button", { type: "button", role: "tab", id: `detail-tab-${name}`, "aria-controls": "detail-content", data: { tab: name }, on: { click: () => {
      tab = name;
      drawTab();
    } } }, TABS[name].title)));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    tab = names[(names.indexOf(tab) + step + names.length) % names.length];
    drawTab();
    list.querySelector("[aria-selected=true]").focus();
  });
  return list;
};

// --- the panel --------------------------------------------------------------------------------------

const entryShown = () => {
  const { key } = shown;
  const base = { key, name: nameOf(key), size: view?.head.size, etag: view?.head.etag, modified: view?.head.modified, storageClass: view?.head.storageClass };
  return shown.version
    ? { ...base, id: `${key}?${shown.version}`, kind: VERSION, versionId: shown.version, isLatest: false }
    : { ...base, id: key, kind: OBJECT };
};

function download(version) {
  const parameters = { versionId: version?.versionId };
  el("a", { href: address(browser.bucket, shown.key, parameters), download: "" }).click();
}

const heading = () =>
  el("header", { class: "detail-head" },
    el("div", { class: "detail-title" },
      el("h2", { id: "detail-name", tabindex: "-1", title: seen(shown.key) }, el("bdi", {}, seen(nameOf(shown.key)))),
      button("", { kind: "quiet", symbol: "close", title: gettext("Close (Esc)"), "aria-label": gettext("Close"), on: () => browser.closeObject() })));

const tools = () => {
  const entry = entryShown();
  const made = [
    view.may.read && (!shown.version || browser.rights.readVersions)
      ? button(gettext("Download"), { symbol: "download", on: () => download(shown.version ? { versionId: shown.version } : undefined) }) : null,
    ...[["share", "share", gettext("Share")], ["rename", "edit", gettext("Rename")], ["move", "drive_file_move", gettext("Move or copy")], ["delete", "delete", gettext("Delete")]]
      .filter(([name]) => browser.can(name, [entry]))
      .map(([name, symbol, label]) => button("", { symbol, title: label, "aria-label": label, on: () => browser.act(name, [entryShown()]) })),
  ];
  return el("div", { class: "detail-tools" }, made);
};

const oldVersionNote = () => {
  if (!shown.version) return null;
  const version = { versionId: shown.version, modified: view.head.modified, isLatest: false };
  return note("info",
    el("p", {}, say(gettext("This is the version of %(moment)s UTC."), { moment: momentText(view.head.modified) })),
    el("div", { class: "detail-buttons" },
      button(gettext("Show the current one"), { on: () => browser.openObject(shown.key) }),
      browser.rights.write ? button(gettext("Restore this version"), { symbol: "restore", on: (event) =>
        restore({ ref: { bucket: browser.bucket, key: shown.key }, facts: browser.facts, restored: () => changed({ leaveVersion: true }) }, version, event.currentTarget) }) : null));
};

// Who works in the panel goes on where he was: at the same control, else at the tab that is open.
const frame = (...content) => {
  const held = panel.contains(document.activeElement) ? document.activeElement.id : null;
  panel.replaceChildren(heading(), ...content.filter(Boolean));
  if (held !== null) {
    const again = [held, `detail-tab-${tab}`, "detail-name"].find((id) => id && document.getElementById(id));
    document.getElementById(again).focus({ preventScroll: true });
  }
};

const contentPlace = () => el("div", { class: "detail-content", id: "detail-content", role: "tabpanel", tabindex: "-1" });

const drawObject = () => {
  drawn.clear();
  frame(tools(), tabList(), contentPlace());
  drawTab();
};

// There is no object of this name, or the newest is a delete marker: its versions may still be there.
const drawMissing = (error) => {
  view = null;
  isMissing = true;
  if (!browser.keepsVersions || shown.version || !browser.rights.listVersions || error.code !== "NoSuchKey") {
    frame(troubleNote(error, () => load()));
    return;
  }
  drawn.clear();
  frame(note("warning", el("p", {}, gettext("This object is deleted. While its versions are there it can be brought back."))), tabList(), contentPlace());
  tab = "versions";
  drawTab();
};

const makeView = (ref, head) => ({
  ref, head, facts: browser.facts, may: browser.rights, isOld: Boolean(ref.versionId),
  reload: () => load(),
  changed: () => changed(),
  tagged: () => redraw("tags"),
  locked: () => load(),
  granted: () => redraw("access"),
});

const load = async () => {
  ended.abort();
  ended = new AbortController();
  const { signal } = ended;
  const ref = { bucket: browser.bucket, key: shown.key, versionId: shown.version };
  const at = panel.querySelector(".detail-content")?.scrollTop ?? 0;
  if (!view) frame(waiting());
  if (!ref.versionId && browser.entries.some((entry) => entry.key === ref.key && entry.kind === MARKER && entry.isLatest)) {
    drawMissing({ code: "NoSuchKey" });
    return;
  }
  try {
    const head = await readHead(ref, signal);
    if (signal.aborted) return;
    if (isMissing) tab = "overview"; // it is back
    isMissing = false;
    view = makeView(ref, head);
    drawObject();
    panel.querySelector(".detail-content").scrollTop = at;
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    if (isForbidden(error)) {
      view = null;
      frame(forbidden(gettext("Your policies do not let you look at this object.")));
    } else {
      drawMissing(error);
    }
  }
};

// Something of the object has changed: the list tells it too.
const changed = async ({ leaveVersion = false } = {}) => {
  try {
    await browser.refresh();
  } catch (error) {
    tellTrouble(error);
  }
  if (leaveVersion && shown.version) {
    browser.openObject(shown.key);
  } else {
    load();
  }
};

// --- open and close ---------------------------------------------------------------------------------

// On a narrow screen the panel covers the page, which nobody reaches meanwhile.
const cover = () => {
  const isOpen = Boolean(shown.key);
  for (const each of panel.parentElement.children) {
    if (each !== panel) each.inert = isOpen && narrow.matches;
  }
  document.body.classList.toggle("has-detail", isOpen);
};

const open = () => {
  if (panel.hidden) opener = document.activeElement;
  panel.hidden = false;
  cover();
  frame(waiting());
  panel.querySelector("#detail-name").focus({ preventScroll: true });
  load();
};

const close = () => {
  ended.abort();
  view = null;
  const hadFocus = panel.contains(document.activeElement) || document.activeElement === document.body;
  panel.hidden = true;
  panel.replaceChildren();
  drawn.clear();
  cover();
  if (hadFocus) opener?.focus?.();
};

// Something was typed in a tab, and not saved: what saves is enabled by that alone.
const isTyped = () => [...drawn.values()].some((each) => each.querySelector(".button-primary:not(:disabled)"));

const follow = (what) => {
  const { object: key, version } = browser;
  if (key !== shown.key || version !== shown.version) {
    if (view && isTyped()) toast(say(gettext("What you changed of “%(name)s” was not saved."), { name: nameOf(shown.key) }), "info");
    const isOther = key !== shown.key;
    shown = { key, version };
    view = null;
    isMissing = false;
    if (isOther) tab = "overview";
    if (key) {
      open();
    } else {
      close();
    }
  } else if (what === "entries" && view && !shown.version) {
    const entry = browser.entries.find((each) => each.key === shown.key && each.kind === OBJECT);
    // What somebody types elsewhere in the panel stays: it is compared when it is saved.
    if (tab === "overview" && entry?.etag && entry.etag !== view.head.etag) load();
  }
};

panel.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  event.preventDefault();
  if (event.target.matches("input, select")) {
    panel.querySelector("[role=tab][aria-selected=true]").focus(); // out of the field first
  } else {
    browser.closeObject();
  }
});
narrow.addEventListener("change", cover);
browser.on("change", follow);
browser.offer("details", ([entry]) => browser.openObject(entry.key, entry.kind === VERSION ? entry.versionId : ""), {
  when: (entries) => entries.length === 1 && !isFolder(entries[0]) && (entries[0].kind !== MARKER || entries[0].isLatest),
});
follow("place");
