/** Phones and prompt in, semantic tokens out: one prefill, then one step a token. */
import { HandedCache, SharedCache, capacityFor } from "./cache.js";
import { exponentials } from "./draws.js";
import { Fault } from "./fault.js";
import { limitsOf } from "./limits.js";
import { choose } from "./sampler.js";

/**
 * What an utterance begins from.
 * @typedef {object} Prompt
 * @property {number[]} phones  of the reference, then of the text
 * @property {Float32Array} features  [1024, phones]
 * @property {number[]} tokens  of the reference
 * @property {number} mostTokens  that the text explains at the slowest
 */

/**
 * How it is sampled.
 * @typedef {import("./sampler.js").Sampling & {seed: number | bigint, sentence: number}} Draw
 */

export class Decoder {
  /**
   * @param {import("./graphs.js").Graphs} graphs
   * @param {import("./steps.js").StepRows} steps
   * @param {Record<string, any>} manifest
   */
  constructor(graphs, steps, manifest) {
    this.graphs = graphs;
    this.steps = steps;
    this.manifest = manifest;
    const { dims, dtype } = graphs.input("t2s_decoder", "past_keys.0");
    this.shape = { layers: manifest.t2s.layers, heads: dims[1], width: dims[3], dtype };
  }

  /**
   * Tokens one by one, without prompt and end token; returns why they ended.
   * @param {Prompt} prompt
   * @param {Draw} draw
   * @returns {AsyncGenerator<number, string>}
   */
  async *tokens(prompt, draw) {
    const limits = limitsOf(this.manifest, prompt);
    const { decode, draws } = this.manifest.loop;
    const running = await this.begun(prompt);
    try {
      const used = new Uint8Array(this.manifest.t2s.vocabulary);
      for (const token of prompt.tokens) used[token] = 1;
      for (let step = 0; ; step++) {
        const { logits } = running;
        if (!logits.every(Number.isFinite)) {
          throw new Fault(`token ${step}: the decoder's logits are no numbers; build the voice again`);
        }
        const noise = exponentials(draws, draw.seed, draw.sentence, step, logits.length);
        const token = choose(logits, used, noise, draw, step < decode.end_held_back_steps);
        if (token === null) return "eos";
        used[token] = 1;
        yield token;
        const reached = limits.find(([most]) => step + 1 >= most);
        if (reached) return reached[1];
        await running.step(token, prompt.tokens.length + step);
      }
    } finally {
      running.cache.dispose();
    }
  }

  /** @param {Prompt} prompt */
  async begun(prompt) {
    const { graphs, manifest } = this;
    const [x, p] = [prompt.phones.length, prompt.tokens.length];
    const { rows, bias } = await graphs.run("t2s_embed", {
      phones: graphs.int64(prompt.phones, [1, x]),
      text_features: graphs.float32(prompt.features, [1, prompt.features.length / x, x]),
      prompts: graphs.int64(prompt.tokens, [1, p]),
    });
    const { cache_capacities: capacities } = manifest.loop.decode;
    const most = Math.min(x + p + prompt.mostTokens, manifest.max_len);
    const cache = graphs.shares
      ? new SharedCache(graphs.ort, this.shape, capacityFor(most, capacities, manifest.max_len))
      : new HandedCache(graphs.ort, this.shape, x + p);
    const running = new Running(this, cache);
    await running.call(rows, bias, x + p);
    return running;
  }
}

/** One utterance: its cache, and the logits of its last row. */
class Running {
  /**
   * @param {Decoder} decoder
   * @param {SharedCache | HandedCache} cache
   */
  constructor(decoder, cache) {
    this.decoder = decoder;
    this.cache = cache;
    this.live = 0;
    this.row = new Float32Array(decoder.steps.width);
    this.logits = new Float32Array(0);
  }

  /**
   * @param {any} rows
   * @param {any} bias
   * @param {number} live  rows of the cache after the call
   */
  async call(rows, bias, live) {
    const { graphs } = this.decoder;
    const feeds = { rows, bias, live_rows: graphs.int32([live]), ...this.cache.feeds() };
    const outputs = await graphs.run("t2s_decoder", feeds, { logits: null, ...this.cache.fetches() });
    this.cache.take(outputs);
    this.live = live;
    this.logits = await graphs.data(outputs.logits);
  }

  /**
   * Logits after one more token.
   * @param {number} token
   * @param {number} position
   */
  async step(token, position) {
    const { decoder, live } = this;
    const { graphs, manifest } = decoder;
    this.cache.reserve(live + 1, manifest.loop.decode.cache_capacities, manifest.max_len);
    decoder.steps.write(this.row, token, position);
    const rows = graphs.float32(this.row, [1, this.row.length]);
    const bias = graphs.float32(new Float32Array(live + 1), [1, 1, 1, live + 1]);
    await this.call(rows, bias, live + 1);
  }
}
