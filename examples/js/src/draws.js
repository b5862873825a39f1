/**
 * Random numbers that depend on a seed and a place alone, as docs/native.md has them.
 *
 * Philox, 64 bits, four words a counter, ten rounds. JavaScript has no fast integers of 64 bits:
 * a word is two numbers of 32 bits, the low one first.
 */

const WORDS_PER_COUNTER = 4;
const ROUNDS = 10;
const MULTIPLIER_0 = [0xe14c6c93, 0xd2e7470e];
const MULTIPLIER_2 = [0x95121157, 0xca5a8263];
const BUMP_0 = 0x9e3779b97f4a7c15n;
const BUMP_1 = 0xbb67ae8584caa73bn;
const TWO_32 = 2 ** 32;

/**
 * A product of two words, 128 bits, in four numbers of 32, into `into`.
 * @param {number} low
 * @param {number} high
 * @param {number[]} by
 * @param {Uint32Array} into
 */
function multiply(low, high, by, into) {
  const low2 = by[0];
  const high2 = by[1];
  const middle = upper(low, low2) + (Math.imul(low, high2) >>> 0) + (Math.imul(high, low2) >>> 0);
  const above =
    (middle - (middle >>> 0)) / TWO_32 + upper(low, high2) + upper(high, low2) +
    (Math.imul(high, high2) >>> 0);
  into[0] = Math.imul(low, low2);
  into[1] = middle;
  into[2] = above;
  into[3] = upper(high, high2) + (above - (above >>> 0)) / TWO_32;
}

/**
 * The upper 32 bits of a product of two numbers of 32 bits.
 * @param {number} a
 * @param {number} b
 */
function upper(a, b) {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = Math.imul(aLow, bLow) >>> 0;
  const middle = Math.imul(aHigh, bLow) + (low >>> 16); // below 2 ** 32, as bits
  const other = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + ((other / 65536) >>> 0)) >>> 0;
}

/**
 * The keys of all rounds, four numbers each.
 * @param {(number | bigint)[]} key  two words
 */
function schedule(key) {
  const keys = new Uint32Array(4 * ROUNDS);
  let [one, two] = key.map((word) => BigInt.asUintN(64, BigInt(word)));
  for (let round = 0; round < ROUNDS; round++) {
    keys.set([...halves(one), ...halves(two)], 4 * round);
    [one, two] = [one + BUMP_0, two + BUMP_1];
  }
  return keys;
}

/** @param {number | bigint} value */
function halves(value) {
  const word = BigInt.asUintN(64, BigInt(value));
  return [Number(word & 0xffffffffn), Number(word >> 32n)];
}

/**
 * Words of the table that a key opens, from a counter on; two numbers a word, the low one first.
 * @param {(number | bigint)[]} key  two words
 * @param {(number | bigint)[]} counter  the lower two words of four; the others are 0
 * @param {number} count  a multiple of 4
 */
export function words(key, counter, count) {
  const found = new Uint32Array(2 * count);
  const [keys, a, b] = [schedule(key), new Uint32Array(4), new Uint32Array(4)];
  const block = new Uint32Array(2 * WORDS_PER_COUNTER);
  for (let at = 0; at < count; at += WORDS_PER_COUNTER) {
    block.fill(0);
    // the generator counts up before it makes words
    block.set(halves(BigInt(counter[0]) + BigInt(at / WORDS_PER_COUNTER + 1)), 0);
    block.set(halves(counter[1]), 2);
    for (let round = 0; round < ROUNDS; round++) {
      multiply(block[0], block[1], MULTIPLIER_0, a);
      multiply(block[4], block[5], MULTIPLIER_2, b);
      block[0] = b[2] ^ block[2] ^ keys[4 * round];
      block[1] = b[3] ^ block[3] ^ keys[4 * round + 1];
      block[4] = a[2] ^ block[6] ^ keys[4 * round + 2];
      block[5] = a[3] ^ block[7] ^ keys[4 * round + 3];
      block[2] = b[0];
      block[3] = b[1];
      block[6] = a[0];
      block[7] = a[1];
    }
    found.set(block, 2 * at);
  }
  return found;
}

/** 53 random bits of a word as a number in (0, 1). */
const uniform = (/** @type {Uint32Array} */ table, /** @type {number} */ word) =>
  (table[2 * word + 1] * 2 ** 21 + (table[2 * word] >>> 11) + 0.5) * 2 ** -53;

/**
 * The draws of one voice.
 * @typedef {{tokens_key: number, frames_key: number}} DrawNumbers
 */

/**
 * Exponential(1) draws of one step, float32.
 * @param {DrawNumbers} numbers
 * @param {number | bigint} seed
 * @param {number} sentence
 * @param {number} step
 * @param {number} count  the vocabulary
 */
export function exponentials(numbers, seed, sentence, step, count) {
  const counters = Math.ceil(count / WORDS_PER_COUNTER);
  const table = words([seed, numbers.tokens_key], [step * counters, sentence], counters * WORDS_PER_COUNTER);
  return Float32Array.from({ length: count }, (_, i) => -Math.log(uniform(table, i)));
}

/**
 * Standard normal noise of frames, float32 [width, frames], row after row.
 * @param {DrawNumbers} numbers
 * @param {number | bigint} seed
 * @param {number} sentence
 * @param {number} first  number of the first frame
 * @param {number} frames
 * @param {number} width
 */
export function normals(numbers, seed, sentence, first, frames, width) {
  const half = Math.ceil(width / 2);
  const counters = Math.ceil((2 * half) / WORDS_PER_COUNTER);
  const row = counters * WORDS_PER_COUNTER;
  const table = words([seed, numbers.frames_key], [first * counters, sentence], frames * row);
  const noise = new Float32Array(width * frames);
  for (let frame = 0; frame < frames; frame++) {
    for (let i = 0; i < half; i++) {
      const radius = Math.sqrt(-2 * Math.log(uniform(table, frame * row + i)));
      const angle = 2 * Math.PI * uniform(table, frame * row + half + i);
      noise[i * frames + frame] = radius * Math.cos(angle);
      if (half + i < width) noise[(half + i) * frames + frame] = radius * Math.sin(angle);
    }
  }
  return noise;
}
