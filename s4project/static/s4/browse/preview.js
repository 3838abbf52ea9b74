// Previews of objects: images, sound, films, PDF, tables, JSON, text, and the first bytes of the rest.
//
// What is stored may be anybody's, and hostile. It is shown as a picture, as sound or film, drawn on a
// canvas, or as text that is put into the page as text: never as a document of its own. The type that
// the browser is told is ours (preview_kinds.js), and what comes from S3's door is shut in besides.

import { button, el, openDialog } from "../dom.js";
import { address } from "../s3.js";
import { gettext, ngettext, numberText, say, sizeText } from "../words.js";
import { note, troubleNote, waiting } from "./detail_parts.js";
import { contentHeader } from "./object_calls.js";
import { firstBytes } from "./preview_bytes.js";
import { readTable } from "./preview_csv.js";
import { kindOf } from "./preview_kinds.js";
import { showPdf } from "./preview_pdf.js";
import { hexDump, indentJson, readText } from "./preview_text.js";

const TEXT_BYTES = 256 * 1024;
const JSON_BYTES = 1024 * 1024; // indented only whole
const HEX_BYTES = 512;
const IMAGE_BYTES = 20 * 1024 * 1024; // larger ones are asked for
const CELL_CHARACTERS = 300;

const addressAs = (ref, type) =>
  address(ref.bucket, ref.key, {
    versionId: ref.versionId || undefined,
    "response-content-type": type,
  });

const cutNote = (shown, head, isGzip) =>
  el("p", { class: "detail-help" }, isGzip
    ? say(gettext("The first %(shown)s of it, unpacked."), { shown: sizeText(shown) })
    : say(gettext("The first %(shown)s of %(size)s."), { shown: sizeText(shown), size: sizeText(head.size) }));

const textBlock = (text, label) =>
  el("pre", { class: "preview-text", tabindex: "0", role: "region", "aria-label": label, dir: "auto" }, text);

const bytesBlock = (bytes) => [
  el("p", { class: "detail-help" }, say(gettext("This is not text. Its first %(count)s bytes:"), { count: Math.min(bytes.length, HEX_BYTES) })),
  textBlock(hexDump(bytes.subarray(0, HEX_BYTES)), gettext("First bytes")),
];

const tableBlock = (table) => {
  const cell = (name, text) => {
    const isLong = text.length > CELL_CHARACTERS;
    return el(name, { dir: "auto", scope: name === "th" ? "col" : null, title: isLong ? gettext("Cut short here") : null }, isLong ? `${text.slice(0, CELL_CHARACTERS)}…` : text);
  };
  const count = say(ngettext("%(count)s row", "%(count)s rows", table.rows.length), { count: numberText(table.rows.length) });
  const columns = say(ngettext("%(count)s column", "%(count)s columns", table.columns), { count: numberText(table.columns) });
  return [
    el("div", { class: "preview-table", tabindex: "0", role: "region", "aria-label": gettext("Table") },
      el("table", {},
        el("thead", {}, el("tr", {}, table.head.map((text) => cell("th", text)))),
        el("tbody", {}, table.rows.map((row) => el("tr", {}, row.map((text) => cell("td", text))))))),
    el("p", { class: "detail-help" }, table.isCut
      ? say(gettext("%(rows)s and %(columns)s; there is more in it."), { rows: count, columns })
      : `${count}, ${columns}`),
  ];
};

// --- one function for each kind: it answers the content, or a promise of it --------------------------

const showImage = ({ ref, head, type }) =>
  new Promise((resolve) => {
    const size = el("p", { class: "detail-help" });
    const image = el("img", { class: "preview-image", alt: say(gettext("Preview of %(name)s"), { name: ref.key }), src: addressAs(ref, type), decoding: "async" });
    image.addEventListener("load", () => {
      size.textContent = image.naturalWidth ? say(gettext("%(width)s × %(height)s pixels"), { width: image.naturalWidth, height: image.naturalHeight }) : "";
      resolve([image, size]);
    });
    image.addEventListener("error", () => resolve([note("info", el("p", {}, gettext("This cannot be shown as an image. It may be damaged, or something else than its name or type says.")))]));
    if (head.size === 0) image.dispatchEvent(new Event("error"));
  });

