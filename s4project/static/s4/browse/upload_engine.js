// Uploads on their way: which wait, which are sent, which stopped and why. Knows no page: `wire` does
// the requests (upload_wire.js), `memory` keeps what outlives the page (upload_memory.js), `hash`
// computes the checksum of a piece of a file.
//
// Every piece is sent with its checksum, which the server compares before it keeps it, and a file in
// parts is completed with the checksum of all of it: what is stored is what was read here.
import { stopped } from "../retry.js";
import { combine } from "./upload_crc32c.js";
import { Gate } from "./upload_gate.js";
import { isKeyTooLong, isTooLarge, partBytesOf, partsOf } from "./upload_plan.js";

const REQUESTS = 4; // a browser opens six connections to a host; two are left for the rest of the page
const RESTARTS_MAX = 2; // of one upload that somebody else aborted

export const WAITING = "waiting";
export const CHECKING = "checking"; // which parts are there already, and whether they are this file's
export const SENDING = "sending";
export const FINISHING = "finishing";
export const PAUSED = "paused";
export const EXISTS = "exists"; // the key is taken: somebody must say whether to replace it
export const NEEDS_FILE = "needs-file"; // begun before the page was loaded
export const FAILED = "failed";
export const DONE = "done";
export const SKIPPED = "skipped";
export const GONE = "gone"; // cancelled

const MOVING = new Set([CHECKING, SENDING, FINISHING]);
const AHEAD = new Set([WAITING, ...MOVING]);
const HALTING = new Set([WAITING, CHECKING, SENDING]); // the end of one is not stopped half-way
const STRANDED = new Set([NEEDS_FILE, FAILED]);
const ENDED = new Set([DONE, SKIPPED, GONE]);

const ENDED_ELSEWHERE = new Set(["NoSuchUpload", "NoSuchBucket"]);

const lastOf = (path) => path.slice(path.lastIndexOf("/") + 1);
const placeOf = (bucket, key) => `${bucket}/${key}`;
// Parts are read at different times: only of a file that stayed as it was do they make one whole.
// Browsers refuse to read a file that was written to since it was chosen.
const checkUnchanged = (file) =>
  file.slice(0, 1).arrayBuffer().catch(() => {
    throw new FileError("FileChanged");
  });

const isSame = (one, other) => one.size === other.size && one.lastModified === other.lastModified;

// A file that cannot be sent as it is: `code` is FileChanged, OtherFile, TooLarge or KeyTooLong.
export class FileError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

let number = 0;

// One file, or what is left of an upload whose file is not at hand.
export class Upload {
  state = WAITING;
  error = null;
  mayReplace = false;
  uploadId = "";
  parts = new Map(); // number to { etag, crc, size }: what the server has
  areKnown = true; // whether `parts` is all that it has
  mustMatch = false; // whether a file that has other parts than it is refused
  flying = new Map(); // number to bytes on the way
  held = 0; // bytes that the server was found to have, while the file is not at hand
  checked = 0; // bytes read again after a reload
  restarts = 0;
  control = new AbortController();

  constructor({ bucket, key, name, file, size, type, partBytes, handle = null }) {
    number += 1;
    this.id = number;
    Object.assign(this, { bucket, key, name, file, size, type, partBytes, handle });
  }

  get isMoving() {
    return MOVING.has(this.state);
  }

  get isEnded() {
    return ENDED.has(this.state);
  }

  // Bytes that have left, whether they were acknowledged or not.
  get sent() {
    if (this.state === DONE) {
      return this.size;
    }
    if (!this.areKnown) {
      return this.held;
    }
    let bytes = 0;
    for (const part of this.parts.values()) {
      bytes += part.size;
    }
    for (const flown of this.flying.values()) {
      bytes += flown;
    }
    return Math.min(bytes, this.size);
  }
}

export class Uploads {
  #listeners = new Set();
  #byPlace = new Map();
  #queue = [];
  #running = 0;

