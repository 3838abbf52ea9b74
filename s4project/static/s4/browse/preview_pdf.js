// Shows a PDF, page after page, drawn by pdf.js (../../pdfjs, Apache-2.0, shipped as published). The
// browser's own viewer is not used: it lets scripts in a document open windows on the console's page,
// and phones have none. Nothing in a document is run here, and only what is looked at is fetched.

import { button, el } from "../dom.js";
import { gettext, say } from "../words.js";

const LIBRARY = new URL("../../pdfjs/", import.meta.url).href;
const SCALE_MAX = 3;
const PIXELS_MAX = 8e6;
const CHUNK_BYTES = 256 * 1024;

const load = async () => {
  const pdfjs = await import(`${LIBRARY}pdf.min.mjs`);
  pdfjs.GlobalWorkerOptions.workerSrc = `${LIBRARY}pdf.worker.min.mjs`;
  return pdfjs;
};

/** Open the PDF at an address: an element that shows it. It is given up when `signal` says so. */
export const showPdf = async (url, { signal, width }) => {
  const pdfjs = await load();
  const task = pdfjs.getDocument({
    url, rangeChunkSize: CHUNK_BYTES, disableAutoFetch: true, disableStream: true, enableXfa: false,
    isEvalSupported: false, useWasm: false, wasmUrl: LIBRARY, verbosity: 0, maxImageSize: PIXELS_MAX * 4,
    canvasMaxAreaInBytes: PIXELS_MAX * 4,
  });
  signal?.addEventListener("abort", () => task.destroy());
  const file = await task.promise;
  const canvas = el("canvas", { class: "preview-page", role: "img" });
  const words = el("p", { class: "sr-only" });
  const where = el("span", { class: "preview-where", role: "status" });
  let number = 1;
  let drawing = null;
  const draw = async () => {
    drawing?.cancel();
    const page = await file.getPage(number);
    const whole = page.getViewport({ scale: 1 });
    const fit = Math.min((width * devicePixelRatio) / whole.width, SCALE_MAX, Math.sqrt(PIXELS_MAX / (whole.width * whole.height)));
    const viewport = page.getViewport({ scale: fit });
    Object.assign(canvas, { width: viewport.width, height: viewport.height });
    const at = say(gettext("Page %(number)s of %(count)s"), { number, count: file.numPages });
    where.textContent = at;
    canvas.setAttribute("aria-label", at);
    previous.disabled = number === 1;
    next.disabled = number === file.numPages;
    drawing = page.render({ canvas, viewport });
    await drawing.promise;
    const { items } = await page.getTextContent();
    words.textContent = items.map((item) => item.str).join(" ");
  };
  const turn = (by) => {
    number += by;
    draw().catch((error) => {
      if (error.name !== "RenderingCancelledException" && !signal?.aborted) where.textContent = gettext("This page cannot be drawn.");
    });
  };
  const previous = button("", { symbol: "chevron_left", "aria-label": gettext("Previous page"), on: () => turn(-1) });
  const next = button("", { symbol: "chevron_right", "aria-label": gettext("Next page"), on: () => turn(1) });
  await draw();
  return el("div", { class: "preview-pdf" }, canvas, words, el("div", { class: "preview-turn" }, previous, where, next));
};
