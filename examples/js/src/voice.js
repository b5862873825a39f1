/**
 * Speak from a bundle: load it once, then give it phones.
 *
 *     const voice = await Voice.load(source, platform);
 *     for await (const chunk of voice.stream(piecesOf(json, "phones"), { seed: 7 })) play(chunk.samples);
 */
import { Bundle } from "./bundle.js";
import { Decoder } from "./decoder.js";
import { Fault, isObject, parsed } from "./fault.js";
import { textFeatures } from "./features.js";
import { Graphs } from "./graphs.js";
import { mostTokens } from "./limits.js";
import { FEATURE_WIDTH, PACK, referenceOf } from "./reference.js";
import { StepRows } from "./steps.js";
import { Utterance, Vits } from "./vits.js";

const NEEDED = ["t2s_embed", "t2s_decoder", "prior", "vocoder"];

/** Settings of a request, their lowest and highest values; what is not given is the voice's. */
const SETTINGS = /** @type {Record<string, [number, number]>} */ ({
  top_k: [1, 2 ** 31 - 1],
  top_p: [0, 1000],
  temperature: [0, 1000],
  repetition_penalty: [Number.MIN_VALUE, 1000],
  speed: [0.25, 4],
  noise_scale: [0, 2],
  lookahead_tokens: [6, 1500],
  first_chunk_tokens: [1, 1500],
  chunk_growth: [1, 100],
  largest_chunk_tokens: [1, 1500],
  history_tokens: [0, 1500],
  pause_ms: [0, 60_000],
});
const WHOLE = new Set(["top_k", "lookahead_tokens", "first_chunk_tokens", "largest_chunk_tokens", "history_tokens", "pause_ms"]);
const LARGEST_SEED = 2n ** 63n - 1n;

/**
 * Some samples, as they are made.
 * @typedef {object} Chunk
 * @property {Float32Array} samples
 * @property {number} sentence  place of the piece in the request
 * @property {number[]} tokens
 * @property {string} finishReason  in a sentence's last chunk: `eos`, or which limit ended it
 */

/**
 * A seed (random where there is none), and settings by name.
 * @typedef {{seed?: number | bigint} & Record<string, any>} Request
 */

export class Voice {
  /**
   * @param {Graphs} graphs
   * @param {StepRows} steps
   * @param {import("./reference.js").Reference} reference
   */
  constructor(graphs, steps, reference) {
    this.graphs = graphs;
    this.manifest = graphs.bundle.manifest;
    this.rate = this.manifest.acoustic.sampling_rate_hz;
    this.reference = reference;
    this.decoder = new Decoder(graphs, steps, this.manifest);
    this.vits = new Vits(graphs, this.manifest);
    /** @type {{run: (inputs: Record<string, any>) => Promise<any>, vocabulary: Record<string, number>} | null} */
    this.roberta = null;
  }

  /**
   * Load a bundle and a style of its voice pack.
   * @param {import("./bundle.js").Source} source
   * @param {import("./graphs.js").Platform} platform
   * @param {{style?: string, pack?: {where: string, bytes: Uint8Array}}} [options]
   */
  static async load(source, platform, { style = "default", pack } = {}) {
    const bundle = await Bundle.open(source);
    const bytes = pack?.bytes ?? (await source.read(PACK));
    if (!bytes) {
      throw new Fault(`${source.where}: no ${PACK}, a voice's encoded example; python -m runtime.pack -m ${source.where} writes it`);
    }
    const where = pack?.where ?? `${source.where}/${PACK}`;
    const reference = await referenceOf(bytes, style, bundle.manifest, where);
    const { vocabulary } = bundle.manifest.t2s;
    const steps = await StepRows.read(await bundle.stepTables(), vocabulary, `${source.where}/t2s_tables.npz`);
    const graphs = new Graphs(bundle, platform);
    for (const graph of NEEDED) await graphs.open(graph);
    return new Voice(graphs, steps, reference);
  }

  /** What is said in the voice's example, as a request. */
  get example() {
    const ids = this.reference.phones;
    if (!ids.length) throw new Fault("example: this style has no words; give phones");
    return [{ ids, segments: [{ lang: "phones", normText: "", ids, word2ph: null }] }];
  }

  /**
   * Each sentence whole.
   * @param {import("./phones.js").Piece[]} pieces
   * @param {Request} [request]
   * @returns {AsyncGenerator<Chunk>}
   */
  sentences(pieces, request = {}) {
    return this.spoken(pieces, this.settings(request), false);
  }

  /**
   * Chunks of some tokens, each as soon as it can be made.
   * @param {import("./phones.js").Piece[]} pieces
   * @param {Request} [request]
   * @returns {AsyncGenerator<Chunk>}
   */
  stream(pieces, request = {}) {
    return this.spoken(pieces, this.settings(request), true);
  }

  /** Let the graphs go. */
  async close() {
    await this.graphs.close();
  }

  /**
   * All settings, checked.
   * @param {Request} request
   */
  settings(request) {
    const { loop, defaults } = this.manifest;
    const found = /** @type {Record<string, any>} */ ({ ...loop.stream, pause_ms: loop.grid.pause_ms, ...defaults });
    for (const [name, value] of Object.entries(request)) {
      if (value === undefined || name === "seed") continue;
      if (!Object.hasOwn(SETTINGS, name)) {
        throw new Fault(`${name}: no such setting; there are: seed, ${Object.keys(SETTINGS).join(", ")}`);
      }
      const [low, high] = SETTINGS[name];
      const fits = typeof value === "number" && value >= low && value <= high && (!WHOLE.has(name) || Number.isInteger(value));
      if (!fits) throw new Fault(`${name}: ${value} is not between ${low === Number.MIN_VALUE ? "0" : low} and ${high}`);
      found[name] = value;
    }
    found.seed = seedOf(request.seed);
    return found;
  }

