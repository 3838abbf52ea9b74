// Says so when form and document of a setting could not be kept in step: the session is over, or the
// server does not answer. What was typed stays on the page.

import { gettext } from "./words.js";

const tell = (event, text) => {
  const form = event.detail.elt?.closest?.("form.editor");
  const place = form?.querySelector(".editor-half:last-child .editor-said");
  if (place) {
    place.textContent = text;
    place.classList.add("editor-wrong");
  }
};

document.addEventListener("htmx:beforeSwap", (event) => {
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
