/** What is wrong with a bundle or with input, in one line: where, what, what to do. */
export class Fault extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message.replace(/\s+/g, " ").trim());
    this.name = "Fault";
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, any>}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Parse JSON, or say in one line that it is none.
 * @param {string} text
 * @param {string} where
 * @param {string} cure
 * @returns {any}
 */
export function parsed(text, where, cure) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault(`${where}: not readable as JSON (${/** @type {Error} */ (error).message}); ${cure}`);
  }
}
