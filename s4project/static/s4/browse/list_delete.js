// Deletes objects, folders and versions: says before what will be lost, in figures, and shows how far
// it is. What is in a folder is counted for who asks, too.

import { button, el, openDialog } from "../dom.js";
import { deleteObjects, KEYS_PER_DELETE } from "../s3.js";
import { gettext, ngettext, numberText, say as fill, sizeText } from "../words.js";
import { runJob } from "./list_jobs.js";
import { pagesBelow, versionPagesBelow, versionPagesOf } from "./list_walk.js";
import { browser, isFolder, MARKER, OBJECT } from "./state.js";

const COUNTED_MAX = 100_000; // from here on "more than" is told
const TYPED_FROM = 1000; // so many are deleted by who types what is to go
const NAMED_MAX = 5;

const isVersion = (entry) => entry.versionId !== undefined;

// --- what there is ------------------------------------------------------------------------------------

// Pages of what is to go, each thing {key, versionId?, size}: of entries, or with all their versions.
async function* pagesOf(entries, isForGood, attempt) {
  const single = entries.filter((entry) => !isFolder(entry));
  if (single.length && (!isForGood || isVersion(single[0]))) {
    yield single;
  } else {
    for (const entry of single) {
      yield* versionPagesOf(browser.bucket, entry.key, attempt);
    }
  }
  for (const folder of entries.filter(isFolder)) {
    yield* (isForGood ? versionPagesBelow : pagesBelow)(browser.bucket, folder.key, attempt);
  }
}

const count = async (entries, isForGood, tell, signal, most = COUNTED_MAX) => {
  const found = { count: 0, bytes: 0, isAll: false };
  for await (const page of pagesOf(entries, isForGood, (request) => request(signal))) {
    found.count += page.length;
    found.bytes += page.reduce((sum, each) => sum + (each.size || 0), 0);
    tell(found);
    if (found.count >= most) {
      tell({ ...found, isMore: true });
      return;
    }
  }
  tell({ ...found, isAll: true });
};

const figures = ({ count: number, bytes, isAll, isMore }, isForGood) => {
  const unit = isForGood
    ? ngettext("%(count)s version, %(size)s", "%(count)s versions, %(size)s", number)
    : ngettext("%(count)s object, %(size)s", "%(count)s objects, %(size)s", number);
  const text = fill(unit, { count: numberText(number), size: sizeText(bytes) });
  if (isAll) {
    return text;
  }
  return fill(isMore ? gettext("more than %(figures)s") : gettext("%(figures)s, counting …"), { figures: text });
};

// --- the question -----------------------------------------------------------------------------------

const names = (entries) => {
  const shown = entries.slice(0, NAMED_MAX).map((entry) => el("li", {}, el("code", {}, entry.name || entry.key, isFolder(entry) ? "/" : "")));
  const rest = entries.length - shown.length;
  return el("ul", { class: "browse-named" }, shown, rest > 0 ? el("li", {}, fill(ngettext("and %(count)s more", "and %(count)s more", rest), { count: numberText(rest) })) : null);
};

const titleOf = (entries) => {
  if (entries.length === 1) {
    const [entry] = entries;
    return fill(isFolder(entry) ? gettext("Delete the folder “%(name)s”?") : gettext("Delete “%(name)s”?"), { name: entry.name || entry.key });
  }
  return fill(gettext("Delete %(count)s items?"), { count: numberText(entries.length) });
};

const choices = (onChange) => {
  const choice = (value, label, isOn) =>
    el("label", { class: "browse-choice" }, el("input", { type: "radio", name: "how", value, checked: isOn, on: { change: () => onChange(value === "all") } }), el("span", {}, label));
  return el("fieldset", { class: "browse-choices" },
    el("legend", { class: "sr-only" }, gettext("What is deleted")),
    choice("current", browser.keepsReplaced ? gettext("Delete. Versions are kept: what is deleted can be undeleted.") : gettext("Delete. Versions that there are stay."), true),
    choice("all", gettext("Delete for good, with all versions. This cannot be undone."), false));
};

const warningOf = (isForGood) => {
  if (isForGood || !browser.keepsVersions) {
    return gettext("This cannot be undone.");
  }
  return browser.keepsReplaced ? "" : gettext("Versioning is suspended: what was written since then is lost, and cannot be undeleted.");
};

