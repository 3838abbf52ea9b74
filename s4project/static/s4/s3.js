// An S3 client on the console's own port: `/s3/` answers as S3 does, for who is signed in.
// Every refusal is an S3Error with AWS's code; SignedOut when the session is over.
// A page that uses it has <meta name="csrf-token" content="{{ csrf_token }}">.

import { gettext } from "./words.js";

const ROOT = "/s3/";
export const KEYS_PER_DELETE = 1000; // of DeleteObjects
const SAFE = new Set(["GET", "HEAD"]);
const TROUBLE = 500; // statuses from here on tell of the server, not of the request

/** S3 refused: `code` is AWS's, `message` what S3 says, `status` HTTP's. */
export class S3Error extends Error {
  constructor(code, message, status, detail = {}) {
    super(message);
    Object.assign(this, { name: "S3Error", code, status, detail });
  }
}

/** The session is over: nothing more is answered until somebody signs in again. */
export class SignedOut extends Error {
  constructor() {
    super(gettext("Your session is over. Sign in again; nothing that was saved is lost."));
    this.name = "SignedOut";
  }
}

/** Whether a refusal means that who is signed in must show so again, or the page its token. */
export const isSignedOut = (error) => error instanceof SignedOut || error.detail?.Reason === "PageOutOfDate";

/** The server did not answer: it, or the way to it, is down. */
export class Unreachable extends Error {
  constructor(cause) {
    super(gettext("The server cannot be reached."), { cause });
    this.name = "Unreachable";
  }
}

export const csrfToken = () => document.querySelector("meta[name=csrf-token]").content;

