// Goes through everything below a prefix, a page at a time, as long as whoever asks wants more.

import { KEYS_PER_DELETE, listObjects, listVersions } from "../s3.js";

/** Walk over pages of all objects below a prefix; `attempt` asks, as of a job. */
export async function* pagesBelow(bucket, prefix, attempt) {
  let startAfter;
  for (;;) {
    const after = startAfter;
    const page = await attempt((signal) => listObjects(bucket, { prefix, delimiter: "", startAfter: after, limit: KEYS_PER_DELETE, signal }));
    if (page.objects.length) {
      yield page.objects;
      startAfter = page.objects.at(-1).key;
    }
    if (!page.next) {
      return;
    }
  }
}

/** The same for all versions and delete markers. */
export async function* versionPagesBelow(bucket, prefix, attempt) {
  let marker;
  do {
    const from = marker;
    const page = await attempt((signal) => listVersions(bucket, { prefix, delimiter: "", marker: from, limit: KEYS_PER_DELETE, signal }));
    yield page.versions;
    marker = page.next;
  } while (marker);
}

/** Walk over pages of all versions of one key. */
export async function* versionPagesOf(bucket, key, attempt) {
  for await (const page of versionPagesBelow(bucket, key, attempt)) {
    const own = page.filter((each) => each.key === key);
    if (own.length) {
      yield own;
    }
    if (own.length < page.length) {
      return; // keys are in order: what follows begins with it, and is another
    }
  }
}
