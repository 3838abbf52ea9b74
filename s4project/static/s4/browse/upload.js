// Uploads in the page of a bucket: the button and its window, what is dropped, and the panel.
import { button, confirm, el, icon, openDialog, toast } from "../dom.js";
import { gettext, ngettext, numberText, say as fill } from "../words.js";
import { browser, say } from "./state.js";
import { DONE, FINISHING, NEEDS_FILE, Uploads } from "./upload_engine.js";
import { hash } from "./upload_hash.js";
import { askBeforeLeaving } from "./upload_leave.js";
import { Memory } from "./upload_memory.js";
import { Panel } from "./upload_panel.js";
import { hasFiles, ofDrop, ofField } from "./upload_pick.js";
import * as wire from "./upload_wire.js";

const REFRESH_MS = 1500; // the list follows what has come, no more often
const RENEWALS_MAX = 3; // of the page's token, one after the other, without anything being sent
const OWNER = browser.facts.me;

const uploads = new Uploads({
  wire,
  memory: new Memory(OWNER),
  hash,
  requestBytesMax: browser.facts.objectBytesMax,
});
askBeforeLeaving(() => uploads.isBusy);

// --- files ---

const send = (files, prefix = browser.prefix) => {
  const { bucket } = browser;
  const told = files.map(({ file, path, handle }) => ({ bucket, key: prefix + path, name: path, file, handle }));
  const count = told.length;
  if (!uploads.isBusy) {
    uploads.clear(); // what went before is over
  }
  say(fill(ngettext("Uploading %(count)s file", "Uploading %(count)s files", count), { count: numberText(count) }));
  uploads.add(told);
};

let field = null; // kept while it is open; outside of the page, whose theme dresses fields for files

const pick = (isFolder, onFiles) => {
  field = el("input", { type: "file", multiple: true, webkitdirectory: isFolder });
  field.addEventListener("change", () => onFiles(ofField(field)));
  field.click();
};

const where = () => `${browser.bucket}/${browser.prefix}`;

const openWindow = () => {
  const choose = (isFolder) => () => pick(isFolder, (files) => (window_.close(), send(files)));
  const takesFolders = "webkitdirectory" in HTMLInputElement.prototype;
  const body = el("div", { class: "upload-choices" },
    button(gettext("Files"), { symbol: "upload_file", kind: "primary", on: choose(false) }),
    takesFolders ? button(gettext("A folder"), { symbol: "drive_folder_upload", on: choose(true) }) : null,
    el("p", {}, gettext("Or drop files and folders anywhere on the page.")));
  const window_ = openDialog({ title: fill(gettext("Upload to %(place)s"), { place: where() }), body });
};

browser.offer("upload", openWindow, { when: () => browser.rights.write });

// --- dropping ---

const cover = el("div", { class: "upload-cover", hidden: true }, icon("upload"), el("p", {}));
document.body.append(cover);
let depth = 0; // of elements that are dragged over

const showCover = (isShown) => {
  depth = isShown ? depth : 0;
  cover.hidden = !isShown;
  cover.lastChild.textContent = browser.rights.write
    ? fill(gettext("Drop to upload to %(place)s"), { place: where() })
    : gettext("You may not write here.");
};

document.addEventListener("dragenter", (event) => {
  if (hasFiles(event.dataTransfer)) {
    depth += 1;
    showCover(true);
  }
});
document.addEventListener("dragleave", (event) => {
  if (hasFiles(event.dataTransfer)) {
    depth -= 1;
    showCover(depth > 0);
  }
});
document.addEventListener("dragover", (event) => {
  if (hasFiles(event.dataTransfer)) {
    event.preventDefault(); // else the browser would open the file in place of the page
    event.dataTransfer.dropEffect = browser.rights.write ? "copy" : "none";
  }
});
document.addEventListener("drop", async (event) => {
  if (!hasFiles(event.dataTransfer)) {
    return;
  }
  event.preventDefault();
  showCover(false);
  if (!browser.rights.write) {
    return;
  }
  const { prefix } = browser;
  let done = () => {};
  const found = await ofDrop(event.dataTransfer, (count) => {
    if (count % 500 === 0) {
      done();
      done = toast(fill(gettext("Reading the folder: %(count)s files so far"), { count: numberText(count) }), "info");
    }
  });
  done();
  if (found.unreadable.length) {
    const count = found.unreadable.length;
    const words = ngettext("%(count)s file could not be read, first of all %(name)s.", "%(count)s files could not be read, first of all %(name)s.", count);
    toast(fill(words, { count: numberText(count), name: found.unreadable[0] }), "error");
  }
  if (found.files.length) {
    send(found.files, prefix);
  }
});

