// Empties a bucket, and deletes it if that is wanted: everything in it, versions and unfinished
// uploads too, by S3's own requests of who is signed in. It is shown how far it is; it can be stopped,
// and goes on where it was once the server answers again.

import { pagesBelow, versionPagesBelow } from "./browse/list_walk.js";
import { button, el } from "./dom.js";
import { attempt as attemptTo, isStop, stopped } from "./retry.js";
import { ask, childText, childrenOf, deleteObjects, isSignedOut, request } from "./s3.js";
import { gettext, ngettext, numberText, say } from "./words.js";

const PASSES_MAX = 5; // others may write meanwhile
const SHOWN_MAX = 20;
const BYPASS = { "x-amz-bypass-governance-retention": "true" };

const facts = JSON.parse(document.getElementById("bucket-facts").textContent);
const form = document.getElementById("bucket-clear");
const place = document.getElementById("bucket-clear-progress");
const stopping = { controller: null };
const refusals = new Map();
let done = 0;

const bar = el("progress", { class: "clear-bar", "aria-label": gettext("How far it is") });
const count = el("p", { role: "status" });
const trouble = el("p", { class: "editor-wrong" });
const list = el("ul", { class: "clear-refusals" });

const draw = () => {
  count.textContent = say(gettext("%(done)s deleted of about %(total)s."), { done: numberText(done), total: numberText(facts.things) });
  bar.max = Math.max(facts.things, 1);
  bar.value = Math.min(done, bar.max);
};

// Wait until somebody lets it go on.
const wait = (error, signal) => new Promise((resolve, reject) => {
  const goOn = button(gettext("Go on"), { kind: "primary", on: () => { trouble.replaceChildren(); resolve(); } });
  // Whoever signs in says anew what he wants: it may be somebody else, and is another session.
  const signIn = el("a", { class: "button", href: location.pathname }, gettext("Sign in"));
  trouble.replaceChildren(`${error.message} `, isSignedOut(error) ? signIn : goOn);
  signal.addEventListener("abort", () => reject(stopped()), { once: true });
});

// Ask until it is answered; what S3 refuses is thrown.
const attempt = (work) => {
  const { signal } = stopping.controller;
  return attemptTo(work, { signal, wait: (error) => wait(error, signal) });
};

const refuse = ({ key, versionId, message }) => {
  const name = versionId ? `${key} (${versionId})` : key;
  if (!refusals.has(name) && refusals.size < SHOWN_MAX) {
    list.append(el("li", {}, el("code", {}, name), ` ${message}`));
  }
  refusals.set(name, message);
};

const removeObjects = async (headers) => {
  let found = 0;
  const pages = facts.has_versions ? versionPagesBelow : pagesBelow; // versions where there ever were any
  for await (const things of pages(facts.name, "", attempt)) {
    const wanted = things.map(({ key, versionId }) => ({ key, versionId }));
    const refused = await attempt((signal) => deleteObjects(facts.name, wanted, { headers, signal }));
    refused.forEach(refuse);
    found += wanted.length - refused.length;
    done += wanted.length - refused.length;
    draw();
  }
  return found;
};

const removeUploads = async () => {
  let markers = {};
  for (;;) {
    const parameters = { uploads: "", "encoding-type": "url", ...markers };
    const root = await attempt((signal) => ask("GET", facts.name, undefined, { parameters, signal }));
    for (const node of childrenOf(root, "Upload")) {
      const key = decodeURIComponent(childText(node, "Key").replace(/\+/g, "%20"));
      const uploadId = childText(node, "UploadId");
      try {
        await attempt((signal) => request("DELETE", facts.name, key, { parameters: { uploadId }, signal }));
        done += 1;
        draw();
      } catch (error) {
        if (isStop(error)) {
          throw error;
        }
        if (error.code !== "NoSuchUpload") { // it was completed, or given up by another
          refuse({ key, message: error.message });
        }
      }
    }
    if (childText(root, "IsTruncated") !== "true") {
      return;
    }
    markers = {
      "key-marker": decodeURIComponent(childText(root, "NextKeyMarker").replace(/\+/g, "%20")),
      "upload-id-marker": childText(root, "NextUploadIdMarker"),
    };
  }
};

const empty = async (headers) => {
  await removeUploads();
  for (let pass = 0; pass < PASSES_MAX; pass += 1) {
    refusals.clear();
    list.replaceChildren();
    if (await removeObjects(headers) === 0) {
      return;
    }
  }
};

const leaving = (event) => event.preventDefault();

const finish = (text, stop) => {
  window.removeEventListener("beforeunload", leaving);
  stop.remove();
  count.textContent = text;
  place.append(el("a", { class: "button", href: facts.address }, gettext("Back to the bucket")));
};

const run = async (isDeleting) => {
  const headers = form.elements.bypass?.checked ? BYPASS : {};
  stopping.controller = new AbortController();
  const stop = button(gettext("Stop"), { on: () => stopping.controller.abort() });
  place.replaceChildren(bar, count, trouble, list, stop);
  form.querySelector("fieldset").disabled = true;
  window.addEventListener("beforeunload", leaving);
  draw();
  let ending = "";
  try {
    await empty(headers);
  } catch (error) {
    ending = isStop(error) ? gettext("Stopped.") : error.message;
  }
  const gone = say(ngettext("%(done)s thing was deleted.", "%(done)s things were deleted.", done), { done: numberText(done) });
  if (ending || refusals.size) {
    const kept = refusals.size ? say(ngettext("%(count)s was not: S3 says why.", "%(count)s were not: S3 says why.", refusals.size), { count: numberText(refusals.size) }) : "";
    finish([gone, kept, ending, isDeleting ? gettext("The bucket is still there.") : ""].filter(Boolean).join(" "), stop);
    return;
  }
  if (!isDeleting) {
    finish(`${gone} ${gettext("The bucket is empty.")}`, stop);
    return;
  }
  window.removeEventListener("beforeunload", leaving);
  form.querySelector("fieldset").disabled = false;
  form.submit(); // the server deletes the bucket, which is empty now, and says so
};

const typed = form.elements.confirmed;
const buttons = form.querySelectorAll("button[data-clear]");
const enable = () => buttons.forEach((each) => { each.disabled = typed.value !== facts.name; });

typed.addEventListener("input", enable);
form.addEventListener("submit", (event) => {
  if (facts.things > 0) {
    event.preventDefault();
    const how = event.submitter?.dataset.clear ?? "empty";
    if (typed.value === facts.name) {
      run(how === "delete");
    }
  }
});
enable();
