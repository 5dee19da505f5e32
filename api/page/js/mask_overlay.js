/** What the masks will do, shown over the picture: each region in its style, shared where regions overlap. */

/** @typedef {import("./mask_layers.js").MaskLayers} MaskLayers */
/** @typedef {import("./mask_layers.js").Box} Box */

/** How opaque a region is shown, so that the picture's forms can be followed under it. */
const OPACITY = 0.78;

/** The colours of regions, as far from one another as they can be; also for who takes some of them for the same. */
export const COLORS = ["#e69f00", "#0072b2", "#009e73", "#cc79a7", "#f0e442", "#56b4e9", "#d55e00", "#8f7bd6"];

export class MaskOverlay {
  /** @param {MaskLayers} layers */
  constructor(layers) {
    this.layers = layers;
    this.canvas = document.createElement("canvas");
    this.canvas.width = layers.width;
    this.canvas.height = layers.height;
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    /** The region whose edge is drawn. */
    this.active = 0;
    /** Whether regions are shown in plain colours. */
    this.plain = false;
    const colors = COLORS.map((color) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)));
    /** @type {number[][]} */
    this.colors = layers.masks.map((_, k) => colors[k % colors.length]);
    /** What each style looks like, as RGBA of the size of the masks; null while it is not known. @type {(Uint8ClampedArray | null)[]} */
    this.textures = layers.masks.map(() => null);
  }

  /**
   * Shows a region in this picture, which covers the whole.
   *
   * @param {number} region
   * @param {ImageBitmap} picture
   */
  texture(region, picture) {
    const { width, height } = this.layers;
    const scale = Math.max(width / picture.width, height / picture.height);
    const [w, h] = [picture.width * scale, picture.height * scale];
    this.textures[region] = pixels(picture, width, height, (width - w) / 2, (height - h) / 2, w, h);
  }

  /** @param {Box} [box] what has changed; everything without one */
  draw(box = { x: 0, y: 0, width: this.layers.width, height: this.layers.height }) {
    const { masks, width, height } = this.layers;
    // An edge belongs to two pixels.
    const x0 = Math.max(0, box.x - 1);
    const y0 = Math.max(0, box.y - 1);
    const [w, h] = [Math.min(width, box.x + box.width) - x0, Math.min(height, box.y + box.height) - y0];
    const image = new ImageData(w, h);
    const { data } = image;
    const active = masks[this.active];
    for (let y = y0; y < y0 + h; y++) {
      for (let x = x0; x < x0 + w; x++) {
        const i = y * width + x;
        const at = ((y - y0) * w + (x - x0)) * 4;
        const inside = active[i] > 127;
        const edge =
          (x + 1 < width && inside !== active[i + 1] > 127) || (y + 1 < height && inside !== active[i + width] > 127);
        if (edge) {
          // Dashes of black and white are seen on every picture.
          const tone = (x + y) & 8 ? 255 : 0;
          data[at] = data[at + 1] = data[at + 2] = tone;
          data[at + 3] = 255;
          continue;
        }
        let sum = 0;
        let [red, green, blue] = [0, 0, 0];
        for (let k = 0; k < masks.length; k++) {
          const value = masks[k][i];
          if (!value) continue;
          const texture = this.plain ? null : this.textures[k];
          const [source, place] = texture ? [texture, i * 4] : [this.colors[k], 0];
          sum += value;
          red += value * source[place];
          green += value * source[place + 1];
          blue += value * source[place + 2];
        }
        if (!sum) continue;
        // As the engines do it: where regions overlap, they share.
        data[at] = red / sum;
        data[at + 1] = green / sum;
        data[at + 2] = blue / sum;
        data[at + 3] = Math.min(255, sum) * OPACITY;
      }
    }
    this.context.putImageData(image, x0, y0);
  }
}

/**
 * A picture as a mask: how bright it is, stretched to the size.
 *
 * @param {ImageBitmap} picture grey
 * @param {number} width
 * @param {number} height
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function brightness(picture, width, height) {
  const data = pixels(picture, width, height, 0, 0, width, height);
  return Uint8Array.from({ length: width * height }, (_, i) => data[i * 4]);
}

/**
 * @param {ImageBitmap} picture
 * @param {number} width of the canvas
 * @param {number} height
 * @param {number} x where the picture lies on it
 * @param {number} y
 * @param {number} w
 * @param {number} h
 */
function pixels(picture, width, height, x, y, w, h) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, x, y, w, h);
  return context.getImageData(0, 0, width, height).data;
}
