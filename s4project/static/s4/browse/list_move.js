// Moves and copies objects and folders: to a folder of the same bucket by S4's rename, which is one
// step however much there is; to another bucket by copies, each of which is taken away at the source
// once it is there.

import { button, el, icon, openDialog } from "../dom.js";
import { copyObject, deleteObject, head, listObjects } from "../s3.js";
import { gettext, numberText, say as fill } from "../words.js";
import { copyLarge } from "./copy_large.js";
import { faultOf, isTaken, newToken, rename } from "./list_changes.js";
import { runJob } from "./list_jobs.js";
import { pagesBelow } from "./list_walk.js";
import { readTags } from "./object_calls.js";
import { browser, FOLDER, isFolder, OBJECT } from "./state.js";

const COPY_BYTES_MAX = 5 * 1024 ** 3; // of CopyObject
const FOLDERS_SHOWN_MAX = 200;

// --- one object -----------------------------------------------------------------------------------------

// What of an object's head a copy in parts must be told; CopyObject takes it along by itself.
const KEPT = /^(cache-control|content-(disposition|encoding|language|type)|expires|x-amz-meta-.*|x-amz-storage-class)$/;

// What is larger than CopyObject takes is copied in parts, of the very object that was looked at.
const copyInParts = async (source, target, conditions, signal) => {
  const told = await head(source.bucket, source.key, { signal });
  const kept = Object.fromEntries([...told].filter(([name]) => KEPT.test(name)));
  const tags = told.has("x-amz-tagging-count") ? await readTags(source) : [];
  await copyLarge(target, source, source.size, { ...kept, ...conditions }, { tags, signal });
};

const copy = (source, target, isReplacing, signal) => {
  const conditions = {
    ...(isReplacing ? {} : { "if-none-match": "*" }),
    "x-amz-copy-source-if-match": source.etag,
  };
  if (source.size > COPY_BYTES_MAX) {
    return copyInParts(source, target, conditions, signal);
  }
  return copyObject(target.bucket, target.key, source, { headers: conditions, signal });
};

const taken = () => new Error(gettext("There is something of that name already."));

// Whether a target is what a source is: what is told of a copy whose answer was lost.
const isThere = async (source, target, signal) => {
  const told = await head(target.bucket, target.key, { signal });
  return told.get("etag") === source.etag;
};

const copyOne = ({ source, target }, isReplacing, job) => {
  let isAgain = false;
  return job.attempt(async (signal) => {
    try {
      await copy(source, target, isReplacing, signal);
    } catch (error) {
      if (!isTaken(error) || isReplacing) {
        isAgain = true;
        throw error;
      }
      if (!(isAgain && (await isThere(source, target, signal)))) {
        throw taken();
      }
    }
  });
};

// Taken away is only what was copied: what somebody wrote meanwhile stays.
const carryOne = async (pair, isReplacing, job) => {
  const { source } = pair;
  await copyOne(pair, isReplacing, job);
  let isAgain = false;
  await job.attempt(async () => {
    try {
      await deleteObject(source.bucket, source.key, { headers: { "If-Match": source.etag } });
    } catch (error) {
      if (!(isAgain && error.code === "NoSuchKey")) {
        isAgain = true;
        throw error;
      }
    }
  });
};

const renameOrReplace = async ({ source, target }, isReplacing, job) => {
  const [token, other] = [newToken(), newToken()];
  try {
    await job.attempt((signal) => rename(source.bucket, source.key, target.key, { token, signal }));
  } catch (error) {
    if (!isTaken(error)) {
      throw error;
    }
    if (!isReplacing) {
      throw taken();
    }
    await job.attempt((signal) => rename(source.bucket, source.key, target.key, { isReplacing: true, token: other, signal }));
  }
};

// --- all that was selected --------------------------------------------------------------------------------

