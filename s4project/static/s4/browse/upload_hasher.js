// A worker that computes checksums, so that the page does not stand still: asked { id, blob }, it
// answers { id, crc }, or { id, error } when the file cannot be read (any more).
import { update } from "./upload_crc32c.js";

const READ_BYTES = 4 * 1024 * 1024;

const checksum = async (blob) => {
  let crc = 0;
  for (let at = 0; at < blob.size; at += READ_BYTES) {
    crc = update(crc, new Uint8Array(await blob.slice(at, at + READ_BYTES).arrayBuffer()));
  }
  return crc;
};

self.addEventListener("message", async ({ data: { id, blob } }) => {
  try {
    self.postMessage({ id, crc: await checksum(blob) });
  } catch (error) {
    self.postMessage({ id, error: error.name });
  }
});
