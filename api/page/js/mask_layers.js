/** Masks as grey pixels, one for each region of a picture; what a brush does to them, and the way back. */

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Box pixels of a mask
 * @typedef {{x: number, y: number, radius: number}} Dab a touch of the brush, in pixels of a mask
 * @typedef {{region: number, box: Box, before: Uint8Array, after: Uint8Array}} Step
 */

/** Steps are forgotten, the oldest first, when they take more bytes than this. */
const REMEMBERED_BYTES = 64 * 2 ** 20;

export class MaskLayers {
  /**
   * @param {number} width of every mask
   * @param {number} height
   * @param {number} count of regions
   */
  constructor(width, height, count) {
    this.width = width;
    this.height = height;
    /** White (255) is painted in the region's style, black is not. */
    this.masks = Array.from({ length: count }, () => new Uint8Array(width * height));
    /** @type {Step[]} */
    this.done = [];
    /** @type {Step[]} */
    this.undone = [];
    /** @type {{region: number, erase: boolean, hardness: number, before: Uint8Array<ArrayBuffer>, cover: Uint8Array, box: Box | null} | null} */
    this.stroke = null;
  }

  /**
   * Begins a stroke, within which the brush never adds to itself.
   *
   * @param {number} region
   * @param {{erase: boolean, hardness: number}} brush the hardness from 0, soft from its middle on, to 1
   */
  begin(region, { erase, hardness }) {
    const before = this.masks[region].slice();
    this.stroke = { region, erase, hardness, before, cover: new Uint8Array(before.length), box: null };
  }