// --- a session that is over, and files to be given again ---

let renewals = 0;
let isRenewing = false;

const renew = async () => {
  if (isRenewing || uploads.gate.closedFor !== "session") {
    return;
  }
  isRenewing = true;
  const found = await wire.renew(OWNER).catch(() => "none");
  isRenewing = false;
  if (found === "own" && renewals < RENEWALS_MAX) {
    renewals += 1;
    panel.tellSession("");
    uploads.gate.open();
  } else {
    panel.tellSession(found === "own" ? "none" : found);
  }
};

const renewAsTold = () => {
  renewals = 0;
  return renew();
};

window.addEventListener("focus", renewAsTold);
window.addEventListener("online", () => uploads.gate.closedFor === "connection" && uploads.gate.open());

const giveFile = (upload, file) => {
  if (!uploads.attach(upload, file, { mustMatch: true })) {
    toast(fill(gettext("%(name)s is another file than the one whose upload was begun."), { name: file.name }), "error");
  }
};

// The file that the browser kept a handle of, if the page may read it and it is still there.
const fileOf = async ({ handle }, isAllowed) => {
  try {
    return (await handle?.[isAllowed]({ mode: "read" })) === "granted" ? await handle.getFile() : null;
  } catch {
    return null;
  }
};

const askForFile = async (upload) => {
  const kept = await fileOf(upload, "requestPermission");
  if (!(kept && uploads.attach(upload, kept, { mustMatch: true }))) { // none, or another by now
    pick(false, ([{ file }]) => giveFile(upload, file));
  }
};

const takeUp = async () => {
  await uploads.recall();
  for (const upload of uploads.all.filter(({ state }) => state === NEEDS_FILE)) {
    const file = await fileOf(upload, "queryPermission");
    if (file) {
      uploads.attach(upload, file);
    }
  }
};

// --- the panel, and the list that follows ---

const panel = new Panel(document.getElementById("browse-transfers"), uploads, {
  onFile: askForFile,
  onSignedIn: renewAsTold,
  signInUrl: `/login/?next=${encodeURIComponent(location.pathname)}`,
  keepsReplaced: browser.keepsReplaced,
});

panel.onCancel = async () => {
  const count = uploads.all.filter(({ isEnded, state }) => !isEnded && state !== FINISHING).length;
  const isSure = await confirm({
    title: gettext("Cancel all uploads?"),
    body: fill(ngettext("%(count)s upload has not ended; what was sent of it is given up.", "%(count)s uploads have not ended; what was sent of them is given up.", count), { count: numberText(count) }),
    action: gettext("Cancel all uploads"),
    isDanger: true,
  });
  if (isSure) {
    uploads.cancel(uploads.all);
  }
};

let refreshing = 0;

const refreshSoon = () => {
  if (!refreshing) {
    refreshing = setTimeout(() => {
      refreshing = 0;
      browser.refresh();
    }, REFRESH_MS);
  }
};

let wasOver = false; // the session

uploads.onChange((upload) => {
  const isOver = uploads.gate.closedFor === "session";
  if (isOver && !wasOver) {
    renew();
  }
  wasOver = isOver;
  if (upload?.state !== DONE) {
    return;
  }
  renewals = 0;
  if (upload.bucket === browser.bucket && upload.key.startsWith(browser.prefix)) {
    refreshSoon();
  }
  if (!uploads.isBusy) {
    const count = uploads.all.filter(({ state }) => state === DONE).length;
    say(fill(ngettext("%(count)s file uploaded", "%(count)s files uploaded", count), { count: numberText(count) }));
  }
});

takeUp();
