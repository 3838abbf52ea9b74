// Copies within S3 what is larger than CopyObject takes (5 GB): as an upload whose parts are copied.
// No byte leaves the server. Where it was uploaded in parts of one size it is copied in the same, so
// that its ETag stays, and its bytes are found to be there already.

import { ask, childText, copySource, request, xml } from "../s3.js";

const PART_BYTES = 1024 ** 3;
const PART_BYTES_MIN = 5 * 1024 ** 2;
const AT_ONCE = 2;
const SOURCE_CONDITIONS = /^x-amz-copy-source-if-/;
const TARGET_CONDITIONS = /^if-/;

const pick = (headers, test) => Object.fromEntries(Object.entries(headers).filter(([name]) => test(name)));

/** Write tags as the header x-amz-tagging has them. */
const taggingHeader = (tags) =>
  tags.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");

/**
 * Copy `source` ({bucket, key, versionId}) of `size` bytes onto `target`, with headers as CopyObject
 * takes them: those of the new object, and conditions. `tags` are given to it. An upload that fails
 * is taken away again.
 */
export const copyLarge = async (target, source, size, headers, { tags = [], onProgress = () => {}, signal } = {}) => {
  const own = pick(headers, (name) => !SOURCE_CONDITIONS.test(name) && !TARGET_CONDITIONS.test(name));
  if (tags.length) own["x-amz-tagging"] = taggingHeader(tags);
  const begun = await ask("POST", target.bucket, target.key, { parameters: { uploads: "" }, headers: own, signal });
  const uploadId = childText(begun, "UploadId");
  try {
    const etags = await copyParts(target, source, size, uploadId, pick(headers, (name) => SOURCE_CONDITIONS.test(name)), onProgress, signal);
    const parts = etags.map((etag, index) => ["Part", [["PartNumber", index + 1], ["ETag", etag]]]);
    await ask("POST", target.bucket, target.key, {
      parameters: { uploadId },
      headers: { ...pick(headers, (name) => TARGET_CONDITIONS.test(name)), "content-type": "application/xml" },
      body: xml("CompleteMultipartUpload", parts),
      signal,
    });
  } catch (error) {
    await request("DELETE", target.bucket, target.key, { parameters: { uploadId } }).catch(() => {});
    throw error;
  }
};

// The size of the parts that the source was made of, if its first one tells.
const partBytesOf = async (source, size, signal) => {
  const parameters = { partNumber: 1, versionId: source.versionId || undefined };
  const { headers } = await request("HEAD", source.bucket, source.key, { parameters, signal });
  const bytes = Number(headers.get("content-length"));
  const count = Number(headers.get("x-amz-mp-parts-count") ?? 0);
  return bytes >= PART_BYTES_MIN && count === Math.ceil(size / bytes) ? bytes : PART_BYTES;
};

const copyParts = async (target, source, size, uploadId, conditions, onProgress, signal) => {
  const partBytes = await partBytesOf(source, size, signal);
  const count = Math.ceil(size / partBytes);
  const etags = new Array(count);
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      const first = index * partBytes;
      const last = Math.min(first + partBytes, size) - 1;
      const root = await ask("PUT", target.bucket, target.key, {
        parameters: { partNumber: index + 1, uploadId },
        headers: {
          ...conditions,
          "x-amz-copy-source": copySource(source.bucket, source.key, source.versionId),
          "x-amz-copy-source-range": `bytes=${first}-${last}`,
        },
        signal,
      });
      etags[index] = childText(root, "ETag");
      done += last - first + 1;
      onProgress(done, size);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, work));
  return etags;
};
