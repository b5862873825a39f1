/** Text features of a line: RoBERTa's vectors per phone for Chinese, zeros elsewhere. */
import { Fault } from "./fault.js";
import { FEATURE_WIDTH } from "./reference.js";

/**
 * @param {import("./phones.js").Segment[]} segments
 * @param {{run: (inputs: Record<string, any>) => Promise<any>, vocabulary: Record<string, number>} | null} roberta
 * @param {(data: BigInt64Array, dims: number[]) => any} int64
 * @returns {Promise<Float32Array>} [1024, phones], row after row
 */
export async function textFeatures(segments, roberta, int64) {
  const phones = segments.reduce((sum, segment) => sum + segment.ids.length, 0);
  const features = new Float32Array(FEATURE_WIDTH * phones);
  let first = 0;
  for (const { lang, normText, ids, word2ph } of segments) {
    if (lang === "zh" && word2ph && roberta) {
      const numbers = numbersOf(normText, roberta.vocabulary);
      const { features: rows } = await roberta.run({ input_ids: int64(numbers, [1, numbers.length]) });
      const fits = rows.dims[0] === word2ph.length && word2ph.reduce((a, b) => a + b, 0) === ids.length;
      if (!fits) throw new Fault(`text features: ${rows.dims[0]} rows for '${normText}'; report this sentence`);
      let phone = first;
      word2ph.forEach((count, row) => {
        for (let i = 0; i < count; i++, phone++) {
          for (let w = 0; w < FEATURE_WIDTH; w++) {
            features[w * phones + phone] = rows.data[row * FEATURE_WIDTH + w];
          }
        }
      });
    }
    first += ids.length;
  }
  return features;
}

/**
 * A number for each character, between the marks of begin and end.
 * @param {string} text
 * @param {Record<string, number>} vocabulary
 */
function numbersOf(text, vocabulary) {
  const inner = Array.from(text, (character) => vocabulary[character] ?? vocabulary["[UNK]"]);
  return BigInt64Array.from([vocabulary["[CLS]"], ...inner, vocabulary["[SEP]"]], BigInt);
}
