/** The picture that is painted on: fits it into its place, zooms and moves it, and makes strokes of pointers and keys. */

import { h } from "./dom.js";

/** @typedef {{x: number, y: number, pressure: number}} Point in pixels of the sheet's canvas */
/**
 * @typedef {object} Painter what the strokes are for
 * @property {(erase: boolean) => void} begin with the other end of a pen, or the right button, `erase` is true
 * @property {(points: Point[]) => void} move
 * @property {() => void} end
 * @property {() => void} abort the stroke was none: it turned into a gesture
 * @property {(point: Point) => void} rest the cursor of the keyboard has come to rest
 * @property {() => number} radius of the brush, in pixels of the canvas
 */

const MOST_ZOOM = 16;
const ZOOM_STEP = 1.4;
/** Pixels of the screen that stay free around a picture that fits. */
const MARGIN = 16;
/** Milliseconds after the last key until the cursor is said to rest. */
const REST = 600;

export class MaskStage {
  /**
   * @param {HTMLImageElement} picture
   * @param {HTMLCanvasElement} overlay of the picture's shape, on top of it
   * @param {Painter} painter
   * @param {Record<string, any>} attributes of the stage, such as its name
   */
  constructor(picture, overlay, painter, attributes) {
    this.overlay = overlay;
    this.painter = painter;
    this.sheet = h("div", { class: "mask-sheet" }, picture, overlay);
    this.ring = h("div", { class: "mask-ring", hidden: true });
    this.element = h("div", { class: "mask-stage", tabIndex: 0, ...attributes }, this.sheet, this.ring);
    /** Times the size at which the whole picture fits; and where its upper left corner is, in pixels of the stage. */
    this.view = { zoom: 1, x: 0, y: 0 };
    /** Where the keyboard paints. */
    this.cursor = { x: overlay.width / 2, y: overlay.height / 2, pressure: 1 };
    /** Whether the brush was set down by a key. */
    this.down = false;
    /** @type {Map<number, {x: number, y: number}>} the fingers, in pixels of the stage */
    this.touches = new Map();
    /** @type {{kind: "paint" | "pan", id: number} | null} what the pointer does */
    this.drag = null;
    /** @type {{x: number, y: number} | null} where the ring is, in pixels of the stage */
    this.hover = null;
    this.resting = 0;
    this.watcher = new ResizeObserver(() => this.#place());
    this.watcher.observe(this.element);
    this.#listen();
  }

  /** Lets go of what outlives the element. */
  close() {
    this.watcher.disconnect();
    clearTimeout(this.resting);
  }

  /** Shows the whole picture. */
  fit() {
    this.view = { zoom: 1, x: 0, y: 0 };
    this.#place();
  }

  /**
   * @param {number} factor
   * @param {{x: number, y: number}} [around] what stays in its place, in pixels of the stage; its middle by default
   */
  zoom(factor, around = { x: this.element.clientWidth / 2, y: this.element.clientHeight / 2 }) {
    const zoom = Math.min(MOST_ZOOM, Math.max(1, this.view.zoom * factor));
    const real = zoom / this.view.zoom;
    const { x, y } = this.view;
    this.view = { zoom, x: around.x - (around.x - x) * real, y: around.y - (around.y - y) * real };
    this.#place();
  }

  /** Zooms in by one step, or out. @param {boolean} out */
  step(out) {
    this.zoom(out ? 1 / ZOOM_STEP : ZOOM_STEP);
  }

  /** Draws the ring that shows the brush. */
  showBrush() {
    const at = this.hover;
    this.ring.hidden = !at;
    if (!at) return;
    const diameter = Math.max(4, 2 * this.painter.radius() * this.#scale());
    this.ring.style.setProperty("width", `${diameter}px`);
    this.ring.style.setProperty("height", `${diameter}px`);
    this.ring.style.setProperty("transform", `translate(${at.x - diameter / 2}px, ${at.y - diameter / 2}px)`);
  }

  /** Pixels of the screen per pixel of the canvas. */
  #scale() {
    return this.overlay.getBoundingClientRect().width / this.overlay.width;
  }

  #place() {
    const { clientWidth, clientHeight } = this.element;
    const { width, height } = this.overlay;
    const free = { width: clientWidth - 2 * MARGIN, height: clientHeight - 2 * MARGIN };
    const scale = Math.max(0.01, Math.min(free.width / width, free.height / height)) * this.view.zoom;
    const size = { width: width * scale, height: height * scale };
    this.view.x = placed(this.view.x, size.width, clientWidth);
    this.view.y = placed(this.view.y, size.height, clientHeight);
    this.sheet.style.setProperty("width", `${size.width}px`);
    this.sheet.style.setProperty("height", `${size.height}px`);
    this.sheet.style.setProperty("transform", `translate(${this.view.x}px, ${this.view.y}px)`);
    this.showBrush();
  }