  // `requestBytesMax`: the most that the server takes in one request.
  constructor({ wire, memory, hash, requestBytesMax }) {
    Object.assign(this, { wire, memory, hash, requestBytesMax });
    this.all = [];
    this.gate = new Gate(REQUESTS, wire.isSignedOut, () => this.#tell());
  }

  // Listen: called with an upload whose state has changed, or with nothing.
  onChange(listener) {
    this.#listeners.add(listener);
  }

  // Whether leaving the page would stop anything.
  get isBusy() {
    return this.all.some((upload) => AHEAD.has(upload.state));
  }

  // --- what a person does ---

  // Send files: { bucket, key, name, file, handle }. One whose upload was begun before goes on there;
  // one that is on its way already is not sent twice.
  add(files) {
    for (const { bucket, key, name, file, handle } of files) {
      const known = this.#byPlace.get(placeOf(bucket, key));
      if (known && (AHEAD.has(known.state) || known.state === PAUSED) && isSame(known.file, file)) {
        continue;
      }
      if (known && STRANDED.has(known.state)) {
        if (this.attach(known, file)) {
          continue;
        }
        this.cancel([known]);
      }
      const { size, type } = file;
      const partBytes = partBytesOf(size, this.requestBytesMax);
      const upload = this.#take(new Upload({ bucket, key, name, file, handle, size, type, partBytes }));
      if (isKeyTooLong(key)) {
        this.#fail(upload, new FileError("KeyTooLong"));
      } else if (isTooLarge(size, this.requestBytesMax)) {
        this.#fail(upload, new FileError("TooLarge"));
      } else {
        this.#queue.push(upload);
      }
    }
    this.#tell();
    this.#pump();
  }

  // Take up what was begun before the page was loaded; its files must be given again.
  async recall() {
    const { signal } = new AbortController();
    for (const record of await this.memory.all()) {
      const { bucket, key, uploadId, mayReplace } = record;
      let held = 0;
      try {
        const parts = await this.wire.parts({ bucket, key, uploadId, signal });
        held = parts.reduce((bytes, part) => bytes + part.size, 0);
      } catch (error) {
        if (ENDED_ELSEWHERE.has(error.code)) {
          await this.memory.forget(uploadId);
          continue;
        }
      }
      const upload = this.#take(new Upload({ ...record, file: null }));
      Object.assign(upload, { uploadId, mayReplace, held, state: NEEDS_FILE, areKnown: false });
      this.#tell(upload);
    }
  }

  // Give the file of an upload that has none, or none that can be read; false: it is another one.
  // `mustMatch`: it may be any file that somebody chose, so what was sent of it must be in it.
  attach(upload, file, { mustMatch = false } = {}) {
    const isOther = file.size !== upload.size || (mustMatch && !upload.held && file.name !== lastOf(upload.name));
    if (!STRANDED.has(upload.state) || !upload.uploadId || isOther) {
      return false;
    }
    Object.assign(upload, { file, mustMatch, error: null, areKnown: false });
    upload.parts.clear();
    this.#wait(upload);
    this.#pump();
    return true;
  }

  pause(uploads) {
    for (const upload of uploads.filter(({ state }) => HALTING.has(state))) {
      this.#halt(upload, PAUSED);
    }
    this.#pump();
  }

  // Go on with what is paused or failed.
  resume(uploads) {
    for (const upload of uploads.filter(({ state, file }) => file && (state === PAUSED || state === FAILED))) {
      upload.error = null;
      this.#wait(upload);
    }
    this.#pump();
  }

  // Say what becomes of files whose keys are taken.
  replace(uploads) {
    for (const upload of uploads.filter(({ state }) => state === EXISTS)) {
      upload.mayReplace = true;
      if (upload.uploadId) {
        this.memory.keep(upload);
      }
      this.#wait(upload);
    }
    this.#pump();
  }

  skip(uploads) {
    for (const upload of uploads.filter(({ state }) => state === EXISTS)) {
      this.#set(upload, SKIPPED);
      this.#giveUp(upload);
    }
  }

  // Stop for good: what was sent of it is given up.
  cancel(uploads) {
    for (const upload of uploads.filter(({ isEnded, state }) => !isEnded && state !== FINISHING)) {
      this.#halt(upload, GONE);
      this.#giveUp(upload);
    }
    this.#pump();
  }

  // Forget what has ended.
  clear() {
    this.all = this.all.filter(({ isEnded }) => !isEnded);
    this.#byPlace = new Map(this.all.map((upload) => [placeOf(upload.bucket, upload.key), upload]));
    this.#tell();
  }

  // --- the machine ---

  #tell(upload = null) {
    for (const listener of this.#listeners) {
      listener(upload);
    }
  }

