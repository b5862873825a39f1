/** A row of logits to a token, in float32 as the reference does it; docs/native.md has the order. */

const COLDEST = 1e-5;
const { fround } = Math;

/**
 * How a token is chosen; the names of a manifest's `defaults`.
 * @typedef {object} Sampling
 * @property {number} top_k
 * @property {number} top_p
 * @property {number} temperature
 * @property {number} repetition_penalty
 */

/**
 * The token of a step; null at the end of an utterance.
 * @param {Float32Array} logits  of the whole vocabulary, the end token last
 * @param {Uint8Array} used  1 for tokens of the prompt and of this utterance
 * @param {Float32Array} draws  Exponential(1), one for each token
 * @param {Sampling} sampling
 * @param {boolean} held  whether the end token can't be drawn yet
 * @returns {number | null}
 */
export function choose(logits, used, draws, sampling, held) {
  const end = logits.length - 1;
  const adjusted = penalised(held ? logits.subarray(0, end) : logits, used, sampling.repetition_penalty);
  const token = drawn(probabilities(adjusted, sampling), draws);
  return token === end || highest(adjusted) === end ? null : token;
}

/**
 * @param {Float32Array} logits
 * @param {Uint8Array} used
 * @param {number} penalty
 */
export function penalised(logits, used, penalty) {
  const factor = fround(penalty);
  if (penalty === 1) return logits;
  return logits.map((logit, i) => (!used[i] ? logit : logit < 0 ? logit * factor : logit / factor));
}

/**
 * Top-p, temperature, top-k and softmax.
 * @param {Float32Array} logits  after the penalty
 * @param {Sampling} sampling
 */
export function probabilities(logits, sampling) {
  const kept = sampling.top_p < 1 ? nucleus(logits, fround(sampling.top_p)) : logits;
  const cold = fround(Math.max(sampling.temperature, COLDEST));
  const scaled = kept.map((logit) => logit / cold);
  const { top_k: count } = sampling;
  if (count < scaled.length) {
    const threshold = scaled.toSorted()[scaled.length - count]; // ties with it stay
    for (let i = 0; i < scaled.length; i++) if (scaled[i] < threshold) scaled[i] = -Infinity;
  }
  return softmax(scaled, scaled[highest(scaled)]);
}

/**
 * Without what lies beyond the share; the entry that crosses it goes too, the best one stays.
 * @param {Float32Array} logits
 * @param {number} share
 */
function nucleus(logits, share) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const shares = softmax(Float32Array.from(order, (i) => logits[i]), logits[order[0]]);
  const kept = logits.slice();
  let sum = 0;
  order.forEach((i, place) => {
    sum = fround(sum + shares[place]);
    if (place && sum > share) kept[i] = -Infinity;
  });
  return kept;
}

/**
 * @param {Float32Array} logits
 * @param {number} best
 */
function softmax(logits, best) {
  const weights = logits.map((logit) => Math.exp(fround(logit - best)));
  const whole = fround(weights.reduce((sum, weight) => sum + weight, 0));
  return weights.map((weight) => weight / whole);
}

/**
 * The largest share per Exponential(1) number wins.
 * @param {Float32Array} shares
 * @param {Float32Array} draws
 */
function drawn(shares, draws) {
  return highest(shares.map((share, i) => share / draws[i]));
}

/** @param {Float32Array} values */
function highest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
