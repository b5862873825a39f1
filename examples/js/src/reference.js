/** A reference as `python -m runtime.pack` encoded it: prompt tokens, phones and style. */
import { sha256 } from "./bundle.js";
import { Fault } from "./fault.js";
import { arrays, unzip } from "./npz.js";

export const PACK = "styles.zip"; // its name inside a bundle
const FORMAT = 1;
export const FEATURE_WIDTH = 1024;

/**
 * @typedef {object} Reference
 * @property {number[]} tokens  prompt tokens; empty without text
 * @property {number[]} phones  of what is said in it; empty without text
 * @property {Float32Array} features  [1024, phones], row after row
 * @property {Float32Array} style  [width]
 */

/**
 * A style of a voice pack.
 * @param {Uint8Array} bytes  of the pack
 * @param {string} style
 * @param {Record<string, any>} manifest  of the voice that has to have encoded it
 * @param {string} where
 * @returns {Promise<Reference>}
 */
export async function referenceOf(bytes, style, manifest, where) {
  const files = await unzip(bytes, where);
  const content = files.get(`${style}.npz`);
  if (!content) {
    const known = Array.from(files.keys(), (name) => name.replace(/\.npz$/, "")).join(", ") || "none";
    throw new Fault(`${where}: there is no style '${style}'; there are: ${known}`);
  }
  const found = await arrays(content, `${where}: ${style}`);
  const again = "pack it again with this voice: python -m runtime.pack";
  const tokens = counts(found.tokens?.data);
  const phones = counts(found.phones?.data ?? new BigInt64Array(0));
  const features = found.features?.data ?? new Float32Array(0);
  const vector = found["acoustic.style"]?.data;
  const whole =
    tokens && phones && vector instanceof Float32Array && features.length === FEATURE_WIDTH * phones.length &&
    features instanceof Float32Array && found.format?.data[0] === BigInt(FORMAT);
  if (!whole) throw new Fault(`${where}: ${style}: no encoded reference; ${again}`);
  const fits = found.voice?.data === (await digestOf(manifest)) && tokens.every((t) => t < manifest.t2s.eos);
  if (!fits) throw new Fault(`${where}: ${style}: encoded by another voice; ${again}`);
  return { tokens, phones, features, style: vector };
}

/**
 * @param {unknown} words
 * @returns {number[] | null}
 */
function counts(words) {
  return words instanceof BigInt64Array ? Array.from(words, Number) : null;
}

/**
 * What of a voice an encoded reference depends on; docs/native.md has the text that is digested.
 * @param {Record<string, any>} manifest
 */
export async function digestOf(manifest) {
  const graphs = ["quantizer", "style"].map((graph) => manifest.files[manifest.graphs[graph]?.file]?.sha256);
  const list = `[${graphs.map((digest) => `'${digest}'`).join(", ")}]`;
  const source = manifest.sources?.sovits;
  const madeOf = source ? `'${source}'` : list;
  const kind = manifest.acoustic.kind ?? "vits";
  const facts = `('${manifest.family}', '${kind}', '${manifest.symbols}', ${madeOf})`;
  return sha256(new TextEncoder().encode(facts));
}
