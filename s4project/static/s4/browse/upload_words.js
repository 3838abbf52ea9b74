// What is said of uploads: why one stopped, how it goes, how long all of it will take.
import { durationText, gettext, ngettext, numberText, say, sizeText } from "../words.js";
import * as engine from "./upload_engine.js";

const PROXY_REFUSES = 413;

const NAMED = {
  FileChanged: () => gettext("The file was changed, moved or removed since it was chosen. Add it again."),
  OtherFile: () => gettext("What was sent is not in the file that was chosen: it is another one, or was changed. Choose again, or cancel and begin anew."),
  TooLarge: () => gettext("The file is larger than an object can be here."),
  KeyTooLong: () => gettext("Its name with all folders above it has more than 1,024 bytes."),
  NoSuchBucket: () => gettext("The bucket is gone: it was deleted meanwhile."),
  BadDigest: () => gettext("What arrived was not what was sent, several times. Something on the way changes it."),
};

// Why an upload failed.
export const whyText = (error) => {
  if (NAMED[error.code]) {
    return NAMED[error.code]();
  }
  if (error.status === PROXY_REFUSES && !error.detail?.Code) {
    return gettext("A proxy in front of S4 refuses requests of this size. It must let at least 8 MiB through.");
  }
  return error.message;
};

const share = ({ sent, size }) => (size ? Math.floor((100 * sent) / size) : 100);

const ofState = {
  [engine.WAITING]: () => gettext("Waiting"),
  [engine.CHECKING]: ({ checked }) =>
    say(gettext("Comparing with what is there already: %(size)s"), { size: sizeText(checked) }),
  [engine.SENDING]: (upload) =>
    say(gettext("%(percent)s % of %(size)s"), { percent: share(upload), size: sizeText(upload.size) }),
  [engine.FINISHING]: () => gettext("Finishing"),
  [engine.PAUSED]: (upload) =>
    say(gettext("Paused at %(percent)s % of %(size)s"), { percent: share(upload), size: sizeText(upload.size) }),
  [engine.EXISTS]: () => gettext("An object of this name is there already"),
  [engine.NEEDS_FILE]: (upload) =>
    upload.error ? whyText(upload.error) : say(gettext("Begun earlier: %(sent)s of %(size)s are there"), {
      sent: sizeText(upload.sent),
      size: sizeText(upload.size),
    }),
  [engine.FAILED]: ({ error }) => whyText(error),
  [engine.DONE]: ({ size }) => say(gettext("Uploaded, %(size)s"), { size: sizeText(size) }),
  [engine.SKIPPED]: () => gettext("Skipped"),
  [engine.GONE]: () => gettext("Cancelled"),
};

// How it stands with an upload.
export const stateText = (upload) => ofState[upload.state](upload);

// What a panel of uploads says of all of them, by `counts` of their states and of their bytes.
export const headText = ({ ahead, paused, done, failed, total, asked }) => {
  if (ahead) {
    const text = ngettext("Uploading %(total)s file", "Uploading %(total)s files, %(done)s done", total);
    return say(text, { total: numberText(total), done: numberText(done) });
  }
  if (asked || failed) {
    const text = ngettext("%(count)s upload needs you", "%(count)s uploads need you", asked + failed);
    return say(text, { count: numberText(asked + failed) });
  }
  if (paused) {
    return say(ngettext("%(count)s upload is paused", "%(count)s uploads are paused", paused), { count: numberText(paused) });
  }
  return say(ngettext("%(count)s file uploaded", "%(count)s files uploaded", done), { count: numberText(done) });
};

// How much has left, how fast, and how long the rest takes at that pace.
export const paceText = ({ sent, size }, bytesPerSecond) => {
  const amount = say(gettext("%(sent)s of %(size)s"), { sent: sizeText(sent), size: sizeText(size) });
  if (!bytesPerSecond) {
    return amount;
  }
  const pace = say(gettext("%(size)s a second"), { size: sizeText(Math.round(bytesPerSecond)) });
  const left = say(gettext("%(time)s left"), { time: durationText(Math.ceil((size - sent) / bytesPerSecond)) });
  return `${amount} · ${pace} · ${left}`;
};
