// Says so when form and document of a setting could not be kept in step: the session is over, or the
// server does not answer. What was typed stays on the page: the half that was typed into last wins,
// and an answer that began before that is too old.

import { gettext } from "./words.js";

const tell = (event, text) => {
  const form = event.detail.elt?.closest?.("form.editor");
  const place = form?.querySelector(".editor-half:last-child .editor-said");
  if (place) {
    place.textContent = text;
    place.classList.add("editor-wrong");
  }
};

const HALVES = '[id$="-form"][hx-post], [id$="-document"][hx-post]'; // each sends what is typed into it
const typed = new WeakMap(); // form: {half, at}, of what was typed last
const sentAt = new WeakMap(); // request: when it began

document.addEventListener("input", (event) => {
  const isWritten = event.target.name !== "document_format"; // which changes no word
  const half = isWritten ? event.target.closest?.(HALVES) : null;
  const form = half?.closest("form.editor");
  if (form) {
    typed.set(form, { half: half.id, at: performance.now() });
  }
}, { capture: true });

document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt, xhr } = event.detail;
  const last = typed.get(elt.closest?.("form.editor"));
  sentAt.set(xhr, performance.now());
  if (last && elt.matches(HALVES) && elt.id !== last.half) {
    event.preventDefault(); // the other half was typed into meanwhile, and tells by itself
  }
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { elt, xhr } = event.detail;
  const last = typed.get(elt?.closest?.("form.editor"));
  if (last && elt.matches(HALVES) && last.at > sentAt.get(xhr)) {
    event.detail.shouldSwap = false;
  }
  if (new URL(event.detail.xhr.responseURL, location.href).pathname.startsWith("/login/")) {
    event.detail.shouldSwap = false;
    tell(event, gettext("Your session is over. Sign in again in another tab, and go on here: what you typed is kept."));
  }
});

document.addEventListener("htmx:responseError", (event) => {
  tell(event, gettext("The server refused: open the page anew. What you typed was not saved."));
});

document.addEventListener("htmx:sendError", (event) => {
  tell(event, gettext("The server cannot be reached: what you typed was not saved."));
});
