/** The golden vectors as examples/js makes them: node vectors.mjs FILE prints the same JSON. */
import { readFile } from "node:fs/promises";
import { exponentials, normals } from "../../examples/js/src/draws.js";
import { steadyGrid, wholeGrid } from "../../examples/js/src/frames.js";
import { choose } from "../../examples/js/src/sampler.js";
import { mostTokens } from "../../examples/js/src/limits.js";

const NUMBERS = { tokens_key: 0, frames_key: 1 };
const HELD_BACK_STEPS = 11;
const DECODE = { most_tokens_per_phone: 12, pace_slower: 3, least_tokens: 100 };
const stored = JSON.parse(await readFile(process.argv[2], "utf8"));

const grid = ({ index, fraction }) => ({ index: Array.from(index, Number), fraction: [...fraction] });
const made = {
  exponentials: stored.exponentials.map((given) => {
    const drawn = exponentials(NUMBERS, BigInt(given.seed), given.sentence, given.step, given.count);
    return { ...given, first: [...drawn.slice(0, 3)], last: [...drawn.slice(-3)] };
  }),
  normals: stored.normals.map((given) => {
    const { seed, sentence, first, frames, width } = given;
    const drawn = normals(NUMBERS, BigInt(seed), sentence, first, frames, width);
    const channel = (i) => [...drawn.slice(i * frames, (i + 1) * frames)];
    const channels = Object.fromEntries(Object.keys(given.channels).map((i) => [i, channel(Number(i))]));
    return { ...given, channels };
  }),
  sampler: stored.sampler.map((given) => {
    const { seed, step, settings } = given;
    const logits = given.drawn
      ? normals(NUMBERS, given.drawn.seed, 0, given.drawn.frame, 1, given.drawn.width).map((l) => 3 * l)
      : Float32Array.from(given.logits);
    const used = new Uint8Array(logits.length);
    for (const token of given.used) used[token] = 1;
    const draws = exponentials(NUMBERS, seed, 0, step, logits.length);
    return { ...given, token: choose(logits, used, draws, settings, step < HELD_BACK_STEPS) };
  }),
  limits: stored.limits.map((given) => ({
    ...given,
    most_tokens: mostTokens(DECODE, given.reference_tokens, given.reference_phones, given.phones),
  })),
  grids: stored.grids.map((given) => ({
    ...given,
    ...grid(wholeGrid(given.frames, given.speed)),
    steady_from_2_to_5: grid(steadyGrid(given.frames, given.speed, 2, 5, 0)),
  })),
};
console.log(JSON.stringify(made));
