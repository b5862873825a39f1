#!/usr/bin/env node
/** Speak phones with a bundle: node speak.js -m BUNDLE -p phones.json -f hello.wav */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { Fault } from "./src/fault.js";
import { folderSource, given, nodePlatform } from "./src/folder.js";
import { piecesOf } from "./src/phones.js";
import { PACK } from "./src/reference.js";
import { Voice } from "./src/voice.js";
import { wav } from "./src/wav.js";

const HELP = `usage: node speak.js -m BUNDLE [-p PHONES] [-f FILE] [--stream] [--seed N] [--speed X] …

  -m, --voice DIR     a bundle
  -p, --phones FILE   what python -m runtime.tts -m BUNDLE --dump-phones TEXT prints
                      (default: what is said in the voice's example)
  -f, --output FILE   a WAV file (default: hello.wav)
  --stream            in chunks, as a player would get them
  --json              print tokens, why they ended, and times as JSON
  --pack FILE         a voice pack (default: ${PACK} in the bundle; python -m runtime.pack writes it)
  --style NAME        of the pack (default: default)
  --threads N         of each graph; 0 takes all cores
  --top-k, --top-p, --temperature, --repetition-penalty, --noise-scale, --pause-ms, …
                      settings, as docs/settings.md has them
exit status: 0 ok, 1 a fault of ours, 2 a bundle, phones or a setting can't be used`;
const NUMBERS = [
  "seed", "top-k", "top-p", "temperature", "repetition-penalty", "speed", "noise-scale", "pause-ms",
  "lookahead-tokens", "first-chunk-tokens", "chunk-growth", "largest-chunk-tokens", "history-tokens",
];

/** @returns {Record<string, any>} */
function options() {
  const text = /** @type {const} */ ("string");
  const flag = /** @type {const} */ ("boolean");
  try {
    const { values } = parseArgs({
      options: {
        voice: { type: text, short: "m" },
        phones: { type: text, short: "p" },
        output: { type: text, short: "f", default: "hello.wav" },
        stream: { type: flag },
        json: { type: flag },
        pack: { type: text },
        style: { type: text, default: "default" },
        threads: { type: text, default: "0" },
        help: { type: flag, short: "h" },
        ...Object.fromEntries(NUMBERS.map((name) => [name, { type: text }])),
      },
    });
    return values;
  } catch (error) {
    throw new Fault(`${/** @type {Error} */ (error).message.split("\n")[0]}; see --help`);
  }
}

/** @param {Record<string, any>} values */
function request(values) {
  const given = NUMBERS.filter((name) => values[name] !== undefined).map((name) => {
    const exact = name === "seed" && /^\d+$/.test(values[name]);
    return [name.replaceAll("-", "_"), exact ? BigInt(values[name]) : Number(values[name])];
  });
  return Object.fromEntries(given);
}

/**
 * Write beside and rename, so that the file appears whole or not at all.
 * @param {string} file
 * @param {Uint8Array} bytes
 */
async function written(file, bytes) {
  try {
    const folder = await mkdtemp(path.join(path.dirname(file), ".speak-"));
    try {
      await writeFile(path.join(folder, "part"), bytes);
      await rename(path.join(folder, "part"), file);
    } finally {
      await rm(folder, { recursive: true });
    }
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new Fault(`${file}: can't be written (${code}); check disk and rights`);
  }
}

/** @param {Record<string, any>} values */
async function speak(values) {
  if (!values.voice) throw new Fault("-m: missing; give a bundle's folder, see --help");
  const threads = Number(values.threads);
  if (!Number.isInteger(threads) || threads < 0) throw new Fault(`--threads: '${values.threads}' is no number of threads`);
  const began = performance.now();
  const platform = await nodePlatform(threads);
  const pack = values.pack && { where: values.pack, bytes: await given(values.pack) };
  const voice = await Voice.load(folderSource(values.voice), platform, { style: values.style, pack });
  const loaded = performance.now();
  const pieces = values.phones
    ? piecesOf(new TextDecoder().decode(await given(values.phones)), values.phones)
    : voice.example;
  const chunks = [];
  let first = 0;
  const made = values.stream ? voice.stream(pieces, request(values)) : voice.sentences(pieces, request(values));
  for await (const chunk of made) {
    first ||= performance.now() - loaded;
    chunks.push(chunk);
  }
  const took = performance.now() - loaded;
  const samples = joined(chunks.map((chunk) => chunk.samples));
  await written(values.output, wav(samples, voice.rate));
  await voice.close();
  return {
    tokens: chunks.map((chunk) => chunk.tokens),
    sentences: chunks.map((chunk) => chunk.sentence),
    finish_reasons: chunks.map((chunk) => chunk.finishReason),
    seconds: samples.length / voice.rate,
    load_ms: loaded - began,
    first_ms: first,
    rtf: (took * voice.rate) / (1000 * samples.length),
    memory_mb: process.resourceUsage().maxRSS / 1024,
  };
}

/** @param {Float32Array[]} parts */
function joined(parts) {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

try {
  const values = options();
  if (values.help) {
    console.log(HELP);
  } else {
    const result = await speak(values);
    console.log(values.json ? JSON.stringify(result) : `${values.output}: ${result.seconds.toFixed(2)} s`);
  }
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