  #set(upload, state) {
    upload.state = state;
    this.#tell(upload);
  }

  #fail(upload, error) {
    upload.error = error;
    this.#set(upload, FAILED);
  }

  #halt(upload, state) {
    this.#set(upload, state);
    upload.control.abort();
  }

  #take(upload) {
    this.all.push(upload);
    this.#byPlace.set(placeOf(upload.bucket, upload.key), upload);
    return upload;
  }

  #wait(upload) {
    this.#set(upload, WAITING);
    this.#queue.push(upload);
  }

  #pump() {
    while (this.#running < REQUESTS && this.#queue.length) {
      const upload = this.#queue.shift();
      if (upload.state === WAITING) {
        this.#run(upload);
      }
    }
  }

  async #run(upload) {
    const control = new AbortController();
    upload.control = control;
    this.#running += 1;
    this.#set(upload, SENDING);
    try {
      await (upload.partBytes ? this.#sendInParts(upload, control) : this.#sendWhole(upload, control.signal));
      this.#set(upload, DONE);
    } catch (error) {
      if (upload.control === control) {
        this.#note(upload, error);
      }
    }
    if (upload.control === control) {
      upload.flying.clear();
    }
    this.#running -= 1;
    this.#pump();
  }

  // Say why an upload stopped, unless a person stopped it.
  #note(upload, error) {
    if (!upload.isMoving) {
      return;
    }
    if (error.code === "PreconditionFailed" && !upload.mayReplace) {
      this.#set(upload, EXISTS);
    } else if (error.code === "NoSuchUpload" && upload.restarts < RESTARTS_MAX) {
      upload.restarts += 1;
      this.#forget(upload);
      this.#wait(upload);
    } else if (error.code === "OtherFile") {
      Object.assign(upload, { file: null, handle: null, error });
      this.#set(upload, NEEDS_FILE);
    } else {
      this.#fail(upload, error);
    }
  }

  async #sendWhole(upload, signal) {
    const { bucket, key, file, type, mayReplace } = upload;
    const crc = await this.hash(file, signal);
    const onSent = (bytes) => this.#fly(upload, 0, bytes);
    const body = { blob: file, crc, signal, onSent };
    await this.gate.pass(signal, () => this.wire.put({ bucket, key, type, mayReplace, ...body }));
  }

  async #sendInParts(upload, control) {
    const { bucket, key, type } = upload;
    const { signal } = control;
    const pass = (request) => this.gate.pass(signal, request);
    if (!upload.uploadId) {
      if (!upload.mayReplace && (await pass(() => this.wire.exists({ bucket, key, signal })))) {
        throw Object.assign(new Error(key), { code: "PreconditionFailed" });
      }
      upload.uploadId = await pass(() => this.wire.begin({ bucket, key, type, signal }));
      await this.memory.keep(upload);
    } else if (!upload.areKnown) {
      await this.#learnParts(upload, signal);
    }
    await this.#sendMissing(upload, control);
    await checkUnchanged(upload.file);
    this.#set(upload, FINISHING);
    const { uploadId, size, mayReplace } = upload;
    const parts = [...upload.parts].sort(([one], [other]) => one - other);
    const crc = parts.reduce((whole, [, part]) => combine(whole, part.crc, part.size), 0);
    const list = parts.map(([number, { etag }]) => ({ number, etag }));
    await pass(() => this.wire.complete({ bucket, key, uploadId, parts: list, crc, size, mayReplace, signal }));
    await this.memory.forget(uploadId);
  }

  // After a reload: find out which parts the server has, and keep those that are this file's.
  async #learnParts(upload, signal) {
    const { bucket, key, uploadId, file, size, partBytes } = upload;
    this.#set(upload, CHECKING);
    const listed = await this.gate.pass(signal, () => this.wire.parts({ bucket, key, uploadId, signal }));
    const plan = new Map(partsOf(size, partBytes).map((part) => [part.number, part]));
    upload.checked = 0;
    for (const { number, etag, crc, size: bytes } of listed) {
      const part = plan.get(number);
      if (part && part.end - part.start === bytes && (await this.hash(file.slice(part.start, part.end), signal)) === crc) {
        upload.parts.set(number, { etag, crc, size: bytes });
      } else if (upload.mustMatch) {
        throw new FileError("OtherFile");
      }
      upload.checked += bytes;
      this.#tell();
    }
    upload.areKnown = true;
    this.#set(upload, SENDING);
  }

  // Send the parts that are not there yet, several at once; the first trouble stops the others.
  async #sendMissing(upload, control) {
    const { signal } = control;
    const missing = partsOf(upload.size, upload.partBytes).filter(({ number }) => !upload.parts.has(number));
    const next = missing.values();
    let trouble = null;
    const work = async () => {
      for (const part of next) {
        if (trouble || signal.aborted) {
          return;
        }
        await this.#sendPart(upload, part, signal);
      }
    };
    const note = (error) => {
      trouble ??= error;
      control.abort();
    };
    await Promise.all(Array.from({ length: REQUESTS }, () => work().catch(note)));
    if (trouble || signal.aborted) {
      throw trouble ?? stopped();
    }
  }

  async #sendPart(upload, { number, start, end }, signal) {
    const { bucket, key, uploadId, file } = upload;
    const blob = file.slice(start, end);
    const onSent = (bytes) => this.#fly(upload, number, bytes);
    try {
      const crc = await this.hash(blob, signal);
      const body = { blob, crc, signal, onSent };
      const etag = await this.gate.pass(signal, () => this.wire.part({ bucket, key, uploadId, number, ...body }));
      upload.parts.set(number, { etag, crc, size: end - start });
    } finally {
      upload.flying.delete(number);
    }
  }

  #fly(upload, number, bytes) {
    upload.flying.set(number, bytes);
    this.#tell();
  }

  #forget(upload) {
    const { uploadId } = upload;
    upload.uploadId = "";
    upload.parts.clear();
    upload.areKnown = true;
    return uploadId ? this.memory.forget(uploadId) : undefined;
  }

  // Have the server release what it has of an upload. Where that fails it is left to the bucket's
  // rules for old uploads; nothing of it is listed as an object.
  async #giveUp(upload) {
    const { bucket, key, uploadId } = upload;
    if (uploadId) {
      await this.#forget(upload);
      await this.wire.abort({ bucket, key, uploadId }).catch(() => {});
    }
  }
}
