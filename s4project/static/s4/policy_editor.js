// What helps to write a policy: documents to start from, indentation, and a word below the text on
// whether it is JSON and how long it is. The server judges the rest.
"use strict";

const editorOf = (id) => document.getElementById(id);

const lineAndColumn = (text, error) => {
  const position = /position (\d+)/.exec(error.message);
  if (!position) {
    return "";
  }
  const before = text.slice(0, Number(position[1])).split("\n");
  return ` (line ${before.length}, column ${before[before.length - 1].length + 1})`;
};

const tell = (editor) => {
  const said = document.querySelector(`[data-policy-said="${editor.id}"]`);
  const text = editor.value;
  const most = Number(editor.dataset.policyCharactersMax);
  const length = (editor.dataset.policyCountsSpaces ? text : text.replace(/\s/g, "")).length;
  let words = "";
  let isWrong = length > most;
  if (text.trim()) {
    words = `${length.toLocaleString("en")} of ${most.toLocaleString("en")} characters`;
    try {
      JSON.parse(text);
    } catch (error) {
      words = `Not JSON yet${lineAndColumn(text, error)}; ${words}`;
      isWrong = true;
    }
  }
  said.textContent = words;
  said.classList.toggle("policy-wrong", isWrong);
};

const write = (editor, text) => {
  editor.focus();
  editor.select();
  // So that the browser's "undo" brings back what stood there.
  if (!document.execCommand("insertText", false, text)) {
    editor.value = text;
  }
  editor.setSelectionRange(0, 0);
  editor.scrollTop = 0;
  tell(editor);
};

document.addEventListener("change", (event) => {
  const choice = event.target.closest("[data-policy-for]");
  if (choice && choice.value) {
    write(editorOf(choice.dataset.policyFor), choice.value);
    choice.value = "";
  }
});

document.addEventListener("input", (event) => {
  if (event.target.matches("textarea.policy-text")) {
    tell(event.target);
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-policy-tidy]");
  if (!button) {
    return;
  }
  const editor = editorOf(button.dataset.policyTidy);
  try {
    write(editor, JSON.stringify(JSON.parse(editor.value), null, 2));
  } catch {
    tell(editor); // it says where
  }
});

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("textarea.policy-text").forEach(tell);
});
