// Lets the theme work under the console's Content-Security-Policy, which allows no eval and no
// styles in the page: Alpine is its CSP build (../unfold/js/alpine), which reads a part of JavaScript
// only and no globals. What the theme writes beyond that is said here in other words.
"use strict";

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false; // theme.css has them
htmx.config.attributesToSettle = ["class", "width", "height"]; // a style would be one in the page

const IN_OTHER_WORDS = [
  // Whether the navigation was open: kept by the browser.
  [/\(localStorage\.getItem\('sidebarDesktopOpen'\)[^]*: true/, "sidebarWasOpen()"],
  [/;\s*\$watch\('sidebarDesktopOpen', value =>[^]*$/, ""],
  [/^sidebarDesktopOpen = [^]*localStorage[^]*$/, "toggleSidebar()"],
  // Where a form is sent to: here, to the tab that is open.
  [/^activeTab && activeTab !== 'general' \?[^]*$/, "addressOfTab(activeTab)"],
  // A key that does what it does unless another is held.
  [/^if \(([^{}]+)\) (\w+\([^()]*\))$/, "$1 && $2"],
  // A style as text would stand in an attribute; one as an object is set by property.
  [/^'width: ' \+ (\w+) \+ 'px'$/, "{ width: $1 + 'px' }"],
];

// What those words mean; they are known to every element of the page.
const WORDS = {
  getCurrentTab() {
    return getCurrentTab();
  },
  sidebarWasOpen() {
    return localStorage.getItem("sidebarDesktopOpen") !== "0";
  },
  toggleSidebar() {
    this.sidebarDesktopOpen = !this.sidebarDesktopOpen;
    localStorage.setItem("sidebarDesktopOpen", this.sidebarDesktopOpen ? "1" : "0");
  },
  addressOfTab(tab) {
    const { pathname, search } = window.location;
    return pathname + search + (tab && tab !== "general" ? `#${tab}` : "");
  },
};

document.addEventListener("alpine:init", () => {
  Alpine.mapAttributes(({ name, value }) => {
    if (typeof value !== "string") {
      return { name, value };
    }
    let said = value.trim();
    for (const [pattern, words] of IN_OTHER_WORDS) {
      said = said.replace(pattern, words);
    }
    return { name, value: said };
  });
  Alpine.data("theme", (...chosen) => Object.assign(theme(...chosen), WORDS));
  Alpine.data("searchForm", searchForm);
  Alpine.data("searchDropdown", searchDropdown);
  Alpine.data("searchCommand", searchCommand);
});