  /** @param {{clientX: number, clientY: number}} event */
  #onStage(event) {
    const box = this.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** @param {PointerEvent} event @returns {Point} */
  #onCanvas(event) {
    const box = this.overlay.getBoundingClientRect();
    const scale = this.overlay.width / box.width;
    // A mouse has no pressure worth the name, and some pens begin with none.
    const pressure = event.pointerType === "pen" ? Math.max(0.1, event.pressure) : 1;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale, pressure };
  }

  #listen() {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#lift(event));
    element.addEventListener("pointercancel", (event) => this.#lift(event, true));
    element.addEventListener("pointerleave", () => {
      if (this.drag) return;
      this.hover = null;
      this.showBrush();
    });
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        // Lines, as some mice tell them, are larger than pixels.
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), this.#onStage(event));
      },
      { passive: false },
    );
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("keyup", (event) => event.key === " " && this.#penUp());
    element.addEventListener("focus", () => element.matches(":focus-visible") && this.#showCursor());
    element.addEventListener("blur", () => this.#penUp());
  }

  /** @param {PointerEvent} event */
  #press(event) {
    event.preventDefault();
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.hover = this.#onStage(event);
    if (event.pointerType === "touch") {
      this.touches.set(event.pointerId, this.hover);
      if (this.touches.size > 1) {
        // The second finger: what the first one has begun was not meant as a stroke.
        if (this.drag?.kind === "paint") this.painter.abort();
        this.drag = null;
        return;
      }
    }
    if (this.drag) return;
    this.#penUp();
    this.drag = { kind: event.button === 1 ? "pan" : "paint", id: event.pointerId };
    if (this.drag.kind === "paint") {
      this.painter.begin(event.button === 2 || event.button === 5);
      this.painter.move([this.#onCanvas(event)]);
    }
    this.showBrush();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const at = this.#onStage(event);
    const before = this.touches.get(event.pointerId) ?? this.hover ?? at;
    if (this.touches.size > 1) {
      this.#pinch(event.pointerId, at);
      return;
    }
    if (this.touches.has(event.pointerId)) this.touches.set(event.pointerId, at);
    this.hover = at;
    if (this.drag?.id === event.pointerId) {
      if (this.drag.kind === "pan") {
        this.#pan(at.x - before.x, at.y - before.y);
      } else {
        const events = event.getCoalescedEvents?.() ?? [];
        this.painter.move((events.length ? events : [event]).map((one) => this.#onCanvas(one)));
      }
    }
    this.showBrush();
  }

  /** @param {PointerEvent} event @param {boolean} [canceled] */
  #lift(event, canceled = false) {
    this.touches.delete(event.pointerId);
    if (this.drag?.id === event.pointerId) {
      if (this.drag.kind === "paint") this.painter[canceled ? "abort" : "end"]();
      this.drag = null;
    }
    if (event.pointerType === "touch") this.hover = null;
    this.showBrush();
  }

  /**
   * Two fingers: the picture stays under them.
   *
   * @param {number} id of the finger that has moved
   * @param {{x: number, y: number}} at where it is now
   */
  #pinch(id, at) {
    const before = [...this.touches.values()].slice(0, 2);
    this.touches.set(id, at);
    const after = [...this.touches.values()].slice(0, 2);
    const [from, to] = [before, after].map(([a, b]) => ({
      x: (a.x + b.x) / 2,
      y: (a.y + b.y) / 2,
      apart: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)),
    }));
    this.#pan(to.x - from.x, to.y - from.y);
    this.zoom(to.apart / from.apart, to);
    this.hover = null;
    this.showBrush();
  }

  /** @param {number} dx @param {number} dy */
  #pan(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.#place();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (way) {
      const distance = Math.max(1, this.painter.radius() / 2) * (event.shiftKey ? 5 : 1);
      const { width, height } = this.overlay;
      this.cursor.x = Math.min(width, Math.max(0, this.cursor.x + way[0] * distance));
      this.cursor.y = Math.min(height, Math.max(0, this.cursor.y + way[1] * distance));
      if (this.down) this.painter.move([{ ...this.cursor }]);
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.painter.rest(this.cursor), REST);
    } else if (event.key === " " || event.key === "Enter") {
      // The space bar paints while it is held, Enter until it is pressed again.
      if (!event.repeat) {
        if (this.down) this.#penUp();
        else this.#penDown();
      }
    } else {
      return;
    }
    event.preventDefault();
    this.#showCursor();
  }

  #penDown() {
    this.down = true;
    this.element.classList.add("mask-down");
    this.painter.begin(false);
    this.painter.move([{ ...this.cursor }]);
  }

  #penUp() {
    if (!this.down) return;
    this.down = false;
    this.element.classList.remove("mask-down");
    this.painter.end();
  }

  /** Shows where the keyboard paints, and moves the picture so that it is to be seen. */
  #showCursor() {
    const scale = this.#scale();
    const { clientWidth, clientHeight } = this.element;
    const x = this.view.x + this.cursor.x * scale;
    const y = this.view.y + this.cursor.y * scale;
    if (x < 0 || y < 0 || x > clientWidth || y > clientHeight) this.#pan(clientWidth / 2 - x, clientHeight / 2 - y);
    this.hover = { x: this.view.x + this.cursor.x * scale, y: this.view.y + this.cursor.y * scale };
    this.showBrush();
  }
}

/**
 * Where a picture begins along one side: in the middle if it fits, else with no gap at either end.
 *
 * @param {number} at
 * @param {number} size of the picture
 * @param {number} room
 */
function placed(at, size, room) {
  if (size <= room) return (room - size) / 2;
  return Math.min(MARGIN, Math.max(room - size - MARGIN, at));
}
