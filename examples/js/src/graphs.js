/** A bundle's graphs as sessions of ONNX Runtime, and the tensors that go in and out. */
import { Fault } from "./fault.js";

/**
 * What differs between Node and a browser.
 * @typedef {object} Platform
 * @property {any} ort  `onnxruntime-node` or `onnxruntime-web`
 * @property {boolean} shares  whether outputs are written into tensors that are given
 * @property {(graph: string) => Record<string, any>} options  of a session
 */

export class Graphs {
  /**
   * @param {import("./bundle.js").Bundle} bundle
   * @param {Platform} platform
   */
  constructor(bundle, platform) {
    this.bundle = bundle;
    this.platform = platform;
    this.ort = platform.ort;
    this.shares = platform.shares;
    /** @type {Record<string, any>} */
    this.sessions = {};
  }

  /** @param {string} graph */
  async open(graph) {
    if (this.sessions[graph]) return;
    const bytes = await this.bundle.graph(graph);
    try {
      this.sessions[graph] = await this.ort.InferenceSession.create(bytes, this.platform.options(graph));
    } catch (error) {
      throw this.fault(graph, "load", error);
    }
  }

  /**
   * Dims and element type of an input, as the graph has them.
   * @param {string} graph
   * @param {string} name
   */
  input(graph, name) {
    const found = this.sessions[graph].inputMetadata.find((/** @type {any} */ input) => input.name === name);
    if (!found) throw new Fault(`${this.bundle.source.where}: ${graph} has no input '${name}'; build it again`);
    return { dims: found.shape, dtype: found.type };
  }

  /**
   * @param {string} graph
   * @param {Record<string, any>} feeds
   * @param {Record<string, any>} [fetches]  outputs by name: a tensor to write into, or null
   */
  async run(graph, feeds, fetches) {
    try {
      return await this.sessions[graph].run(feeds, ...(fetches ? [fetches] : []));
    } catch (error) {
      throw this.fault(graph, "run", error);
    }
  }

  /**
   * The elements of an output, wherever it lies.
   * @param {any} tensor
   */
  async data(tensor) {
    return tensor.location === "cpu" ? tensor.data : tensor.getData(true);
  }

  /**
   * @param {Float32Array} data
   * @param {number[]} dims
   */
  float32(data, dims) {
    return new this.ort.Tensor("float32", data, dims);
  }

  /**
   * @param {number[] | BigInt64Array} data
   * @param {number[]} dims
   */
  int64(data, dims) {
    const words = data instanceof BigInt64Array ? data : BigInt64Array.from(data, BigInt);
    return new this.ort.Tensor("int64", words, dims);
  }

  /** @param {number[]} data */
  int32(data) {
    return new this.ort.Tensor("int32", Int32Array.from(data), [data.length]);
  }

  async close() {
    for (const session of Object.values(this.sessions)) await session.release();
    this.sessions = {};
  }

  /**
   * @param {string} graph
   * @param {string} verb
   * @param {unknown} error
   */
  fault(graph, verb, error) {
    const reason = error instanceof Error ? error.message : `${error}`;
    return new Fault(`${this.bundle.source.where}: ${graph}: ONNX Runtime can't ${verb} it: ${reason}`);
  }
}
