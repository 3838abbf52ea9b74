// Downloads: one object as it is, several and whole folders as one zip that the server makes while it
// is sent (zip_download.py).
import { el, tellTrouble, toast } from "../dom.js";
import { address, csrfToken, errorOf, Unreachable } from "../s3.js";
import { gettext, ngettext, numberText, say, sizeText } from "../words.js";
import { browser, isFolder, isObject, OBJECT, VERSION } from "./state.js";
import { withoutAsking } from "./upload_leave.js";

const follow = (link) => {
  document.body.append(link);
  link.click();
  link.remove();
};

const downloadOne = ({ key, name, versionId }) => {
  follow(el("a", { href: address(browser.bucket, key, { versionId }), download: name, hidden: true }));
};

const selectionOf = (entries) =>
  JSON.stringify({
    base: browser.prefix,
    keys: entries.filter((entry) => !isFolder(entry)).map(({ key }) => key),
    prefixes: entries.filter(isFolder).map(({ key }) => key),
  });

const addressOfZip = () => `/zip/${encodeURIComponent(browser.bucket)}`;

// Ask how much it would be, before anything is sent: { objects, bytes, hasMore }.
const measure = async (selection) => {
  let reply;
  try {
    reply = await fetch(addressOfZip(), {
      method: "POST",
      headers: { "X-CSRFToken": csrfToken() },
      body: new URLSearchParams({ selection, measure: "1" }),
      cache: "no-store",
    });
  } catch (error) {
    throw new Unreachable(error);
  }
  if (!reply.ok) {
    throw errorOf(reply.status, await reply.text());
  }
  return reply.json();
};

const downloadZip = async (entries) => {
  const selection = selectionOf(entries);
  let found;
  try {
    found = await measure(selection);
  } catch (error) {
    tellTrouble(error);
    return;
  }
  const alone = entries.filter((entry) => !isFolder(entry));
  const objects = found.objects + (found.hasMore ? 0 : alone.length);
  const bytes = alone.reduce((sum, { size }) => sum + size, found.bytes);
  if (found.hasMore) {
    toast(say(gettext("These are more than %(count)s objects, too many for one zip. Choose fewer, or take an S3 client such as rclone."), { count: numberText(objects) }), "error");
    return;
  }
  if (!objects) {
    toast(gettext("There is nothing in it to download."), "info");
    return;
  }
  const told = Object.entries({ csrfmiddlewaretoken: csrfToken(), selection });
  const form = el("form", { method: "post", action: addressOfZip(), hidden: true },
    told.map(([name, value]) => el("input", { type: "hidden", name, value })));
  document.body.append(form);
  withoutAsking(() => form.submit());
  form.remove();
  const words = ngettext("Downloading %(count)s object, %(size)s, as a zip.", "Downloading %(count)s objects, %(size)s, as a zip.", objects);
  toast(say(words, { count: numberText(objects), size: sizeText(bytes) }), "info");
};

const isOne = (entries) => entries.length === 1 && isObject(entries[0]);
const isPackable = (entries) => entries.length > 0 && entries.every((entry) => isFolder(entry) || entry.kind === OBJECT);

browser.offer("download", (entries) => (isOne(entries) ? downloadOne(entries[0]) : downloadZip(entries)), {
  when: (entries) => browser.rights.read && (isOne(entries) || isPackable(entries)),
  why: (entries) =>
    entries.some(({ kind }) => kind === VERSION) ? gettext("Versions are downloaded one at a time.") : "",
});
