// How a file is sent: whole, or in which parts; under which key; and how long to wait after a
// failure. S3's bounds: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html

const MIB = 1024 * 1024;
const PART_BYTES = 8 * MIB; // what a lost connection costs at most, for each request under way
const PART_BYTES_MIN = 5 * MIB;
const PARTS_MAX = 10_000;
const WHOLE_BYTES_MAX = PART_BYTES; // up to here in one request
export const OBJECT_BYTES_MAX = 5 * 1024 ** 4;
export const KEY_BYTES_MAX = 1024;

const PAUSE_SECONDS_MIN = 1;
const PAUSE_SECONDS_MAX = 60;

// The size of a file's parts, 0 where it is sent whole. `requestBytesMax`: what the server takes.
export const partBytesOf = (size, requestBytesMax) => {
  if (size <= Math.min(WHOLE_BYTES_MAX, requestBytesMax)) {
    return 0;
  }
  const fewEnough = Math.ceil(size / PARTS_MAX / MIB) * MIB;
  const wanted = Math.max(PART_BYTES, fewEnough);
  return Math.max(PART_BYTES_MIN, Math.min(wanted, requestBytesMax));
};

// The parts of a file: number, first byte, and the byte behind the last.
export const partsOf = (size, partBytes) =>
  Array.from({ length: Math.ceil(size / partBytes) }, (_, index) => ({
    number: index + 1,
    start: index * partBytes,
    end: Math.min(size, (index + 1) * partBytes),
  }));

export const isTooLarge = (size, requestBytesMax) =>
  size > OBJECT_BYTES_MAX || size > PARTS_MAX * Math.max(PART_BYTES_MIN, requestBytesMax);

export const isKeyTooLong = (key) => new TextEncoder().encode(key).length > KEY_BYTES_MAX;

// How long to wait before trying the n-th time again: longer each time, and no two at once.
export const pauseMs = (failures, random = Math.random()) => {
  const longest = Math.min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN * 2 ** (failures - 1));
  return Math.round(1000 * longest * (0.5 + random / 2));
};