const showMedia = ({ ref, kind, type, signal }) => {
  const player = el(kind, { class: "preview-media", controls: true, preload: "metadata", src: addressAs(ref, type), "aria-label": say(gettext("Preview of %(name)s"), { name: ref.key }) });
  const place = el("div", {}, player);
  player.addEventListener("error", () => place.replaceChildren(note("info", el("p", {}, gettext("This browser cannot play it. Download it to look at it.")))));
  signal.addEventListener("abort", () => {
    player.removeAttribute("src"); // ends what is being fetched
    player.load();
  });
  return [place];
};

const showPages = async ({ ref, type, signal, width }) => {
  try {
    return [await showPdf(addressAs(ref, type), { signal, width })];
  } catch (error) {
    if (signal.aborted) throw new DOMException("", "AbortError");
    const text = error.name === "PasswordException" ? gettext("This PDF is locked with a password. Download it to open it.") : gettext("This cannot be shown as a PDF. It may be damaged, or something else than its name or type says.");
    return [note("info", el("p", {}, text))];
  }
};

const showText = async ({ ref, head, kind, isGzip, delimiter, signal }) => {
  const max = kind === "json" && head.size <= JSON_BYTES ? JSON_BYTES : TEXT_BYTES;
  const { bytes, isCut } = await firstBytes(ref, head, { max, isGzip, signal });
  if (!bytes.length) return [el("p", { class: "detail-help" }, gettext("It is empty."))];
  const read = readText(bytes, isCut);
  if (!read) return bytesBlock(bytes);
  if (kind === "table") return tableBlock(readTable(read.text, { delimiter, isCut }));
  const indented = kind === "json" && !isCut ? indentJson(read.text) : null;
  return [
    textBlock(indented ?? read.text, gettext("Text")),
    kind === "json" && !isCut && indented === null ? el("p", { class: "detail-help" }, gettext("It is not valid JSON, or too deep; shown as it is.")) : null,
    isCut ? cutNote(bytes.length, head, isGzip) : null,
    read.encoding === "utf-8" ? null : el("p", { class: "detail-help" }, say(gettext("Read as %(encoding)s."), { encoding: read.encoding })),
  ];
};

const SHOWN_BY = { image: showImage, audio: showMedia, video: showMedia, pdf: showPages, table: showText, json: showText, text: showText, bytes: showText };

/**
 * Show an object of which `head` was told in `place`, until `signal` ends it. What is large is shown
 * when it is asked for; a window shows it larger.
 */
export const preview = (place, ref, head, signal, { isLarge = false } = {}) => {
  const found = kindOf(ref.key, contentHeader(head, "content-type"), contentHeader(head, "content-encoding"));
  const show = async () => {
    place.replaceChildren(waiting());
    try {
      const width = place.clientWidth || 400;
      const content = await SHOWN_BY[found.kind]({ ref, head, signal, width, ...found });
      if (signal.aborted) return;
      place.replaceChildren(...content.filter(Boolean), ...(isLarge || head.size === 0 ? [] : [larger(ref, head, found)]));
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      place.replaceChildren(error.code === "PreconditionFailed"
        ? note("info", el("p", {}, gettext("It has just changed. Open it again to see it as it is now.")))
        : troubleNote(error, show));
    }
  };
  if (found.kind === "image" && head.size > IMAGE_BYTES) {
    place.replaceChildren(button(say(gettext("Load the image (%(size)s)"), { size: sizeText(head.size) }), { symbol: "image", on: show }));
    return Promise.resolve();
  }
  return show();
};

const larger = (ref, head, found) =>
  found.kind === "audio" ? null : el("div", { class: "detail-buttons" }, button(gettext("Enlarge"), { kind: "quiet", symbol: "open_in_full", on: () => {
    const ended = new AbortController();
    const place = el("div", { class: "preview preview-large" });
    const window_ = openDialog({ title: ref.key.slice(ref.key.lastIndexOf("/") + 1) || ref.key, body: place, wide: true });
    window_.closed.then(() => ended.abort());
    preview(place, ref, head, ended.signal, { isLarge: true });
  } }));