  /**
   * @param {import("./phones.js").Piece[]} pieces
   * @param {Record<string, any>} settings
   * @param {boolean} streamed
   * @returns {AsyncGenerator<Chunk>}
   */
  async *spoken(pieces, settings, streamed) {
    for (const [sentence, piece] of pieces.entries()) {
      if ("pauseMs" in piece) {
        yield { samples: this.silence(piece.pauseMs), sentence, tokens: [], finishReason: "" };
        continue;
      }
      const made = this.decoder.tokens(await this.prompt(piece), { ...sampling(settings), sentence });
      const conditioning = this.conditioning(piece, settings, sentence);
      const speak = streamed ? this.streamed(made, conditioning, settings) : this.whole(made, conditioning);
      for await (const { samples, tokens, finishReason } of speak) {
        const pause = this.silence(finishReason ? settings.pause_ms : 0);
        const padded = new Float32Array(samples.length + pause.length);
        padded.set(samples);
        yield { samples: padded, sentence, tokens, finishReason };
      }
    }
  }

  /**
   * @param {AsyncGenerator<number, string>} made
   * @param {import("./vits.js").Conditioning} conditioning
   */
  async *whole(made, conditioning) {
    const tokens = [];
    let next = await made.next();
    for (; !next.done; next = await made.next()) tokens.push(next.value);
    yield { samples: await this.vits.whole(tokens, conditioning), tokens, finishReason: next.value };
  }

  /**
   * @param {AsyncGenerator<number, string>} made
   * @param {import("./vits.js").Conditioning} conditioning
   * @param {Record<string, any>} settings
   */
  async *streamed(made, conditioning, settings) {
    const utterance = new Utterance(this.vits, conditioning, settings);
    try {
      let next = await made.next();
      for (; !next.done; next = await made.next()) {
        utterance.tokens.push(next.value);
        if (utterance.ready) yield { ...(await utterance.chunk(false)), finishReason: "" };
      }
      yield { ...(await utterance.chunk(true)), finishReason: next.value };
    } finally {
      await made.return("stopped"); // a stream that is given up lets its cache go
    }
  }

  /** @param {{ids: number[], segments: import("./phones.js").Segment[]}} piece */
  async prompt(piece) {
    const { reference } = this;
    const features = await textFeatures(piece.segments, await this.opened(piece), (data, dims) =>
      this.graphs.int64(data, dims),
    );
    const { decode } = this.manifest.loop;
    const { tokens, phones } = reference;
    return {
      phones: [...phones, ...piece.ids],
      features: beside(reference.features, phones.length, features, piece.ids.length),
      tokens,
      mostTokens: mostTokens(decode, tokens.length, phones.length, piece.ids.length),
    };
  }

  /**
   * RoBERTa, if a piece needs it and the bundle has it.
   * @param {{segments: import("./phones.js").Segment[]}} piece
   */
  async opened(piece) {
    const { graphs, manifest } = this;
    const chinese = piece.segments.some(({ lang, word2ph }) => lang === "zh" && word2ph);
    if (!chinese || !manifest.graphs.roberta || this.roberta) return this.roberta;
    const text = new TextDecoder().decode(await graphs.bundle.file("vocabulary.json"));
    const where = `${graphs.bundle.source.where}/vocabulary.json`;
    const vocabulary = parsed(text, where, "build it again");
    if (!isObject(vocabulary)) throw new Fault(`${where}: no numbers of characters; build it again`);
    await graphs.open("roberta");
    this.roberta = { run: (inputs) => graphs.run("roberta", inputs), vocabulary };
    return this.roberta;
  }

  /**
   * @param {{ids: number[]}} piece
   * @param {Record<string, any>} settings
   * @param {number} sentence
   */
  conditioning(piece, settings, sentence) {
    return {
      phones: piece.ids,
      style: this.reference.style,
      seed: settings.seed,
      sentence,
      speed: settings.speed,
      noiseScale: settings.noise_scale,
    };
  }

  /** @param {number} ms */
  silence(ms) {
    return new Float32Array(Math.trunc((ms * this.rate + 500) / 1000));
  }
}

/** @param {Record<string, any>} settings */
function sampling({ seed, top_k, top_p, temperature, repetition_penalty }) {
  return { seed, top_k, top_p, temperature, repetition_penalty };
}

/** @param {unknown} seed */
function seedOf(seed) {
  if (seed === undefined) return crypto.getRandomValues(new BigUint64Array(1))[0] >> 1n;
  const whole = typeof seed === "bigint" || Number.isSafeInteger(seed);
  if (!whole || BigInt(/** @type {number} */ (seed)) < 0n || BigInt(/** @type {number} */ (seed)) > LARGEST_SEED) {
    throw new Fault(`seed: ${seed} is not between 0 and ${LARGEST_SEED}`);
  }
  return BigInt(/** @type {number} */ (seed));
}

/**
 * Two matrices of 1024 rows, one beside the other.
 * @param {Float32Array} left
 * @param {number} leftWidth
 * @param {Float32Array} right
 * @param {number} rightWidth
 */
function beside(left, leftWidth, right, rightWidth) {
  const width = leftWidth + rightWidth;
  const joined = new Float32Array(FEATURE_WIDTH * width);
  for (let row = 0; row < FEATURE_WIDTH; row++) {
    joined.set(left.subarray(row * leftWidth, (row + 1) * leftWidth), row * width);
    joined.set(right.subarray(row * rightWidth, (row + 1) * rightWidth), row * width + leftWidth);
  }
  return joined;
}
