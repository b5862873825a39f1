/** Tokens, phones and style to latent frames, and latent frames to samples, of a `vits` voice. */
import { normals } from "./draws.js";
import { frameCount, steadyGrid, wholeGrid } from "./frames.js";

/**
 * What all tokens of a sentence are spoken under.
 * @typedef {object} Conditioning
 * @property {number[]} phones  of the text alone
 * @property {Float32Array} style
 * @property {number | bigint} seed
 * @property {number} sentence
 * @property {number} speed
 * @property {number} noiseScale
 */

/**
 * Latent frames, [width, frames], row after row.
 * @typedef {{data: Float32Array, frames: number}} Latent
 */

/**
 * Frames `begin` .. `end - 1` of a latent.
 * @param {Latent} latent
 * @param {number} begin
 * @param {number} end
 * @returns {Latent}
 */
export function cut(latent, begin, end) {
  const width = latent.frames ? latent.data.length / latent.frames : 0;
  const last = Math.min(end, latent.frames);
  const frames = Math.max(0, last - begin);
  const data = new Float32Array(width * frames);
  for (let i = 0; i < width; i++) {
    data.set(latent.data.subarray(i * latent.frames + begin, i * latent.frames + begin + frames), i * frames);
  }
  return { data, frames };
}

export class Vits {
  /**
   * @param {import("./graphs.js").Graphs} graphs
   * @param {Record<string, any>} manifest
   */
  constructor(graphs, manifest) {
    this.graphs = graphs;
    this.manifest = manifest;
    this.width = graphs.input("prior", "noise").dims[1];
  }

  /**
   * @param {number[]} tokens  that the encoder sees
   * @param {Conditioning} conditioning
   * @param {import("./frames.js").Window} window
   * @returns {Promise<Latent>}
   */
  async latent(tokens, conditioning, window) {
    const { graphs, width } = this;
    const { seed, sentence, style, phones } = conditioning;
    const frames = window.index.length;
    const noise = normals(this.manifest.loop.draws, seed, sentence, window.first, frames, width);
    const { latent } = await graphs.run("prior", {
      tokens: graphs.int64(tokens, [1, tokens.length]),
      phones: graphs.int64(phones, [1, phones.length]),
      style: graphs.float32(style, [1, style.length, 1]),
      noise: graphs.float32(noise, [1, width, frames]),
      noise_scale: graphs.float32(Float32Array.of(conditioning.noiseScale), [1]),
      frame_index: graphs.int64(window.index, [frames]),
      frame_fraction: graphs.float32(window.fraction, [frames]),
    });
    return { data: await graphs.data(latent), frames };
  }

  /**
   * Samples of frames `begin` .. `end - 1`; those around them are context.
   * @param {Latent} latent
   * @param {Float32Array} style
   * @param {number} begin
   * @param {number} end
   * @returns {Promise<Float32Array>}
   */
  async samples(latent, style, begin, end) {
    const { graphs } = this;
    const { audio } = await graphs.run("vocoder", {
      latent: graphs.float32(latent.data, [1, this.width, latent.frames]),
      style: graphs.float32(style, [1, style.length, 1]),
    });
    const each = audio.dims[1] / latent.frames;
    return (await graphs.data(audio)).slice(begin * each, end * each);
  }

  /**
   * A whole sentence in one call of each graph.
   * @param {number[]} tokens
   * @param {Conditioning} conditioning
   */
  async whole(tokens, conditioning) {
    const frames = this.manifest.loop.grid.encoder_frames_per_token * tokens.length;
    const window = wholeGrid(frames, conditioning.speed);
    const latent = await this.latent(tokens, conditioning, window);
    return this.samples(latent, conditioning.style, 0, latent.frames);
  }
}

/**
 * How a stream is cut; the names of a manifest's `loop.stream`, and `lookahead_tokens`.
 * @typedef {Record<string, number>} Streaming
 */

/** One sentence that is spoken while its tokens are made. */
export class Utterance {
  /**
   * @param {Vits} vits
   * @param {Conditioning} conditioning
   * @param {Streaming} streaming
   */
  constructor(vits, conditioning, streaming) {
    this.vits = vits;
    this.conditioning = conditioning;
    this.streaming = streaming;
    this.perToken = vits.manifest.loop.grid.encoder_frames_per_token;
    this.lookahead = Math.ceil(streaming.lookahead_tokens * Math.max(1, conditioning.speed));
    this.wanted = streaming.first_chunk_tokens;
    /** @type {number[]} */
    this.tokens = [];
    this.dropped = 0; // tokens before tokens[0]
    this.spoken = 0; // of `tokens`
    this.emitted = 0; // output frames
    /** @type {Latent} */
    this.kept = { data: new Float32Array(0), frames: 0 };
    this.keptFirst = 0; // number of its first frame
  }

