// Buttons with data-copy="id" put that element's text on the clipboard and say so.
// navigator.clipboard exists only on https and localhost; elsewhere the text is selected,
// so that one key press copies it.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) {
    return;
  }
  const source = document.getElementById(button.dataset.copy);
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(source.textContent);
  } else {
    window.getSelection().selectAllChildren(source);
    document.execCommand("copy");
  }
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = label;
  }, 1500);
});
