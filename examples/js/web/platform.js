/** ONNX Runtime in a browser: WebAssembly, or WebGPU where it is asked for. */
import { Fault } from "../src/fault.js";

const ON_GPU = new Set(["prior", "vocoder"]); // WebGPU's cached attention lacks what the decoder needs
const SILENT = 4; // what fails is thrown, and reported once

/**
 * @param {any} ort  `onnxruntime-web`
 * @param {"wasm" | "webgpu"} device
 * @returns {import("../src/graphs.js").Platform}
 */
export function webPlatform(ort, device) {
  if (device === "webgpu" && !("gpu" in navigator)) {
    throw new Fault("webgpu: this browser has none; take wasm");
  }
  // a page that is not isolated has no shared memory, and WebAssembly one thread
  ort.env.wasm.numThreads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const onGpu = device === "webgpu" ? ON_GPU : new Set();
  return {
    ort,
    shares: false,
    options: (graph) => ({
      executionProviders: [onGpu.has(graph) ? "webgpu" : "wasm"],
      logSeverityLevel: SILENT,
    }),
  };
}

/**
 * A bundle at an address.
 * @param {string} address
 * @returns {import("../src/bundle.js").Source}
 */
export function urlSource(address) {
  const base = new URL(address.endsWith("/") ? address : `${address}/`, document.baseURI);
  const where = address.replace(/\/$/, "");
  return {
    where,
    async read(name) {
      let answer;
      try {
        answer = await fetch(new URL(name, base));
      } catch (error) {
        throw new Fault(`${where}/${name}: can't be fetched (${/** @type {Error} */ (error).message})`);
      }
      if (answer.status === 404) return null;
      if (!answer.ok) throw new Fault(`${where}/${name}: the server answers ${answer.status}`);
      return new Uint8Array(await answer.arrayBuffer());
    },
  };
}

/**
 * A bundle in a folder that the user has chosen.
 * @param {FileList} files
 * @returns {import("../src/bundle.js").Source}
 */
export function filesSource(files) {
  const byName = new Map(Array.from(files, (file) => [file.name, file]));
  const where = files[0].webkitRelativePath.split("/")[0] || "folder";
  return {
    where,
    async read(name) {
      const file = byName.get(name);
      return file ? new Uint8Array(await file.arrayBuffer()) : null;
    },
  };
}
