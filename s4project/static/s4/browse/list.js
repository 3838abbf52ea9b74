// The list of a bucket's page: asks S3 for what the address says, and shows it, page by page.
//
// A page costs S3 what it shows, wherever it starts: so a folder of a million keys opens as fast as
// one of ten. What is typed to search is a prefix, which is all that S3 can look for.

import { button, el, icon, tellTrouble } from "../dom.js";
import { listObjects, listVersions } from "../s3.js";
import { gettext, numberText, say as fill } from "../words.js";
import "./list_changes.js";
import "./list_delete.js";
import "./list_keys.js";
import "./list_move.js";
import { drawRows } from "./list_rows.js";
import { browser, FOLDER, MARKER, OBJECT, say, VERSION } from "./state.js";

const TYPING_MS = 180; // a pause after which a search is asked for
const SIZES = [100, 250, 1000];
const SIZE_KEPT = "s4.browse.rows";

const part = (id) => document.getElementById(id);
const frame = part("browse-list");
const empty = part("browse-empty");
const pager = part("browse-pager");
const search = part("browse-search");
const versions = part("browse-versions");

let asking = new AbortController();
let next = ""; // the token of the page after this one

const pageSize = () => {
  const kept = Number(localStorage.getItem(SIZE_KEPT));
  return SIZES.includes(kept) ? kept : SIZES[1];
};

// --- asking ---------------------------------------------------------------------------------------

const nameIn = (key) => key.slice(browser.prefix.length);

const folderEntry = (key) => ({ id: `/${key}`, kind: FOLDER, key, name: nameIn(key).slice(0, -1) });

// The object that keeps an empty folder there is the folder itself, and no row of it.
const isOwnMark = (each) => each.key === browser.prefix && each.size === 0;

const askObjects = async (signal) => {
  const page = await listObjects(browser.bucket, {
    prefix: browser.prefix + browser.search, token: browser.page || undefined, limit: pageSize(), signal,
  });
  next = page.next;
  const objects = page.objects.filter((each) => !isOwnMark(each));
  return [
    ...page.folders.map(folderEntry),
    ...objects.map((each) => ({ ...each, id: `.${each.key}`, kind: OBJECT, name: nameIn(each.key) })),
  ];
};

const askVersions = async (signal) => {
  const page = await listVersions(browser.bucket, {
    prefix: browser.prefix + browser.search,
    marker: browser.page ? JSON.parse(browser.page) : undefined,
    limit: pageSize(),
    signal,
  });
  next = page.next ? JSON.stringify(page.next) : "";
  return [
    ...page.folders.map(folderEntry),
    ...page.versions.map((each) => ({
      ...each, id: `${each.versionId}.${each.key}`, kind: each.isMarker ? MARKER : VERSION, name: nameIn(each.key),
    })),
  ];
};

const askRights = async (signal) => {
  const address = `/browse/${encodeURIComponent(browser.bucket)}/rights?prefix=${encodeURIComponent(browser.prefix)}`;
  const reply = await fetch(address, { signal, redirect: "error" });
  if (reply.ok) {
    browser.setRights(await reply.json());
  }
};

const load = async () => {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  frame.setAttribute("aria-busy", "true");
  try {
    const entries = await (browser.showsVersions ? askVersions : askObjects)(signal);
    browser.show(entries);
    tellCount();
    empty.hidden = entries.length > 0;
    if (!entries.length) {
      showNothing();
    }
  } catch (error) {
    if (error.name === "AbortError") {
      return;
    }
    next = "";
    browser.show([]);
    showTrouble(error);
  }
  drawPager();
  frame.setAttribute("aria-busy", "false");
};

// --- where one is -----------------------------------------------------------------------------------

const link = (address, properties, ...children) =>
  el("a", {
    href: address,
    ...properties,
    on: {
      click: (event) => {
        if (!(event.ctrlKey || event.metaKey || event.shiftKey)) {
          event.preventDefault();
          browser.enter(properties.data.prefix);
        }
      },
    },
  }, ...children);

const drawPath = () => {
  const path = part("browse-path");
  const [home] = path.children;
  const pieces = browser.prefix.split("/").slice(0, -1);
  const crumbs = [["", browser.bucket], ...pieces.map((name, at) => [`${pieces.slice(0, at + 1).join("/")}/`, name])];
  const parts = crumbs.flatMap(([prefix, name], at) => {
    const isHere = at === crumbs.length - 1;
    const text = name || gettext("(no name)");
    return [
      el("span", { "aria-hidden": "true" }, "/"),
      isHere
        ? el("span", { "aria-current": "page" }, text)
        : link(browser.addressOf({ prefix, search: "", page: "", object: "", version: "" }), { data: { prefix } }, text),
    ];
  });
  path.replaceChildren(home, ...parts);
  document.title = `${crumbs.at(-1)[1] || browser.bucket} | S4`;
};

// --- what there is to say where there is nothing ------------------------------------------------------

const words = (symbol, title, text, ...more) => {
  const parts = [icon(symbol), el("h2", {}, title), text && el("p", {}, text), ...more];
  empty.replaceChildren(...parts.filter(Boolean));
  empty.hidden = false;
  say(title);
};

