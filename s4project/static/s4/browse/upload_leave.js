// Asks before a page is left while it has something on its way.

const QUIET_MS = 1000; // a form that was submitted leaves a little later

let quietUntil = 0;

export const askBeforeLeaving = (isBusy) => {
  window.addEventListener("beforeunload", (event) => {
    if (isBusy() && Date.now() > quietUntil) {
      event.preventDefault();
    }
  });
};

// Do what looks like leaving, and does not: a download.
export const withoutAsking = (act) => {
  quietUntil = Date.now() + QUIET_MS;
  act();
};
