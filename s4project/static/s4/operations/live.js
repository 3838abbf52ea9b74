// Keeps what is marked with data-live as it is on the server, while anything in it is under way:
// asks for that part of the page again, and for the whole page when something has ended.
// Does not count as use of the session (S4-Unattended), and rests while nobody sees the page.
"use strict";

const SECONDS = 2;
const SECONDS_MAX = 30;

const part = () => document.querySelector("[data-live]");
const count = (found) => Number(found?.dataset.open ?? 0);

const isTyping = () => document.activeElement?.matches("input, select, textarea") ?? false;

/** Put the part as it is now in its place, the focus where it was. */
const replace = (found, text) => {
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-live]");
  if (fresh === null) {
    return null;
  }
  const focused = found.contains(document.activeElement) ? document.activeElement.id : "";
  found.replaceWith(fresh);
  if (focused) {
    document.getElementById(focused)?.focus();
  }
  return fresh;
};

/** Look once; answers in how many seconds to look again, 0: never. */
const look = async (pause) => {
  const found = part();
  const reply = await fetch(found.dataset.live, { headers: { "S4-Unattended": "1" } });
  if (reply.redirected) {
    location.reload(); // the session is over: the page says so, and comes back here
    return 0;
  }
  if (!reply.ok) {
    return Math.min(2 * pause, SECONDS_MAX);
  }
  const before = count(found);
  const fresh = replace(found, await reply.text());
  if (count(fresh) < before && !isTyping()) {
    location.reload();
    return 0;
  }
  return count(fresh) ? SECONDS : 0;
};

const watch = async () => {
  let pause = SECONDS;
  while (pause) {
    await new Promise((resolve) => { setTimeout(resolve, pause * 1000); });
    if (document.hidden) {
      await new Promise((resolve) => { document.addEventListener("visibilitychange", resolve, { once: true }); });
    }
    try {
      pause = await look(pause);
    } catch {
      pause = Math.min(2 * pause, SECONDS_MAX); // the server cannot be reached now
    }
  }
};

if (count(part())) {
  watch();
}