const showNothing = () => {
  if (next) {
    words("more_horiz", gettext("Nothing on this page"), gettext("There is more on the next."));
  } else if (browser.search) {
    words("search_off", fill(gettext("No name here begins with “%(text)s”"), { text: browser.search }),
      gettext("Upper and lower case differ. Names are searched by how they begin, in this folder."),
      button(gettext("Show all"), { on: () => browser.go({ search: "", page: "" }, { replace: true }) }));
  } else if (browser.page) {
    words("last_page", gettext("Nothing more"), "", button(gettext("To the first page"), { on: () => browser.go({ page: "" }) }));
  } else {
    const isRoot = browser.prefix === "";
    const title = isRoot ? gettext("This bucket is empty") : gettext("This folder is empty");
    const mayUpload = browser.can("upload", []);
    const mayHaveMore = browser.keepsVersions && !browser.showsVersions;
    words("folder_open", title, mayUpload ? gettext("Drop files or folders here.") : "",
      mayUpload && button(gettext("Upload"), { kind: "primary", symbol: "upload", on: () => browser.act("upload", []) }),
      mayHaveMore && button(gettext("Look for deleted objects"), { on: () => browser.go({ versions: "1", page: "" }) }));
  }
};

const TROUBLES = {
  AccessDenied: ["lock", gettext("You may not list this"), gettext("Your policies do not let you list what is here. If a folder is open to you, type its name and a slash above.")],
  NoSuchBucket: ["search_off", gettext("This bucket is gone"), gettext("It was deleted while you were looking.")],
  SignedOut: ["logout", gettext("Your session is over"), gettext("Sign in again to go on.")],
  Unreachable: ["cloud_off", gettext("The server cannot be reached"), gettext("Nothing is lost. Try again once it is back.")],
};

const openFolder = (prefix) =>
  link(browser.addressOf({ prefix, search: "", page: "", object: "", version: "" }), { data: { prefix } }, prefix);

const showTrouble = (error) => {
  const [symbol, title, text] = TROUBLES[error.code] ?? TROUBLES[error.name] ?? ["error", gettext("This cannot be listed"), error.message];
  const here = encodeURIComponent(location.pathname + location.search);
  const ways = {
    NoSuchBucket: () => el("a", { class: "button", href: "/browse/" }, gettext("Show all buckets")),
    SignedOut: () => el("a", { class: "button button-primary", href: `/login/?next=${here}` }, gettext("Sign in")),
  };
  const way = ways[error.code] ?? ways[error.name] ?? (() => button(gettext("Try again"), { on: () => browser.refresh() }));
  const folders = error.code === "AccessDenied" ? browser.facts.openFolders : [];
  words(symbol, title, folders.length ? gettext("You may list these folders:") : text,
    ...(folders.length ? folders.map(openFolder) : [way()]));
};

// --- pages ------------------------------------------------------------------------------------------

const tellCount = () => {
  const count = browser.entries.length;
  const text = next ? gettext("%(count)s shown, and there is more") : gettext("%(count)s shown");
  say(fill(text, { count: numberText(count) }));
};

const drawPager = () => {
  const isFirst = browser.page === "";
  pager.hidden = !browser.entries.length && isFirst;
  const back = () => {
    const trail = browser.trail.slice(0, -1);
    browser.go({ page: browser.trail.at(-1) ?? "" }, { trail });
  };
  const forth = () => browser.go({ page: next }, { trail: [...browser.trail, browser.page] });
  const count = fill(gettext("%(count)s shown"), { count: numberText(browser.entries.length) });
  const rows = el("select", { class: "field", "aria-label": gettext("Rows on a page"), on: { change: (event) => {
    localStorage.setItem(SIZE_KEPT, event.target.value);
    browser.go({ page: "" }, { replace: true });
    browser.refresh();
  } } }, SIZES.map((size) => el("option", { value: size, selected: size === pageSize() }, fill(gettext("%(count)s rows"), { count: numberText(size) }))));
  pager.replaceChildren(
    el("span", {}, count),
    rows,
    button(gettext("Previous"), { on: back, disabled: isFirst, symbol: "chevron_left" }),
    button(gettext("Next"), { on: forth, disabled: !next, symbol: "chevron_right" }),
  );
};

// --- what is typed and ticked --------------------------------------------------------------------------

let typing = 0;

const searchNow = () => {
  if (search.value !== browser.search) {
    browser.go({ search: search.value, page: "" }, { replace: true });
  }
};

search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(searchNow, TYPING_MS);
});
search.addEventListener("search", searchNow);
versions.addEventListener("change", () => browser.go({ versions: versions.checked ? "1" : "", page: "" }));

const showPlace = () => {
  drawPath();
  versions.checked = browser.showsVersions;
  part("browse-versions-choice").hidden = !(browser.keepsVersions || browser.showsVersions);
  if (document.activeElement !== search) {
    search.value = browser.search;
  }
};

let prefixOfRights = browser.prefix; // those of the first came with the page
let askingRights = new AbortController();

browser.on("change", (what) => {
  if (what === "place") {
    showPlace();
    if (browser.prefix !== prefixOfRights) {
      prefixOfRights = browser.prefix;
      askingRights.abort();
      askingRights = new AbortController();
      askRights(askingRights.signal).catch(() => {}); // S3 says so itself, should it refuse
    }
  }
  if (["entries", "selection", "rights", "actions"].includes(what)) {
    drawRows(what, { isSorted: !browser.showsVersions, isWhole: !next && !browser.page });
  }
});

browser.lister = load;
browser.offer("refresh", () => load().catch(tellTrouble));
showPlace();
load();
