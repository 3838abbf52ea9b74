// Aborts the uploads that are chosen, over the console's S3 door: one after the other, those that
// are refused are told and stay.

import { confirm, tellTrouble, toast } from "../dom.js";
import { request, SignedOut } from "../s3.js";
import { gettext, numberText, say, sizeText } from "../words.js";

const told = document.getElementById("uploads-data");
const uploads = told === null ? [] : JSON.parse(told.textContent);
const boxes = [...document.querySelectorAll("[data-upload]")];
const all = document.getElementById("choose-all");
const go = document.getElementById("abort-uploads");

const chosen = () => boxes.filter((box) => box.checked).map((box) => uploads[Number(box.dataset.upload)]);

const show = () => {
  const count = chosen().length;
  go.disabled = count === 0;
  all.checked = count > 0 && count === boxes.length;
  all.indeterminate = count > 0 && count < boxes.length;
};

const sum = (found, name) => found.reduce((total, upload) => total + upload[name], 0);

/** Abort one; one that is gone already is as good. */
const abort = async (upload) => {
  try {
    await request("DELETE", upload.bucket, upload.key, { parameters: { uploadId: upload.id } });
  } catch (error) {
    if (error.code !== "NoSuchUpload") {
      throw error;
    }
  }
};

const abortAll = async (found) => {
  const refused = [];
  let done = 0;
  for (const upload of found) {
    go.textContent = say(gettext("%(done)s of %(total)s"), { done, total: found.length });
    try {
      await abort(upload);
      done += 1;
    } catch (error) {
      if (error instanceof SignedOut || error.name === "Unreachable") {
        tellTrouble(error);
        return;
      }
      refused.push(`${upload.bucket}/${upload.key}: ${error.message}`);
    }
  }
  go.textContent = gettext("Abort chosen");
  if (refused.length === 0) {
    location.reload();
    return;
  }
  const more = refused.length > 1 ? say(gettext(" And %(count)s more."), { count: refused.length - 1 }) : "";
  toast(refused[0] + more, "error");
};

const ask = async () => {
  const found = chosen();
  const text = gettext(
    "Uploads: %(count)s; parts: %(parts)s, %(size)s. The parts go for good, and who began them has to begin anew.",
  );
  const values = { count: found.length, parts: numberText(sum(found, "parts")), size: sizeText(sum(found, "bytes")) };
  const isSure = await confirm({
    title: gettext("Abort uploads?"), body: [say(text, values)], action: gettext("Abort"), isDanger: true,
  });
  if (isSure) {
    go.disabled = true;
    await abortAll(found);
    show();
  }
};

if (go !== null) {
  all.addEventListener("change", () => {
    boxes.forEach((box) => { box.checked = all.checked; });
    show();
  });
  boxes.forEach((box) => box.addEventListener("change", show));
  go.addEventListener("click", ask);
  show();
}
