/** A job that waits or is painted. */

import { pause } from "./api.js";
import { h, fill, icon } from "./dom.js";
import { notice, told } from "./errors.js";
import { duration, number, percent } from "./format.js";
import { heading, nameOf, photograph, styleStrip } from "./job_head.js";
import { show } from "./picture.js";
import { texts } from "./texts.js";

const words = texts.job;

/** Milliseconds between looks at the place in the queue, which events do not tell. */
const QUEUE_PACE = 3000;

/**
 * Progress, the picture so far, and a way to stop.
 *
 * @param {import("./main.js").Context} context
 * @param {any} begun the job
 * @param {AbortSignal} signal that the view is left
 * @param {(...children: (Node | null)[]) => void} draw
 * @returns {{update(job: any): void, progress(progress: any): void, preview(): void}} to be told what happens
 */
export function jobProgress({ api, announce, retitle }, begun, signal, draw) {
  const { id } = begun;
  let current = begun;
  const backdrop = h("img", { class: "live-picture live-backdrop", alt: "", hidden: true });
  const image = h("img", { class: "live-picture", alt: words.preview, hidden: true });
  const bar = h("progress", { max: 1, "aria-label": words.progress });
  const headline = h("p", { class: "live-headline" });
  const detail = h("p", { class: "quiet small" });
  const problem = h("div", {});
  const cancel = h("button", { class: "button", type: "button", onclick: stop }, icon("stop"), texts.cancel);
  const stage = h("div", { class: "live" }, backdrop, image);
  let quarters = 0;
  let busy = false;
  let stale = false;

  draw(heading(current), h("div", { class: "job-stage" }, stage), h("div", { class: "panel" },
    h("section", { class: "panel-part live-panel", "aria-label": words.progress },
      h("div", { class: "live-text" }, headline, detail), bar, h("div", { class: "toolbar" }, cancel), problem),
    styleStrip(api, current)));
  if (current.input.content_sha256) showBackdrop();
  update(current);
  if (current.progress.preview_id) preview();
  watchQueue();
  return { update, progress, preview };

  async function showBackdrop() {
    try {
      await show(backdrop, await photograph(api, current, signal));
      stage.style.setProperty("--ratio", String(backdrop.naturalWidth / backdrop.naturalHeight));
      backdrop.hidden = false;
    } catch {
      // It is not there any more.
    }
  }

  /** @param {any} now */
  function update(now) {
    if (now.revision < current.revision) return;
    // Events do not know the place in the queue.
    const queue = now.queue.position === null && now.queue.eta_seconds === null ? current.queue : now.queue;
    current = { ...now, queue };
    fill(problem);
    stage.dataset.status = now.status;
    progress(now.progress);
  }

  /** @param {any} now */
  function progress(now) {
    const { status, queue, cancel_requested_at: canceling } = current;
    // Not disabled, which would take the focus from a reader who has just pressed it.
    cancel.setAttribute("aria-disabled", String(Boolean(canceling)));
    if (canceling) {
      headline.textContent = words.canceling;
      detail.textContent = "";
      return;
    }
    if (status === "queued") {
      bar.removeAttribute("value");
      headline.textContent = queue.position === null ? words.status.queued : words.place(queue.position);
      detail.textContent = queue.eta_seconds === null ? "" : words.eta(duration(queue.eta_seconds));
      retitle(`${words.status.queued} – ${nameOf(current)}`);
      return;
    }
    bar.value = now.fraction;
    headline.textContent = words.painted(percent(now.fraction));
    detail.textContent = [
      now.total_steps > 1 && words.step(number(now.step), number(now.total_steps)),
      now.message,
      isNumber(now.loss) && words.loss(number(now.loss)),
      isNumber(now.eta_seconds) && words.eta(duration(now.eta_seconds)),
    ].filter(Boolean).join(" · ");
    retitle(`${percent(now.fraction)} – ${nameOf(current)}`);
    // Sparingly: a quarter at a time.
    const quarter = Math.floor(now.fraction * 4);
    if (quarter > quarters && quarter < 4) {
      quarters = quarter;
      announce(words.painted(percent(quarter / 4)));
    }
  }

  /** Only the newest counts: while one is on its way, others are not asked for. */
  async function preview() {
    stale = true;
    if (busy) return;
    busy = true;
    while (stale && !signal.aborted) {
      stale = false;
      try {
        await show(image, await api.blob(`jobs/${id}/preview`, { signal }));
        if (image.hidden) stage.style.setProperty("--ratio", String(image.naturalWidth / image.naturalHeight));
        image.hidden = false;
      } catch {
        // The next one will do.
      }
    }
    busy = false;
  }

  async function watchQueue() {
    while (!signal.aborted && current.status === "queued") {
      try {
        await pause(QUEUE_PACE, signal);
        if (current.status === "queued") update(await api.json(`jobs/${id}`, { signal }));
      } catch {
        if (signal.aborted) return;
      }
    }
  }

  async function stop() {
    if (cancel.getAttribute("aria-disabled") === "true") return;
    cancel.setAttribute("aria-disabled", "true");
    fill(problem);
    try {
      update(await api.json(`jobs/${id}/cancel`, { method: "POST", signal }));
      announce(words.canceling);
    } catch (error) {
      if (signal.aborted) return;
      cancel.setAttribute("aria-disabled", "false");
      fill(problem, notice(told(error)));
    }
  }
}

/** @param {unknown} value */
function isNumber(value) {
  return typeof value === "number";
}
