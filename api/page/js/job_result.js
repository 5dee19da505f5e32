/** A job that has ended: its picture, or why there is none. */

import { compare } from "./compare.js";
import { h, fill, icon } from "./dom.js";
import { notice, told, toldOf } from "./errors.js";
import { evolution } from "./evolution.js";
import { facts } from "./facts.js";
import { againButton, deleteButton, linkButton, presetOptions } from "./job_actions.js";
import { heading, nameOf, photograph, styleNames, styleStrip } from "./job_head.js";
import { visible } from "./picture.js";
import { fileName } from "./saving.js";
import { texts } from "./texts.js";

const words = texts.job;

/**
 * @typedef {import("./main.js").Context} Context
 * @typedef {(...children: (Node | null)[]) => void} Draw
 */

/**
 * Why there is no picture, and what to do.
 *
 * @param {Context} context
 * @param {any} job
 * @param {Draw} draw
 */
export function jobFailure(context, job, draw) {
  const about = job.status === "failed" ? toldOf(job.error.code, job.error.message) : { ...words.canceled, detail: "" };
  const problem = h("div", {});
  draw(heading(job),
    h("div", { class: "job-stage" }, h("div", { class: "empty" }, icon(job.status === "failed" ? "warning" : "stop"),
      h("h2", { class: "drop-title" }, about.title),
      h("p", { class: "quiet" }, about.advice),
      about.detail && h("p", { class: "small quiet" }, about.detail),
      h("div", { class: "toolbar" }, againButton(context, job, problem, "button primary"), deleteButton(context, job, problem)), problem)),
    h("div", { class: "panel" }, styleStrip(context.api, job), known(context, job)));
}

/**
 * The picture, beside what it was made of.
 *
 * @param {Context} context
 * @param {any} job
 * @param {AbortSignal} signal that the view is left
 * @param {(() => void)[]} endings what is to be done then
 * @param {Draw} draw
 * @throws {import("./api.js").Refused | import("./api.js").Unreachable | DOMException} the picture cannot be had
 */
export async function jobResult(context, job, signal, endings, draw) {
  const { api } = context;
  const { id } = job;
  const { output, input, method } = job;
  const stage = h("div", { class: "job-stage" }, h("p", { class: "loading" }, texts.loading));
  const problem = h("div", {});
  const download = h("a", { class: "button primary" }, icon("download"), words.download);
  const way = h("div", { class: "job-way" });
  const name = nameOf(job);
  draw(heading(job), stage,
    h("div", { class: "panel" },
      h("section", { class: "panel-part", "aria-label": words.actions },
        method === "train" && trained(context, job),
        h("div", { class: "job-actions" }, download, method !== "train" && againButton(context, job, problem),
          h("div", { class: "toolbar" }, linkButton(context, problem), deleteButton(context, job, problem))),
        problem),
      styleStrip(api, job),
      known(context, job)),
    way);

  const result = await api.blob(`jobs/${id}/result`, { signal });
  download.href = keep(result);
  download.download = fileName([name, styleNames(job)], output.media_type);
  const [after, before] = await Promise.all([
    visible(api, result, `jobs/${id}/thumbnail`, signal),
    input.content_sha256 && method !== "train" ? photograph(api, job, signal).catch(() => null) : null,
  ]);
  signal.throwIfAborted();
  const view = compare({
    before: before && keep(before), after: keep(after), width: output.width, height: output.height, label: words.result(name),
  });
  endings.push(view.close);
  fill(stage, view.element);
  showEvolution(api, job, way, name);

  /** An address of a file for as long as the view is there. @param {Blob} blob */
  function keep(blob) {
    const address = URL.createObjectURL(blob);
    endings.push(() => URL.revokeObjectURL(address));
    return address;
  }
}

/** @param {import("./api.js").Api} api @param {any} job @param {HTMLElement} way @param {string} name of the picture */
async function showEvolution(api, job, way, name) {
  if (!job.input.params.snapshot_every) return;
  try {
    const { items } = await api.json(`jobs/${job.id}/snapshots`);
    if (items.length) fill(way, evolution(api, job.id, items, name));
  } catch {
    // The picture is there; how it came about is not worth an error.
  }
}

/** Parameters and figures, as soon as it is known what is usual. @param {Context} context @param {any} job */
function known({ api, schema }, job) {
  const place = h("div", { class: "job-facts" });
  tell();
  return place;

  async function tell() {
    try {
      const [{ job: ofJob, style: ofStyle }, presets] = await Promise.all([schema(), presetOptions(api)]);
      fill(place, facts(job, job.method === "train" ? ofStyle : ofJob, presets[job.input.params.preset] ?? {}));
    } catch (error) {
      fill(place, notice(told(error)));
    }
  }
}

/** @param {Context} context @param {any} job */
function trained({ draft }, job) {
  const use = h("a", { class: "button primary", href: "#/", onclick: () => {
    draft.state.source = "gallery";
    draft.state.gallery = [{ id: job.input.params.style_id, weight: 1, mask: null }];
    draft.save();
  } }, icon("brush"), words.useStyle);
  return h("div", { class: "notice trained" }, icon("check"),
    h("div", { class: "notice-text" }, h("p", { class: "notice-title" }, words.trained(nameOf(job))), use));
}
