// Links to share: addresses of an object that carry a signature of who makes them, and end by
// themselves. The REST API makes them (api/presign.py); they are used at the S3 side's own address.
import { button, copyText, el, openDialog } from "../dom.js";
import { csrfToken, SignedOut } from "../s3.js";
import { gettext, momentText, say } from "../words.js";
import { browser, isObject } from "./state.js";

const HOUR = 3600;
const DAY = 24 * HOUR;
const PERIODS = () => [
  [HOUR / 4, gettext("15 minutes")],
  [HOUR, gettext("1 hour")],
  [12 * HOUR, gettext("12 hours")],
  [DAY, gettext("1 day")],
  [3 * DAY, gettext("3 days")],
  [7 * DAY, gettext("7 days")],
];
const CHOSEN = DAY;
const NEW_KEY = "/iam/accesskey/add/";
const LOCAL = /^(localhost|127\.[\d.]+|\[::1\])$/;
const UNAUTHORIZED = 401;

const api = async (method, path, body) => {
  const reply = await fetch(`/api/admin/${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: body && JSON.stringify(body),
    cache: "no-store",
  });
  if (reply.status === UNAUTHORIZED) {
    throw new SignedOut();
  }
  const told = await reply.json();
  if (!reply.ok) {
    throw new Error(told.error);
  }
  return told;
};

// The access keys of who is signed in that can sign now, the oldest first.
const readKeys = async () => {
  const { id } = await api("GET", "me");
  const { keys } = await api("GET", `users/${id}/keys`);
  const now = Date.now();
  const areGood = keys.filter((key) => key.is_enabled && (!key.expires_at || Date.parse(key.expires_at) > now));
  return areGood.sort((one, other) => one.created_at.localeCompare(other.created_at));
};

const labelled = (text, field) => el("label", { class: "share-field" }, el("span", {}, text), field);

const choice = (options, chosen) =>
  el("select", { class: "field" }, options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));

const nameOf = ({ access_key: id, name }) => (name ? `${name} (${id})` : id);

// What is worth knowing of a link: until when it is good, and whether others can reach it.
const remarks = ({ url, expires_at: ends }, key) => {
  const lines = [
    say(gettext("Good until %(moment)s UTC for everybody who has it. It ends sooner when the access key is disabled or deleted, or you lose the right to read the object."), { moment: momentText(ends) }),
  ];
  if (key.policy) {
    lines.push(gettext("The access key has a policy that narrows it: the link works if that allows s3:GetObject here."));
  }
  if (LOCAL.test(new URL(url).hostname)) {
    lines.push(gettext("This address is reached from this computer alone. Set S4_PUBLIC_URL to the one that others reach S3 by."));
  }
  return lines.map((line) => el("p", {}, line));
};

// The form for a link: what it does with the key it signs with.
const linkForm = (entry, keys) => {
  const period = choice(PERIODS(), CHOSEN);
  const signer = choice(keys.map((key) => [key.access_key, nameOf(key)]), keys[0].access_key);
  const saves = el("input", { type: "checkbox" });
  const url = el("input", { class: "field share-url", readonly: true, "aria-label": gettext("The link"), on: { focus: () => url.select() } });
  const copied = el("span", { class: "share-copied", role: "status" });
  const open = el("a", { class: "button", target: "_blank", rel: "noopener noreferrer" }, gettext("Open"));
  const made = el("div", { class: "share-made", hidden: true });
  const trouble = el("p", { class: "share-trouble", role: "alert" });
  const copy = async () => {
    await copyText(url.value);
    copied.textContent = gettext("Copied");
  };
  const make = async () => {
    trouble.textContent = copied.textContent = "";
    const key = keys.find(({ access_key: id }) => id === signer.value);
    const wanted = { key: entry.key, expires_in: Number(period.value), access_key: key.access_key };
    if (entry.versionId) {
      wanted.version_id = entry.versionId;
    }
    if (saves.checked) {
      wanted.response_content_disposition = `attachment; filename*=UTF-8''${encodeURIComponent(entry.name)}`;
    }
    try {
      const link = await api("POST", `buckets/${encodeURIComponent(browser.bucket)}/presign`, wanted);
      url.value = open.href = link.url;
      made.replaceChildren(
        el("div", { class: "share-link" }, url, button(gettext("Copy"), { symbol: "content_copy", on: copy }), open),
        copied, ...remarks(link, key));
      made.hidden = false;
      await copy().catch(() => {}); // where the browser does not let a page copy, there is the button
    } catch (error) {
      trouble.textContent = error.message;
    }
  };
  const again = () => {
    made.hidden = true; // what is shown is always what was chosen
  };
  [period, signer, saves].forEach((field) => field.addEventListener("change", again));
  const fields = [
    labelled(gettext("Good for"), period),
    keys.length > 1 ? labelled(gettext("Signed with"), signer) : null,
    el("label", { class: "share-check" }, saves, gettext("Saved as a file, not shown in the browser")),
  ];
  return { body: [...fields, trouble, made], action: button(gettext("Create link and copy it"), { kind: "primary", symbol: "link", on: make }) };
};

const noKey = () => [
  el("p", {}, gettext("A link is signed with an access key, and you have none that can be used now.")),
  el("p", {}, el("a", { class: "button button-primary", href: NEW_KEY }, gettext("Create an access key"))),
];

const share = async ([entry]) => {
  const title = say(gettext("Share %(name)s"), { name: entry.name });
  let keys;
  try {
    keys = await readKeys();
  } catch (error) {
    openDialog({ title, body: el("p", { class: "share-trouble", role: "alert" }, error.message) });
    return;
  }
  const { body, action } = keys.length ? linkForm(entry, keys) : { body: noKey() };
  openDialog({ title, body, actions: action ? [action] : [] });
};

browser.offer("share", share, {
  when: (entries) => entries.length === 1 && isObject(entries[0]) && browser.rights.read,
  why: (entries) => (entries.length > 1 ? gettext("A link is made for one object.") : ""),
});
