/** Speaks for tests: node spoken.mjs BUNDLE PHONES SEED prints tokens and samples as JSON. */
import { readFile } from "node:fs/promises";
import { folderSource, nodePlatform } from "../../examples/js/src/folder.js";
import { piecesOf } from "../../examples/js/src/phones.js";
import { Voice } from "../../examples/js/src/voice.js";

const [bundle, phones, seed] = process.argv.slice(2);
const voice = await Voice.load(folderSource(bundle), await nodePlatform(1));
const pieces = piecesOf(await readFile(phones, "utf8"), phones);
const spoken = {};
for (const how of ["sentences", "stream"]) {
  const chunks = [];
  for await (const chunk of voice[how](pieces, { seed: BigInt(seed) })) chunks.push(chunk);
  spoken[how] = chunks.map(({ samples, sentence, tokens, finishReason }) => ({
    samples: Buffer.from(samples.buffer).toString("base64"),
    sentence,
    tokens,
    finish_reason: finishReason,
  }));
}
await voice.close();
console.log(JSON.stringify(spoken));
