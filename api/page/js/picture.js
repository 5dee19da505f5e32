/** Pictures of the service that need the caller's key: fetched when they come near what is seen. */

import { Refused, Unreachable } from "./api.js";
import { h } from "./dom.js";

/** @typedef {import("./api.js").Api} Api */

/** Longest side of what the server makes of a file that the browser cannot show, in pixels. */
const INSTEAD = 1600;

/** @type {WeakMap<Element, () => void>} */
const waiting = new WeakMap();

const watch = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      watch.unobserve(target);
      waiting.get(target)?.();
    }
  },
  { rootMargin: "400px" },
);

/**
 * An image of the service. `data-picture` is "loading", "there" or "missing".
 *
 * @param {Api} api
 * @param {string} path relative to the root of the service
 * @param {{alt: string, class?: string}} options
 * @returns {HTMLImageElement}
 */
export function picture(api, path, { alt, class: name = "" }) {
  const image = h("img", { alt, class: name, "data-picture": "loading", decoding: "async" });
  waiting.set(image, async () => {
    try {
      await show(image, await api.blob(path));
      image.dataset.picture = "there";
    } catch (error) {
      image.dataset.picture = "missing";
      // Not what is not there, or is no picture.
      if (error instanceof Unreachable) api.addEventListener("recovered", () => watch.observe(image), { once: true });
      if (error instanceof Refused && error.retryAfter) setTimeout(() => watch.observe(image), error.retryAfter * 1000);
    }
  });
  watch.observe(image);
  return image;
}

/**
 * A picture that this browser can show: a file, or what the server makes of it.
 *
 * @param {import("./api.js").Api} api
 * @param {Blob} file
 * @param {string} thumbnail where the server has it smaller
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export async function visible(api, file, thumbnail, signal) {
  try {
    (await createImageBitmap(file)).close();
    return file;
  } catch {
    return api.blob(`${thumbnail}?side=${INSTEAD}`, { signal });
  }
}

/**
 * Shows a picture in an image as soon as it is decoded. The image keeps it; its address is gone afterwards.
 *
 * @param {HTMLImageElement} image
 * @param {Blob} blob
 * @throws {DOMException} the browser cannot read it
 */
export async function show(image, blob) {
  const url = URL.createObjectURL(blob);
  try {
    // Decoded aside, so that the one before stays until then.
    const next = new Image();
    next.src = url;
    await next.decode();
    image.src = url;
    await image.decode();
  } finally {
    URL.revokeObjectURL(url);
  }
}
