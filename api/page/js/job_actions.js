/** What can be done with a job that has ended. */

import { confirmed } from "./confirm.js";
import { h, fill, icon } from "./dom.js";
import { notice, told } from "./errors.js";
import { nameOf } from "./job_head.js";
import { texts } from "./texts.js";

const words = texts.job;

/** @typedef {import("./main.js").Context} Context */

/**
 * The options of each preset.
 *
 * @param {import("./api.js").Api} api
 * @returns {Promise<Record<string, Record<string, unknown>>>}
 */
export async function presetOptions(api) {
  const { items } = await api.json("presets");
  return Object.fromEntries(items.map((/** @type {any} */ preset) => [preset.name, preset.options]));
}

/**
 * Leads to the form, filled with what the job was sent.
 *
 * @param {Context} context
 * @param {any} job
 * @param {HTMLElement} problem where errors are told
 * @param {string} [className]
 */
export function againButton({ api, draft, go, schema }, job, problem, className = "button") {
  const button = h("button", { class: className, type: "button", onclick: again }, icon("again"), words.again);
  return button;

  async function again() {
    if (job.method === "train") {
      go("#/train");
      return;
    }
    button.disabled = true;
    try {
      const [fields, presets] = await Promise.all([schema(), presetOptions(api)]);
      await draft.adopt(job, api, fields.job, presets);
      go("#/");
    } catch (error) {
      button.disabled = false;
      fill(problem, notice(told(error)));
    }
  }
}

/**
 * @param {Context} context
 * @param {HTMLElement} problem where the link is shown if it cannot be copied
 */
export function linkButton({ announce }, problem) {
  return h("button", { class: "button plain", type: "button", onclick: copy }, icon("link"), words.copy);

  async function copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      announce(words.copied);
      fill(problem, h("p", { class: "small" }, words.copied));
    } catch {
      // Only secure pages may; elsewhere the user copies it.
      const input = h("input", { class: "input", readOnly: true, value: location.href, "aria-label": words.link });
      fill(problem, input);
      input.select();
    }
  }
}

/**
 * @param {Context} context
 * @param {any} job
 * @param {HTMLElement} problem where errors are told
 */
export function deleteButton({ api, announce, go }, job, problem) {
  return h("button", { class: "button plain danger", type: "button", onclick: remove }, icon("trash"), words.delete);

  async function remove() {
    const question = { title: words.deleteTitle(nameOf(job)), text: words.deleteAbout, action: words.delete };
    if (!(await confirmed(question))) return;
    try {
      await api.request(`jobs/${job.id}`, { method: "DELETE" });
      announce(words.deleted);
      go("#/history");
    } catch (error) {
      fill(problem, notice(told(error)));
    }
  }
}
