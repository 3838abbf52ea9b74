// Long work on many objects: goes on while one browses, shows how far it is, and can be stopped.
//
// What S3 does not answer is asked again, later and later; then, or when the session is over, the
// work waits until somebody lets it go on. What S3 refuses is told by name, and the rest goes on.

import { button, el, toast } from "../dom.js";
import { attempt, isStop, stopped } from "../retry.js";
import { isSignedOut } from "../s3.js";
import { gettext, numberText, say as fill } from "../words.js";
import { browser, say } from "./state.js";
import { renew } from "./upload_wire.js";

const REFUSALS_SHOWN_MAX = 50;
const PATIENCE_MS = 600; // what takes no longer is told when it is done
const SHOWN_MS = 8000;
const WIDTH = 4; // requests at a time: a store's one disk gains nothing from more

const running = new Set();

window.addEventListener("beforeunload", (event) => {
  if (running.size) {
    event.preventDefault();
  }
});

// Take over the session that there is now; "" where it is that of who opened the page.
const renewed = async () => {
  const found = await renew(browser.facts.me).catch(() => "none");
  const words = {
    another: gettext("Somebody else is signed in now. Sign in as before, then go on."),
    none: gettext("Nobody is signed in yet. Sign in, then go on."),
  };
  return words[found] ?? "";
};

class Job {
  #stopping = new AbortController();
  #waiting = null; // what everybody waits for until somebody lets it go on
  #refusals = [];
  #drawn = 0;
  #total = 0; // 0: not known

  constructor({ title, unit }) {
    this.done = 0;
    this.unit = unit;
    this.bar = el("progress", { class: "browse-progress", "aria-label": title });
    this.count = el("p", {});
    this.trouble = el("p", { class: "browse-job-trouble", hidden: true });
    this.list = el("ul", {});
    this.refused = el("details", { hidden: true }, el("summary", {}), this.list);
    this.stopper = button(gettext("Stop"), { on: () => this.stop() });
    this.element = el("section", { class: "browse-job", "aria-label": title },
      el("header", {}, el("h2", {}, title), this.stopper), this.bar, this.count, this.trouble, this.refused);
    this.showing = setTimeout(() => this.show(), PATIENCE_MS);
    running.add(this);
    this.draw();
  }

  show() {
    clearTimeout(this.showing);
    document.getElementById("browse-jobs").append(this.element);
  }

  get signal() {
    return this.#stopping.signal;
  }

  get refusals() {
    return this.#refusals.length;
  }

  get total() {
    return this.#total;
  }

  set total(total) {
    this.#total = total;
    this.draw();
  }

  stop() {
    this.#stopping.abort();
  }

  // So many more are done.
  tick(count = 1) {
    this.done += count;
    this.#drawSoon();
  }

  // S3 refused to do it to one thing.
  refuse(name, message) {
    this.#refusals.push(name);
    if (this.#refusals.length <= REFUSALS_SHOWN_MAX) {
      this.list.append(el("li", {}, el("code", {}, name), ` ${message}`));
    }
    this.refused.hidden = false;
    this.refused.firstElementChild.textContent = fill(gettext("%(count)s refused"), { count: numberText(this.#refusals.length) });
  }

  // Ask until it is answered; S3's refusals are thrown.
  attempt(request) {
    return attempt(request, { signal: this.signal, wait: (error) => this.#wait(error) });
  }

  // Do something to each thing of a list or a stream of them, some at a time; refusals are told.
  async each(things, work, nameOf = (thing) => thing.key) {
    const source = things[Symbol.asyncIterator]?.() ?? things[Symbol.iterator]();
    const worker = async () => {
      for (let step = await source.next(); !step.done; step = await source.next()) {
        if (this.signal.aborted) {
          throw stopped();
        }
        try {
          await work(step.value);
          this.tick();
        } catch (error) {
          if (isStop(error)) {
            throw error;
          }
          this.refuse(nameOf(step.value), error.message);
        }
      }
    };
    await Promise.all(Array.from({ length: WIDTH }, worker));
  }

  // Wait until somebody lets the work go on; everybody in it waits for the same word.
  #wait(error) {
    if (this.#waiting === null) {
      this.#waiting = new Promise((resolve, reject) => {
        const text = el("span", {}, isSignedOut(error) ? gettext("Your session is over. Sign in again, then go on.") : error.message);
        const goOn = async () => {
          const told = isSignedOut(error) ? await renewed() : "";
          if (told) {
            text.textContent = told;
            return;
          }
          this.trouble.hidden = true;
          this.#waiting = null;
          resolve();
        };
        const signIn = isSignedOut(error) && el("a", { class: "button", href: "/login/", target: "_blank", rel: "noopener" }, gettext("Sign in"));
        this.trouble.replaceChildren(...[text, signIn, button(gettext("Go on"), { kind: "primary", on: goOn })].filter(Boolean));
        this.trouble.hidden = false;
        this.show();
        say(text.textContent);
        this.signal.addEventListener("abort", () => reject(stopped()), { once: true });
      });
    }
    return this.#waiting;
  }

  #drawSoon() {
    if (!this.#drawn) {
      this.#drawn = requestAnimationFrame(() => {
        this.#drawn = 0;
        this.draw();
      });
    }
  }

  draw() {
    const values = { done: numberText(this.done), total: numberText(this.total), unit: this.unit };
    this.count.textContent = fill(this.total ? gettext("%(done)s of %(total)s %(unit)s") : gettext("%(done)s %(unit)s"), values);
    if (this.total) {
      this.bar.max = this.total;
      this.bar.value = Math.min(this.done, this.total);
    }
  }

  // Tell how it ended: by a message where nobody saw it begin and nothing went wrong.
  end(text, isWell) {
    running.delete(this);
    cancelAnimationFrame(this.#drawn);
    if (isWell && !this.element.isConnected) {
      clearTimeout(this.showing);
      toast(text);
      return;
    }
    this.show();
    this.bar.remove();
    this.trouble.hidden = true;
    this.count.textContent = text;
    this.stopper.replaceWith(button(gettext("Close"), { on: () => this.element.remove() }));
    say(text);
    if (isWell) {
      setTimeout(() => this.element.remove(), SHOWN_MS);
    }
  }
}

/**
 * Do long work: `work(job)` reports by `job.tick`, asks by `job.attempt`, and may set `job.total`.
 * `told(count)` says in the end how many, "%(done)s", were done. Answers whether all of it was.
 */
export const runJob = async ({ title, unit = gettext("objects"), told, work }) => {
  const job = new Job({ title, unit });
  let ending = "";
  try {
    await work(job);
  } catch (error) {
    ending = isStop(error) ? gettext("Stopped.") : error.message;
  }
  const isWell = !ending && !job.refusals;
  job.end([fill(told(job.done), { done: numberText(job.done) }), ending].filter(Boolean).join(" "), isWell);
  return isWell;
};
