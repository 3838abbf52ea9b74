// What is known of an object, as facts to read and to copy.

import { el } from "../dom.js";
import { gettext, momentText, numberText, say, sizeText } from "../words.js";
import { code, factList, seen } from "./detail_parts.js";
import { contentHeader } from "./object_calls.js";

const PARTS = /-(\d+)"?$/; // what the ETag of an upload in parts ends with
const EXPIRY = /expiry-date="([^"]+)"(?:, rule-id="([^"]*)")?/;
const CHECKSUM_NAMES = { crc32: "CRC32", crc32c: "CRC32C", crc64nvme: "CRC-64/NVME", sha1: "SHA-1", sha256: "SHA-256", sha512: "SHA-512", md5: "MD5" };

const sizeFact = (size) =>
  el("span", {}, sizeText(size), size >= 1024 ? el("span", { class: "detail-dim" }, ` (${say(gettext("%(count)s bytes"), { count: numberText(size) })})`) : "");

const expiryText = (header) => {
  const [, date, rule] = EXPIRY.exec(header) ?? [];
  if (!date) return "";
  let name = rule ?? "";
  try {
    name = decodeURIComponent(name);
  } catch { /* not written as S3 writes it: shown as it is */ }
  return say(gettext("%(moment)s UTC, by the lifecycle rule %(rule)s"), { moment: momentText(date), rule: seen(name) });
};

const momentFact = (moment) => el("time", { datetime: new Date(moment).toISOString(), title: new Date(moment).toString() }, `${momentText(moment)} UTC`);

const checksumFacts = ({ checksums, checksumType }) =>
  checksums.map(([name, value]) => [
    `${CHECKSUM_NAMES[name] ?? name.toUpperCase()}${checksumType === "COMPOSITE" ? ` (${gettext("of parts")})` : ""}`, code(value), value,
  ]);

/** The list of facts of an object or version. */
export const buildFacts = ({ ref, head }) => {
  const etag = head.etag.replaceAll('"', "");
  const parts = PARTS.exec(head.etag)?.[1];
  const versionId = head.versionId && head.versionId !== "null" ? head.versionId : "";
  return factList([
    [gettext("Size"), sizeFact(head.size)],
    [gettext("Type"), contentHeader(head, "content-type")],
    [gettext("Modified"), momentFact(head.modified)],
    [gettext("Expires"), expiryText(head.expiration)],
    [gettext("Storage class"), head.storageClass === "STANDARD" ? "" : head.storageClass],
    [gettext("Version"), versionId ? code(versionId) : "", versionId],
    [gettext("ETag"), code(etag), etag],
    [gettext("Parts"), parts ? numberText(Number(parts)) : ""],
    ...checksumFacts(head),
    [gettext("Key"), code(ref.key), ref.key],
    [gettext("S3 address"), code(`s3://${ref.bucket}/${ref.key}`), `s3://${ref.bucket}/${ref.key}`],
    [gettext("ARN"), code(`arn:aws:s3:::${ref.bucket}/${ref.key}`), `arn:aws:s3:::${ref.bucket}/${ref.key}`],
  ]);
};
