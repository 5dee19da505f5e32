/** How a picture came about: its snapshots, to go through one by one. */

import { pause } from "./api.js";
import { h, icon } from "./dom.js";
import { notice, told } from "./errors.js";
import { number } from "./format.js";
import { picture, show } from "./picture.js";
import { fileName, save } from "./saving.js";
import { texts } from "./texts.js";

const words = texts.evolution;

/** Pictures of the strip; the range goes through all of them. */
const FRAMES = 8;

/** Milliseconds for which each is shown while they play. */
const PACE = 250;

/**
 * A large picture, a range to go through them, and a strip with some of them.
 *
 * @param {import("./api.js").Api} api
 * @param {string} id of the job
 * @param {{step: number, url: string, width: number, height: number}[]} snapshots in order; at least one
 * @param {string} name of the picture, for the file of the animation
 * @returns {HTMLElement}
 */
export function evolution(api, id, snapshots, name) {
  const last = snapshots[snapshots.length - 1];
  const image = h("img", { class: "evolution-picture", alt: "" });
  image.style.setProperty("--ratio", String(last.width / last.height));
  const label = h("p", { class: "small quiet" });
  const range = h("input", { type: "range", min: 0, max: snapshots.length - 1, step: 1, "aria-label": words.range, oninput: look });
  const play = h("button", { class: "button", type: "button", onclick: toggle }, words.play);
  const problem = h("div", {});
  /** @type {AbortController | null} */
  let playing = null;
  /** @type {Map<number, Promise<Blob>>} */
  const kept = new Map();
  range.value = "0";

  const shown = Math.min(FRAMES, snapshots.length);
  const strip = Array.from({ length: shown }, (_, k) => Math.round((k * (snapshots.length - 1)) / Math.max(1, shown - 1)));
  const element = h("section", { class: "evolution", "aria-labelledby": "evolution-heading" },
    h("div", { class: "evolution-head" },
      h("h2", { id: "evolution-heading" }, words.heading), label,
      h("div", { class: "toolbar" },
        play, h("button", { class: "button", type: "button", onclick: animation }, icon("film"), words.animation))),
    image, range,
    h("ul", { class: "strip" }, strip.map((k) =>
      h("li", {}, h("button", { class: "strip-frame", type: "button", "aria-label": words.step(number(snapshots[k].step)), onclick: () => go(k) },
        picture(api, snapshots[k].url, { alt: "" }))))),
    problem);
  look();
  return element;

  async function toggle() {
    if (playing) {
      playing.abort();
      return;
    }
    playing = new AbortController();
    play.textContent = words.pause;
    if (range.value === range.max) range.value = "0";
    try {
      await look();
      while (element.isConnected && range.value !== range.max) {
        await pause(PACE, playing.signal);
        range.value = String(Number(range.value) + 1);
        await look();
      }
    } catch {
      // It was stopped.
    }
    playing = null;
    play.textContent = words.play;
  }

  /** @param {number} k */
  function go(k) {
    range.value = String(k);
    look();
  }

  async function look() {
    const k = Number(range.value);
    const { step, url } = snapshots[k];
    const text = words.step(number(step));
    label.textContent = text;
    range.setAttribute("aria-valuetext", text);
    if (!kept.has(k)) kept.set(k, api.blob(url));
    try {
      const blob = await kept.get(k);
      if (blob && Number(range.value) === k) await show(image, blob);
      image.alt = text;
    } catch {
      kept.delete(k);
    }
  }

  async function animation() {
    try {
      save(await api.blob(`jobs/${id}/snapshots/animation`), fileName([name, "evolution"], "image/webp"));
    } catch (error) {
      problem.replaceChildren(notice(told(error)));
    }
  }
}
