// The editor of an object's tags. They are changed in place: neither version nor time is another.

import { button, el, toast } from "../dom.js";
import { gettext, say } from "../words.js";
import { note, rowsEditor, saving, seen } from "./detail_parts.js";
import { writeTags } from "./object_calls.js";
import { TAGS_MAX, tagsTrouble } from "./object_rules.js";

/** Build the editor of `known` tags: `view` is {ref, may, reload, tagged}. */
export const buildTags = (view, known) => {
  const { ref, may } = view;
  const said = el("p", { class: "detail-said", role: "status" });
  const refusal = el("div", {});
  const judge = () => {
    const trouble = tagsTrouble(editor.rows());
    said.textContent = trouble;
    save.disabled = Boolean(trouble) || JSON.stringify(editor.rows()) === JSON.stringify(known);
  };
  const editor = rowsEditor({
    rows: known, mayEdit: may.tag, max: TAGS_MAX, onChange: judge,
    titles: { name: gettext("Name"), value: gettext("Value"), add: gettext("Add tag"), remove: gettext("Remove") },
    nameAttributes: { maxlength: 128 }, valueAttributes: { maxlength: 256 },
  });
  const save = button(gettext("Save tags"), { kind: "primary", disabled: true, on: () => saving({
    by: save, place: refusal, reload: view.reload, tellChange: tellTags,
    save: (isAnyhow) => writeTags(ref, known, editor.rows(), { isAnyhow }),
    done: () => {
      toast(gettext("The tags were saved."));
      view.tagged();
    },
  }) });
  return [
    el("p", { class: "detail-help" }, say(gettext("Up to %(count)s tags. Policies and lifecycle rules can go by them."), { count: TAGS_MAX })),
    known.length || may.tag ? editor.element : el("p", {}, gettext("There are none.")),
    may.tag ? el("div", { class: "detail-buttons" }, save, said) : note("info", el("p", {}, gettext("Your policies do not let you change tags here."))),
    refusal,
  ];
};

const tellTags = (now) =>
  now.length
    ? el("ul", {}, now.map(([name, value]) => el("li", {}, el("code", {}, seen(`${name} = ${value}`)))))
    : el("p", {}, gettext("It has no tags now."));