  get waiting() {
    return this.tokens.length - this.spoken;
  }

  /** Tokens of the next chunk; at speeds above 2 a single one may have no frame of its own. */
  get next() {
    return Math.max(Math.trunc(this.wanted), Math.ceil(this.conditioning.speed / this.perToken));
  }

  get ready() {
    return this.waiting >= this.next + this.lookahead;
  }

  /**
   * Speak the next tokens, or all that wait.
   * @param {boolean} last
   */
  async chunk(last) {
    const count = last ? this.waiting : this.next;
    const tokens = this.tokens.slice(this.spoken, this.spoken + count);
    const frames = this.perToken * (this.dropped + this.spoken + count);
    const { speed, style } = this.conditioning;
    const end = last ? frameCount(frames, speed) : Math.trunc(frames / speed);
    const latent = this.joined(...(await this.newest()));
    const first = this.keptFirst;
    const seen = cut(latent, 0, end + this.streaming.context_frames - first);
    const samples = await this.vits.samples(seen, style, this.emitted - first, end - first);
    this.advance(latent, count, end);
    return { samples, tokens };
  }

  /**
   * Latent frames by all that is known now, and the number of the first of them.
   * @returns {Promise<[number, Latent]>}
   */
  async newest() {
    const { speed } = this.conditioning;
    const dropped = this.perToken * this.dropped;
    const frames = dropped + this.perToken * this.tokens.length;
    const { position_rounding: rounding } = this.streaming;
    const first = dropped ? Math.ceil((dropped + 0.5) / speed - 0.5 + rounding) : 0;
    const window = steadyGrid(frames, speed, first, frameCount(frames, speed), dropped);
    return [first, await this.vits.latent(this.tokens, this.conditioning, window)];
  }

  /**
   * Frames from `keptFirst` on: what a vocoder call has seen stays, then the newest, cross-faded.
   * @param {number} first
   * @param {Latent} newest
   * @returns {Latent}
   */
  joined(first, newest) {
    if (!this.kept.frames) return newest;
    const seen = this.emitted + this.streaming.context_frames;
    const before = cut(this.kept, 0, seen - this.keptFirst);
    const ahead = cut(this.kept, seen - this.keptFirst, this.kept.frames);
    const fresh = cut(newest, seen - first, newest.frames);
    const blended = Math.min(ahead.frames, fresh.frames);
    const frames = before.frames + fresh.frames;
    const data = new Float32Array(this.vits.width * frames);
    const { fround } = Math;
    for (let row = 0; row < this.vits.width; row++) {
      const from = row * fresh.frames;
      for (let i = 0; i < blended; i++) {
        const share = fround((i + 1) / (blended + 1));
        const old = ahead.data[row * ahead.frames + i];
        fresh.data[from + i] = old + fround(share * fround(fresh.data[from + i] - old));
      }
      data.set(before.data.subarray(row * before.frames, (row + 1) * before.frames), row * frames);
      data.set(fresh.data.subarray(from, from + fresh.frames), row * frames + before.frames);
    }
    return { data, frames };
  }

  /**
   * Forget what no later chunk needs.
   * @param {Latent} latent
   * @param {number} count
   * @param {number} end
   */
  advance(latent, count, end) {
    const { streaming } = this;
    const first = Math.max(0, end - streaming.context_frames);
    const behind = end + streaming.context_frames + streaming.blend_frames;
    this.kept = cut(latent, first - this.keptFirst, behind - this.keptFirst);
    [this.keptFirst, this.emitted] = [first, end];
    const spoken = this.spoken + count;
    const dropped = Math.max(0, spoken - streaming.history_tokens);
    this.tokens.splice(0, dropped);
    this.spoken = spoken - dropped;
    this.dropped += dropped;
    this.wanted = Math.min(
      this.wanted * streaming.chunk_growth,
      Math.max(streaming.largest_chunk_tokens, streaming.first_chunk_tokens),
    );
  }
}
