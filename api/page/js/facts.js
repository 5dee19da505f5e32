/** What is known of a finished picture: how it was painted, and what was measured. */

import { labelOf, valueOf } from "./controls.js";
import { h, icon } from "./dom.js";
import { changed } from "./draft.js";
import { bytes, duration, moment, number } from "./format.js";
import { texts } from "./texts.js";

const words = texts.facts;

/**
 * The parameters, those that differ from the defaults first, and the figures.
 *
 * @param {any} job
 * @param {import("./schema.js").Fields} fields
 * @param {Record<string, unknown>} preset the options of the job's preset
 * @returns {HTMLElement[]}
 */
export function facts(job, fields, preset) {
  const { params } = job.input;
  const different = changed(job, fields, preset);
  const names = Object.keys(params).filter((name) => isSaid(params[name]));
  // Of the size the result tells itself.
  const first = names.filter((name) => (name in different && name !== "size") || name === "preset" || name === "auto_mask");
  const rest = names.filter((name) => !first.includes(name));
  /** @param {string[]} which @param {string} name */
  const list = (which, name) => h("dl", { class: "facts" }, which.flatMap((key) => pair(labelOf(key), valueOf(key, params[key]), name)));
  return [
    h("section", { class: "panel-part", "aria-labelledby": "facts-heading" },
      h("h2", { id: "facts-heading" }, job.output ? words.heading : words.settings),
      first.length > 0 && list(first, "changed"),
      h("dl", { class: "facts" }, overview(job)),
      h("div", {}, fold(words.rest, list(rest, "")), fold(words.figures, h("dl", { class: "facts" }, figures(job))))),
  ];
}

/** @param {any} job @returns {Node[]} */
function overview({ method, output, metrics, expires_at: expires }) {
  return [
    ...pair(labelOf("method"), valueOf("method", method)),
    ...(output ? pair(words.size, `${output.width} × ${output.height} · ${bytes(output.bytes)}`) : []),
    ...(isSaid(metrics.run_seconds) ? pair(words.took, duration(metrics.run_seconds)) : []),
    ...(expires ? pair(words.expires, moment(expires)) : []),
  ];
}

/** @param {any} job @returns {Node[]} */
function figures({ output, metrics, created_at: created, completed_at: completed, attempt }) {
  /** @type {[string, string | number | null | undefined][]} */
  const known = [
    [words.created, moment(created)],
    [words.completed, completed && moment(completed)],
    [words.similarity, isSaid(output?.similarity) ? number(output.similarity) : null],
    ...Object.entries(output?.losses ?? {}).map(
      /** @returns {[string, string]} */
      ([name, loss]) => [words.loss(/** @type {Record<string, string>} */ (words.losses)[name] ?? name), number(Number(loss))],
    ),
    [words.queued, isSaid(metrics.queue_seconds) ? duration(metrics.queue_seconds) : null],
    [words.loading, metrics.load_seconds ? duration(metrics.load_seconds) : null],
    ...metrics.stages.map((/** @type {any} */ stage) => [
      words.stage(stage.width, stage.height),
      words.stageTook(number(stage.iterations), duration(stage.seconds)),
    ]),
    [words.device, metrics.device],
    [words.encoder, metrics.encoder],
    [words.attempts, attempt > 1 ? number(attempt) : null],
  ];
  return known.flatMap(([name, value]) => (isSaid(value) ? pair(name, String(value)) : []));
}

/** @param {string} name @param {string} value @param {string} [className] @returns {HTMLElement[]} */
function pair(name, value, className = "") {
  return [h("dt", {}, name), h("dd", { class: className }, value)];
}

/** @param {string} title @param {HTMLElement} body */
function fold(title, body) {
  return h("details", { class: "fold" }, h("summary", {}, icon("right"), title), h("div", { class: "fold-body" }, body));
}

/** @param {unknown} value */
function isSaid(value) {
  return value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0);
}
