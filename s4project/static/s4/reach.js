// What the theme leaves out for those who use the keyboard or have pages read to them: landmarks,
// names of what shows an icon alone, and controls that a mouse reaches but no key.
"use strict";

(() => {
  // Controls that are no buttons, by what a click on them does, and what they are called.
  const NAMES = [
    [/sidebar(Desktop|Mobile)Open/, "Navigation"],
    [/openUserLinks/, ""],
    [/openTheme/, "Theme"],
    [/openRelatedWidgetWrapper/, "Add or change"],
    [/openActions/, "Actions"],
    [/filterOpen/, ""],
    [/showPassword/, "Show password"],
    [/switchTheme|adminTheme/, ""],
  ];
  const CONTROLS = ":is(a, div, span)[x-on\\:click]:not([href], [role], #changelist-filter-close)";
  const ICONS = ".material-symbols-outlined:not([x-on\\:click], [role], [aria-hidden])";

  const each = (root, selector, act) => {
    if (root.matches?.(selector)) act(root);
    root.querySelectorAll(selector).forEach(act);
  };

  const name = (element, text) => {
    if (text && !element.hasAttribute("aria-label")) element.setAttribute("aria-label", text);
  };

  // A control is a button to the keyboard and to readers; what holds others is none.
  const makeButton = (element) => {
    const deed = element.getAttribute("x-on:click");
    const found = NAMES.find(([pattern]) => pattern.test(deed));
    if (!found || element.querySelector("a[href], button, input")) return;
    element.setAttribute("role", "button");
    element.tabIndex = 0;
    name(element, found[1]);
  };

  // Select2 shows a box of its own in place of a select, and forgets what that is called.
  const nameChoice = (box) => {
    const select = box.closest(".select2-container")?.previousElementSibling;
    const label = select?.labels?.[0]?.textContent.trim() || select?.getAttribute("aria-label");
    if (!label) return;
    [box, ...box.querySelectorAll(".select2-search__field, span.select2-selection__rendered")].forEach((part) => name(part, label));
  };

  const mend = (root) => {
    each(root, "#main, .login #page > :first-child", (main) => main.setAttribute("role", "main"));
    each(root, ICONS, (icon) => icon.setAttribute("aria-hidden", "true"));
    each(root, CONTROLS, makeButton);
    each(root, "#searchbar-submit", (button) => name(button, "Search"));
    each(root, "#searchbar", (field) => name(field, "Search"));
    each(root, "#nav-sidebar-apps .simplebar-content-wrapper", (part) => part.setAttribute("aria-label", "Pages"));
    each(root, "#changelist-filter .simplebar-content-wrapper", (part) => part.setAttribute("aria-label", "Filters"));
    each(root, ".select2-selection", nameChoice);
    each(root, "ul.select2-selection__rendered", (list) => list.setAttribute("role", "none")); // not all in it are items
    each(root, "a[x-on\\:click*=showActions]", (button) => name(button, "Actions"));
    each(root, ".select2-search--dropdown .select2-search__field", (field) => name(field, "Search"));
  };

  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if ((key === "Enter" || key === " ") && target.matches?.("[role=button]:not(button, [href])")) {
      event.preventDefault();
      target.click();
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    mend(document);
    const mendAdded = (node) => node.nodeType === Node.ELEMENT_NODE && mend(node);
    const watch = (records) => records.forEach(({ addedNodes }) => addedNodes.forEach(mendAdded));
    new MutationObserver(watch).observe(document.body, { childList: true, subtree: true });
  });
})();
