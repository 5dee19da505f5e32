/** Files for the user to keep. */

import { h } from "./dom.js";

/**
 * Lets the browser save a file.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  // Not before the browser has taken it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * A name for a file, of parts that say something.
 *
 * @param {string[]} parts
 * @param {string} mediaType
 */
export function fileName(parts, mediaType) {
  const name = parts.map((part) => part.replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+|-+$/g, "")).filter(Boolean).join("-");
  return `${name || "picture"}.${mediaType.replace("image/", "").replace("jpeg", "jpg")}`;
}
