// The gate that every request of an upload passes: so many at once, and none while the server cannot
// be reached or the session is over. What fails for a while is tried again. Knows no page.
import { pause, stopped } from "../retry.js";
import { Unreachable } from "../s3.js";
import { pauseMs } from "./upload_plan.js";

const ATTEMPTS_MAX = 8; // of a request that the server answers with trouble of its own
const TROUBLE = 500;
// Refusals that pass by themselves: of S3, and of proxies in front of it.
const PASSING = new Set(["RequestTimeout", "OperationAborted", "ConditionalRequestConflict", "BadDigest"]);
const PASSING_STATUSES = new Set([408, 425, 429]);

const passes = (error) => error.status >= TROUBLE || PASSING_STATUSES.has(error.status) || PASSING.has(error.code);

export class Gate {
  #free;
  #waiting = [];
  #timer = 0;
  failures = 0; // how often the server was not reached, one time after the other
  opensAt = 0; // when it is tried again, in milliseconds since 1970
  closedFor = ""; // "", "connection" or "session"

  constructor(requestsMax, isSignedOut, onChange) {
    this.#free = requestsMax;
    Object.assign(this, { isSignedOut, onChange });
  }

  // Do a request once there is room for it, and again as long as what keeps it from being done passes.
  async pass(signal, request) {
    for (let failures = 0; ; ) {
      await this.#enter(signal);
      try {
        const answer = await request();
        this.failures = 0;
        return answer;
      } catch (error) {
        if (signal.aborted) {
          throw stopped();
        } else if (this.isSignedOut(error)) {
          this.close("session");
        } else if (error instanceof Unreachable) {
          this.#lose();
        } else if (passes(error) && failures < ATTEMPTS_MAX) {
          failures += 1;
        } else {
          throw error;
        }
      } finally {
        this.#leave();
      }
      if (!this.closedFor) {
        await pause(pauseMs(Math.max(1, failures)), signal);
      }
    }
  }

  // Let nobody through until `open`.
  close(reason) {
    clearTimeout(this.#timer);
    this.closedFor = reason;
    this.onChange();
  }

  // Let through who waits.
  open() {
    clearTimeout(this.#timer);
    this.closedFor = "";
    this.onChange();
    this.#admit();
  }

  // Several requests break with one connection: that counts once.
  #lose() {
    if (this.closedFor) {
      return;
    }
    this.failures += 1;
    const wait = pauseMs(this.failures);
    this.opensAt = Date.now() + wait;
    this.close("connection");
    this.#timer = setTimeout(() => this.open(), wait);
  }

  #enter(signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(stopped());
        return;
      }
      const entry = {};
      entry.give = () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(stopped());
      };
      signal.addEventListener("abort", entry.give, { once: true });
      entry.admit = () => {
        signal.removeEventListener("abort", entry.give);
        resolve();
      };
      this.#waiting.push(entry);
      this.#admit();
    });
  }

  #leave() {
    this.#free += 1;
    this.#admit();
  }

  #admit() {
    while (this.#free > 0 && !this.closedFor && this.#waiting.length) {
      this.#free -= 1;
      this.#waiting.shift().admit();
    }
  }
}
