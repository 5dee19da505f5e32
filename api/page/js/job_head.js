/** What a job is called, how it is, and what it is painted after: the same in each of its states. */

import { h } from "./dom.js";
import { namesOf } from "./draft.js";
import { moment } from "./format.js";
import { picture, visible } from "./picture.js";
import { texts } from "./texts.js";

const words = texts.job;

/**
 * How a job is called: by its photograph, or its style.
 *
 * @param {any} job
 * @returns {string}
 */
export function nameOf(job) {
  const { title, style_id: id } = job.input.params;
  return job.method === "train" ? title || id : namesOf(job).name || words.title;
}

/** The names of its styles, for a file. @param {any} job @returns {string} */
export function styleNames(job) {
  return job.method === "fast" ? job.input.params.style_id : namesOf(job).styles.join("-");
}

/** How it is, in a word. @param {any} job @returns {string} */
export function statusOf({ status }) {
  return words.status[/** @type {keyof typeof words.status} */ (status)];
}

/** @param {any} job */
export function heading(job) {
  return h("header", { class: "job-head" },
    h("h1", {}, nameOf(job)),
    h("p", { class: "quiet small" }, `${statusOf(job)} · ${moment(job.created_at)}`));
}

/**
 * The paintings, or the styles of the gallery.
 *
 * @param {import("./api.js").Api} api
 * @param {any} job
 */
export function styleStrip(api, job) {
  const { params, style_sha256: digests } = job.input;
  const names = namesOf(job).styles;
  /** @type {{path: string, name: string}[]} */
  const items = job.method === "fast"
    ? params.style_id.split(",").map((/** @type {string} */ style, /** @type {number} */ k) => ({ path: `styles/${style}/thumbnail`, name: names[k] ?? style }))
    : digests.map((/** @type {string} */ digest, /** @type {number} */ k) => ({ path: `jobs/${job.id}/inputs/${digest}/thumbnail`, name: names[k] ?? params.title ?? "" }));
  if (!items.length) return null;
  return h("section", { class: "panel-part", "aria-labelledby": "styles-heading" },
    h("h2", { id: "styles-heading" }, words.styles(items.length)),
    h("ul", { class: "style-strip" }, items.map(({ path, name }) =>
      h("li", {}, picture(api, path, { alt: "", class: "style-picture" }), h("span", { class: "small" }, name)))));
}

/**
 * The photograph of a job that has one, or what the server makes of it where the browser cannot show it.
 *
 * @param {import("./api.js").Api} api
 * @param {any} job
 * @param {AbortSignal} signal
 */
export async function photograph(api, job, signal) {
  const path = `jobs/${job.id}/inputs/${job.input.content_sha256}`;
  return visible(api, await api.blob(path, { signal }), `${path}/thumbnail`, signal);
}
