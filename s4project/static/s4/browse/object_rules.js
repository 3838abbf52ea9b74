// What S3 takes as metadata and as tags, said before it is sent: each function answers what is wrong,
// in words, or "". Limits: UsingMetadata.html and object-tagging.html of S3's user guide. Pure.

import { gettext, say } from "../words.js";

const METADATA_BYTES_MAX = 2048;
export const TAGS_MAX = 10;
const TAG_NAME_MAX = 128;
const TAG_VALUE_MAX = 256;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // of RFC 9110 5.6.2: what a header's name may be
const TAG = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const CONTROL = /[\u0000-\u001f\u007f]/;
const LOCATION = /^(\/|https?:\/\/)/;

const bytesOf = (text) => new TextEncoder().encode(text).length;

const repeated = (names) => names.find((name, index) => names.indexOf(name) !== index);

/** Count the bytes that user metadata takes of its 2 KB. */
export const metadataBytes = (rows) => rows.reduce((sum, [name, value]) => sum + bytesOf(name) + bytesOf(value), 0);

export const metadataTrouble = (content, rows) => {
  const names = rows.map(([name]) => name.toLowerCase());
  const odd = rows.find(([name]) => !TOKEN.test(name));
  if (odd) {
    return odd[0]
      ? say(gettext("“%(name)s” cannot be a name: letters, digits and -._ are safe."), { name: odd[0] })
      : gettext("Give each value a name, or remove its row.");
  }
  if (repeated(names)) return say(gettext("The name “%(name)s” stands twice."), { name: repeated(names) });
  const broken = [...content, ...rows].find(([, value]) => CONTROL.test(value));
  if (broken) return say(gettext("The value of “%(name)s” has a line break or a control character."), { name: broken[0] });
  const size = metadataBytes(rows);
  if (size > METADATA_BYTES_MAX) return say(gettext("User metadata has room for 2,048 bytes; this takes %(size)s."), { size });
  const [, location] = content.find(([name]) => name === "x-amz-website-redirect-location") ?? ["", ""];
  if (location && !LOCATION.test(location)) return gettext("A redirect leads to /…, http://… or https://….");
  return "";
};

export const tagsTrouble = (rows) => {
  const nameless = rows.find(([name]) => !name);
  if (nameless) return gettext("Give each value a name, or remove its row.");
  if (rows.length > TAGS_MAX) return gettext("An object has at most 10 tags.");
  const twice = repeated(rows.map(([name]) => name));
  if (twice) return say(gettext("The name “%(name)s” stands twice."), { name: twice });
  for (const [name, value] of rows) {
    if (name.startsWith("aws:")) return say(gettext("“%(name)s”: names that begin with aws: are AWS's own."), { name });
    if (name.length > TAG_NAME_MAX) return say(gettext("The name “%(name)s” is longer than 128 characters."), { name });
    if (value.length > TAG_VALUE_MAX) return say(gettext("The value of “%(name)s” is longer than 256 characters."), { name });
    if (!TAG.test(name) || !TAG.test(value)) {
      return say(gettext("“%(name)s”: tags are made of letters, digits, spaces and _ . : / = + - @"), { name });
    }
  }
  return "";
};