// Ask; answer {isForGood, isBypassing, count} or null.
const question = (entries) =>
  new Promise((resolve) => {
    let isForGood = entries.some(isVersion);
    let known = { count: 0, bytes: 0, isAll: false };
    let counting = new AbortController();
    const total = el("p", { class: "browse-figures", "aria-live": "polite" });
    const warning = el("p", { class: "browse-warning" });
    const expected = entries.length === 1 ? entries[0].name || entries[0].key : browser.bucket;
    const bypass = el("input", { type: "checkbox" });
    const bypassing = el("label", { class: "browse-choice", hidden: true }, bypass,
      el("span", {}, gettext("Also what is retained in governance mode")));
    const typed = el("input", { type: "text", class: "field", autocomplete: "off", spellcheck: "false", on: { input: () => draw() } });
    const typing = el("label", { class: "window-typed", hidden: true }, el("span", {}, gettext("To go on, type"), " ", el("code", {}, expected)), typed);
    const go = button(gettext("Delete"), { kind: "danger", disabled: true, on: () => window_.close("yes") });

    const draw = () => {
      total.textContent = figures(known, isForGood);
      const isLossy = isForGood || !browser.keepsReplaced;
      warning.textContent = warningOf(isForGood);
      bypassing.hidden = !(isForGood && browser.facts.hasLock && browser.rights.bypass);
      const isCounted = known.isAll || known.isMore;
      typing.hidden = !(isLossy && known.count >= TYPED_FROM);
      const isReady = isCounted && (typing.hidden || typed.value === expected);
      if (isReady && go.disabled) {
        go.disabled = false;
        if (typing.hidden) {
          go.focus();
        }
      }
      go.disabled = !isReady;
    };
    const recount = () => {
      counting.abort();
      counting = new AbortController();
      known = { count: 0, bytes: 0, isAll: false };
      draw();
      const tell = (found) => { known = { ...found }; draw(); };
      count(entries, isForGood, tell, counting.signal).catch((error) => {
        if (error.name !== "AbortError") {
          known.isAll = true; // it is not known how much; what can be deleted can be counted no more
          draw();
          total.textContent = fill(gettext("How much there is cannot be told: %(why)s"), { why: error.message });
        }
      });
    };
    const mayChoose = browser.keepsVersions && !entries.some(isVersion) && browser.rights.removeVersions && browser.rights.listVersions;
    const window_ = openDialog({
      title: titleOf(entries),
      body: [
        entries.length > 1 ? names(entries) : null,
        total,
        mayChoose ? choices((isAll) => { isForGood = isAll; recount(); }) : null,
        bypassing,
        warning,
        typing,
      ].filter(Boolean),
      actions: [button(gettext("Cancel"), { on: () => window_.close("") }), go],
    });
    recount();
    window_.closed.then((answer) => {
      counting.abort();
      const isBypassing = bypass.checked && !bypassing.hidden;
      resolve(answer === "yes" ? { isForGood, isBypassing, count: known.isAll ? known.count : 0 } : null);
    });
  });

// --- the deed ---------------------------------------------------------------------------------------

const remove = async (job, things, isBypassing = false) => {
  const headers = isBypassing ? { "x-amz-bypass-governance-retention": "true" } : {};
  const refusals = await job.attempt((signal) => deleteObjects(browser.bucket, things, { headers, signal }));
  refusals.forEach(({ key, message }) => job.refuse(key, message));
  job.tick(things.length - refusals.length);
};

/** Delete entries, after a question; answers when it is done. */
export const deleteEntries = async (entries) => {
  const answer = await question(entries);
  if (answer === null) {
    return;
  }
  const { isForGood } = answer;
  await runJob({
    title: fill(gettext("Deleting from %(bucket)s"), { bucket: browser.bucket }),
    unit: isForGood ? gettext("versions") : gettext("objects"),
    told: (done) =>
      isForGood
        ? ngettext("%(done)s version deleted for good.", "%(done)s versions deleted for good.", done)
        : ngettext("%(done)s object deleted.", "%(done)s objects deleted.", done),
    work: async (job) => {
      job.total = answer.count;
      for await (const page of pagesOf(entries, isForGood, (request) => job.attempt(request))) {
        for (let at = 0; at < page.length; at += KEYS_PER_DELETE) {
          await remove(job, page.slice(at, at + KEYS_PER_DELETE), answer.isBypassing);
        }
      }
    },
  });
  if (entries.some((entry) => (isFolder(entry) ? browser.object.startsWith(entry.key) : entry.key === browser.object))) {
    browser.closeObject();
  }
  await browser.refresh();
};

const undelete = async (entries) => {
  await runJob({
    title: gettext("Undeleting"),
    told: (done) => ngettext("%(done)s object is back.", "%(done)s objects are back.", done),
    work: async (job) => {
      job.total = entries.length;
      await remove(job, entries);
    },
  });
  await browser.refresh();
};

// --- how much there is -------------------------------------------------------------------------------

const measure = async (entries) => {
  const counting = new AbortController();
  const total = el("p", { class: "browse-figures", "aria-live": "polite" });
  const window_ = openDialog({
    title: fill(gettext("What is in “%(name)s”"), { name: entries[0].name }),
    body: [total, el("p", { class: "browse-hint" }, gettext("Objects as they are now, in all folders below; earlier versions are not counted."))],
    actions: [button(gettext("Close"), { on: () => window_.close("") })],
  });
  window_.closed.then(() => counting.abort());
  const tell = (found) => { total.textContent = figures(found, false); };
  tell({ count: 0, bytes: 0, isAll: false });
  try {
    await count(entries, false, tell, counting.signal, Infinity);
  } catch (error) {
    if (error.name !== "AbortError") {
      total.textContent = error.message;
    }
  }
};

const mayDelete = (entries) => {
  const { remove: isPlain, removeVersions } = browser.rights;
  return entries.length > 0 && entries.every((entry) => (entry.kind === OBJECT || isFolder(entry) ? isPlain : removeVersions));
};

const whyNot = (entries) => (entries.length && !mayDelete(entries) ? gettext("Your policies do not let you delete here.") : "");

browser.offer("delete", deleteEntries, { when: mayDelete, why: whyNot });
browser.offer("measure", measure, { when: (entries) => entries.length === 1 && isFolder(entries[0]) && browser.rights.list });
browser.offer("undelete", undelete, {
  when: (entries) => entries.length > 0 && browser.rights.removeVersions && entries.every((entry) => entry.kind === MARKER && entry.isLatest),
});
