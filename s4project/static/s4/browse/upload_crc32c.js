// CRC32C (Castagnoli), as S3 has it: reflected, and big-endian in base64. Eight bytes a step by
// tables; checksums of consecutive pieces are combined to that of the whole without reading it again.

const POLYNOMIAL = 0x82f63b78;
const STEP_BYTES = 8;

const tables = Array.from({ length: STEP_BYTES }, () => new Uint32Array(256));
for (let byte = 0; byte < 256; byte += 1) {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  }
  tables[0][byte] = value;
}
for (let step = 1; step < STEP_BYTES; step += 1) {
  for (let byte = 0; byte < 256; byte += 1) {
    const before = tables[step - 1][byte];
    tables[step][byte] = (before >>> 8) ^ tables[0][before & 255];
  }
}
const [T0, T1, T2, T3, T4, T5, T6, T7] = tables;

// Go on from the checksum of what came before (0: nothing) with more bytes (a Uint8Array).
export const update = (crc, bytes) => {
  let value = ~crc;
  let at = 0;
  for (const stop = bytes.length - (bytes.length % STEP_BYTES); at < stop; at += STEP_BYTES) {
    value ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    value =
      T7[value & 255] ^
      T6[(value >>> 8) & 255] ^
      T5[(value >>> 16) & 255] ^
      T4[value >>> 24] ^
      T3[bytes[at + 4]] ^
      T2[bytes[at + 5]] ^
      T1[bytes[at + 6]] ^
      T0[bytes[at + 7]];
  }
  for (; at < bytes.length; at += 1) {
    value = (value >>> 8) ^ T0[(value ^ bytes[at]) & 255];
  }
  return ~value >>> 0;
};

// The product of two polynomials modulo CRC32C's; the highest bit is x^0.
const multiply = (one, other) => {
  let product = 0;
  let power = other;
  for (let mask = 1 << 31; mask !== 0; mask >>>= 1) {
    if (one & mask) {
      product ^= power;
    }
    power = power & 1 ? (power >>> 1) ^ POLYNOMIAL : power >>> 1;
  }
  return product >>> 0;
};

// x to the power of eight times a number of bytes: what that many more bytes make of a checksum.
const shiftOf = (byteCount) => {
  let shift = 1 << 31; // x^0
  let power = 1 << 23; // x^8
  for (let left = byteCount; left > 0; left = Math.floor(left / 2)) {
    if (left % 2) {
      shift = multiply(shift, power);
    }
    power = multiply(power, power);
  }
  return shift;
};

// The checksum of one piece and a second behind it, which has so many bytes.
export const combine = (first, second, secondBytes) => (multiply(first, shiftOf(secondBytes)) ^ second) >>> 0;

// A checksum as it stands in a header.
export const inBase64 = (crc) =>
  btoa(String.fromCharCode(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255));

export const ofBase64 = (text) => [...atob(text)].reduce((crc, byte) => ((crc << 8) | byte.charCodeAt(0)) >>> 0, 0);
