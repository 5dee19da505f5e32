/** A dialog in which masks are painted on a picture: where each style goes. */

import { fill, h } from "./dom.js";
import { told } from "./errors.js";
import { percent } from "./format.js";
import { greyPng } from "./grey_png.js";
import { MaskBrush } from "./mask_brush.js";
import { MaskLayers, union } from "./mask_layers.js";
import { MaskOverlay, brightness } from "./mask_overlay.js";
import { MaskPanel, iconButton, textButton } from "./mask_panel.js";
import { MaskStage } from "./mask_stage.js";
import { texts } from "./texts.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./mask_layers.js").Box} Box */
/**
 * @typedef {object} Region a style, and where it is painted
 * @property {string} label
 * @property {Blob | string} image what the style looks like: a file, or the address of one at the service
 * @property {Blob | null} mask where it is painted so far
 */

/** Long side of a mask in pixels; of a smaller picture its own. */
const LONG_SIDE = 1024;

/**
 * Whether this browser can show a picture, as it must for masks to be painted on it.
 *
 * @param {Blob} picture
 * @returns {Promise<boolean>}
 */
export async function canShow(picture) {
  try {
    (await createImageBitmap(picture)).close();
    return true;
  } catch {
    return false;
  }
}

/**
 * Lets the user paint a mask for each of some styles.
 *
 * @param {{content: Blob, regions: Region[], announce: (text: string) => void, api: Api}} what
 * @returns {Promise<(Blob | null)[] | null>} grey PNGs in the order of the regions, white where the style is painted: one for
 *   each region, or null for each when nothing is painted at all; null when the dialog was left without keeping anything
 * @throws {Error} the content cannot be shown: see `canShow`; the message says so to the user
 */
export async function editMasks({ content, regions, announce, api }) {
  const url = URL.createObjectURL(content);
  const picture = h("img", { src: url, alt: "" });
  try {
    await picture.decode().catch(() => {
      throw new Error(texts.mask.notShown);
    });
    const masks = await new MaskEditor(content, picture, regions, api).run();
    if (masks) announce(texts.mask.kept);
    return masks;
  } finally {
    URL.revokeObjectURL(url);
  }
}