// Each object of what was selected, and where it goes.
async function* pairsOf(entries, place, attempt) {
  const pair = (each, start) => ({
    key: each.key,
    source: { bucket: browser.bucket, key: each.key, size: each.size, etag: each.etag },
    target: { bucket: place.bucket, key: place.prefix + each.key.slice(start.length) },
  });
  for (const entry of entries) {
    const start = entry.key.slice(0, entry.key.length - entry.name.length - (isFolder(entry) ? 1 : 0));
    if (!isFolder(entry)) {
      yield pair(entry, start);
      continue;
    }
    for await (const page of pagesBelow(browser.bucket, entry.key, attempt)) {
      yield* page.map((each) => pair(each, start));
    }
  }
}

// Give folders and objects their new names; a folder that meets another is moved key by key.
const moveHere = async (job, entries, place, isReplacing) => {
  job.total = entries.length;
  const meeting = [];
  await job.each(entries, async (entry) => {
    const tail = isFolder(entry) ? "/" : "";
    const source = { bucket: browser.bucket, key: entry.key };
    const target = { bucket: place.bucket, key: `${place.prefix}${entry.name}${tail}` };
    if (!tail) {
      await renameOrReplace({ source, target }, isReplacing, job);
      return;
    }
    const token = newToken();
    try {
      await job.attempt((signal) => rename(source.bucket, source.key, target.key, { token, signal }));
    } catch (error) {
      if (!isTaken(error)) {
        throw error;
      }
      meeting.push(entry);
    }
  });
  const pairs = pairsOf(meeting, place, (request_) => job.attempt(request_));
  await job.each(pairs, (pair) => renameOrReplace(pair, isReplacing, job));
};

const carry = async ({ entries, place, isMove, isReplacing }) => {
  const isHere = place.bucket === browser.bucket;
  const where = `${place.bucket}/${place.prefix}`;
  await runJob({
    title: fill(isMove ? gettext("Moving to %(where)s") : gettext("Copying to %(where)s"), { where }),
    told: () => (isMove ? gettext("%(done)s moved.") : gettext("%(done)s copied.")),
    work: (job) => {
      if (isMove && isHere) {
        return moveHere(job, entries, place, isReplacing);
      }
      const pairs = pairsOf(entries, place, (request_) => job.attempt(request_));
      return job.each(pairs, (pair) => (isMove ? carryOne : copyOne)(pair, isReplacing, job));
    },
  });
  await browser.refresh();
};

// --- where to ------------------------------------------------------------------------------------------

const bucketNames = async () => {
  const reply = await fetch("/browse/?names=1", { redirect: "error" }).catch(() => null);
  return reply?.ok ? (await reply.json()).names : [browser.bucket];
};

const faultOfPlace = (entries, place, isMove) => {
  const isHere = place.bucket === browser.bucket;
  for (const entry of entries) {
    const target = `${place.prefix}${entry.name}${isFolder(entry) ? "/" : ""}`;
    if (isHere && isFolder(entry) && place.prefix.startsWith(entry.key)) {
      return fill(gettext("The folder “%(name)s” cannot go into itself."), { name: entry.name });
    }
    if (isHere && target === entry.key) {
      return isMove ? gettext("It is there already.") : gettext("A copy needs another place.");
    }
    const wrong = faultOf(target);
    if (wrong) {
      return wrong;
    }
  }
  return "";
};

// Show the folders at a place, to go into; a place is typed, too.
class Picker {
  #asking = new AbortController();

  constructor(onChange) {
    this.onChange = onChange;
    this.bucket = el("select", { class: "field", id: "browse-to-bucket", on: { change: () => this.go("") } },
      el("option", { value: browser.bucket, selected: true }, browser.bucket));
    this.path = el("input", { type: "text", class: "field", id: "browse-to-folder", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      placeholder: gettext("the top of the bucket"), value: browser.prefix, on: { input: () => this.show() } });
    this.list = el("ul", { class: "browse-folders", "aria-label": gettext("Folders there") });
    this.element = el("div", { class: "browse-picker" },
      el("label", { for: "browse-to-bucket" }, gettext("Bucket")), this.bucket,
      el("label", { for: "browse-to-folder" }, gettext("Folder")), this.path, this.list);
    bucketNames().then((names) => this.bucket.append(...names.filter((name) => name !== browser.bucket).map((name) => el("option", { value: name }, name))));
    this.show();
  }

