/** Arrays of numpy's .npz files, and the files of a zip, in memory. Reads what our Python writes. */
import { Fault } from "./fault.js";

const LARGEST_BYTES = 64 << 20;
const END_BYTES = 22;
const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;

/**
 * @typedef {object} Array_
 * @property {number[]} shape
 * @property {any} data  typed array; text for numpy's text
 */

/**
 * Files of a zip by name.
 * @param {Uint8Array} bytes
 * @param {string} where
 * @returns {Promise<Map<string, Uint8Array>>}
 */
export async function unzip(bytes, where) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const broken = new Fault(`${where}: no zip file that this program reads; write it again`);
  try {
    const end = bytes.length - END_BYTES;
    if (end < 0 || view.getUint32(end, true) !== END) throw broken;
    const files = new Map();
    let at = view.getUint32(end + 16, true);
    let total = 0;
    for (let left = view.getUint16(end + 10, true); left > 0; left--) {
      if (view.getUint32(at, true) !== ENTRY) throw broken;
      const method = view.getUint16(at + 10, true);
      const packed = view.getUint32(at + 20, true);
      const size = view.getUint32(at + 24, true);
      const [nameSize, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
      const local = view.getUint32(at + 42, true);
      const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameSize));
      total += size;
      if (total > LARGEST_BYTES || view.getUint32(local, true) !== LOCAL) throw broken;
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const content = bytes.subarray(start, start + packed);
      const plain = method === DEFLATED ? await inflated(content, size) : content;
      if ((method !== STORED && method !== DEFLATED) || plain.length !== size) throw broken;
      files.set(name, plain);
      at += 46 + nameSize + extra + comment;
    }
    return files;
  } catch (error) {
    throw error instanceof Fault ? error : broken; // an offset out of the file, broken deflate
  }
}

/**
 * @param {Uint8Array} content
 * @param {number} size  that it must not pass
 */
async function inflated(content, size) {
  const stream = new Blob([/** @type {BlobPart} */ (content)]).stream();
  const reader = stream.pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const plain = new Uint8Array(size);
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return plain.subarray(0, at);
    if (at + value.length > size) throw new RangeError("larger than it says");
    plain.set(value, at);
    at += value.length;
  }
}

const MAGIC = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0];
const KINDS = /** @type {Record<string, any>} */ ({
  "<f4": Float32Array, "<f8": Float64Array, "<f2": Uint16Array, "<i8": BigInt64Array,
});

/**
 * Arrays of an .npz by name.
 * @param {Uint8Array} bytes
 * @param {string} where
 * @returns {Promise<Record<string, Array_>>}
 */
export async function arrays(bytes, where) {
  /** @type {Record<string, Array_>} */
  const found = {};
  for (const [name, content] of await unzip(bytes, where)) {
    found[name.replace(/\.npy$/, "")] = npy(content, `${where}: ${name}`);
  }
  return found;
}

/**
 * @param {Uint8Array} bytes
 * @param {string} where
 * @returns {Array_}
 */
function npy(bytes, where) {
  const broken = new Fault(`${where}: no plain numpy array; write it again`);
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw broken;
  const start = 10 + bytes[8] + 256 * bytes[9];
  const head = new TextDecoder().decode(bytes.subarray(10, start));
  const match = /'descr': '([^']+)', 'fortran_order': False, 'shape': \(([\d, ]*)\)/.exec(head);
  if (!match) throw broken;
  const shape = match[2].split(",").map((part) => part.trim()).filter(Boolean).map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const content = bytes.slice(start); // of its own buffer, so that any element type is aligned
  if (/^<U\d+$/.test(match[1])) {
    const letters = Array.from(new Uint32Array(content.buffer), (code) => String.fromCodePoint(code));
    return { shape, data: letters.join("").replace(/\0+$/, "") };
  }
  const kind = KINDS[match[1]];
  if (!kind || content.length !== count * kind.BYTES_PER_ELEMENT) throw broken;
  const data = new kind(content.buffer);
  return { shape, data: match[1] === "<f2" ? Float32Array.from(data, fromHalf) : data };
}

/** @param {number} bits  of a float16 */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14);
}