const query = (parameters) => {
  const told = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  return told.map(([name, value]) =>
    value === "" ? encodeURIComponent(name) : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
};

/**
 * The address of a bucket or an object. Browsers and proxies take `.`, `..` and empty segments out
 * of a path: a key that has one travels with its slashes escaped, which S4 reads alike.
 */
export const address = (bucket, key, parameters = {}) => {
  const whole = key === undefined || key === null ? bucket : `${bucket}/${key}`;
  const isOdd = /(^|\/)\.{0,2}\//.test(whole) || /(^|\/)\.{1,2}$/.test(whole);
  const path = isOdd ? encodeURIComponent(whole) : whole.split("/").map(encodeURIComponent).join("/");
  const asked = query(parameters);
  return ROOT + path + (asked ? `?${asked}` : "");
};

// Characters that XML 1.0 has no word for: S3 writes them by number, and browsers read no such document.
const UNSAYABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const UNREADABLE = /&#x([0-8bcef]|1[0-9a-f]|fff[ef]);/g;

const parse = (text) => new DOMParser().parseFromString(text.replace(UNREADABLE, "\ufffd"), "application/xml");

/** The text of a node's first child of a name; "" when there is none. */
export const childText = (node, name) => {
  for (const child of node.children) {
    if (child.localName === name) {
      return child.textContent;
    }
  }
  return "";
};

/** The children of a node that have a name. */
export const childrenOf = (node, name) => [...node.children].filter((child) => child.localName === name);

/** Make the error that an answer is: of its XML document, else of its status. */
export const errorOf = (status, text) => {
  const root = text ? parse(text).documentElement : null;
  if (root === null || root.localName !== "Error") {
    return status === 401 ? new SignedOut() : new S3Error(String(status), gettext("The server refused."), status);
  }
  if (status === 401) {
    return new SignedOut();
  }
  const detail = Object.fromEntries([...root.children].map((child) => [child.localName, child.textContent]));
  return new S3Error(detail.Code, detail.Message || detail.Code, status, detail);
};

// A reply to HEAD has no document: what its status says, in AWS's codes.
const CODES_OF_HEAD = { 403: "AccessDenied", 404: "NoSuchKey", 412: "PreconditionFailed", 405: "MethodNotAllowed" };

/** Ask S3; answer the Response. S3Error, SignedOut, Unreachable; AbortError when `signal` says so. */
export const request = async (method, bucket, key, { parameters = {}, headers = {}, body, signal } = {}) => {
  let reply;
  try {
    reply = await fetch(address(bucket, key, parameters), {
      method,
      headers: SAFE.has(method) ? headers : { ...headers, "X-CSRFToken": csrfToken() },
      body,
      signal,
      cache: "no-store",
      credentials: "same-origin",
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Unreachable(error);
  }
  if (reply.ok || reply.status === 304) {
    return reply;
  }
  const error = errorOf(reply.status, method === "HEAD" ? "" : await reply.text());
  if (method === "HEAD" && error instanceof S3Error && CODES_OF_HEAD[reply.status]) {
    error.code = CODES_OF_HEAD[reply.status];
  }
  throw error;
};

/** Ask S3 for a document; answer its root element. */
export const ask = async (method, bucket, key, options) => {
  const root = parse(await (await request(method, bucket, key, options)).text()).documentElement;
  if (root !== null && root.localName === "Error") {
    throw errorOf(200, new XMLSerializer().serializeToString(root)); // CopyObject and others say 200 first
  }
  return root;
};

// --- documents ----------------------------------------------------------------------------------

/** Write a text for XML: what XML 1.0 cannot say as it is, by number. */
export const escapeXml = (text) =>
  [...text].map((character) => {
    const code = character.codePointAt(0);
    return code < 32 || code === 127 || "<>&\"'".includes(character) ? `&#x${code.toString(16)};` : character;
  }).join("");

/** Write an element: content is text, a list of [name, content], or such a list for each of several. */
export const xml = (name, content) => {
  if (Array.isArray(content)) {
    return `<${name}>${content.map(([inner, value]) => xml(inner, value)).join("")}</${name}>`;
  }
  return `<${name}>${escapeXml(String(content))}</${name}>`;
};

const decode = (text) => decodeURIComponent(text.replace(/\+/g, "%20")); // of encoding-type=url

// --- lists --------------------------------------------------------------------------------------

const entry = (node) => ({
  key: decode(childText(node, "Key")),
  size: Number(childText(node, "Size")),
  etag: childText(node, "ETag"),
  modified: childText(node, "LastModified"),
  storageClass: childText(node, "StorageClass"),
});

const prefixesOf = (root) =>
  childrenOf(root, "CommonPrefixes").map((node) => decode(childText(node, "Prefix")));

/** One page of a folder: {folders: [prefix], objects: [entry], next: token or ""}. */
export const listObjects = async (bucket, { prefix = "", delimiter = "/", token, startAfter, limit, signal } = {}) => {
  const root = await ask("GET", bucket, undefined, {
    parameters: {
      "list-type": 2, "encoding-type": "url", prefix, "max-keys": limit,
      delimiter: delimiter || undefined, "continuation-token": token, "start-after": startAfter,
    },
    signal,
  });
  return {
    folders: prefixesOf(root),
    objects: childrenOf(root, "Contents").map(entry),
    next: childText(root, "NextContinuationToken"),
  };
};

/**
 * One page of versions and delete markers, in S3's order: {folders, versions, next}; each version
 * is an entry with versionId, isLatest and isMarker; `next` is {keyMarker, versionIdMarker} or null.
 */
export const listVersions = async (bucket, { prefix = "", delimiter = "/", marker, limit, signal } = {}) => {
  const root = await ask("GET", bucket, undefined, {
    parameters: {
      versions: "", "encoding-type": "url", prefix, "max-keys": limit, delimiter: delimiter || undefined,
      "key-marker": marker?.keyMarker, "version-id-marker": marker?.versionIdMarker,
    },
    signal,
  });
  const nodes = [...root.children].filter((node) => ["Version", "DeleteMarker"].includes(node.localName));
  return {
    folders: prefixesOf(root),
    versions: nodes.map((node) => ({
      ...entry(node),
      versionId: childText(node, "VersionId"),
      isLatest: childText(node, "IsLatest") === "true",
      isMarker: node.localName === "DeleteMarker",
    })),
    next: childText(root, "IsTruncated") !== "true" ? null : {
      keyMarker: decode(childText(root, "NextKeyMarker")),
      versionIdMarker: childText(root, "NextVersionIdMarker") || undefined,
    },
  };
};

// --- objects ------------------------------------------------------------------------------------

/** The head of an object or of one of its versions, as Headers. */
export const head = async (bucket, key, { versionId, signal } = {}) => {
  const parameters = { versionId };
  return (await request("HEAD", bucket, key, { parameters, headers: { "x-amz-checksum-mode": "ENABLED" }, signal })).headers;
};

/** Put an object that is small; answer the Response's Headers. */
export const putObject = async (bucket, key, body, headers = {}) =>
  (await request("PUT", bucket, key, { body, headers })).headers;

/** Delete an object, or one version of it; answer the Response's Headers. */
export const deleteObject = async (bucket, key, { versionId, headers = {}, signal } = {}) =>
  (await request("DELETE", bucket, key, { parameters: { versionId }, headers, signal })).headers;

/**
 * Delete up to KEYS_PER_DELETE things, each {key, versionId?}; answer the refusals, each {key,
 * versionId, code, message}. What is not among them is gone.
 */
export const deleteObjects = async (bucket, things, options = {}) => {
  const refusals = [];
  for (const thing of things.filter(({ key }) => UNSAYABLE.test(key))) {
    refusals.push(...await deleteAlone(bucket, thing, options));
  }
  const sayable = things.filter(({ key }) => !UNSAYABLE.test(key));
  return sayable.length ? [...refusals, ...await deleteTogether(bucket, sayable, options)] : refusals;
};

// What no document can name: one would have S3 refuse all others with it.
const deleteAlone = async (bucket, { key, versionId }, options) => {
  try {
    await deleteObject(bucket, key, { ...options, versionId });
  } catch (error) {
    if (!(error instanceof S3Error) || error.status >= TROUBLE || isSignedOut(error)) {
      throw error;
    }
    return [{ key, versionId, code: error.code, message: error.message }];
  }
  return [];
};

const deleteTogether = async (bucket, things, { headers = {}, signal } = {}) => {
  const rows = things.map(({ key, versionId }) => [
    "Object", [["Key", key], ...(versionId ? [["VersionId", versionId]] : [])],
  ]);
  const body = new Blob([xml("Delete", [["Quiet", "true"], ...rows])]);
  const digest = checksum(new Uint8Array(await body.arrayBuffer()));
  const root = await ask("POST", bucket, undefined, {
    parameters: { delete: "" }, body, signal,
    headers: { ...headers, "content-type": "application/xml", "x-amz-checksum-crc32": digest },
  });
  return childrenOf(root, "Error").map((node) => ({
    key: childText(node, "Key"), versionId: childText(node, "VersionId"),
    code: childText(node, "Code"), message: childText(node, "Message"),
  }));
};

const CRC32 = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  }
  return rest;
});

/** The CRC32 of bytes, as `x-amz-checksum-crc32` has it. */
export const checksum = (bytes) => {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest = CRC32[(rest ^ byte) & 0xff] ^ (rest >>> 8);
  }
  rest = ~rest;
  return btoa(String.fromCharCode((rest >>> 24) & 255, (rest >>> 16) & 255, (rest >>> 8) & 255, rest & 255));
};

/** What names the source of a copy. */
export const copySource = (bucket, key, versionId) =>
  `${encodeURIComponent(`${bucket}/${key}`)}${versionId ? `?versionId=${encodeURIComponent(versionId)}` : ""}`;

/** Copy an object onto a key, without its bytes leaving the server; answer the result's element. */
export const copyObject = (bucket, key, source, { headers = {}, signal } = {}) =>
  ask("PUT", bucket, key, {
    headers: { ...headers, "x-amz-copy-source": copySource(source.bucket, source.key, source.versionId) },
    signal,
  });