  /**
   * Draws the brush from one place to another.
   *
   * @param {Dab} from
   * @param {Dab} to
   * @returns {Box | null} what has changed
   */
  line(from, to) {
    const { stroke, width } = this;
    if (!stroke) return null;
    const reach = Math.max(from.radius, to.radius) + 1;
    const box = this.#within(
      Math.min(from.x, to.x) - reach,
      Math.min(from.y, to.y) - reach,
      Math.max(from.x, to.x) + reach,
      Math.max(from.y, to.y) + reach,
    );
    if (!box) return null;
    const { before, cover, erase, hardness } = stroke;
    const mask = this.masks[stroke.region];
    const dx = to.x - from.x;
    const dy = to.y - from.y;
    const length = dx * dx + dy * dy;
    const left = box.x;
    const [right, bottom] = [left + box.width, box.y + box.height];
    for (let y = box.y; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const i = y * width + x;
        if (cover[i] === 255) continue;
        // The nearest point of the line, at `along` of it, and how far from it the middle of this pixel is.
        const px = x + 0.5 - from.x;
        const py = y + 0.5 - from.y;
        const along = length && Math.min(1, Math.max(0, (px * dx + py * dy) / length));
        const ox = px - along * dx;
        const oy = py - along * dy;
        const square = ox * ox + oy * oy;
        if (square > reach * reach) continue;
        const radius = from.radius + along * (to.radius - from.radius);
        const inside = Math.min(1, (radius + 0.5 - Math.sqrt(square)) / Math.max(1, radius * (1 - hardness)));
        if (inside <= 0) continue;
        const value = Math.round(255 * inside * inside * (3 - 2 * inside));
        if (value <= cover[i]) continue;
        cover[i] = value;
        mask[i] = erase ? (before[i] * (255 - value)) / 255 : before[i] + ((255 - before[i]) * value) / 255;
      }
    }
    stroke.box = stroke.box ? union(stroke.box, box) : box;
    return box;
  }

  /** Ends the stroke, which is a step then. */
  end() {
    const { stroke } = this;
    this.stroke = null;
    if (stroke?.box) this.#remember(stroke.region, stroke.box, stroke.before);
  }

  /** Takes the stroke back before it has ended. @returns {Box | null} what has changed */
  abort() {
    const { stroke } = this;
    this.stroke = null;
    if (stroke) this.masks[stroke.region] = stroke.before;
    return stroke?.box ?? null;
  }

  /**
   * Puts another mask in the place of a region's, in one step.
   *
   * @param {number} region
   * @param {(value: number, i: number) => number} pixel from the value and the place of a pixel to its new value
   */
  replace(region, pixel) {
    const before = this.masks[region];
    this.masks[region] = before.map(pixel);
    this.#remember(region, { x: 0, y: 0, width: this.width, height: this.height }, before);
  }

  /** What no other region covers at a pixel. @param {number} region @param {number} i */
  rest(region, i) {
    let others = 0;
    for (let k = 0; k < this.masks.length; k++) if (k !== region) others += this.masks[k][i];
    return Math.max(0, 255 - others);
  }

  /** @returns {number | null} the region that is as it was before, or null when there is no step to take back */
  undo() {
    return this.#travel(this.done, this.undone, (step) => step.before);
  }

  /** @returns {number | null} the region whose step is done again, or null when there is none */
  redo() {
    return this.#travel(this.undone, this.done, (step) => step.after);
  }

  /**
   * How much of the picture each region is painted over, and how much of it none is, from 0 to 1.
   *
   * @returns {{regions: number[], none: number}}
   */
  areas() {
    const { masks } = this;
    const sums = masks.map(() => 0);
    let none = 0;
    for (let i = 0; i < masks[0].length; i++) {
      let cover = 0;
      for (let k = 0; k < masks.length; k++) {
        sums[k] += masks[k][i];
        cover += masks[k][i];
      }
      if (cover < 255) none += 255 - cover;
    }
    const whole = 255 * masks[0].length;
    return { regions: sums.map((sum) => sum / whole), none: none / whole };
  }

  /**
   * @param {Step[]} from
   * @param {Step[]} to
   * @param {(step: Step) => Uint8Array} pixels
   */
  #travel(from, to, pixels) {
    const step = from.pop();
    if (!step || this.stroke) return null;
    to.push(step);
    copy(pixels(step), { ...step.box, x: 0, y: 0 }, step.box.width, this.masks[step.region], step.box, this.width);
    return step.region;
  }

  /**
   * @param {number} region
   * @param {Box} box
   * @param {Uint8Array} mask as it was
   */
  #remember(region, box, mask) {
    const [before, after] = [mask, this.masks[region]].map((pixels) => {
      const part = new Uint8Array(box.width * box.height);
      copy(pixels, box, this.width, part, { ...box, x: 0, y: 0 }, box.width);
      return part;
    });
    this.undone = [];
    this.done.push({ region, box, before, after });
    let bytes = this.done.reduce((sum, step) => sum + step.before.length + step.after.length, 0);
    while (bytes > REMEMBERED_BYTES && this.done.length > 1) {
      const oldest = /** @type {Step} */ (this.done.shift());
      bytes -= oldest.before.length + oldest.after.length;
    }
  }

  /**
   * @param {number} left
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   * @returns {Box | null}
   */
  #within(left, top, right, bottom) {
    const [x, y] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
    const width = Math.min(this.width, Math.ceil(right)) - x;
    const height = Math.min(this.height, Math.ceil(bottom)) - y;
    return width > 0 && height > 0 ? { x, y, width, height } : null;
  }
}

/** The smallest box that holds two. @param {Box} a @param {Box} b @returns {Box} */
export function union(a, b) {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  const width = Math.max(a.x + a.width, b.x + b.width) - x;
  return { x, y, width, height: Math.max(a.y + a.height, b.y + b.height) - y };
}

/**
 * @param {Uint8Array} source
 * @param {Box} from
 * @param {number} sourceWidth
 * @param {Uint8Array} target
 * @param {Box} to of the same size
 * @param {number} targetWidth
 */
function copy(source, from, sourceWidth, target, to, targetWidth) {
  for (let row = 0; row < from.height; row++) {
    const start = (from.y + row) * sourceWidth + from.x;
    target.set(source.subarray(start, start + from.width), (to.y + row) * targetWidth + to.x);
  }
}