class MaskEditor {
  /**
   * @param {Blob} content
   * @param {HTMLImageElement} picture the same
   * @param {Region[]} regions
   * @param {Api} api
   */
  constructor(content, picture, regions, api) {
    this.content = content;
    this.regions = regions;
    this.api = api;
    const sides = [picture.naturalWidth, picture.naturalHeight];
    const scale = Math.min(1, LONG_SIDE / Math.max(...sides));
    const [width, height] = sides.map((side) => Math.max(1, Math.round(side * scale)));
    this.layers = new MaskLayers(width, height, regions.length);
    this.overlay = new MaskOverlay(this.layers);
    this.brush = new MaskBrush(this.layers, (box) => this.#redraw(box));
    /** Whether there is anything to lose. */
    this.changed = false;
    /** @type {Box | null} what is to be drawn with the next frame */
    this.stale = null;
    /** @type {string[]} */
    this.urls = [];
    this.closing = new AbortController();
    this.stage = this.#stage(picture);

    const words = texts.mask;
    this.panel = this.#panel();
    this.busy = h("p", { class: "mask-busy", hidden: true }, words.looking);
    // What is outside of an open dialog is not read out.
    this.live = h("p", { class: "sr-only", role: "status" });
    this.message = h("p", { class: "mask-message", role: "alert" });
    this.keep = h("button", { type: "button", class: "button primary" }, words.keep);
    this.actions = h("div", { class: "dialog-actions" }, textButton(words.cancel, () => this.#leave()), this.keep);
    this.question = h("div", { class: "dialog-actions", role: "group", "aria-label": words.discardQuestion, hidden: true },
      h("p", { class: "mask-question" }, words.discardQuestion),
      textButton(words.goOn, () => this.#ask(false)),
      h("button", { type: "button", class: "button danger", onclick: () => this.dialog.close() }, words.discard));
    this.dialog = h("dialog", { class: "mask-editor", "aria-labelledby": "mask-title" },
      h("h2", { id: "mask-title", class: "sr-only" }, words.title),
      h("div", { class: "mask-place" },
        this.stage.element,
        h("p", { id: "mask-keys", class: "sr-only" }, words.keys),
        h("div", { class: "mask-zoom", role: "group", "aria-label": words.zoom },
          iconButton("minus", words.zoomOut, () => this.stage.step(true)),
          iconButton("fit", words.zoomFit, () => this.stage.fit()),
          iconButton("plus", words.zoomIn, () => this.stage.step(false))),
        this.busy),
      this.panel.element,
      h("div", { class: "mask-footer" }, this.live, this.message, this.actions, this.question));
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#leave();
    });
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Opens the dialog. @returns {Promise<(Blob | null)[] | null>} as `editMasks` */
  async run() {
    await Promise.all(this.regions.map(({ mask }, k) => mask && this.#adopt(k, mask)));
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.stage.fit();
    this.stage.element.focus();
    this.panel.summarize(this.layers);
    this.overlay.draw();
    this.regions.forEach(({ image }, k) => this.#dress(k, image));
    /** @type {boolean} */
    const kept = await new Promise((resolve) => {
      this.keep.addEventListener("click", () => this.#mayKeep() && resolve(true));
      this.dialog.addEventListener("close", () => resolve(false));
    });
    this.closing.abort();
    this.stage.close();
    this.dialog.close();
    this.dialog.remove();
    for (const url of this.urls) URL.revokeObjectURL(url);
    if (!kept) return null;
    const { masks, width, height } = this.layers;
    const none = masks.every(isBlack);
    return Promise.all(masks.map((mask) => (none ? null : greyPng(mask, width, height))));
  }

  /** @param {HTMLImageElement} picture */
  #stage(picture) {
    const { brush, layers } = this;
    const painter = {
      begin: (/** @type {boolean} */ erase) => brush.begin(erase),
      move: (/** @type {import("./mask_stage.js").Point[]} */ points) => brush.move(points),
      end: () => {
        brush.end();
        this.#stepped();
      },
      abort: () => brush.abort(),
      rest: (/** @type {{x: number, y: number}} */ { x, y }) => {
        const [column, row] = [Math.min(layers.width - 1, Math.floor(x)), Math.min(layers.height - 1, Math.floor(y))];
        const painted = layers.masks[brush.region][row * layers.width + column] > 127;
        this.#say(texts.mask.cursor(percent(x / layers.width), percent(y / layers.height), painted));
      },
      radius: () => brush.radius,
    };
    const names = { role: "application", "aria-label": texts.mask.stage, "aria-describedby": "mask-keys" };
    const stage = new MaskStage(picture, this.overlay.canvas, painter, names);
    stage.element.addEventListener("keydown", (event) => this.#stageKey(event));
    return stage;
  }

  #panel() {
    const { layers, brush, overlay } = this;
    const fills = {
      all: () => 255,
      rest: (/** @type {number} */ _, /** @type {number} */ i) => layers.rest(brush.region, i),
      invert: (/** @type {number} */ value) => 255 - value,
      clear: () => 0,
    };
    return new MaskPanel(this.regions.map(({ label }) => label), brush, {
      choose: (region) => this.#choose(region),
      travel: (again) => this.#travel(again),
      fill: (what) => this.#replace(fills[what], texts.mask[what]),
      find: (what) => this.#find(what),
      show: (plain) => {
        overlay.plain = plain;
        overlay.draw();
      },
      resized: () => this.stage.showBrush(),
    });
  }

  /** Goes on with a mask that was painted before. @param {number} k @param {Blob} mask */
  async #adopt(k, mask) {
    this.layers.masks[k] = brightness(await createImageBitmap(mask), this.layers.width, this.layers.height);
  }

  /** Shows what a style looks like. @param {number} k @param {Blob | string} image */
  async #dress(k, image) {
    try {
      const file = image instanceof Blob ? image : await this.api.blob(image, { signal: this.closing.signal });
      this.overlay.texture(k, await createImageBitmap(file));
      const url = URL.createObjectURL(file);
      this.urls.push(url);
      fill(this.panel.swatches[k], h("img", { src: url, alt: "" }));
      this.overlay.draw();
    } catch {
      // A style that cannot be shown has its colour.
    }
  }

  /** Draws what has changed, with the next frame. @param {Box | null} box */
  #redraw(box) {
    if (!box) return;
    if (!this.stale) {
      requestAnimationFrame(() => {
        if (this.stale) this.overlay.draw(this.stale);
        this.stale = null;
      });
    }
    this.stale = this.stale ? union(this.stale, box) : box;
  }

  /** @param {number} k */
  #choose(k) {
    this.brush.region = k;
    this.overlay.active = k;
    this.panel.regions[k].checked = true;
    this.overlay.draw();
  }

  /** @param {boolean} again */
  #travel(again) {
    const region = again ? this.layers.redo() : this.layers.undo();
    if (region === null) return;
    this.#choose(region);
    this.#stepped();
    this.#say(again ? texts.mask.redone : texts.mask.undone);
  }

  /** @param {(value: number, i: number) => number} pixel @param {string} name */
  #replace(pixel, name) {
    this.layers.replace(this.brush.region, pixel);
    this.overlay.draw();
    this.#stepped();
    this.#say(name);
  }

