/** One job: how it comes about, and what became of it. */

import { Refused, Unreachable, pause } from "../api.js";
import { compare } from "../compare.js";
import { confirmed } from "../confirm.js";
import { h, fill, icon } from "../dom.js";
import { dead, notice, told, toldOf } from "../errors.js";
import { evolution } from "../evolution.js";
import { facts } from "../facts.js";
import { duration, moment, number, percent } from "../format.js";
import { picture, show } from "../picture.js";
import { fileName } from "../saving.js";
import { texts } from "../texts.js";

const words = texts.job;

/** Milliseconds between looks at the place in the queue, which events do not tell. */
const QUEUE_PACE = 3000;

/**
 * @param {import("../main.js").Context} context
 * @returns {import("../main.js").View}
 */
export function job(context) {
  const { api, draft, announce, retitle, go } = context;
  const { id } = context.parameters;
  const leaving = new AbortController();
  const { signal } = leaving;
  /** @type {(() => void)[]} what is to be done when the view is left */
  const endings = [];
  const element = h("article", { class: "job" }, h("h1", { class: "sr-only" }, words.title), h("p", { class: "loading" }, texts.loading));
  watch();
  return {
    element,
    title: words.title,
    close() {
      leaving.abort();
      for (const end of endings) end();
    },
  };

  /** Follows the job to its end, however often the service goes away meanwhile. */
  async function watch() {
    while (!signal.aborted) {
      try {
        const now = await api.json(`jobs/${id}`, { signal });
        if (isFinal(now)) {
          await finish(now);
          return;
        }
        const live = liveView(now);
        for await (const event of api.events(id, signal)) {
          if (event.name === "status") live.update(event.data);
          else if (event.name === "progress") live.progress(event.data);
          else if (event.name === "preview") live.preview();
          else if (event.name === "done") {
            announce(words.ended(words.status[/** @type {keyof typeof words.status} */ (event.data.status)]));
            await finish(event.data);
            return;
          }
        }
        // It is gone, or has ended in a moment when nobody looked: the next look tells which.
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused && error.status < 500) {
          gone(error);
          return;
        }
        if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
        await pause(1500, signal).catch(() => {});
      }
    }
  }

  /** Shows something else; a reader who was here is led to its heading. @param {(Node | null)[]} children */
  function draw(...children) {
    const here = element.contains(document.activeElement);
    fill(element, ...children);
    const title = element.querySelector("h1");
    title?.setAttribute("tabindex", "-1");
    if (here) title?.focus({ preventScroll: true });
  }

  /** @param {Refused} error */
  function gone(error) {
    const about = told(error);
    retitle(about.title);
    draw(dead(about,
      error.status === 401
        ? h("button", { class: "button primary", type: "button", onclick: () => api.dispatchEvent(new Event("unauthorized")) }, icon("key"), texts.key.button)
        : h("a", { class: "button primary", href: "#/" }, texts.notFound.link),
      h("a", { class: "button", href: "#/history" }, texts.nav.history)));
  }

  /** The view of a job that waits or is painted. @param {any} begun */
  function liveView(begun) {
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
      styleStrip(current)));
    if (current.input.content_sha256) showBackdrop();
    update(current);
    if (current.progress.preview_id) preview();
    watchQueue();
    return { update, progress, preview };

    async function showBackdrop() {
      try {
        await show(backdrop, await api.blob(`jobs/${id}/inputs/${current.input.content_sha256}`, { signal }));
        stage.style.setProperty("--ratio", String(backdrop.naturalWidth / backdrop.naturalHeight));
        backdrop.hidden = false;
      } catch {
        // A kind of file that this browser cannot show.
      }
    }

    /** @param {any} now */
    function update(now) {
      if (now.revision < current.revision) return;
      // Events do not know the place in the queue.
      const queue = now.queue.position === null && now.queue.eta_seconds === null ? current.queue : now.queue;
      current = { ...now, queue };
      element.dataset.status = now.status;
      progress(now.progress);
    }

    /** @param {any} now */
    function progress(now) {
      const { status, queue, cancel_requested_at: canceling } = current;
      cancel.disabled = Boolean(canceling);
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
      cancel.disabled = true;
      try {
        update(await api.json(`jobs/${id}/cancel`, { method: "POST", signal }));
        announce(words.canceling);
      } catch (error) {
        if (signal.aborted) return;
        cancel.disabled = false;
        fill(problem, notice(told(error)));
      }
    }
  }

  /** @param {any} ended */
  async function finish(ended) {
    element.dataset.status = ended.status;
    retitle(nameOf(ended));
    if (ended.status === "succeeded") await showResult(ended);
    else showFailure(ended);
  }

  /** @param {any} ended */
  function showFailure(ended) {
    const about = ended.status === "failed" ? toldOf(ended.error.code, ended.error.message) : { ...words.canceled, detail: "" };
    const problem = h("div", {});
    retitle(`${words.status[/** @type {keyof typeof words.status} */ (ended.status)]} – ${nameOf(ended)}`);
    draw(heading(ended),
      h("div", { class: "job-stage" }, h("div", { class: "empty" }, icon(ended.status === "failed" ? "warning" : "stop"),
        h("h2", { class: "drop-title" }, about.title),
        h("p", { class: "quiet" }, about.advice),
        about.detail && h("p", { class: "small quiet" }, about.detail),
        h("div", { class: "toolbar" }, againButton(ended, problem, true), deleteButton(ended, problem)), problem)),
      h("div", { class: "panel" }, styleStrip(ended), h("div", { class: "job-facts" })));
    tellFacts(ended);
  }

  /** @param {any} ended */
  async function showResult(ended) {
    const { output, input, method } = ended;
    const stage = h("div", { class: "job-stage" }, h("p", { class: "loading" }, texts.loading));
    const problem = h("div", {});
    const download = h("a", { class: "button primary" }, icon("download"), words.download);
    const way = h("div", { class: "job-way" });
    const name = nameOf(ended);
    draw(heading(ended), stage,
      h("div", { class: "panel" },
        h("section", { class: "panel-part", "aria-label": words.actions },
          method === "train" && trained(ended),
          h("div", { class: "toolbar" }, download, method !== "train" && againButton(ended, problem, false)),
          h("div", { class: "toolbar" }, linkButton(problem), deleteButton(ended, problem)),
          problem),
        styleStrip(ended),
        h("div", { class: "job-facts" })),
      way);
    tellFacts(ended);

    const result = await api.blob(`jobs/${id}/result`, { signal });
    const url = keep(result);
    download.href = url;
    download.download = fileName([name, styleNames(ended)], output.media_type);
    const [after, before] = await Promise.all([
      visible(result, () => api.blob(`jobs/${id}/thumbnail`, { signal })),
      input.content_sha256 && method !== "train"
        ? api.blob(`jobs/${id}/inputs/${input.content_sha256}`, { signal }).then((blob) => visible(blob, null)).catch(() => null)
        : null,
    ]);
    const view = compare({
      before: before && keep(before), after: keep(after ?? result), width: output.width, height: output.height, label: words.result(name),
    });
    endings.push(view.close);
    fill(stage, view.element);
    showEvolution(ended, way, name);
  }

  /** @param {any} ended @param {HTMLElement} way @param {string} name */
  async function showEvolution(ended, way, name) {
    if (!ended.input.params.snapshot_every) return;
    try {
      const { items } = await api.json(`jobs/${id}/snapshots`, { signal });
      if (items.length) fill(way, evolution(api, id, items, fileName([name], "").replace(/\.$/, "")));
    } catch {
      // The picture is there; how it came about is not worth an error.
    }
  }

  /** @param {any} ended */
  async function tellFacts(ended) {
    try {
      const [schema, presets] = await Promise.all([context.schema(), presetOptions()]);
      const fields = ended.method === "train" ? schema.style : schema.job;
      fill(element.querySelector(".job-facts") ?? h("div"), facts(ended, fields, presets[ended.input.params.preset] ?? {}));
    } catch (error) {
      if (!signal.aborted) fill(element.querySelector(".job-facts") ?? h("div"), notice(told(error)));
    }
  }

  /** @returns {Promise<Record<string, Record<string, unknown>>>} */
  async function presetOptions() {
    const { items } = await api.json("presets", { signal });
    return Object.fromEntries(items.map((/** @type {any} */ preset) => [preset.name, preset.options]));
  }

  /** @param {any} about */
  function heading(about) {
    return h("header", { class: "job-head" },
      h("h1", {}, nameOf(about)),
      h("p", { class: "quiet small" },
        `${words.status[/** @type {keyof typeof words.status} */ (about.status)]} · ${moment(about.created_at)}`));
  }

  /** What it is painted after. @param {any} about */
  function styleStrip(about) {
    const { params, style_sha256: digests } = about.input;
    const names = about.metadata.styles ?? [];
    /** @type {{path: string, name: string}[]} */
    const items = about.method === "fast"
      ? params.style_id.split(",").map((/** @type {string} */ style) => ({ path: `styles/${style}/thumbnail`, name: style.replaceAll("_", " ") }))
      : digests.map((/** @type {string} */ digest, /** @type {number} */ k) => ({ path: `jobs/${id}/inputs/${digest}`, name: names[k] ?? params.title ?? "" }));
    if (!items.length) return null;
    return h("section", { class: "panel-part", "aria-labelledby": "styles-heading" },
      h("h2", { id: "styles-heading" }, words.styles(items.length)),
      h("ul", { class: "style-strip" }, items.map(({ path, name }) =>
        h("li", {}, picture(api, path, { alt: "", class: "style-picture" }), h("span", { class: "small" }, name)))));
  }

  /** @param {any} ended */
  function trained(ended) {
    const use = h("a", { class: "button primary", href: "#/", onclick: () => {
      draft.state.source = "gallery";
      draft.state.gallery = [{ id: ended.input.params.style_id, weight: 1, mask: null }];
      draft.save();
    } }, icon("brush"), words.useStyle);
    return h("div", { class: "notice trained" }, icon("check"),
      h("div", { class: "notice-text" }, h("p", { class: "notice-title" }, words.trained(nameOf(ended))), use));
  }

  /** @param {any} ended @param {HTMLElement} problem @param {boolean} primary */
  function againButton(ended, problem, primary) {
    const button = h("button", { class: primary ? "button primary" : "button", type: "button", onclick: async () => {
      button.disabled = true;
      try {
        if (ended.method === "train") return go("#/train");
        const [schema, presets] = await Promise.all([context.schema(), presetOptions()]);
        await draft.adopt(ended, api, schema.job, presets);
        go("#/");
      } catch (error) {
        button.disabled = false;
        if (!signal.aborted) fill(problem, notice(told(error)));
      }
    } }, icon("again"), words.again);
    return button;
  }

  /** @param {HTMLElement} problem */
  function linkButton(problem) {
    return h("button", { class: "button plain", type: "button", onclick: async () => {
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
    } }, icon("link"), words.copy);
  }

  /** @param {any} ended @param {HTMLElement} problem */
  function deleteButton(ended, problem) {
    return h("button", { class: "button plain danger", type: "button", onclick: async () => {
      const question = { title: words.deleteTitle(nameOf(ended)), text: words.deleteAbout, action: words.delete };
      if (!(await confirmed(question))) return;
      try {
        await api.request(`jobs/${id}`, { method: "DELETE" });
        announce(words.deleted);
        go("#/history");
      } catch (error) {
        fill(problem, notice(told(error)));
      }
    } }, icon("trash"), words.delete);
  }

  /** An address of a file for as long as the view is there. @param {Blob} blob */
  function keep(blob) {
    const url = URL.createObjectURL(blob);
    endings.push(() => URL.revokeObjectURL(url));
    return url;
  }
}

/**
 * How a job is called: by its photograph, or its style.
 *
 * @param {any} job
 * @returns {string}
 */
export function nameOf({ method, metadata, input }) {
  if (method === "train") return input.params.title || input.params.style_id;
  return typeof metadata.name === "string" && metadata.name ? metadata.name : words.title;
}

/** @param {any} job */
function styleNames({ method, metadata, input }) {
  if (method === "fast") return input.params.style_id;
  return Array.isArray(metadata.styles) ? metadata.styles.join("-") : "";
}

/** @param {any} job */
function isFinal({ status }) {
  return status === "succeeded" || status === "failed" || status === "canceled";
}

/** @param {unknown} value */
function isNumber(value) {
  return typeof value === "number";
}

/**
 * A picture that the browser can show: this one, or what stands for it.
 *
 * @param {Blob} blob
 * @param {(() => Promise<Blob>) | null} instead
 * @returns {Promise<Blob | null>}
 */
async function visible(blob, instead) {
  try {
    (await createImageBitmap(blob)).close();
    return blob;
  } catch {
    return instead ? instead() : null;
  }
}
