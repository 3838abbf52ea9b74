// The requests of uploads, to S3 behind the session (../s3.js). What has a body goes by
// XMLHttpRequest: alone it tells how much has left. Refusals are those of s3.js.
import { stopped } from "../retry.js";
import {
  address, ask, childrenOf, childText, csrfToken, errorOf, isSignedOut, listObjects, request, S3Error, Unreachable, xml,
} from "../s3.js";
import { inBase64, ofBase64 } from "./upload_crc32c.js";
import { FileError } from "./upload_engine.js";

export { isSignedOut };

const CHECKSUM = "x-amz-checksum-crc32c";
const UNTYPED = "application/octet-stream";
const STALL_MS = 60_000; // without a byte that leaves
const ANSWER_MS = 300_000; // what has left may still lie in the buffers of a slow line

// Why a request was not answered: browsers break one off, too, whose file was changed meanwhile, and
// that passes by itself no more.
const whyBroken = (blob) =>
  blob.slice(0, 1).arrayBuffer().then(() => new Unreachable(), () => new FileError("FileChanged"));

const send = (bucket, key, { parameters, headers, blob, signal, onSent }) =>
  new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    let timer = 0;
    const expect = (milliseconds) => {
      clearTimeout(timer);
      timer = setTimeout(() => sending.abort(), milliseconds);
    };
    const abort = () => sending.abort();
    const end = (settle) => () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      settle();
    };
    sending.open("PUT", address(bucket, key, parameters));
    for (const [name, value] of Object.entries({ ...headers, "X-CSRFToken": csrfToken() })) {
      sending.setRequestHeader(name, value);
    }
    sending.upload.onprogress = ({ loaded }) => {
      expect(STALL_MS);
      onSent(loaded);
    };
    sending.upload.onload = () => expect(ANSWER_MS);
    sending.onload = end(() => {
      const isDone = sending.status >= 200 && sending.status < 300;
      return isDone ? resolve(sending) : reject(errorOf(sending.status, sending.responseText));
    });
    sending.onerror = end(() => whyBroken(blob).then(reject));
    sending.onabort = end(() => reject(signal.aborted ? stopped() : new Unreachable()));
    signal.addEventListener("abort", abort);
    expect(STALL_MS);
    sending.send(blob);
  });

const unless = (mayReplace) => (mayReplace ? {} : { "If-None-Match": "*" });

// Whether there is such an object; one who may not know is not kept from trying. Asked by a list,
// which is no failure where there is none.
export const exists = async ({ bucket, key, signal }) => {
  try {
    const { objects } = await listObjects(bucket, { prefix: key, delimiter: "", limit: 1, signal });
    return objects.some((each) => each.key === key);
  } catch (error) {
    if (error instanceof S3Error && error.code === "AccessDenied" && !isSignedOut(error)) {
      return false;
    }
    throw error;
  }
};

export const put = async ({ bucket, key, type, blob, crc, mayReplace, signal, onSent }) => {
  const headers = { "Content-Type": type || UNTYPED, [CHECKSUM]: inBase64(crc), ...unless(mayReplace) };
  await send(bucket, key, { headers, blob, signal, onSent });
};

export const begin = async ({ bucket, key, type, signal }) => {
  const headers = {
    "Content-Type": type || UNTYPED,
    "x-amz-checksum-algorithm": "CRC32C",
    "x-amz-checksum-type": "FULL_OBJECT",
  };
  const root = await ask("POST", bucket, key, { parameters: { uploads: "" }, headers, signal });
  return childText(root, "UploadId");
};

export const part = async ({ bucket, key, uploadId, number, blob, crc, signal, onSent }) => {
  const parameters = { partNumber: number, uploadId };
  const headers = { "Content-Type": UNTYPED, [CHECKSUM]: inBase64(crc) };
  const answer = await send(bucket, key, { parameters, headers, blob, signal, onSent });
  return answer.getResponseHeader("ETag");
};

export const parts = async ({ bucket, key, uploadId, signal }) => {
  const found = [];
  let marker;
  do {
    const parameters = { uploadId, "part-number-marker": marker };
    const page = await ask("GET", bucket, key, { parameters, signal });
    for (const node of childrenOf(page, "Part")) {
      const [number, size] = ["PartNumber", "Size"].map((name) => Number(childText(node, name)));
      found.push({ number, size, etag: childText(node, "ETag"), crc: ofBase64(childText(node, "ChecksumCRC32C")) });
    }
    marker = childText(page, "IsTruncated") === "true" ? childText(page, "NextPartNumberMarker") : "";
  } while (marker);
  return found;
};

export const complete = async ({ bucket, key, uploadId, parts: list, crc, size, mayReplace, signal }) => {
  const rows = list.map(({ number, etag }) => ["Part", [["PartNumber", number], ["ETag", etag]]]);
  await ask("POST", bucket, key, {
    parameters: { uploadId },
    headers: {
      "Content-Type": "application/xml",
      [CHECKSUM]: inBase64(crc),
      "x-amz-checksum-type": "FULL_OBJECT",
      "x-amz-mp-object-size": String(size),
      ...unless(mayReplace),
    },
    body: xml("CompleteMultipartUpload", rows),
    signal,
  });
};

export const abort = ({ bucket, key, uploadId }) => request("DELETE", bucket, key, { parameters: { uploadId } });

// Load the page again behind itself, for the token of the session that there is now. Answers
// whether it is the session of who opened the page: "own", "another", or "none".
export const renew = async (owner) => {
  const answer = await fetch(location.pathname, { credentials: "same-origin", cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const facts = page.getElementById("browse-facts");
  if (!answer.ok || facts === null) {
    return "none";
  }
  if (JSON.parse(facts.textContent).me !== owner) {
    return "another";
  }
  const name = "meta[name=csrf-token]";
  document.querySelector(name).content = page.querySelector(name).content;
  return "own";
};
