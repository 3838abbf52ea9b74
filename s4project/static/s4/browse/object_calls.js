// What S3 says of one object and of its versions, read and written as the details panel needs it.
// A `ref` names it: {bucket, key, versionId}; without a version id it is the newest.

import { ask, checksum, childText, childrenOf, copyObject, head, listVersions, request, xml } from "../s3.js";
import { copyLarge } from "./copy_large.js";

export const CONTENT_HEADERS = [
  "content-type",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
  "x-amz-website-redirect-location",
];
const METADATA = "x-amz-meta-";
const CHECKSUM = "x-amz-checksum-";
const COPY_BYTES_MAX = 5 * 1024 ** 3; // of CopyObject
const VERSIONS_SHOWN = 100;

/** Somebody else has changed it since it was read; `now` is what it is. */
export class Changed extends Error {
  constructor(now) {
    super("Changed");
    Object.assign(this, { name: "Changed", now });
  }
}

const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// A header carries bytes; people write UTF-8, and fetch shows each byte as a character.
const textOfHeader = (value) => {
  const bytes = Uint8Array.from(value, (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return value;
  }
};

export const headerOfText = (text) => String.fromCharCode(...new TextEncoder().encode(text));

const lockOf = (headers) => ({
  mode: headers.get("x-amz-object-lock-mode") ?? "",
  until: headers.get("x-amz-object-lock-retain-until-date") ?? "",
  hold: headers.get("x-amz-object-lock-legal-hold") === "ON",
});

/** All that HeadObject says: its members by names of ours; header values as people read them. */
export const readHead = async (ref, signal) => {
  const headers = await head(ref.bucket, ref.key, { versionId: ref.versionId || undefined, signal });
  const named = (prefix) => [...headers].filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]);
  return {
    size: Number(headers.get("content-length")),
    etag: headers.get("etag") ?? "",
    modified: headers.get("last-modified") ?? "",
    versionId: headers.get("x-amz-version-id") ?? "",
    storageClass: headers.get("x-amz-storage-class") ?? "STANDARD",
    checksums: named(CHECKSUM).filter(([name]) => name !== "type"),
    checksumType: headers.get(`${CHECKSUM}type`) ?? "",
    expiration: headers.get("x-amz-expiration") ?? "",
    tagCount: Number(headers.get("x-amz-tagging-count") ?? 0),
    lock: lockOf(headers),
    content: CONTENT_HEADERS.map((name) => [name, textOfHeader(headers.get(name) ?? "")]),
    metadata: named(METADATA).map(([name, value]) => [name, textOfHeader(value)]),
  };
};

export const contentHeader = (known, name) => known.content.find(([each]) => each === name)?.[1] ?? "";

// What S3 wants a checksum for, so that nothing is set that was damaged on its way.
const send = (ref, parameter, document, headers = {}) => {
  const body = new TextEncoder().encode(document);
  return request("PUT", ref.bucket, ref.key, {
    parameters: { [parameter]: "", versionId: ref.versionId || undefined },
    headers: { ...headers, "content-type": "application/xml", "x-amz-checksum-crc32": checksum(body) },
    body,
  });
};

const read = (ref, parameter) =>
  ask("GET", ref.bucket, ref.key, { parameters: { [parameter]: "", versionId: ref.versionId || undefined } });

// --- metadata -----------------------------------------------------------------------------------

const whatMetadataSays = ({ etag, modified, versionId, content, metadata }) => ({ etag, modified, versionId, content, metadata });

const headersFor = ({ content, metadata, grants, lock }) => {
  const said = [
    ...content.filter(([, value]) => value),
    ...metadata.map(([name, value]) => [METADATA + name, value]),
    ...(lock?.mode ? [["x-amz-object-lock-mode", lock.mode], ["x-amz-object-lock-retain-until-date", lock.until]] : []),
    ...(lock?.hold ? [["x-amz-object-lock-legal-hold", "ON"]] : []),
  ];
  return { ...Object.fromEntries(said.map(([name, value]) => [name, headerOfText(value)])), ...grantHeaders(grants ?? []) };
};

/**
 * Give an object other headers, {content, metadata, lock}, by copying it onto itself. `known` is the
 * head that was edited: Changed when it is another by now; what changes in the moment between is
 * refused by S3 (PreconditionFailed). Tags and what its ACL grants stay; `isAnyhow` looks not.
 */
export const writeMetadata = async (ref, known, wanted, { isAnyhow = false, acl, onProgress, signal } = {}) => {
  const now = await readHead(ref, signal);
  if (!isAnyhow && !isSame(whatMetadataSays(now), whatMetadataSays(known))) throw new Changed(now);
  const headers = {
    ...headersFor({ ...wanted, grants: acl?.isPrivate === false ? acl.grants : [] }),
    "if-match": now.etag,
    "x-amz-copy-source-if-unmodified-since": now.modified,
  };
  await copyOver({ bucket: ref.bucket, key: ref.key }, now, headers, { onProgress, signal });
};

// Copy within S3 with other headers, however large it is.
const copyOver = async (ref, now, headers, { onProgress, signal }) => {
  if (now.size > COPY_BYTES_MAX) {
    const tags = now.tagCount ? await readTags(ref) : []; // CopyObject alone takes them along
    await copyLarge(ref, ref, now.size, headers, { onProgress, signal, tags });
    return;
  }
  await copyObject(ref.bucket, ref.key, ref, { headers: { ...headers, "x-amz-metadata-directive": "REPLACE" }, signal });
};

