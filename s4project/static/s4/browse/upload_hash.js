// Checksums of pieces of files, computed by a worker (upload_hasher.js).
import { Unreachable } from "../s3.js";
import { FileError } from "./upload_engine.js";
import { stopped } from "../retry.js";

let worker = null;
let number = 0;
const waiting = new Map();

const start = () => {
  worker = new Worker(new URL("./upload_hasher.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data: { id, crc, error } }) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error) {
      asked.reject(new FileError("FileChanged"));
    } else {
      asked.resolve(crc);
    }
  };
  worker.onerror = (event) => { // its own file could not be fetched
    event.preventDefault();
    worker = null;
    waiting.forEach(({ reject }) => reject(new Unreachable()));
    waiting.clear();
  };
};

// The CRC32C of a blob; FileError when it cannot be read.
export const hash = async (blob, signal) => {
  if (worker === null) {
    start();
  }
  number += 1;
  const id = number;
  const crc = await new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, blob });
  });
  if (signal.aborted) {
    throw stopped();
  }
  return crc;
};
