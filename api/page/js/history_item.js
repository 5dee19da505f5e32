/** A job among others: its picture, what it is, and how it is. */

import { h, fill, icon } from "./dom.js";
import { toldOf } from "./errors.js";
import { moment, percent } from "./format.js";
import { nameOf, statusOf } from "./job_head.js";
import { picture, show } from "./picture.js";
import { texts } from "./texts.js";

/** @typedef {import("./api.js").Api} Api */

/** Narrowest and widest shape that a picture is given in the grid. */
const SHAPES = { least: 0.7, most: 2, unknown: 4 / 3 };

const words = texts.history;

/**
 * @typedef {object} Actions
 * @property {(item: HistoryItem) => void} again
 * @property {(item: HistoryItem) => void} remove
 * @property {() => void} select it was chosen, or is not any more
 */

export class HistoryItem {
  /**
   * @param {Api} api
   * @param {any} job
   * @param {(id: string) => string} styleName of a style of the gallery
   * @param {Actions} actions
   */
  constructor(api, job, styleName, actions) {
    this.api = api;
    this.styleName = styleName;
    this.job = job;
    /** The preview that is shown. */
    this.preview = 0;
    this.frame = h("span", { class: "history-frame" });
    this.title = h("span", { class: "history-name" });
    this.facts = h("span", { class: "history-facts" });
    this.box = h("input", { type: "checkbox", class: "history-box", hidden: true, onchange: actions.select });
    this.again = button("again", () => actions.again(this));
    this.removal = button("trash", () => actions.remove(this));
    this.link = h("a", { class: "history-link", href: `#/jobs/${job.id}` },
      this.frame, this.title, this.facts);
    // While pictures are chosen, a click chooses too.
    this.link.addEventListener("click", (event) => {
      if (this.box.hidden) return;
      event.preventDefault();
      this.box.click();
    });
    this.element = h("li", { class: "history-item" }, this.link, this.box, [
      h("span", { class: "history-actions" }, job.method !== "train" && this.again, this.removal),
    ]);
    this.#describe();
    this.#draw();
  }

  /** Whether it will change by itself. */
  get live() {
    return this.job.status === "queued" || this.job.status === "processing";
  }

  /** How it is, in words. @returns {string} */
  get status() {
    const { job } = this;
    if (job.status === "processing") return words.painting(percent(job.progress.fraction));
    if (job.status === "failed") return toldOf(job.error?.code, "").title;
    return statusOf(job);
  }

  /** What it is called: by its photograph, or its styles. @returns {string} */
  get name() {
    const { job } = this;
    return (job.method !== "train" && !job.metadata.name && stylesOf(job, this.styleName)) || nameOf(job);
  }

  get selected() {
    return this.box.checked;
  }

  /** Whether it can be chosen, instead of opened. @param {boolean} selecting */
  set selectable(selecting) {
    this.box.hidden = !selecting;
    if (!selecting) this.box.checked = false;
  }

  /** @param {any} job as it is now */
  update(job) {
    if (job.revision <= this.job.revision) return;
    const before = this.job;
    this.job = job;
    this.#describe();
    if (job.status !== before.status) this.#draw();
    else if (job.status === "processing") this.#advance();
  }

  #describe() {
    const { job, name } = this;
    fill(this.title, name);
    const status = job.status === "succeeded" ? "" : this.status;
    const styles = stylesOf(job, this.styleName);
    fill(this.facts, [status, styles !== name && styles, moment(job.created_at)].filter(Boolean).join(" · "));
    this.element.dataset.status = job.status;
    this.box.setAttribute("aria-label", words.choose(name));
    for (const [one, label] of /** @type {const} */ ([[this.again, words.again(name)], [this.removal, words.remove(name)]])) {
      one.setAttribute("aria-label", label);
      one.title = label;
    }
    const { output } = job;
    const shape = output ? output.width / output.height : SHAPES.unknown;
    this.element.style.setProperty("--shape", String(Math.min(SHAPES.most, Math.max(SHAPES.least, shape))));
  }

  /** Shows what there is to see of its status. */
  #draw() {
    const { job } = this;
    this.preview = 0;
    if (job.status === "succeeded") {
      fill(this.frame, picture(this.api, `jobs/${job.id}/thumbnail`, { alt: "" }));
    } else if (job.status === "processing") {
      this.image = h("img", { alt: "", hidden: true });
      this.bar = h("progress", { max: 1, "aria-label": words.progress });
      fill(this.frame, icon("brush"), this.image, this.bar);
      this.#advance();
    } else {
      const name = { queued: "clock", failed: "warning", canceled: "stop" }[/** @type {"queued"} */ (job.status)];
      fill(this.frame, icon(name));
    }
  }

  /** Shows how far it is. */
  async #advance() {
    const { job, image, bar } = this;
    if (bar) bar.value = job.progress.fraction;
    if (!image || job.progress.preview_id === this.preview) return;
    this.preview = job.progress.preview_id;
    try {
      await show(image, await this.api.blob(job.urls.preview));
      image.hidden = false;
    } catch {
      // The job has gone on meanwhile; the next look at it shows.
    }
  }
}

/** @param {any} job @param {(id: string) => string} styleName */
function stylesOf(job, styleName) {
  if (job.method === "train") return words.training;
  const ids = job.method === "fast" ? String(job.input.params.style_id ?? "").split(",").filter(Boolean) : [];
  const own = Array.isArray(job.metadata.styles) ? job.metadata.styles.filter(Boolean) : [];
  return (ids.length ? ids.map(styleName) : own).join(" + ");
}

/** @param {string} name of the icon @param {() => void} onclick */
function button(name, onclick) {
  return h("button", { type: "button", class: "button plain only-icon", onclick }, icon(name));
}
