// Makes folders, and gives objects and folders other names in their place: each in one step of S3's.

import { button, el, openDialog, tellTrouble, toast } from "../dom.js";
import { copySource, putObject, request } from "../s3.js";
import { gettext, say as fill } from "../words.js";
import { browser, isFolder, MARKER } from "./state.js";

export const KEY_BYTES_MAX = 1024;
const TAKEN = new Set(["PreconditionFailed", "ConditionalRequestConflict"]);

// Whether a target was refused because there is something; a source that is another now is none.
export const isTaken = (error) => TAKEN.has(error.code) && !/source/i.test(error.detail?.Condition ?? "");

/** Name a request, so that one that is sent again is not done twice. */
export const newToken = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Rename a key, or all keys below a prefix, in one step: all or nothing. What has the name already is
 * kept (isTaken tells) unless `isReplacing`. With the token of a request before, it is that one again.
 */
export const rename = (bucket, source, target, { isReplacing = false, token = newToken(), signal } = {}) =>
  request("PUT", bucket, target, {
    parameters: { renameObject: "" },
    headers: {
      "x-amz-rename-source": `/${copySource(bucket, source)}`,
      "x-amz-client-token": token,
      [isReplacing ? "If-Match" : "If-None-Match"]: "*",
    },
    signal,
  });

// --- names --------------------------------------------------------------------------------------------

/** Say what is wrong with a key, "" for nothing. */
export const faultOf = (key) => {
  if (key.isWellFormed && !key.isWellFormed()) {
    return gettext("The name has a character that is none.");
  }
  const bytes = new TextEncoder().encode(key).length;
  if (bytes > KEY_BYTES_MAX) {
    return fill(gettext("A name has at most %(most)s bytes with its folders; this one has %(bytes)s."), { most: KEY_BYTES_MAX, bytes });
  }
  return key.includes("\0") ? gettext("A name has no NUL.") : "";
};

// Ask for a name until `take(name)` has taken it: it answers what is wrong, "" for nothing.
const askName = ({ title, label, value = "", action, chosen, take, hint = "" }) => {
  const field = el("input", { type: "text", class: "field", id: "browse-asked", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "browse-fault", value });
  const fault = el("p", { class: "browse-fault", id: "browse-fault", role: "alert" });
  const go = button(action, { kind: "primary", type: "submit", form: "browse-naming" });
  const send = async (event) => {
    event.preventDefault();
    go.disabled = true;
    fault.textContent = "";
    try {
      const wrong = await take(field.value);
      if (!wrong) {
        window_.close("done");
        return;
      }
      fault.replaceChildren(...[wrong].flat());
    } catch (error) {
      fault.textContent = error.message;
    }
    go.disabled = false;
    field.focus();
  };
  const form = el("form", { id: "browse-naming", class: "browse-form", novalidate: true, on: { submit: send } },
    el("label", { for: "browse-asked" }, label), field, hint ? el("p", { class: "browse-hint" }, hint) : null, fault);
  const window_ = openDialog({ title, body: form, actions: [button(gettext("Cancel"), { on: () => window_.close("") }), go] });
  field.focus();
  field.setSelectionRange(0, chosen ?? value.length);
  return window_;
};

// --- a new folder ------------------------------------------------------------------------------------

const newFolder = () => {
  const take = async (name) => {
    const key = `${browser.prefix}${name.replace(/^\/+|\/+$/g, "")}/`;
    if (key === `${browser.prefix}/`) {
      return gettext("Give the folder a name.");
    }
    const wrong = faultOf(key);
    if (wrong) {
      return wrong;
    }
    try {
      await putObject(browser.bucket, key, "", { "If-None-Match": "*", "content-type": "application/x-directory" });
    } catch (error) {
      if (isTaken(error)) {
        return gettext("There is a folder of that name already.");
      }
      throw error;
    }
    browser.enter(key);
    return "";
  };
  askName({
    title: gettext("New folder"),
    label: gettext("Name"),
    action: gettext("Create"),
    hint: gettext("S3 knows no folders, only names with slashes: an empty object that ends in one keeps the folder there. With slashes in between, several are made at once."),
    take,
  });
};

// --- another name -------------------------------------------------------------------------------------

const renameEntry = ([entry]) => {
  const isDirectory = isFolder(entry);
  const tail = isDirectory ? "/" : "";
  const done = async (target) => {
    toast(fill(gettext("“%(old)s” is now “%(name)s”."), { old: entry.name, name: target.slice(browser.prefix.length) }));
    if (browser.object === entry.key) {
      browser.closeObject();
    }
    await browser.refresh();
  };
  const replace = async (target) => {
    try {
      await rename(browser.bucket, entry.key, target, { isReplacing: true });
      window_.close("done");
      await done(target);
    } catch (error) {
      tellTrouble(error);
    }
  };
  const take = async (name) => {
    const target = `${browser.prefix}${name}${tail}`;
    if (name === entry.name) {
      return "";
    }
    if (!name || (!isDirectory && name.endsWith("/"))) {
      return gettext("Give it a name; one that ends in a slash is a folder's.");
    }
    const wrong = faultOf(target);
    if (wrong) {
      return wrong;
    }
    try {
      await rename(browser.bucket, entry.key, target);
    } catch (error) {
      if (!isTaken(error)) {
        throw error;
      }
      if (isDirectory) {
        return gettext("There is something in a folder of that name already. Move what is in this one there instead.");
      }
      return [gettext("There is an object of that name already. "), button(gettext("Replace it"), { kind: "danger", on: () => replace(target) })];
    }
    await done(target);
    return "";
  };
  const dot = entry.name.lastIndexOf(".");
  const window_ = askName({
    title: isDirectory ? gettext("Rename folder") : gettext("Rename object"),
    label: gettext("New name"),
    value: entry.name,
    chosen: !isDirectory && dot > 0 ? dot : undefined,
    action: gettext("Rename"),
    hint: isDirectory ? gettext("Everything in the folder gets its new name in one step, however much it is.") : "",
    take,
  });
};

const mayRename = (entries) => {
  const { write, remove, read } = browser.rights;
  return entries.length === 1 && write && remove && read && entries[0].versionId === undefined && entries[0].kind !== MARKER;
};

browser.offer("new-folder", newFolder, { when: () => browser.rights.write, why: () => gettext("Your policies do not let you write here.") });
browser.offer("rename", renameEntry, { when: mayRename });
