// The editor of an object's headers: those that HTTP knows, and metadata of its owner's own. S3 changes
// headers by copying an object onto itself: where versions are kept that makes a new version.

import { button, el, toast } from "../dom.js";
import { gettext, sizeText } from "../words.js";
import { note, rowsEditor, saving, seen } from "./detail_parts.js";
import { contentHeader, readAcl, writeMetadata } from "./object_calls.js";
import { metadataTrouble } from "./object_rules.js";

const TITLES = {
  "content-type": ["Content-Type", "text/plain; charset=utf-8"],
  "cache-control": ["Cache-Control", "max-age=3600"],
  "content-disposition": ["Content-Disposition", 'attachment; filename="name.txt"'],
  "content-encoding": ["Content-Encoding", "gzip"],
  "content-language": ["Content-Language", "en"],
  expires: ["Expires", "Wed, 21 Oct 2026 07:28:00 GMT"],
  "x-amz-website-redirect-location": ["Website redirect", "/other.html"],
};
const TYPES = [
  "application/gzip", "application/json", "application/octet-stream", "application/pdf", "application/xml",
  "application/zip", "audio/mpeg", "image/jpeg", "image/png", "image/svg+xml", "image/webp", "text/css",
  "text/csv", "text/html; charset=utf-8", "text/javascript", "text/markdown", "text/plain; charset=utf-8", "video/mp4",
];

const typesList = () => {
  const id = "detail-types";
  return [id, el("datalist", { id }, TYPES.map((value) => el("option", { value })))];
};

const contentFields = (known, mayEdit, onChange) => {
  const [listId, list] = typesList();
  const fields = Object.entries(TITLES).map(([name, [title, example]]) => {
    const field = el("input", {
      type: "text", class: "field", id: `detail-${name}`, autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      placeholder: mayEdit ? example : "", readonly: !mayEdit, list: name === "content-type" ? listId : null, data: { header: name },
      on: { input: onChange },
    });
    field.value = contentHeader(known, name);
    return el("div", { class: "detail-field" }, el("label", { for: field.id }, title), field);
  });
  const element = el("div", { class: "detail-fields" }, list, fields);
  const values = () => [...element.querySelectorAll("[data-header]")].map((field) => [field.dataset.header, field.value.trim()]);
  return { element, values };
};

const effects = (facts, known) => {
  const texts = [];
  if (facts.versioning === "enabled") {
    texts.push(gettext("Saving makes a new version with these headers; the one before stays as it is."));
  } else {
    texts.push(gettext("Saving sets the object's time to now; its content and tags stay."));
  }
  if (known.lock.mode || known.lock.hold) {
    texts.push(gettext("The new version is locked as this one is."));
  }
  return el("p", { class: "detail-help" }, texts.join(" "));
};

/** Build the editor: `view` is {ref, head, facts, may, isOld, reload, changed}. */
export const buildMetadata = (view) => {
  const { ref, head: known, facts, may } = view;
  const mayEdit = may.write && !view.isOld;
  const said = el("p", { class: "detail-said", role: "status" });
  const refusal = el("div", {});
  const judge = () => {
    const trouble = metadataTrouble(content.values(), own.rows());
    const isChanged = JSON.stringify([content.values(), own.rows()]) !== before;
    said.textContent = trouble;
    save.disabled = Boolean(trouble) || !isChanged;
  };
  const content = contentFields(known, mayEdit, judge);
  const own = rowsEditor({
    rows: known.metadata, mayEdit, onChange: judge,
    titles: { name: gettext("Name"), value: gettext("Value"), add: gettext("Add metadata"), remove: gettext("Remove") },
  });
  const save = button(gettext("Save metadata"), { kind: "primary", disabled: true, on: () => saving({
    by: save, place: refusal, reload: view.reload, tellChange: tellHead,
    save: async (isAnyhow) => {
      const wanted = { content: content.values(), metadata: own.rows().map(([name, value]) => [name.trim(), value.trim()]), lock: known.lock };
      const acl = facts.hasAcls ? await readAcl(ref) : undefined;
      await writeMetadata(ref, known, wanted, { isAnyhow, acl, onProgress: (done, size) => { said.textContent = `${sizeText(done)} / ${sizeText(size)}`; } });
    },
    done: () => {
      toast(gettext("The metadata was saved."));
      view.changed();
    },
  }) });
  const before = JSON.stringify([content.values(), own.rows()]);
  return [
    view.isOld ? note("info", el("p", {}, gettext("An old version keeps its metadata. Restore it to change them."))) : null,
    !may.write && !view.isOld ? note("info", el("p", {}, gettext("Your policies do not let you write here."))) : null,
    content.element,
    el("h3", {}, gettext("User metadata")),
    known.metadata.length || mayEdit ? own.element : el("p", { class: "detail-help" }, gettext("There is none.")),
    mayEdit ? effects(facts, known) : null,
    mayEdit ? el("div", { class: "detail-buttons" }, save, said) : null,
    refusal,
  ];
};

const tellHead = (now) =>
  el("ul", {}, [...now.content.filter(([, value]) => value), ...now.metadata].map(([name, value]) => el("li", {}, el("code", {}, seen(`${name}: ${value}`)))));
