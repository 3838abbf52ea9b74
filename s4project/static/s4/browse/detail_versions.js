// The versions of one object: each can be looked at, brought back, taken along and deleted; a delete
// marker is taken away to bring back what it hides.

import { button, confirm, el, tellTrouble, toast } from "../dom.js";
import { deleteObject } from "../s3.js";
import { gettext, momentText, say, sizeText } from "../words.js";
import { note, seen } from "./detail_parts.js";
import { readVersions, restoreVersion } from "./object_calls.js";

const LOCKED = new Set(["AccessDenied", "ObjectLocked"]);

/** Build the list from its first page: `view` is {ref, facts, may, shown, reload, open, download, restored, removed}. */
export const buildVersions = (view, page) => {
  const list = el("ol", { class: "detail-versions" });
  const more = el("div", { class: "detail-buttons" });
  const add = ({ versions, next }) => {
    list.append(...versions.map((version) => row(view, version)));
    more.replaceChildren(...(next ? [button(gettext("Show older ones"), { on: async (event) => {
      event.target.disabled = true;
      try {
        add(await readVersions(view.ref.bucket, view.ref.key, { marker: next }));
      } catch (error) {
        event.target.disabled = false;
        tellTrouble(error, gettext("Older versions could not be listed."));
      }
    } })] : []));
  };
  add(page);
  return [
    page.versions.length ? null : el("p", {}, gettext("There is no version of this name.")),
    view.facts.versioning === "unversioned" ? note("info", el("p", {}, gettext("This bucket keeps no versions: what is overwritten or deleted is gone."))) : null,
    list,
    more,
  ];
};

const row = (view, version) => {
  const name = version.isMarker ? gettext("Delete marker") : sizeText(version.size);
  const isShown = !version.isMarker && view.shown === version.versionId;
  const marks = [
    version.isLatest ? el("span", { class: "detail-mark detail-mark-now" }, version.isMarker ? gettext("hides the object") : gettext("current")) : null,
    isShown ? el("span", { class: "detail-mark" }, gettext("shown here")) : null,
  ];
  return el("li", { class: version.isMarker ? "detail-version detail-version-marker" : "detail-version", data: { version: version.versionId } },
    el("div", { class: "detail-version-what" },
      el("strong", {}, el("time", { datetime: version.modified, title: version.modified }, momentText(version.modified))),
      el("span", { class: "detail-marks" }, marks),
      el("div", { class: "detail-version-more" }, name, " · ", el("code", { title: version.versionId }, seen(version.versionId)))),
    el("div", { class: "detail-buttons" }, version.isMarker ? markerTools(view, version) : versionTools(view, version, isShown)));
};

const tool = (symbol, label, on) => button("", { kind: "quiet", symbol, title: label, "aria-label": label, on });

const versionTools = (view, version, isShown) => [
  view.may.readVersions && !isShown ? tool("visibility", gettext("Show this version"), () => view.open(version.isLatest ? "" : version.versionId)) : null,
  view.may.readVersions ? tool("download", gettext("Download this version"), () => view.download(version)) : null,
  view.may.write && !version.isLatest ? tool("restore", gettext("Restore this version"), (event) => restore(view, version, event.currentTarget)) : null,
  view.may.removeVersions ? tool("delete_forever", gettext("Delete this version"), () => remove(view, version)) : null,
];

const markerTools = (view, version) => [
  view.may.removeVersions ? button(version.isLatest ? gettext("Undelete") : gettext("Remove"), {
    symbol: version.isLatest ? "restore_from_trash" : "close", on: (event) => undelete(view, version, event.currentTarget),
  }) : null,
];

/** Bring a version back as the newest. */
export const restore = async (view, version, by) => {
  const isOverwriting = view.facts.versioning !== "enabled";
  if (isOverwriting && !(await confirm({
    title: gettext("Restore this version?"),
    body: el("p", {}, gettext("This bucket keeps no new versions: what is the object now may be replaced for good.")),
    action: gettext("Restore"), isDanger: true,
  }))) return;
  by.disabled = true;
  try {
    await restoreVersion({ ...view.ref, versionId: version.versionId });
    toast(say(gettext("The version of %(moment)s is the newest again, as a copy."), { moment: momentText(version.modified) }));
    view.restored();
  } catch (error) {
    by.disabled = false;
    tellTrouble(error, gettext("The version was not restored."));
  }
};

const undelete = async (view, version, by) => {
  by.disabled = true;
  try {
    await deleteObject(view.ref.bucket, view.ref.key, { versionId: version.versionId });
    toast(version.isLatest ? gettext("The object is back.") : gettext("The delete marker was removed."));
    view.restored();
  } catch (error) {
    by.disabled = false;
    tellTrouble(error, gettext("The delete marker was not removed."));
  }
};

const remove = async (view, version) => {
  const bypass = el("input", { type: "checkbox" });
  const isSure = await confirm({
    title: gettext("Delete this version for good?"),
    body: [
      el("p", {}, say(gettext("The %(size)s that were written on %(moment)s UTC cannot be brought back."), { size: sizeText(version.size), moment: momentText(version.modified) })),
      version.isLatest ? el("p", {}, gettext("The version before it, if there is one, becomes the object.")) : null,
      view.facts.hasLock && view.may.bypass ? el("label", { class: "detail-check" }, bypass, gettext("Bypass governance retention")) : null,
    ].filter(Boolean),
    action: gettext("Delete"), isDanger: true,
  });
  if (!isSure) return;
  try {
    const headers = bypass.checked ? { "x-amz-bypass-governance-retention": "true" } : {};
    await deleteObject(view.ref.bucket, view.ref.key, { versionId: version.versionId, headers });
    toast(gettext("The version was deleted."));
    view.removed(version);
  } catch (error) {
    const isLocked = view.facts.hasLock && LOCKED.has(error.code);
    tellTrouble(error, isLocked ? gettext("The version was not deleted; it may be locked.") : gettext("The version was not deleted."));
  }
};
