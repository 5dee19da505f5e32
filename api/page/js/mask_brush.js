/** The brush: how large and soft it is, and the curve that it draws through the places where it was. */

/** @typedef {import("./mask_layers.js").MaskLayers} MaskLayers */
/** @typedef {import("./mask_layers.js").Box} Box */
/** @typedef {import("./mask_stage.js").Point} Point */

/** Its diameter as a part of the picture's long side: the least, and how many times as large the largest is. */
const LEAST = 0.005;
const TIMES = 100;

export class MaskBrush {
  /**
   * @param {MaskLayers} layers
   * @param {(box: Box | null) => void} changed called with what has changed
   */
  constructor(layers, changed) {
    this.layers = layers;
    this.changed = changed;
    /** From 0 to 100, each step by the same factor. */
    this.size = 58;
    /** From 0 to 100. */
    this.softness = 35;
    this.erase = false;
    /** The region that it paints. */
    this.region = 0;
    /** @type {Point[]} the last two places */
    this.trail = [];
  }

  /** As a part of the picture's long side. */
  get diameter() {
    return LEAST * TIMES ** (this.size / 100);
  }

  /** In pixels of the masks. */
  get radius() {
    return (this.diameter * Math.max(this.layers.width, this.layers.height)) / 2;
  }

  /** Sets it down. @param {boolean} erase whatever it does else */
  begin(erase) {
    this.trail = [];
    this.layers.begin(this.region, { erase: erase || this.erase, hardness: 1 - this.softness / 100 });
  }

  /** Goes on, along a curve through the middles between places, which has no corners. @param {Point[]} points */
  move(points) {
    for (const point of points) {
      const [before, last] = this.trail;
      this.trail = [last ?? point, point];
      if (last) this.#curve(middle(before, last), last, middle(last, point));
      else this.#line(point, point);
    }
  }

  /** Lifts it. */
  end() {
    const [before, last] = this.trail;
    if (last) this.#line(middle(before, last), last);
    this.layers.end();
  }

  /** Takes back what it has drawn since it was set down. */
  abort() {
    this.changed(this.layers.abort());
  }

  /** @param {Point} start @param {Point} control @param {Point} end */
  #curve(start, control, end) {
    const distance = Math.hypot(end.x - start.x, end.y - start.y);
    const pieces = Math.ceil(distance / Math.max(3, this.radius / 3)) || 1;
    let from = start;
    for (let piece = 1; piece <= pieces; piece++) {
      const t = piece / pieces;
      const to = middle(middle(start, control, t), middle(control, end, t), t);
      this.#line(from, to);
      from = to;
    }
  }

  /** @param {Point} from @param {Point} to */
  #line(from, to) {
    const [a, b] = [from, to].map(({ x, y, pressure }) => ({ x, y, radius: this.radius * pressure }));
    this.changed(this.layers.line(a, b));
  }
}

/** A point between two. @param {Point} a @param {Point} b @param {number} [part] of the way @returns {Point} */
function middle(a, b, part = 0.5) {
  const between = (/** @type {number} */ from, /** @type {number} */ to) => from + part * (to - from);
  return { x: between(a.x, b.x), y: between(a.y, b.y), pressure: between(a.pressure, b.pressure) };
}