// --- tags ---------------------------------------------------------------------------------------

/** The tags: [[name, value]], in order of their names. */
export const readTags = async (ref) => {
  const root = await read(ref, "tagging");
  const tags = childrenOf(root, "TagSet").flatMap((set) => childrenOf(set, "Tag"));
  return tags.map((tag) => [childText(tag, "Key"), childText(tag, "Value")]).sort();
};

/** Set the tags; Changed when they are others than `known` by now, unless `isAnyhow`. */
export const writeTags = async (ref, known, tags, { isAnyhow = false } = {}) => {
  const now = await readTags(ref);
  if (!isAnyhow && !isSame(now, known)) throw new Changed(now);
  const rows = tags.map(([name, value]) => ["Tag", [["Key", name], ["Value", value]]]);
  await send(ref, "tagging", xml("Tagging", [["TagSet", rows]]));
};

// --- retention and legal hold -------------------------------------------------------------------

/** Set until when a version is kept: {mode, until}; an empty mode takes retention off. */
export const writeRetention = async (ref, known, { mode, until }, { isAnyhow = false, isBypassing = false } = {}) => {
  await refuseOther(ref, known, isAnyhow);
  const document = xml("Retention", mode ? [["Mode", mode], ["RetainUntilDate", until]] : []);
  await send(ref, "retention", document, isBypassing ? { "x-amz-bypass-governance-retention": "true" } : {});
};

/** Lay a legal hold on a version, or take it off. */
export const writeHold = async (ref, known, isOn, { isAnyhow = false } = {}) => {
  await refuseOther(ref, known, isAnyhow);
  await send(ref, "legal-hold", xml("LegalHold", [["Status", isOn ? "ON" : "OFF"]]));
};

const refuseOther = async (ref, known, isAnyhow) => {
  const now = await readHead(ref);
  const lockSays = ({ lock, versionId, etag }) => ({ lock, versionId, etag });
  if (!isAnyhow && !isSame(lockSays(now), lockSays(known))) throw new Changed(now);
};

// --- ACL ----------------------------------------------------------------------------------------

const XSI = "http://www.w3.org/2001/XMLSchema-instance";

/** What the ACL says: {owner: {id, name}, grants: [{kind, id, name, permission}], isPrivate}. */
export const readAcl = async (ref) => {
  const root = await read(ref, "acl");
  const whose = childrenOf(root, "Owner")[0];
  const owner = { id: childText(whose, "ID"), name: childText(whose, "DisplayName") };
  const grants = childrenOf(childrenOf(root, "AccessControlList")[0], "Grant").map((grant) => {
    const grantee = childrenOf(grant, "Grantee")[0];
    const kind = grantee.getAttributeNS(XSI, "type");
    const id = childText(grantee, kind === "Group" ? "URI" : "ID");
    return { kind, id, name: childText(grantee, "DisplayName"), permission: childText(grant, "Permission") };
  });
  const isPrivate = grants.length === 1 && grants[0].id === owner.id && grants[0].permission === "FULL_CONTROL";
  return { owner, grants, isPrivate };
};

const MEMBERS = { CanonicalUser: "ID", Group: "URI", AmazonCustomerByEmail: "EmailAddress" };

const grantXml = ({ kind, id, permission }) =>
  `<Grant><Grantee xmlns:xsi="${XSI}" xsi:type="${kind}">${xml(MEMBERS[kind], id)}</Grantee>${xml("Permission", permission)}</Grant>`;

/** Set the ACL; Changed when it is another than `known` by now, unless `isAnyhow`. */
export const writeAcl = async (ref, known, grants, { isAnyhow = false } = {}) => {
  const now = await readAcl(ref);
  if (!isAnyhow && !isSame(now, known)) throw new Changed(now);
  const list = grants.map(grantXml).join("");
  await send(ref, "acl", `<AccessControlPolicy>${xml("Owner", [["ID", now.owner.id]])}<AccessControlList>${list}</AccessControlList></AccessControlPolicy>`);
};

const grantHeaders = (grants) => {
  const lines = {};
  for (const { kind, id, permission } of grants) {
    const name = `x-amz-grant-${permission.toLowerCase().replace("_", "-")}`;
    (lines[name] ??= []).push(`${kind === "Group" ? "uri" : "id"}="${id}"`);
  }
  return Object.fromEntries(Object.entries(lines).map(([name, said]) => [name, said.join(", ")]));
};

// --- versions -----------------------------------------------------------------------------------

/** A page of the versions of one key, newest first: {versions, next}; `marker` is the last `next`. */
export const readVersions = async (bucket, key, { marker, signal } = {}) => {
  const page = await listVersions(bucket, { prefix: key, delimiter: "", marker, limit: VERSIONS_SHOWN, signal });
  const own = page.versions.filter((version) => version.key === key);
  const isWhole = own.length < page.versions.length; // others follow, whose names go on
  return { versions: own, next: isWhole ? null : page.next };
};

/** Bring a version back: copy it, with its headers and tags, to be the newest. */
export const restoreVersion = async (ref, { onProgress, signal } = {}) => {
  const known = await readHead(ref, signal);
  const target = { bucket: ref.bucket, key: ref.key };
  if (known.size > COPY_BYTES_MAX) {
    const tags = known.tagCount ? await readTags(ref) : [];
    await copyLarge(target, ref, known.size, headersFor({ ...known, lock: null }), { onProgress, signal, tags });
    return;
  }
  await copyObject(target.bucket, target.key, ref, { signal });
};
