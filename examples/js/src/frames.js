/** Where output frames are read among the encoder's frames: whole, and in a stream. */

const { fround } = Math;

/**
 * Output frames that lie next to each other.
 * @typedef {object} Window
 * @property {number} first  number of the first one in the utterance
 * @property {BigInt64Array} index  encoder frame at or before each
 * @property {Float32Array} fraction  of the way to the next one
 */

/**
 * How many output frames so many encoder frames make.
 * @param {number} frames
 * @param {number} speed
 */
export function frameCount(frames, speed) {
  return speed === 1 ? frames : Math.trunc(frames / speed) + 1;
}

/**
 * All frames of an utterance, fitted between its first and its last encoder frame.
 * @param {number} frames
 * @param {number} speed
 * @returns {Window}
 */
export function wholeGrid(frames, speed) {
  const count = frameCount(frames, speed);
  return grid(frames, speed === 1 ? 1 : fround(frames / count), 0, count, 0);
}

/**
 * Frames `first` .. `end - 1`, read in steps of exactly the speed.
 * @param {number} frames  encoder frames that there are
 * @param {number} speed
 * @param {number} first
 * @param {number} end
 * @param {number} dropped  encoder frames before those that the encoder sees
 * @returns {Window}
 */
export function steadyGrid(frames, speed, first, end, dropped) {
  return grid(frames, speed, first, end, dropped);
}

/**
 * @param {number} frames
 * @param {number} step
 * @param {number} first
 * @param {number} end
 * @param {number} dropped
 * @returns {Window}
 */
function grid(frames, step, first, end, dropped) {
  const index = new BigInt64Array(end - first);
  const fraction = new Float32Array(end - first);
  for (let i = 0; i < index.length; i++) {
    const place = step === 1 ? first + i : Math.max((first + i + 0.5) * step - 0.5, 0);
    const at = Math.min(Math.trunc(place), frames - 1);
    index[i] = BigInt(at - dropped);
    fraction[i] = step === 1 ? 0 : place - at;
  }
  return { first, index, fraction };
}
