/** When an utterance has to end, whatever the model gives. */
import { Fault } from "./fault.js";

/**
 * Tokens that a text explains at the slowest.
 * @param {Record<string, number>} decode  `loop.decode` of a manifest
 * @param {number} tokens  of the reference
 * @param {number} phones  of the reference
 * @param {number} spoken  phones of the text
 */
export function mostTokens(decode, tokens, phones, spoken) {
  const most = decode.most_tokens_per_phone;
  const own = Math.min(tokens / phones, most);
  const pace = tokens && phones ? Math.min(decode.pace_slower * own, most) : most;
  return Math.max(decode.least_tokens, Math.ceil(pace * spoken));
}

/**
 * Tokens behind which an utterance ends, and why; the first that is reached counts.
 * @param {Record<string, any>} manifest
 * @param {import("./decoder.js").Prompt} prompt
 * @returns {[number, string][]}
 */
export function limitsOf({ t2s, max_len: maxLen, loop }, prompt) {
  const [phones, tokens] = [prompt.phones.length, prompt.tokens.length];
  if (phones + tokens >= maxLen) {
    throw new Fault(
      `max_len: ${phones} phones and ${tokens} prompt tokens leave no room in ${maxLen} cache rows; ` +
        "cut the text or build a longer max_len",
    );
  }
  return [
    [loop.decode.early_stop_tokens_per_second * t2s.max_sec + 1, "early_stop"],
    [loop.decode.hard_cap_tokens, "cap"],
    [maxLen - phones - tokens, "max_len"],
    [prompt.mostTokens, "pace"],
  ];
}
