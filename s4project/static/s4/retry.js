// Asking again what the server did not answer: later and later, then when somebody lets it go on.
// What S3 refuses is thrown at once; so is the AbortError of a signal.

import { isSignedOut } from "./s3.js";

const SECONDS = [1, 2, 4, 8, 16]; // between attempts
const TROUBLE = 500; // statuses from here on tell of the server, not of the request

export const stopped = () => new DOMException("stopped", "AbortError");
export const isStop = (error) => error.name === "AbortError";
const isTrouble = (error) => error.name === "Unreachable" || isSignedOut(error) || error.status >= TROUBLE;

/** Wait, unless the signal says not to. */
export const pause = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(stopped());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });

/** Do `request(signal)` until it is answered; `wait(error)` resolves when somebody lets it go on. */
export const attempt = async (request, { signal, wait }) => {
  for (let tried = 0; ; tried += 1) {
    try {
      return await request(signal);
    } catch (error) {
      if (isStop(error) || !isTrouble(error)) {
        throw error;
      }
      if (isSignedOut(error) || tried >= SECONDS.length) {
        await wait(error);
        tried = -1;
      } else {
        await pause(1000 * SECONDS[tried], signal);
      }
    }
  }
};
