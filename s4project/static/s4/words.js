// Words for people, in the language of the page: what Django's catalog of our scripts says.
// A page that uses it loads {% url 'admin:jsi18n' %} before its modules.

const catalog = globalThis.django ?? {};

export const gettext = catalog.gettext ?? ((text) => text);
export const ngettext = catalog.ngettext ?? ((one, many, count) => (count === 1 ? one : many));

/** Put values into a text, by name: say("%(count)s objects", {count: 3}). */
export const say = (text, values) =>
  text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name]));

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
const STEP = 1024;

/** Write a size in bytes as the console's pages do: exact below 1,024, else to a tenth. */
export const sizeText = (size) => {
  if (size < STEP) {
    return say(ngettext("%(count)s byte", "%(count)s bytes", size), { count: size });
  }
  let power = 0;
  let rest = size;
  while (rest >= STEP && power < UNITS.length - 1) {
    rest /= STEP;
    power += 1;
  }
  const number = rest.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return `${number} ${UNITS[power]}`;
};

/** Write a number with its thousands set apart. */
export const numberText = (number) => number.toLocaleString("en");

/** Write a moment in UTC to the minute, as the console's pages do; a Date, or what makes one. */
export const momentText = (moment) => {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 16).replace("T", " ");
};

/** Write how long something takes or is good for, in its two largest units. */
export const durationText = (seconds) => {
  const parts = [];
  let rest = Math.round(seconds);
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    if (rest >= length && parts.length < 2) {
      parts.push(`${Math.floor(rest / length)} ${unit}`);
      rest %= length;
    }
  }
  return parts.join(" ") || "0 s";
};
