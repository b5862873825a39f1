/** Sound as 16-bit samples, and as a WAV file. */

const HEAD_BYTES = 44;
const FULL_SCALE = 32768;

/**
 * Times 32768, towards zero, and clipped.
 * @param {Float32Array} samples
 * @returns {Int16Array}
 */
export function int16(samples) {
  return Int16Array.from(samples, (sample) =>
    Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, sample * FULL_SCALE)),
  );
}

/**
 * A mono WAV file.
 * @param {Float32Array} samples
 * @param {number} rate  Hz
 */
export function wav(samples, rate) {
  const bytes = new Uint8Array(HEAD_BYTES + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const text = (/** @type {number} */ at, /** @type {string} */ word) =>
    bytes.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  int16(samples).forEach((sample, i) => view.setInt16(HEAD_BYTES + 2 * i, sample, true));
  return bytes;
}
