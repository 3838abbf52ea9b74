// What the page of a bucket shows, and what is selected in it: one state, that its modules share.
//
// The list fills it. Others listen (`browser.on("change", ...)`), ask for the list anew
// (`browser.refresh()`), and offer what can be done (`browser.offer("upload", ...)`): a button with
// data-action appears once its action is offered, and is enabled where it can be done. The address
// says all of where one is, so that a page can be loaded again, passed on and gone back to.

// Of an entry of the list: { id, kind, key, name, size, modified, etag, storageClass }; a kind of
// VERSION or MARKER has { versionId, isLatest } besides. A FOLDER's key is a prefix with its slash.
export const FOLDER = "folder";
export const OBJECT = "object";
export const VERSION = "version";
export const MARKER = "marker";

export const isFolder = (entry) => entry.kind === FOLDER;
export const isObject = (entry) => entry.kind === OBJECT || entry.kind === VERSION;

const facts = JSON.parse(document.getElementById("browse-facts").textContent);

// Names in the address, and what they are where it does not have them.
const PLACE = { prefix: "", search: "", versions: "", page: "", object: "", version: "" };

// A prefix that ends in no slash is a folder, and what is searched in it.
const readPlace = () => {
  const asked = new URLSearchParams(window.location.search);
  const place = Object.fromEntries(Object.keys(PLACE).map((name) => [name, asked.get(name) ?? PLACE[name]]));
  const end = place.prefix.lastIndexOf("/") + 1;
  return { ...place, prefix: place.prefix.slice(0, end), search: place.prefix.slice(end) + place.search };
};

const writePlace = (place) => {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(place)) {
    if (value !== PLACE[name]) {
      asked.set(name, value);
    }
  }
  const text = asked.toString();
  return window.location.pathname + (text ? `?${text}` : "");
};

class Browser {
  #listeners = new Map();
  #actions = new Map();
  #place = readPlace();
  #reload = async () => {};

  constructor() {
    this.facts = facts;
    this.bucket = facts.bucket;
    this.rights = facts.rights; // what might be allowed below the prefix: see browse_rights.py
    this.entries = [];
    this.chosen = new Set(); // ids of entries
    window.addEventListener("popstate", () => this.#moveTo(readPlace()));
  }

  // --- where one is ---

  get prefix() {
    return this.#place.prefix;
  }

  get search() {
    return this.#place.search;
  }

  // The token of the page of the list; "" is the first.
  get page() {
    return this.#place.page;
  }

  get showsVersions() {
    return this.#place.versions === "1";
  }

  // The key whose details are open, "" for none, and its version, "" for the newest.
  get object() {
    return this.#place.object;
  }

  get version() {
    return this.#place.version;
  }

  // The tokens of the pages before this one, for the way back.
  get trail() {
    return window.history.state?.trail ?? [];
  }

  get keepsVersions() {
    return facts.versioning !== "unversioned";
  }

  // Whether what is replaced or deleted stays as a version: while versioning is suspended, what was
  // written without it does not.
  get keepsReplaced() {
    return facts.versioning === "enabled";
  }

  // The address of another place in the bucket.
  addressOf(changes) {
    return writePlace({ ...this.#place, ...changes });
  }

  // Go somewhere: changes by the names of PLACE. What is listed is listed anew if it is other.
  go(changes, { replace = false, trail = [] } = {}) {
    const place = { ...this.#place, ...changes };
    const how = replace ? "replaceState" : "pushState";
    window.history[how]({ trail }, "", writePlace(place));
    this.#moveTo(place);
  }

  // Go into a folder.
  enter(prefix) {
    this.go({ prefix, search: "", page: "", object: "", version: "" });
  }

  // Open the details of an object, or of one of its versions; close them.
  openObject(key, version = "") {
    this.go({ object: key, version }, { trail: this.trail });
  }

  closeObject() {
    this.go({ object: "", version: "" }, { trail: this.trail });
  }

  #moveTo(place) {
    const before = this.#place;
    this.#place = place;
    const isOther = ["prefix", "search", "versions", "page"].some((name) => place[name] !== before[name]);
    if (isOther) {
      this.select([]);
    }
    this.emit("change", isOther ? "place" : "object");
    if (isOther) {
      this.refresh();
    }
  }

  // --- what is listed ---

  // Who lists; the list says so once.
  set lister(reload) {
    this.#reload = reload;
  }

  // List again what is shown; what is selected stays so where it is still there.
  refresh() {
    return this.#reload();
  }

  show(entries) {
    this.entries = entries;
    const there = new Set(entries.map((entry) => entry.id));
    this.chosen = new Set([...this.chosen].filter((id) => there.has(id)));
    this.emit("change", "entries");
  }

  // --- what is selected ---

  get selection() {
    return this.entries.filter((entry) => this.chosen.has(entry.id));
  }

  select(entries) {
    this.chosen = new Set(entries.map((entry) => entry.id));
    this.emit("change", "selection");
  }

  toggle(entry, isChosen = !this.chosen.has(entry.id)) {
    if (isChosen) {
      this.chosen.add(entry.id);
    } else {
      this.chosen.delete(entry.id);
    }
    this.emit("change", "selection");
  }

  setRights(rights) {
    this.rights = rights;
    this.emit("change", "rights");
  }

  // --- events ---

  // Listen: "change" says what has changed ("place", "object", "entries", "selection", "rights").
  on(event, listener) {
    const known = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, known.add(listener));
    return () => known.delete(listener);
  }

  emit(event, detail) {
    for (const listener of this.#listeners.get(event) ?? []) {
      listener(detail);
    }
  }

  // --- what can be done ---

  // Offer an action: `does(entries)` with what it is done to, `when(entries)` tells whether it can be
  // done to those, and `why(entries)` what keeps it from being done, where that is worth saying.
  offer(name, does, { when = () => true, why = () => "" } = {}) {
    this.#actions.set(name, { does, when, why });
    this.emit("change", "actions");
  }

  offers(name) {
    return this.#actions.has(name);
  }

  can(name, entries) {
    return this.#actions.get(name)?.when(entries) ?? false;
  }

  whyNot(name, entries) {
    return this.#actions.get(name)?.why(entries) ?? "";
  }

  act(name, entries = this.selection) {
    return this.can(name, entries) ? this.#actions.get(name).does(entries) : undefined;
  }
}

export const browser = new Browser();

// A word for those who do not see the page.
export const say = (text) => {
  document.getElementById("browse-said").textContent = text;
};
