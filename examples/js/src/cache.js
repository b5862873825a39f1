/**
 * The KV cache of one utterance, as tensors of ONNX Runtime.
 *
 * Where the runtime writes an output into a tensor that it is given (Node), past and present are the
 * same tensors: a step reads the filled rows and writes one. Where it hands out a new tensor (web),
 * each call's present is the next call's past, on whichever device it lies.
 */

/**
 * @typedef {object} Ort  `onnxruntime-node` or `onnxruntime-web`
 * @property {any} Tensor
 * @property {any} InferenceSession
 */

/**
 * Sizes of a cache, and what its elements are.
 * @typedef {{layers: number, heads: number, width: number, dtype: "float32" | "int8"}} Shape
 */

const ELEMENTS = { float32: Float32Array, int8: Int8Array };

/** @param {number} layers */
const namesOf = (layers) =>
  Array.from({ length: layers }, (_, layer) => [`keys.${layer}`, `values.${layer}`]).flat();

/**
 * @param {Ort} ort
 * @param {Shape} shape
 * @param {number} rows
 */
function empty(ort, shape, rows) {
  const data = new ELEMENTS[shape.dtype](shape.heads * rows * shape.width);
  return new ort.Tensor(shape.dtype, data, [1, shape.heads, rows, shape.width]);
}

export class SharedCache {
  /**
   * @param {Ort} ort
   * @param {Shape} shape
   * @param {number} capacity  rows
   */
  constructor(ort, shape, capacity) {
    this.ort = ort;
    this.shape = shape;
    this.capacity = capacity;
    this.tensors = namesOf(shape.layers).map((name) => [name, empty(ort, shape, capacity)]);
  }

  feeds() {
    return Object.fromEntries(this.tensors.map(([name, tensor]) => [`past_${name}`, tensor]));
  }

  /** Tensors that the call's outputs are written into. */
  fetches() {
    return Object.fromEntries(this.tensors.map(([name, tensor]) => [`present_${name}`, tensor]));
  }

  take() {}

  /**
   * Make room, keeping the rows that are filled.
   * @param {number} rows
   * @param {number[]} capacities  on offer, in order
   * @param {number} limit
   */
  reserve(rows, capacities, limit) {
    if (rows <= this.capacity) return;
    const old = this.capacity;
    this.capacity = capacityFor(rows, capacities, limit);
    const { heads, width } = this.shape;
    for (const pair of this.tensors) {
      const larger = empty(this.ort, this.shape, this.capacity);
      for (let head = 0; head < heads; head++) {
        const filled = pair[1].data.subarray(head * old * width, (head + 1) * old * width);
        larger.data.set(filled, head * this.capacity * width);
      }
      pair[1] = larger;
    }
  }

  dispose() {}
}

export class HandedCache {
  /**
   * @param {Ort} ort
   * @param {Shape} shape
   * @param {number} rows  of the prefill
   */
  constructor(ort, shape, rows) {
    this.tensors = namesOf(shape.layers).map((name) => [name, empty(ort, shape, rows)]);
  }

  feeds() {
    return Object.fromEntries(this.tensors.map(([name, tensor]) => [`past_${name}`, tensor]));
  }

  /** Outputs by name alone: the runtime makes their tensors. */
  fetches() {
    return Object.fromEntries(this.tensors.map(([name]) => [`present_${name}`, null]));
  }

  /** @param {Record<string, any>} outputs */
  take(outputs) {
    this.dispose();
    for (const pair of this.tensors) pair[1] = outputs[`present_${pair[0]}`];
  }

  reserve() {}

  dispose() {
    for (const [, tensor] of this.tensors) tensor.dispose();
  }
}

/**
 * The smallest capacity on offer that holds so many rows, at most `limit`.
 * @param {number} rows
 * @param {number[]} capacities
 * @param {number} limit
 */
export function capacityFor(rows, capacities, limit) {
  return Math.min(capacities.find((capacity) => capacity >= rows) ?? limit, limit);
}
