/** A bundle: its manifest, checked, and its files, each compared with the manifest when it is read. */
import { Fault, isObject, parsed } from "./fault.js";

const FORMAT = 1;
const AGAIN = "build it again";
const PLAIN_NAME = /^(?!\.)[^/\\:\0]+$/;
const STEP_TABLES = "t2s_tables.npz";
const NEEDED = ["t2s_embed", "t2s_decoder", "prior", "vocoder"];

/**
 * Where a bundle's files come from.
 * @typedef {object} Source
 * @property {string} where  begins every message
 * @property {(name: string) => Promise<Uint8Array | null>} read  null where there is no such file
 */

/** What is written down as a number of JSON, by dotted key; all must be there. */
const NUMBERS = [
  "max_len", "t2s.layers", "t2s.heads", "t2s.vocabulary", "t2s.eos", "t2s.max_sec",
  "acoustic.sampling_rate_hz", "defaults.top_k", "defaults.top_p", "defaults.temperature",
  "defaults.repetition_penalty", "defaults.speed", "defaults.noise_scale",
  "defaults.lookahead_tokens", "loop.decode.end_held_back_steps", "loop.decode.hard_cap_tokens",
  "loop.decode.early_stop_tokens_per_second", "loop.decode.usual_tokens_per_phone",
  "loop.decode.most_tokens_per_phone", "loop.decode.pace_slower", "loop.decode.least_tokens",
  "loop.draws.tokens_key", "loop.draws.frames_key", "loop.grid.tokens_per_second",
  "loop.grid.encoder_frames_per_token", "loop.grid.pause_ms", "loop.stream.first_chunk_tokens",
  "loop.stream.chunk_growth", "loop.stream.largest_chunk_tokens", "loop.stream.history_tokens",
  "loop.stream.context_frames", "loop.stream.blend_frames", "loop.stream.position_rounding",
];

export class Bundle {
  /**
   * @param {Source} source
   * @param {Record<string, any>} manifest
   */
  constructor(source, manifest) {
    this.source = source;
    this.manifest = manifest;
  }

  /**
   * Read and check the manifest; files are compared when they are read.
   * @param {Source} source
   */
  static async open(source) {
    const bytes = await source.read("manifest.json");
    if (!bytes) throw new Fault(`${source.where}: no bundle here (manifest.json is missing); build it`);
    const where = `${source.where}/manifest.json`;
    const manifest = parsed(new TextDecoder().decode(bytes), where, AGAIN);
    refuseWrong(manifest, where);
    return new Bundle(source, manifest);
  }

  /**
   * The bytes of a file that the manifest lists, compared with its size and sha256.
   * @param {string} name
   */
  async file(name) {
    const want = this.manifest.files[name];
    const bytes = await this.source.read(name);
    if (!bytes) throw new Fault(`${this.source.where}: ${name} is missing; ${AGAIN}`);
    const other = `${this.source.where}: ${name} is not the file of the manifest`;
    if (bytes.length !== want.size_bytes) {
      throw new Fault(`${other} (${bytes.length} bytes, want ${want.size_bytes}); ${AGAIN}`);
    }
    const found = await sha256(bytes);
    if (found !== want.sha256) {
      throw new Fault(
        `${other} (sha256 ${found.slice(0, 12)}…, want ${want.sha256.slice(0, 12)}…); ${AGAIN}`,
      );
    }
    return bytes;
  }

  /** @param {string} graph  a name of the contract */
  async graph(graph) {
    return this.file(this.manifest.graphs[graph].file);
  }

  async stepTables() {
    return this.file(STEP_TABLES);
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<string>} in hexadecimal
 */
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) {
    throw new Fault("this page: no crypto.subtle here; open it over https or from localhost");
  }
  const digest = await crypto.subtle.digest("SHA-256", /** @type {BufferSource} */ (bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {any} manifest
 * @param {string} where
 */
function refuseWrong(manifest, where) {
  if (!isObject(manifest)) throw new Fault(`${where}: not an object; ${AGAIN}`);
  if (manifest.format !== FORMAT) {
    const cure = manifest.format > FORMAT ? "take a newer program" : AGAIN;
    throw new Fault(`${where}: format ${manifest.format}, this program reads ${FORMAT}; ${cure}`);
  }
  if (!isObject(manifest.loop)) {
    throw new Fault(`${where}: no 'loop', it was built before bundles had it; ${AGAIN}`);
  }
  for (const key of NUMBERS) {
    const value = key.split(".").reduce((at, name) => (isObject(at) ? at[name] : undefined), manifest);
    if (typeof value !== "number") throw new Fault(`${where}.${key}: no number; ${AGAIN}`);
  }
  const kind = manifest.acoustic.kind ?? "vits";
  if (kind !== "vits") {
    throw new Fault(`${where}: a voice of kind '${kind}', which this program can't speak; take a vits voice`);
  }
  if (manifest.loop.draws.generator !== "philox4x64-10") {
    throw new Fault(`${where}.loop.draws.generator: '${manifest.loop.draws.generator}'; take a newer program`);
  }
  if (manifest.t2s.eos !== manifest.t2s.vocabulary - 1) {
    throw new Fault(`${where}.t2s.eos: ${manifest.t2s.eos}, want ${manifest.t2s.vocabulary - 1}; ${AGAIN}`);
  }
  refuseFiles(manifest, where);
}

/**
 * @param {Record<string, any>} manifest
 * @param {string} where
 */
function refuseFiles(manifest, where) {
  if (!isObject(manifest.graphs) || !isObject(manifest.files)) {
    throw new Fault(`${where}: no graphs or files; ${AGAIN}`);
  }
  for (const [name, file] of Object.entries(manifest.files)) {
    if (!PLAIN_NAME.test(name)) throw new Fault(`${where}: lists '${name}', no file of it; ${AGAIN}`);
    if (!isObject(file) || typeof file.size_bytes !== "number" || typeof file.sha256 !== "string") {
      throw new Fault(`${where}.files.${name}: no size and sha256; ${AGAIN}`);
    }
  }
  const named = NEEDED.map((graph) => {
    if (!isObject(manifest.graphs[graph])) throw new Fault(`${where}: no graph '${graph}'; ${AGAIN}`);
    return manifest.graphs[graph].file;
  });
  for (const name of [...named, STEP_TABLES]) {
    if (!Object.hasOwn(manifest.files, name)) {
      throw new Fault(`${where}: does not list the file '${name}'; ${AGAIN}`);
    }
  }
}
