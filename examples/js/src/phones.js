/** Phones, as `python -m runtime.tts --dump-phones` prints them: Python is the text front end. */
import { Fault, isObject, parsed } from "./fault.js";

const CURE = "give what python -m runtime.tts --dump-phones prints";
const MOST_PAUSE_MS = 3_600_000;

/**
 * A run of text in one language.
 * @typedef {object} Segment
 * @property {string} lang
 * @property {string} normText
 * @property {number[]} ids
 * @property {number[] | null} word2ph
 */

/**
 * What is spoken in one go, or a pause.
 * @typedef {{segments: Segment[], ids: number[]} | {pauseMs: number}} Piece
 */

/**
 * Pieces of a text, in order.
 * @param {string} text  JSON
 * @param {string} where  begins every message
 * @returns {Piece[]}
 */
export function piecesOf(text, where) {
  const document = parsed(text, where, CURE);
  if (!isObject(document) || !Array.isArray(document.pieces) || !document.pieces.length) {
    throw new Fault(`${where}: no pieces of phones; ${CURE}`);
  }
  return document.pieces.map((piece, i) => pieceOf(piece, `${where}: pieces[${i}]`));
}

/**
 * @param {any} piece
 * @param {string} where
 * @returns {Piece}
 */
function pieceOf(piece, where) {
  if (isObject(piece) && Number.isInteger(piece.pause_ms)) {
    if (piece.pause_ms < 0 || piece.pause_ms > MOST_PAUSE_MS) {
      throw new Fault(`${where}.pause_ms: ${piece.pause_ms} is not 0 to ${MOST_PAUSE_MS}; ${CURE}`);
    }
    return { pauseMs: piece.pause_ms };
  }
  if (!isObject(piece) || !Array.isArray(piece.segments)) {
    throw new Fault(`${where}: neither segments nor a pause; ${CURE}`);
  }
  const segments = piece.segments.map((segment, i) => segmentOf(segment, `${where}.segments[${i}]`));
  const ids = segments.flatMap((segment) => segment.ids);
  if (!ids.length) throw new Fault(`${where}: no phones in it; ${CURE}`);
  return { segments, ids };
}

/** @param {unknown} list */
const areCounts = (list) =>
  Array.isArray(list) && list.every((item) => Number.isInteger(item) && item >= 0);

/**
 * @param {any} segment
 * @param {string} where
 * @returns {Segment}
 */
function segmentOf(segment, where) {
  if (!isObject(segment) || !areCounts(segment.ids)) {
    throw new Fault(`${where}.ids: no numbers of phones; ${CURE}`);
  }
  const word2ph = segment.word2ph ?? null;
  if (word2ph && (!areCounts(word2ph) || typeof segment.norm_text !== "string")) {
    throw new Fault(`${where}.word2ph: no counts of phones; ${CURE}`);
  }
  return { lang: `${segment.lang}`, normText: segment.norm_text ?? "", ids: segment.ids, word2ph };
}
