/** The rows that a decode step begins from: audio_embedding[token] + alpha * sines(position). */
import { Fault } from "./fault.js";
import { arrays } from "./npz.js";

export class StepRows {
  /**
   * @param {Float32Array} embedding  [vocabulary, width]
   * @param {Float32Array} frequencies  [width / 2]
   * @param {number} alpha
   */
  constructor(embedding, frequencies, alpha) {
    this.embedding = embedding;
    this.frequencies = frequencies;
    this.alpha = alpha;
    this.width = 2 * frequencies.length;
  }

  /**
   * @param {Uint8Array} bytes  of t2s_tables.npz
   * @param {number} vocabulary
   * @param {string} where
   */
  static async read(bytes, vocabulary, where) {
    const found = await arrays(bytes, where);
    const [embedding, frequencies, alpha] = ["audio_embedding", "frequencies", "alpha"].map((name) =>
      found[name] ? Float32Array.from(found[name].data) : new Float32Array(0),
    );
    if (!frequencies.length || embedding.length !== 2 * vocabulary * frequencies.length || alpha.length !== 1) {
      throw new Fault(`${where}: no step tables; build it again`);
    }
    return new StepRows(embedding, frequencies, alpha[0]);
  }

  /**
   * @param {Float32Array} row  is overwritten
   * @param {number} token
   * @param {number} position  prompt tokens and new ones before it
   */
  write(row, token, position) {
    const { fround } = Math;
    const from = token * this.width;
    this.frequencies.forEach((frequency, i) => {
      const angle = fround(position * frequency);
      row[2 * i] = this.embedding[from + 2 * i] + fround(this.alpha * fround(Math.sin(angle)));
      row[2 * i + 1] = this.embedding[from + 2 * i + 1] + fround(this.alpha * fround(Math.cos(angle)));
    });
  }
}
