/** A bundle in a folder, and Node's ONNX Runtime; for Node alone. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Fault } from "./fault.js";

/**
 * @param {string} folder
 * @returns {import("./bundle.js").Source}
 */
export function folderSource(folder) {
  return { where: folder, read: (name) => optional(path.join(folder, name)) };
}

/** @param {string} file */
async function optional(file) {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new Fault(`${file}: can't be read (${code}); check its rights`);
  }
}

/**
 * A file that has to be there.
 * @param {string} file
 */
export async function given(file) {
  const bytes = await optional(file);
  if (!bytes) throw new Fault(`${file}: no such file`);
  return bytes;
}

/**
 * @param {number} threads  of each session; 0 takes all cores
 * @returns {Promise<import("./graphs.js").Platform>}
 */
export async function nodePlatform(threads) {
  let ort;
  try {
    ort = (await import("onnxruntime-node")).default;
  } catch (error) {
    throw new Fault(`onnxruntime-node: can't be loaded (${/** @type {Error} */ (error).message}); npm ci in examples/js`);
  }
  const options = {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableCpuMemArena: false, // lengths are ever others: it would keep the most of each
    enableMemPattern: false,
    logSeverityLevel: 4, // what fails is thrown, and reported once
  };
  return { ort, shares: true, options: () => options };
}
