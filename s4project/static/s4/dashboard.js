// The charts of the first page: asked for while somebody looks, drawn by the theme's Chart.js in the
// colours of dashboard.css, and told in words and tables for those who do not see them.

import { el } from "./dom.js";
import { gettext, numberText, say, sizeText } from "./words.js";

const STEP_SECONDS_QUICK = 10;
const DASHES = [[], [6, 3], [2, 2], [9, 3, 2, 3], [4, 4]]; // lines differ by more than their colour
const HOUR = 3600;
const DAY = 24 * HOUR;
const TICK_PIXELS = 72;
const STEPS_MAX = 5;
const TICK_SECONDS = [300, 600, 900, HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, DAY, 2 * DAY, 5 * DAY, 7 * DAY, 30 * DAY, 60 * DAY];

const place = document.getElementById("charts");
const said = document.getElementById("charts-said");
const latencyOf = document.getElementById("latency-of");
const drawn = new Map();
let latest = null;

const threeDigits = (number) => {
  if (number === 0 || Math.abs(number) >= 100) {
    return numberText(Math.round(number));
  }
  return Number(number.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
};
const size = (bytes) => sizeText(Math.round(bytes));
const UNITS = {
  rate: (number) => `${threeDigits(number)}/s`,
  byterate: (number) => `${size(number)}/s`,
  bytes: size,
  count: numberText,
  seconds: (number) => (number < 1 ? `${threeDigits(number * 1000)} ms` : `${threeDigits(number)} s`),
};

// Moments are in UTC, as everywhere in the console.
const dayText = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
const clockText = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);
const momentText = (seconds, step) =>
  step >= DAY ? dayText(seconds) : `${dayText(seconds)} ${clockText(seconds).slice(0, step < 60 ? 8 : 5)}`;
const tickText = (seconds) => (seconds % DAY === 0 ? dayText(seconds).slice(5) : clockText(seconds).slice(0, 5));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const lineColour = (index) => colour(`--line-${index + 1}`);

const ticksOf = (axis) => {
  const { min, max } = axis;
  const most = Math.max(2, axis.chart.width / TICK_PIXELS - 1);
  const width = TICK_SECONDS.find((seconds) => (max - min) / seconds <= most) ?? 120 * DAY;
  const first = Math.ceil(min / width) * width;
  axis.ticks = Array.from({ length: Math.floor((max - first) / width) + 1 }, (_, index) => ({ value: first + index * width }));
};
// Sizes go by powers of two, so that an axis has whole KiB, MiB, GiB.
const sizeTicksOf = (axis) => {
  const step = 2 ** Math.ceil(Math.log2(Math.max(axis.max, STEPS_MAX) / STEPS_MAX));
  axis.ticks = Array.from({ length: Math.floor(axis.max / step) + 1 }, (_, index) => ({ value: index * step }));
};

const datasets = (lines, starts, isStacked) => lines.map(({ name, values }, index) => ({
  label: name,
  data: values.map((y, at) => ({ x: starts[at], y })),
  borderColor: lineColour(index),
  backgroundColor: isStacked ? `${lineColour(index)}80` : lineColour(index),
  borderDash: isStacked ? [] : DASHES[index],
  borderWidth: isStacked ? 1 : 1.5,
  fill: isStacked ? (index === 0 ? "origin" : "-1") : false,
  pointRadius: 0,
  pointHitRadius: 6,
  spanGaps: false,
}));

const optionsOf = (unit, isStacked) => ({
  animation: false,
  events: ["mousemove", "mouseout", "touchstart", "touchmove"],
  interaction: { mode: "index", intersect: false, axis: "x" },
  maintainAspectRatio: false,
  normalized: true,
  parsing: false,
  plugins: {
    legend: { display: false },
    tooltip: {
      callbacks: {
        title: ([item]) => (item ? momentText(item.parsed.x, latest.step) : ""),
        label: (item) => ` ${item.dataset.label}: ${UNITS[unit](item.parsed.y)}`,
      },
    },
  },
  scales: {
    x: { type: "linear", afterBuildTicks: ticksOf, ticks: { callback: tickText, maxRotation: 0 }, grid: {}, border: { display: false } },
    y: { beginAtZero: true, stacked: isStacked, afterBuildTicks: unit.startsWith("byte") ? sizeTicksOf : () => {}, ticks: { callback: UNITS[unit], maxTicksLimit: 6 }, grid: {}, border: { display: false } },
  },
});

const paint = (chart) => {
  for (const axis of [chart.options.scales.x, chart.options.scales.y]) {
    axis.ticks.color = colour("--line-text");
    axis.grid.color = colour("--line-grid");
  }
};