  /** Lets the service find the subject, or what is around it. @param {"subject" | "background"} what */
  async #find(what) {
    const { region } = this.brush;
    const form = new FormData();
    form.set("content", this.content);
    form.set("auto_mask", what);
    this.#seek(true);
    try {
      const mask = await this.api.blob("masks", { method: "POST", body: form, signal: this.closing.signal });
      const pixels = brightness(await createImageBitmap(mask), this.layers.width, this.layers.height);
      this.#choose(region);
      this.#replace((_, i) => pixels[i], texts.mask.found[what]);
    } catch (error) {
      if (this.closing.signal.aborted) return;
      const { title, advice } = told(error);
      fill(this.message, `${title}. ${advice}`);
    } finally {
      this.#seek(false);
    }
  }

  /** @param {boolean} busy whether the service is looking */
  #seek(busy) {
    for (const button of this.panel.finders) button.disabled = busy;
    this.busy.hidden = !busy;
    if (busy) this.#say(texts.mask.looking);
  }

  /** @param {string} text to those who do not see the picture */
  #say(text) {
    this.live.textContent = text;
  }

  /** After each step. */
  #stepped() {
    this.changed = true;
    fill(this.message);
    this.panel.summarize(this.layers);
  }

  /** Keys that hold everywhere in the dialog. @param {KeyboardEvent} event */
  #key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    this.#travel(key === "y" || event.shiftKey);
  }

  /** Keys of one character, which hold on the stage only. @param {KeyboardEvent} event */
  #stageKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const region = Number(key) - 1;
    if (key === "[" || key === "]") {
      this.panel.resize(key === "]" ? 5 : -5);
      this.#say(percent(this.brush.diameter));
    } else if (key === "x" || key === "X") {
      this.panel.tool(!this.brush.erase);
      this.#say(this.brush.erase ? texts.mask.erase : texts.mask.paint);
    } else if (key === "+" || key === "=" || key === "-") {
      this.stage.step(key === "-");
    } else if (key === "0") {
      this.stage.fit();
    } else if (this.panel.regions[region]) {
      this.#choose(region);
      this.#say(this.regions[region].label);
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Whether the masks are such as the service takes: of one that is black it would take none. */
  #mayKeep() {
    const { masks } = this.layers;
    const black = masks.findIndex(isBlack);
    if (black < 0 || masks.every(isBlack)) return true;
    this.#choose(black);
    fill(this.message, texts.mask.black(this.regions[black].label));
    return false;
  }

  #leave() {
    if (this.changed) this.#ask(true);
    else this.dialog.close();
  }

  /** Asks whether what was painted shall be lost, or not any more. @param {boolean} asked */
  #ask(asked) {
    this.question.hidden = !asked;
    this.actions.hidden = asked;
    (asked ? this.question.querySelector("button") : this.stage.element)?.focus();
  }
}

/** @param {Uint8Array} mask */
function isBlack(mask) {
  return mask.every((value) => value === 0);
}
