/** The controls beside the picture that masks are painted on: styles, tool, brush, and what to begin with. */

import { fill, h, icon } from "./dom.js";
import { percent } from "./format.js";
import { COLORS } from "./mask_overlay.js";
import { texts } from "./texts.js";

/** @typedef {import("./mask_brush.js").MaskBrush} MaskBrush */
/**
 * @typedef {object} Actions what the controls do
 * @property {(region: number) => void} choose
 * @property {(again: boolean) => void} travel one step back, or forth again
 * @property {(what: "all" | "rest" | "invert" | "clear") => void} fill the region's mask
 * @property {(what: "subject" | "background") => void} find
 * @property {(plain: boolean) => void} show the styles as plain colours, or as they are
 * @property {() => void} resized the brush is another one
 */

export class MaskPanel {
  /**
   * @param {string[]} labels of the styles
   * @param {MaskBrush} brush
   * @param {Actions} actions
   */
  constructor(labels, brush, actions) {
    const words = texts.mask;
    this.labels = labels;
    this.brush = brush;
    this.actions = actions;
    this.areas = labels.map(() => h("span", { class: "mask-area" }));
    this.bare = h("p", { class: "mask-bare" });
    this.swatches = labels.map((_, k) => {
      const swatch = h("span", { class: "mask-swatch" });
      swatch.style.setProperty("--region", COLORS[k % COLORS.length]);
      return swatch;
    });
    this.regions = labels.map((_, k) => radio("mask-region", k === 0, () => actions.choose(k)));
    this.tools = [false, true].map((erase) => radio("mask-tool", !erase, () => this.tool(erase)));
    this.undo = iconButton("undo", words.undo, () => actions.travel(false), "Control+Z");
    this.redo = iconButton("redo", words.redo, () => actions.travel(true), "Control+Shift+Z");
    this.size = slider(brush.size, () => this.describe());
    this.sizeValue = h("span", { class: "field-value" });
    this.softness = slider(brush.softness, () => this.describe());
    this.softnessValue = h("span", { class: "field-value" });
    this.finders = [
      textButton(words.subject, () => actions.find("subject")),
      textButton(words.background, () => actions.find("background")),
    ];
    this.element = this.#build();
    this.describe();
  }

  #build() {
    const words = texts.mask;
    const plain = h("input", { type: "checkbox", onchange: () => this.actions.show(plain.checked) });
    const fills = [
      textButton(words.all, () => this.actions.fill("all")),
      this.labels.length > 1 && textButton(words.rest, () => this.actions.fill("rest")),
      textButton(words.invert, () => this.actions.fill("invert")),
      textButton(words.clear, () => this.actions.fill("clear")),
    ];
    return h("div", { class: "mask-panel" },
      h("div", { class: "mask-tools" },
        h("fieldset", { class: "segments" },
          h("legend", { class: "sr-only" }, words.tool),
          this.tools.map((tool, k) => h("label", { class: "segment" }, tool, h("span", {}, k ? words.erase : words.paint)))),
        this.undo,
        this.redo),
      h("fieldset", { class: "mask-regions" },
        h("legend", { class: "heading" }, words.regions),
        this.labels.map((label, k) =>
          h("label", { class: "mask-region" },
            this.regions[k], this.swatches[k], h("span", { class: "mask-name" }, label), this.areas[k])),
        this.bare),
      h("div", { class: "mask-brush" },
        h("label", { class: "field" }, h("span", { class: "field-label" }, words.size, this.sizeValue), this.size),
        h("label", { class: "field" },
          h("span", { class: "field-label" }, words.softness, this.softnessValue), this.softness)),
      h("div", { class: "mask-starts", role: "group", "aria-labelledby": "mask-starts" },
        h("h3", { id: "mask-starts", class: "heading" }, words.starts),
        h("div", { class: "mask-fills" }, this.finders, fills)),
      h("label", { class: "check" }, plain, words.plain),
      h("details", { class: "fold" },
        h("summary", {}, icon("right"), words.help),
        h("ul", { class: "mask-help" }, words.helpLines.map((line) => h("li", {}, line)))));
  }

  /** Takes the tool for painting, or for erasing. @param {boolean} erase */
  tool(erase) {
    this.brush.erase = erase;
    this.tools[Number(erase)].checked = true;
  }

  /** @param {number} steps of the slider by which the brush shall be larger */
  resize(steps) {
    this.size.value = String(Number(this.size.value) + steps);
    this.describe();
  }

  /** Takes the brush from the sliders, and says their values. */
  describe() {
    this.brush.size = Number(this.size.value);
    this.brush.softness = Number(this.softness.value);
    const [size, softness] = [percent(this.brush.diameter), percent(this.brush.softness / 100)];
    fill(this.sizeValue, size);
    fill(this.softnessValue, softness);
    this.size.setAttribute("aria-valuetext", size);
    this.softness.setAttribute("aria-valuetext", softness);
    this.actions.resized();
  }

  /**
   * Says how much of the picture is painted, and whether there are steps to go.
   *
   * @param {import("./mask_layers.js").MaskLayers} layers
   */
  summarize(layers) {
    const { regions, none } = layers.areas();
    regions.forEach((area, k) => fill(this.areas[k], area ? percent(area) : texts.mask.empty));
    fill(this.bare, texts.mask.bare(percent(none), regions.length > 1));
    this.undo.disabled = !layers.done.length;
    this.redo.disabled = !layers.undone.length;
  }
}

/** @param {string} name of the icon @param {string} label @param {() => void} onclick @param {string} [keys] */
export function iconButton(name, label, onclick, keys = undefined) {
  const properties = { "aria-label": label, title: label, "aria-keyshortcuts": keys };
  return h("button", { type: "button", class: "button only-icon", onclick, ...properties }, icon(name));
}

/** @param {string} label @param {() => void} onclick */
export function textButton(label, onclick) {
  return h("button", { type: "button", class: "button", onclick }, label);
}

/** @param {string} name @param {boolean} checked @param {() => void} onchange */
function radio(name, checked, onchange) {
  return h("input", { type: "radio", name, checked, onchange });
}

/** From 0 to 100. @param {number} value @param {() => void} oninput */
function slider(value, oninput) {
  return h("input", { type: "range", min: "0", max: "100", value: String(value), oninput });
}
