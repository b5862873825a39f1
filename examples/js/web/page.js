/** The demo page: a bundle by address or folder, phones, and sound as it is made. */
import * as ort from "onnxruntime-web";
import { Fault } from "../src/fault.js";
import { piecesOf } from "../src/phones.js";
import { Voice } from "../src/voice.js";
import { wav } from "../src/wav.js";
import { filesSource, urlSource, webPlatform } from "./platform.js";
import { Player } from "./player.js";

const at = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
/** @type {{key: string, voice: Promise<Voice>} | null} */
let loaded = null;

/** The voice that is chosen, loaded once. */
async function chosen() {
  const device = at("device").value;
  const { files } = at("folder");
  const key = `${device} ${files.length ? files[0].webkitRelativePath : at("bundle").value}`;
  if (loaded?.key !== key) {
    await (await loaded?.voice.catch(() => null))?.close();
    const source = files.length ? filesSource(files) : urlSource(at("bundle").value);
    loaded = { key, voice: Voice.load(source, webPlatform(ort, device)) };
  }
  try {
    return await loaded.voice;
  } catch (error) {
    loaded = null; // so that the next try begins anew
    throw error;
  }
}

async function speak() {
  at("status").textContent = "loading …";
  const voice = await chosen();
  const text = at("phones").value.trim();
  const pieces = text ? piecesOf(text, "phones") : voice.example;
  const seed = at("seed").value;
  const player = new Player(voice.rate);
  const began = performance.now();
  let first = 0;
  const chunks = [];
  for await (const chunk of voice.stream(pieces, seed ? { seed: BigInt(seed) } : {})) {
    first ||= performance.now() - began;
    player.play(chunk.samples);
    chunks.push(chunk);
    at("status").textContent = `${chunks.length} chunks …`;
  }
  const took = performance.now() - began;
  const parts = /** @type {BlobPart[]} */ (chunks.map((chunk) => chunk.samples));
  const samples = new Float32Array(await new Blob(parts).arrayBuffer());
  const seconds = samples.length / voice.rate;
  at("status").textContent =
    `${seconds.toFixed(2)} s of sound; first sound after ${first.toFixed(0)} ms, ` +
    `real-time factor ${(took / 1000 / seconds).toFixed(2)}`;
  const file = URL.createObjectURL(new Blob([wav(samples, voice.rate)], { type: "audio/wav" }));
  for (const [id, name] of [["sound", "src"], ["save", "href"]]) {
    at(id)[name] = file;
    at(id).hidden = false;
  }
  return { chunks, samples, first, took };
}

at("form").addEventListener("submit", async (/** @type {Event} */ event) => {
  event.preventDefault();
  at("speak").disabled = true;
  at("message").textContent = "";
  try {
    const { chunks, samples, first, took } = await speak();
    document.dispatchEvent(new CustomEvent("spoken", { detail: { chunks, samples, first, took } }));
  } catch (error) {
    at("status").textContent = "";
    at("message").textContent = `error: ${error instanceof Error ? error.message : error}`;
    if (!(error instanceof Fault)) throw error;
  } finally {
    at("speak").disabled = false;
  }
});