  get place() {
    const path = this.path.value;
    return { bucket: this.bucket.value, prefix: path && !path.endsWith("/") ? `${path}/` : path };
  }

  go(prefix) {
    this.path.value = prefix;
    this.show();
    this.path.focus();
  }

  async show() {
    this.onChange();
    this.#asking.abort();
    this.#asking = new AbortController();
    const { bucket } = this.place;
    const typed = this.path.value;
    const parent = typed.replace(/[^/]*\/?$/, "");
    try {
      const page = await listObjects(bucket, { prefix: typed, limit: FOLDERS_SHOWN_MAX, signal: this.#asking.signal });
      const item = (symbol, label, prefix) =>
        el("li", {}, button(label, { kind: "quiet", symbol, on: () => this.go(prefix) }));
      this.list.replaceChildren(
        ...(typed ? [item("arrow_upward", gettext("Up"), parent)] : []),
        ...page.folders.map((folder) => item("folder", folder.slice(parent.length) || folder, folder)),
      );
    } catch (error) {
      if (error.name !== "AbortError") {
        this.list.replaceChildren(el("li", {}, icon("lock"), " ", error.message));
      }
    }
  }
}

const isStart = (place) => place.bucket === browser.bucket && place.prefix === browser.prefix;

const whatGoes = (entries) =>
  entries.length === 1
    ? fill(gettext("“%(name)s”"), { name: entries[0].name })
    : fill(gettext("%(count)s items"), { count: numberText(entries.length) });

const askWhere = async (entries) => {
  const fault = el("p", { class: "browse-fault", role: "status" });
  const replacing = el("input", { type: "checkbox" });
  const mayMove = browser.rights.remove;
  const go = (word) => button(word === "move" ? gettext("Move") : gettext("Copy"), { kind: word === "move" ? "primary" : "", on: () => window_.close(word) });
  const moving = go("move");
  const copying = go("copy");
  const note = el("p", { class: "browse-hint" });
  const check = () => {
    const { place } = picker;
    moving.disabled = !mayMove || faultOfPlace(entries, place, true) !== "";
    copying.disabled = faultOfPlace(entries, place, false) !== "";
    fault.textContent = moving.disabled && copying.disabled && !isStart(place) ? faultOfPlace(entries, place, true) : "";
    const isHere = place.bucket === browser.bucket;
    note.textContent = isHere
      ? gettext("Within a bucket each folder moves in one step, however much is in it, with its versions.")
      : gettext("To another bucket each object is copied, then deleted here. Earlier versions and locks stay behind.");
  };
  let picker = { place: { bucket: browser.bucket, prefix: browser.prefix } };
  const body = [];
  picker = new Picker(() => picker.element && check());
  body.push(picker.element, el("label", { class: "browse-choice" }, replacing, el("span", {}, gettext("Replace what has the same name"))), note, fault);
  const window_ = openDialog({
    title: fill(gettext("Move or copy %(what)s"), { what: whatGoes(entries) }),
    body,
    actions: [button(gettext("Cancel"), { on: () => window_.close("") }), copying, moving],
  });
  check();
  picker.path.focus();
  const answer = await window_.closed;
  if (answer) {
    await carry({ entries, place: picker.place, isMove: answer === "move", isReplacing: replacing.checked });
  }
};

const mayCarry = (entries) =>
  entries.length > 0 && browser.rights.read && entries.every((entry) => entry.kind === OBJECT || entry.kind === FOLDER) && !browser.showsVersions;

browser.offer("move", askWhere, { when: mayCarry });
