// What of an object can be looked at, and as what: decided by its Content-Type, and by the end of its
// name where that type says nothing. Pure. The browser is told the type that stands here, never the
// one that the object claims: so nothing that can act (HTML, XML, a script) is ever opened as itself.

const IMAGES = {
  "image/png": ["png"],
  "image/jpeg": ["jpg", "jpeg", "jfif"],
  "image/gif": ["gif"],
  "image/webp": ["webp"],
  "image/avif": ["avif"],
  "image/svg+xml": ["svg"],
  "image/bmp": ["bmp"],
  "image/x-icon": ["ico"],
};
const AUDIO = {
  "audio/mpeg": ["mp3"],
  "audio/mp4": ["m4a"],
  "audio/aac": ["aac"],
  "audio/ogg": ["ogg", "oga", "opus"],
  "audio/wav": ["wav"],
  "audio/flac": ["flac"],
  "audio/webm": ["weba"],
};
const VIDEO = {
  "video/mp4": ["mp4", "m4v"],
  "video/webm": ["webm"],
  "video/ogg": ["ogv"],
  "video/quicktime": ["mov"],
};
const TABLES = { csv: "", tsv: "\t", tab: "\t" };
const TEXTS = new Set(
  ("bash bat c cc cfg cmake conf cpp cs css cue diff dockerfile env go gradle graphql h hpp htm html ics ini " +
    "java js jsx kt less lock log lua m3u m3u8 makefile markdown md mjs ndjson nfo patch php pl pod properties " +
    "proto ps1 py r rb readme rs rst rtf sass scala scss sh sql srt svelte tex tf toml ts tsx txt vcf vtt vue " +
    "xhtml xml xsd xsl yaml yml zsh gitignore license changelog jsonl srt").split(" "),
);
const TEXT_TYPES = new Set([
  "application/javascript",
  "application/x-javascript",
  "application/ecmascript",
  "application/xml",
  "application/x-sh",
  "application/x-yaml",
  "application/yaml",
  "application/toml",
  "application/sql",
  "application/x-sql",
  "application/graphql",
  "application/x-ndjson",
  "application/jsonl",
  "application/x-subrip",
  "message/rfc822",
]);
const ALIASES = {
  "image/jpg": "image/jpeg",
  "image/vnd.microsoft.icon": "image/x-icon",
  "audio/mp3": "audio/mpeg",
  "audio/x-wav": "audio/wav",
  "audio/wave": "audio/wav",
  "audio/x-flac": "audio/flac",
  "audio/x-m4a": "audio/mp4",
};
// Types that say nothing: clients send them for whatever they do not know.
const VAGUE = new Set(["", "binary/octet-stream", "application/octet-stream", "application/x-www-form-urlencoded"]);

const FAMILIES = { image: IMAGES, audio: AUDIO, video: VIDEO };

const byEnding = new Map();
for (const [kind, types] of Object.entries(FAMILIES)) {
  for (const [type, endings] of Object.entries(types)) {
    endings.forEach((ending) => byEnding.set(ending, { kind, type }));
  }
}

const essence = (contentType) => {
  const type = contentType.split(";", 1)[0].trim().toLowerCase();
  return ALIASES[type] ?? type;
};

const endingOf = (name) => {
  const last = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  return last.slice(last.lastIndexOf(".") + 1);
};

const kindOfType = (type) => {
  if (Object.hasOwn(IMAGES, type)) return { kind: "image", type };
  if (Object.hasOwn(AUDIO, type)) return { kind: "audio", type };
  if (Object.hasOwn(VIDEO, type)) return { kind: "video", type };
  if (type === "application/pdf" || type === "application/x-pdf") return { kind: "pdf", type: "application/pdf" };
  if (type === "text/csv") return { kind: "table", delimiter: "" };
  if (type === "text/tab-separated-values") return { kind: "table", delimiter: "\t" };
  if (type === "application/json" || type.endsWith("+json")) return { kind: "json" };
  if (type.startsWith("text/") || type.endsWith("+xml") || TEXT_TYPES.has(type)) return { kind: "text" };
  return null;
};

const kindOfName = (name) => {
  const ending = endingOf(name);
  if (byEnding.has(ending)) return byEnding.get(ending);
  if (ending === "pdf") return { kind: "pdf", type: "application/pdf" };
  if (Object.hasOwn(TABLES, ending)) return { kind: "table", delimiter: TABLES[ending] };
  if (["json", "geojson", "webmanifest", "ipynb"].includes(ending)) return { kind: "json" };
  if (TEXTS.has(ending)) return { kind: "text" };
  return null;
};

/** Tell how an object is shown: {kind: image|audio|video|pdf|table|json|text|bytes, type?, delimiter?,
 * isGzip}. What nothing is known of is `bytes`: its beginning decides whether it is text. */
export const kindOf = (key, contentType = "", contentEncoding = "") => {
  const coding = contentEncoding.trim().toLowerCase();
  const isNamedGzip = /\.gz$/i.test(key);
  const type = essence(contentType);
  if (coding && !["gzip", "x-gzip", "identity"].includes(coding)) {
    return { kind: "bytes", isGzip: false };
  }
  const isGzip = coding.endsWith("gzip") || isNamedGzip || type === "application/gzip" || type === "application/x-gzip";
  const name = isNamedGzip ? key.slice(0, -".gz".length) : key;
  const said = VAGUE.has(type) || (isGzip && !coding.endsWith("gzip")) ? null : kindOfType(type);
  // "text/plain" is what many clients say of every text: the name knows more.
  const named = kindOfName(name);
  const isNarrower = said?.kind === "text" && type === "text/plain" && ["table", "json"].includes(named?.kind);
  const found = (isNarrower ? named : said) ?? (VAGUE.has(type) || isGzip ? named : null) ?? { kind: "bytes" };
  const isText = ["table", "json", "text", "bytes"].includes(found.kind);
  if (isGzip && !isText) return { kind: "bytes", isGzip: false }; // only text is unpacked here
  return { ...found, isGzip };
};