const known = (values) => values.filter((value) => value !== null);

// Under a chart: each line's name with its newest and its highest value.
const legend = (list, lines, write, isStacked) => {
  list.replaceChildren(...lines.map(({ name, values }, index) => {
    const told = known(values);
    const sample = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
    Object.entries({ x1: 0, x2: 24, y1: 4, y2: 4, stroke: lineColour(index), "stroke-dasharray": (!isStacked && DASHES[index].join(" ")) || "none" })
      .forEach(([key, value]) => stroke.setAttribute(key, value));
    sample.setAttribute("viewBox", "0 0 24 8");
    sample.setAttribute("aria-hidden", "true");
    sample.append(stroke);
    const value = told.length ? write(told.at(-1)) : gettext("nothing");
    const most = told.length ? say(gettext("at most %(value)s"), { value: write(told.reduce((a, b) => Math.max(a, b))) }) : "";
    return el("li", {}, sample, el("span", {}, name), el("b", {}, value), el("span", {}, most));
  }));
};

const words = (title, lines, write) => {
  const told = lines.map(({ name, values }) => {
    const seen = known(values);
    return seen.length ? `${name} ${write(seen.at(-1))}` : "";
  });
  return `${title}: ${told.filter(Boolean).join(", ") || gettext("nothing")}`;
};

// The same as a table, newest first; made only where it is open.
const fillTable = (panel) => {
  const table = panel.querySelector(".chart-table");
  if (!panel.querySelector("details").open || latest === null) {
    table.replaceChildren();
    return;
  }
  const lines = latest.charts[panel.dataset.chart];
  const write = UNITS[panel.dataset.unit];
  const head = el("tr", {}, el("th", { scope: "col" }, gettext("From (UTC)")), lines.map(({ name }) => el("th", { scope: "col" }, name)));
  const rows = latest.starts.map((start, at) => el("tr", {},
    el("th", { scope: "row" }, momentText(start, latest.step)),
    lines.map(({ values }) => el("td", {}, values[at] === null ? "-" : write(values[at])))));
  table.replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, rows.reverse())));
};

const draw = (panel) => {
  const { chart: id, unit } = panel.dataset;
  const isStacked = "stacked" in panel.dataset;
  const lines = latest.charts[id];
  const canvas = panel.querySelector("canvas");
  let chart = drawn.get(id);
  if (!chart) {
    chart = new Chart(canvas, { type: "line", data: { datasets: [] }, options: optionsOf(unit, isStacked) });
    drawn.set(id, chart);
  }
  chart.data.datasets = datasets(lines, latest.starts, isStacked);
  chart.options.scales.x.min = latest.starts[0];
  chart.options.scales.x.max = latest.starts.at(-1);
  paint(chart);
  chart.update("none");
  legend(panel.querySelector(".chart-legend"), lines, UNITS[unit], isStacked);
  canvas.setAttribute("aria-label", words(panel.querySelector("h2").textContent, lines, UNITS[unit]));
  fillTable(panel);
};

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;

const panels = [...place.querySelectorAll(".series")];
const drawAll = () => latest !== null && panels.forEach(draw);

const tellFigures = (figures) => {
  const cards = document.querySelectorAll(".figures > div");
  figures.forEach(({ value, note }, index) => {
    cards[index]?.querySelector(".figure-value").replaceChildren(value);
    cards[index]?.querySelector(".figure-note").replaceChildren(note);
  });
};

const ask = async () => {
  const asked = new URLSearchParams({ range: place.dataset.range, of: latencyOf.value });
  if (place.dataset.until) {
    asked.set("until", place.dataset.until);
  }
  try {
    const reply = await fetch(`${place.dataset.address}?${asked}`, { headers: { Accept: "application/json", "S4-Unattended": "1" }, redirect: "error" });
    if (!reply.ok) {
      throw new Error(reply.statusText);
    }
    latest = await reply.json();
  } catch {
    said.textContent = gettext("The figures cannot be read just now; what you see may be old. Reload the page if this stays.");
    return;
  }
  said.textContent = "";
  drawAll();
  tellFigures(latest.figures);
};

// Again and again while the page shows now and somebody can see it.
let timer = 0;
const goOn = async () => {
  clearTimeout(timer);
  if (document.hidden) {
    return;
  }
  await ask();
  if (!place.dataset.until) {
    timer = setTimeout(goOn, 1000 * (place.dataset.range === "1h" ? STEP_SECONDS_QUICK : 60));
  }
};

latencyOf.addEventListener("change", ask);
panels.forEach((panel) => panel.querySelector("details").addEventListener("toggle", () => fillTable(panel)));
document.addEventListener("visibilitychange", goOn);
new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["class"] });
goOn();
