// The beginning of an object, as bytes: no more of it is asked for than is shown, and what is packed
// with gzip is unpacked up to a bound, however much it would become.

import { request } from "../s3.js";

// Read a stream up to `max` bytes; what breaks after the first bytes ends it: a packed text that was
// cut breaks so.
const readUpTo = async (stream, max) => {
  const reader = stream.getReader();
  const pieces = [];
  let size = 0;
  let isCut = false;
  try {
    while (size <= max) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      size += value.length;
    }
  } catch (error) {
    if (!pieces.length) throw error;
    isCut = true;
  }
  reader.cancel().catch(() => {});
  const bytes = new Uint8Array(Math.min(size, max));
  let offset = 0;
  for (const piece of pieces) {
    const kept = piece.subarray(0, bytes.length - offset);
    bytes.set(kept, offset);
    offset += kept.length;
  }
  return { bytes, isCut: isCut || size > max };
};

/**
 * Read the first `max` bytes of an object of which `head` was told: {bytes, isCut}. PreconditionFailed
 * when it is another by now. With `isGzip` what they unpack to, up to four times as much.
 */
export const firstBytes = async (ref, head, { max, isGzip = false, signal }) => {
  if (head.size === 0) return { bytes: new Uint8Array(0), isCut: false };
  const reply = await request("GET", ref.bucket, ref.key, {
    // The browser would unpack by itself, and stumble over the end of a part.
    parameters: { versionId: ref.versionId || undefined, "response-content-encoding": "identity" },
    headers: { range: `bytes=0-${max - 1}`, "if-match": head.etag },
    signal,
  });
  const isCut = head.size > max;
  if (!isGzip) return { bytes: new Uint8Array(await reply.arrayBuffer()), isCut };
  const unpacked = await readUpTo(reply.body.pipeThrough(new DecompressionStream("gzip")), 4 * max);
  return { bytes: unpacked.bytes, isCut: isCut || unpacked.isCut };
};
