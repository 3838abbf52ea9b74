// From bytes to what a person reads: the encoding found, JSON indented, anything else as hexadecimal.
// Pure, and bounded by what it is given.

const BOMS = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16le", [0xff, 0xfe]],
  ["utf-16be", [0xfe, 0xff]],
];
const HEX_COLUMNS = 16;
const DEPTH_MAX = 60;

const startsWith = (bytes, mark) => mark.every((byte, index) => bytes[index] === byte);

/** Read bytes as text: {text, encoding}, or null for what is no text. `isCut`: more bytes follow, so
 * the last character may be incomplete. */
export const readText = (bytes, isCut = false) => {
  const marked = BOMS.find(([, mark]) => startsWith(bytes, mark));
  if (marked) {
    return { text: new TextDecoder(marked[0]).decode(bytes, { stream: isCut }), encoding: marked[0] };
  }
  if (bytes.includes(0)) return null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: isCut });
    return { text, encoding: "utf-8" };
  } catch {
    // Control characters that no text has; of the rest every byte is a character of windows-1252.
    const isText = !bytes.some((byte) => byte < 0x20 && ![0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x1b].includes(byte));
    return isText ? { text: new TextDecoder("windows-1252").decode(bytes), encoding: "windows-1252" } : null;
  }
};

/** Write bytes as `hexdump -C` does: offset, bytes, characters. */
export const hexDump = (bytes) => {
  const lines = [];
  for (let offset = 0; offset < bytes.length; offset += HEX_COLUMNS) {
    const row = [...bytes.subarray(offset, offset + HEX_COLUMNS)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const characters = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${offset.toString(16).padStart(8, "0")}  ${hex.padEnd(HEX_COLUMNS * 3 - 1)}  ${characters}`);
  }
  return lines.join("\n");
};

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gy;

/** Indent JSON without touching its words: long numbers, repeated names and escapes stay as they are
 * written, which reading and writing it again would change. Null for what is no JSON, or so deep that
 * its indentation would be most of it. */
export const indentJson = (text) => {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const tokens = [];
  const space = /\s*/y;
  for (let position = 0; position < text.length; ) {
    space.lastIndex = position;
    space.exec(text);
    TOKEN.lastIndex = space.lastIndex;
    const found = TOKEN.exec(text);
    if (!found) break;
    tokens.push(found[0]);
    position = TOKEN.lastIndex;
  }
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  const written = [];
  for (const [index, token] of tokens.entries()) {
    if (token === "{" || token === "[") {
      depth += 1;
      if (depth > DEPTH_MAX) return null;
      written.push(token, "}]".includes(tokens[index + 1]) ? "" : line());
    } else if (token === "}" || token === "]") {
      depth -= 1;
      written.push("{[".includes(tokens[index - 1]) ? "" : line(), token);
    } else if (token === ",") {
      written.push(token, line());
    } else {
      written.push(token === ":" ? ": " : token);
    }
  }
  return written.join("");
};
