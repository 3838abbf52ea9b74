// What of an upload in parts outlives the page: where it goes, its id, its parts' size, and the
// browser's handle of the file where there is one. Which parts are there the server knows.
//
// Kept in IndexedDB, for one user; a browser that keeps nothing (some do in private windows) makes
// uploads that end with the page. Another page of the same user is asked which are its own.

const NAME = "s4-uploads";
const STORE = "begun";
const ANSWER_MS = 150; // how long another page may take to say so

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const open = () => {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "uploadId" });
  return done(request);
};

export class Memory {
  #mine = new Set(); // ids of uploads that this page goes on with
  #claimed = new Set();
  #channel = new BroadcastChannel(NAME);

  // `owner`: the canonical id of who is signed in.
  constructor(owner) {
    this.owner = owner;
    this.#channel.onmessage = ({ data: { asks, claims = [] } }) => {
      if (asks) {
        this.#channel.postMessage({ claims: [...this.#mine] });
      }
      claims.forEach((id) => this.#claimed.add(id));
    };
  }

  async #do(mode, act) {
    try {
      const database = await open();
      try {
        return await act(database.transaction(STORE, mode).objectStore(STORE));
      } finally {
        database.close();
      }
    } catch {
      return undefined; // then it is not kept: the upload itself goes on
    }
  }

  // Keep an upload that has begun, so that it can be gone on with.
  async keep({ uploadId, bucket, key, name, size, type, partBytes, mayReplace, handle }) {
    this.#mine.add(uploadId);
    const record = { uploadId, bucket, key, name, size, type, partBytes, mayReplace };
    record.owner = this.owner;
    const kept = await this.#do("readwrite", (store) => done(store.put({ ...record, handle })));
    if (kept === undefined && handle) {
      await this.#do("readwrite", (store) => done(store.put(record))); // no handle can be kept here
    }
  }

  async forget(uploadId) {
    this.#mine.delete(uploadId);
    await this.#do("readwrite", (store) => done(store.delete(uploadId)));
  }

  // What this user began and did not end, but for what another page is at.
  async all() {
    const records = (await this.#do("readonly", (store) => done(store.getAll()))) ?? [];
    const own = records.filter(({ owner }) => owner === this.owner);
    if (own.length) {
      this.#channel.postMessage({ asks: true });
      await new Promise((resolve) => {
        setTimeout(resolve, ANSWER_MS);
      });
    }
    const found = own.filter(({ uploadId }) => !this.#claimed.has(uploadId));
    found.forEach(({ uploadId }) => this.#mine.add(uploadId));
    return found;
  }
}
