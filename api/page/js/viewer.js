/** A picture to look at closely: the whole of it, pixel by pixel, and everything between, by mouse, fingers and keys. */

import { h, icon } from "./dom.js";
import { percent } from "./format.js";
import { texts } from "./texts.js";

const words = texts.viewer;

/** Of one step of the keyboard and of the buttons. */
const STEP = 1.25;

/** Screen pixels per pixel of the picture, at most. */
const CLOSEST = 8;

/** How much a small picture is enlarged to fill the view, at most. */
const FILL = 3;

export class Viewer {
  /**
   * @param {{width: number, height: number, label: string}} picture its size in pixels
   */
  constructor({ width, height, label }) {
    this.width = width;
    this.height = height;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    /** Whether the whole picture is shown, also when the window changes. */
    this.fitted = true;
    /** @type {Map<number, {x: number, y: number}>} */
    this.pointers = new Map();
    /** @type {((x: number) => void) | null} takes drags while the whole picture is shown: where in it, 0 to 1 */
    this.onslide = null;
    /** @type {(() => void) | null} after every change of what is seen */
    this.onmove = null;
    this.sheet = h("div", { class: "viewer-sheet" });
    this.sheet.style.width = `${width}px`;
    this.sheet.style.height = `${height}px`;
    this.window = h("div", {
      class: "viewer-window", tabIndex: 0, role: "group", "aria-label": label, "aria-describedby": "viewer-keys",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      onwheel: (/** @type {WheelEvent} */ event) => this.#wheel(event),
      onpointerdown: (/** @type {PointerEvent} */ event) => this.#down(event),
      onpointermove: (/** @type {PointerEvent} */ event) => this.#drag(event),
      onpointerup: (/** @type {PointerEvent} */ event) => this.pointers.delete(event.pointerId),
      onpointercancel: (/** @type {PointerEvent} */ event) => this.pointers.delete(event.pointerId),
      // Else the browser drags the picture itself away.
      ondragstart: (/** @type {Event} */ event) => event.preventDefault(),
      ondblclick: (/** @type {MouseEvent} */ event) => this.#toggle(event),
    }, this.sheet);
    this.window.style.setProperty("--ratio", String(width / height));
    this.level = h("output", { class: "viewer-level", "aria-live": "off" });
    this.tools = h("div", { class: "toolbar viewer-tools", role: "group", "aria-label": words.tools },
      button("minus", words.smaller, () => this.zoom(1 / STEP)),
      this.level,
      button("plus", words.larger, () => this.zoom(STEP)),
      button("fit", words.fit, () => this.fit()),
      h("button", { class: "button plain", type: "button", "aria-label": words.actual, title: words.actual, onclick: () => this.actual() }, "1:1"));
    this.element = h("div", { class: "viewer" }, this.window, h("p", { class: "sr-only", id: "viewer-keys" }, words.keys));
    this.resizing = new ResizeObserver(() => (this.fitted ? this.fit() : this.#place()));
    this.resizing.observe(this.window);
  }

  /** The scale at which the whole picture is seen. */
  get whole() {
    const { clientWidth, clientHeight } = this.window;
    return Math.min(clientWidth / this.width, clientHeight / this.height, FILL) || 1;
  }

  /** Shows the whole picture. */
  fit() {
    this.fitted = true;
    this.scale = this.whole;
    this.#place();
  }

  /** Shows one pixel of the picture on one of the screen. */
  actual() {
    this.zoom(1 / devicePixelRatio / this.scale);
  }

  /**
   * Enlarges what is at a point of the window, by default its middle.
   *
   * @param {number} factor
   * @param {number} [x]
   * @param {number} [y]
   */
  zoom(factor, x = this.window.clientWidth / 2, y = this.window.clientHeight / 2) {
    const least = Math.min(this.whole, 1 / devicePixelRatio);
    const scale = Math.min(Math.max(this.scale * factor, least), Math.max(CLOSEST, this.whole));
    const ratio = scale / this.scale;
    this.x = x - (x - this.x) * ratio;
    this.y = y - (y - this.y) * ratio;
    this.scale = scale;
    this.fitted = Math.abs(scale / this.whole - 1) < 0.001;
    this.#place();
  }

  close() {
    this.resizing.disconnect();
  }

  /** Where in the picture a point of the screen is, from left to right. @param {number} clientX */
  part(clientX) {
    const { left } = this.window.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - left - this.x) / (this.width * this.scale)));
  }

  #place() {
    const { clientWidth, clientHeight } = this.window;
    this.x = within(this.x, this.width * this.scale, clientWidth);
    this.y = within(this.y, this.height * this.scale, clientHeight);
    this.sheet.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.window.classList.toggle("zoomed", !this.fitted);
    this.window.classList.toggle("pixels", this.scale * devicePixelRatio > 3);
    this.level.textContent = percent(this.scale * devicePixelRatio);
    this.onmove?.();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const keys = {
      "+": () => this.zoom(STEP),
      "=": () => this.zoom(STEP),
      "-": () => this.zoom(1 / STEP),
      0: () => this.fit(),
      1: () => this.actual(),
    };
    if (!this.fitted) {
      const step = 60;
      Object.assign(keys, {
        ArrowLeft: () => this.#pan(step, 0),
        ArrowRight: () => this.#pan(-step, 0),
        ArrowUp: () => this.#pan(0, step),
        ArrowDown: () => this.#pan(0, -step),
      });
    }
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  /** @param {number} dx @param {number} dy */
  #pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#place();
  }

  /** The wheel scrolls the page, unless the picture has the focus or the gesture is a pinch. @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey && document.activeElement !== this.window) return;
    event.preventDefault();
    const { left, top } = this.window.getBoundingClientRect();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), event.clientX - left, event.clientY - top);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    this.window.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.fitted && this.pointers.size === 1) this.onslide?.(this.part(event.clientX));
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other) {
      const { left, top } = this.window.getBoundingClientRect();
      const factor = distance(now, other) / (distance(before, other) || 1);
      this.zoom(factor, (now.x + other.x) / 2 - left, (now.y + other.y) / 2 - top);
      this.#pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    } else if (this.fitted) {
      this.onslide?.(this.part(now.x));
    } else {
      this.#pan(now.x - before.x, now.y - before.y);
    }
  }

  /** @param {MouseEvent} event */
  #toggle(event) {
    const { left, top } = this.window.getBoundingClientRect();
    if (this.fitted) this.zoom(Math.max(2, 1 / devicePixelRatio / this.scale), event.clientX - left, event.clientY - top);
    else this.fit();
  }
}

/**
 * A button with an icon alone.
 *
 * @param {string} symbol
 * @param {string} label
 * @param {() => void} onclick
 */
function button(symbol, label, onclick) {
  return h("button", { class: "button plain only-icon", type: "button", "aria-label": label, title: label, onclick }, icon(symbol));
}

/**
 * A position at which a picture fills the view, or is in its middle.
 *
 * @param {number} position
 * @param {number} size of the picture
 * @param {number} view
 */
function within(position, size, view) {
  return size <= view ? (view - size) / 2 : Math.min(0, Math.max(view - size, position));
}

/** @param {{x: number, y: number}} a @param {{x: number, y: number}} b */
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
