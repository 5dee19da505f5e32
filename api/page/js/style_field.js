/** The styles to paint in: of the gallery or the user's own paintings, how much of each, and where. */

import { Refused, Unreachable } from "./api.js";
import { valueOf } from "./controls.js";
import { h, fill, icon } from "./dom.js";
import { notice, told } from "./errors.js";
import { acceptDrops, filePicker } from "./files.js";
import { percent } from "./format.js";
import { picture } from "./picture.js";
import { texts } from "./texts.js";

const words = texts.compose.styles;

/**
 * @typedef {{id: string, title: string, artist: string, year: string, keeps_color: boolean, style_sizes: number[],
 *            urls: {thumbnail: string}}} Style of the gallery
 */

export class StyleField {
  /**
   * @param {import("./main.js").Context} context
   * @param {() => void} onchange
   */
  constructor({ api, draft, announce }, onchange) {
    this.api = api;
    this.draft = draft;
    this.announce = announce;
    this.onchange = onchange;
    /** @type {Map<string, Style>} */
    this.gallery = new Map();
    this.most = 8;
    /** @type {string[]} what `color` can be */
    this.colors = [];
    /** Whether it is known what the gallery has. */
    this.offered = false;
    /** @type {HTMLElement | null} why there is nothing to choose */
    this.failure = null;
    /** @type {string[]} */
    this.urls = [];
    this.error = h("p", { class: "field-error", id: "style-error", role: "alert" });
    this.maskError = h("p", { class: "field-error", id: "mask-error", role: "alert" });
    this.choice = h("div", { class: "styles-choice" });
    this.mixture = h("div", { class: "styles-mixture" });
    this.where = h("div", { class: "styles-where" });
    this.element = h("section", { class: "panel-part styles", "aria-labelledby": "style-heading" },
      h("h2", { id: "style-heading" }, words.heading),
      segments("source", words.source, { gallery: words.gallery, own: words.own }, draft.state.source, (value) => {
        draft.state.source = /** @type {"gallery" | "own"} */ (value);
        this.draw();
        this.onchange();
      }),
      this.error, this.choice, this.mixture, this.where, this.maskError);
    this.draw();
  }

  /**
   * Shows what there is to choose.
   *
   * @param {Style[]} styles of the gallery
   * @param {number} most that a job may have
   * @param {string[]} colors whose colours a style can have
   */
  offer(styles, most, colors) {
    this.gallery = new Map(styles.map((style) => [style.id, style]));
    this.offered = true;
    this.most = most;
    this.colors = colors;
    this.failure = null;
    this.draft.state.gallery = this.draft.state.gallery.filter(({ id }) => this.gallery.has(id));
    this.draw();
  }

  /**
   * Says why there is nothing to choose.
   *
   * @param {unknown} error
   * @param {() => void} retry
   */
  fail(error, retry) {
    this.failure = notice(told(error), h("button", { class: "button", type: "button", onclick: retry }, texts.retry));
    this.draw();
  }

  draw() {
    fill(this.choice, this.draft.state.source === "own" ? this.#own() : this.#gallery());
    this.drawMixture();
    this.drawWhere();
  }

  /** The weights; only where there is something to weigh. */
  drawMixture() {
    for (const url of this.urls.splice(0)) URL.revokeObjectURL(url);
    const { styles, state } = this.draft;
    const several = styles.length > 1;
    const rows = state.source === "own" || several ? styles.map((style, k) => this.#row(style, k, several)) : [];
    fill(this.mixture, rows.length > 0 && h("ul", { class: "rows", "aria-label": words.chosen }, rows));
  }

  /** Everywhere, on the subject, or by masks. */
  drawWhere() {
    const { styles, state } = this.draft;
    const masked = styles.filter(({ mask }) => mask).length;
    const now = masked ? "mask" : styles.length === 1 && state.autoMask ? state.autoMask : "";
    const single = styles.length === 1;
    const choices = { "": words.everywhere, ...(single ? { subject: words.subject, background: words.background } : {}), mask: words.masks };
    fill(this.where,
      styles.length > 0 && state.content && h("div", { class: "field" },
        h("p", { class: "field-label", id: "where-label" }, words.where),
        segments("where", words.where, choices, now, (value) => this.#paint(value)),
        masked > 0 && h("div", { class: "toolbar" },
          h("p", { class: "small" }, this.draft.lacksMasks ? words.lacking(masked, styles.length) : words.masked(masked)),
          h("button", { class: "button", type: "button", onclick: () => this.#editMasks() }, icon("mask"), words.edit)),
        now !== "" && now !== "mask" && h("p", { class: "field-hint" }, words.automatic)));
  }

  /**
   * @param {Map<string, string>} errors by the name of the field
   * @returns {HTMLElement | null} what gets the focus
   */
  showErrors(errors) {
    const style = ["style", "style_id", "style_weights"].map((name) => errors.get(name)).find(Boolean) ?? "";
    const mask = ["mask", "auto_mask"].map((name) => errors.get(name)).find(Boolean) ?? "";
    this.error.textContent = style && !this.draft.styles.length ? words.missing : style;
    this.maskError.textContent = mask;
    if (style) return this.choice.querySelector("input");
    return mask ? this.where.querySelector("input") : null;
  }

  close() {
    for (const url of this.urls) URL.revokeObjectURL(url);
  }

  #gallery() {
    const { state } = this.draft;
    if (this.failure) return [this.failure];
    if (!this.gallery.size) return [h("p", { class: "quiet" }, this.offered ? words.none : texts.loading)];
    const chosen = new Set(state.gallery.map(({ id }) => id));
    const tiles = [...this.gallery.values()].map((style) => {
      const input = h("input", {
        type: state.blend ? "checkbox" : "radio", name: "style_id", value: style.id, checked: chosen.has(style.id),
        "aria-describedby": "style-error", onchange: () => this.#choose(style.id, input.checked),
      });
      return h("label", { class: "tile" }, input,
        picture(this.api, style.urls.thumbnail, { alt: "", class: "tile-picture" }),
        h("span", { class: "tile-mark" }, icon("check")),
        h("span", { class: "tile-name" }, style.title));
    });
    const blend = h("input", { type: "checkbox", checked: state.blend, onchange: () => this.#blend(blend.checked) });
    return [
      h("fieldset", {}, h("legend", { class: "sr-only" }, words.gallery), h("div", { class: "tiles" }, tiles)),
      h("p", { class: "small quiet styles-credit" }, state.gallery.map(({ id }) => this.#credit(id)).join(" · ") || words.choose),
      h("label", { class: "check" }, blend, words.blend),
    ];
  }

  #own() {
    const { own } = this.draft.state;
    const area = h("div", { class: own.length ? "drop small-drop" : "drop" },
      own.length === 0 && icon("frame"),
      own.length === 0 && h("p", { class: "drop-title" }, words.title),
      own.length === 0 && h("p", { class: "quiet drop-hint" }, words.hint),
      own.length < this.most
        ? filePicker(own.length ? words.another : words.pick, "plus", (files) => this.#add(files), { several: true, describedby: "style-error" })
        : h("p", { class: "quiet" }, words.full(this.most)));
    acceptDrops(area, (files) => this.#add(files));
    return [area];
  }

  /**
   * @param {import("./draft.js").Painting | import("./draft.js").Chosen} style
   * @param {number} k
   * @param {boolean} several
   */
  #row(style, k, several) {
    const label = this.#label(style);
    const total = this.draft.styles.reduce((sum, { weight }) => sum + weight, 0) || 1;
    const share = h("span", { class: "field-value" }, several && percent(style.weight / total));
    const range = h("input", {
      type: "range", min: 0, max: 2, step: 0.05, "aria-label": words.weight(label),
      oninput: () => {
        style.weight = Number(range.value);
        const sum = this.draft.styles.reduce((all, { weight }) => all + weight, 0) || 1;
        for (const [i, element] of this.mixture.querySelectorAll(".field-value").entries()) {
          element.textContent = percent(this.draft.styles[i].weight / sum);
        }
      },
      onchange: () => this.onchange(),
    });
    range.value = String(style.weight);
    return h("li", { class: "row" },
      this.#thumbnail(style),
      h("div", { class: "row-body" },
        h("p", { class: "field-label" }, h("span", { class: "row-name" }, label), share),
        several && range,
        several && this.#colorOf(style, label),
        style.mask && h("p", { class: "chip" }, icon("mask"), words.hasMask)),
      h("button", { class: "button plain only-icon", type: "button", "aria-label": words.remove(label), onclick: () => this.#drop(k) }, icon("close")));
  }

  /** Whose colours this style has, where it is not as with the others. @param {import("./draft.js").Share} style @param {string} label */
  #colorOf(style, label) {
    const select = h("select", { class: "input row-color", "aria-label": words.color(label), onchange: () => {
      style.color = select.value;
      this.onchange();
    } },
      h("option", { value: "" }, words.asBelow), this.colors.map((color) => h("option", { value: color }, valueOf("color", color))));
    select.value = style.color ?? "";
    return select;
  }

  /** @param {import("./draft.js").Painting | import("./draft.js").Chosen} style */
  #thumbnail(style) {
    if ("id" in style) {
      const found = this.gallery.get(style.id);
      return found ? picture(this.api, found.urls.thumbnail, { alt: "", class: "row-picture" }) : h("span", { class: "row-picture" });
    }
    const url = URL.createObjectURL(style.blob);
    this.urls.push(url);
    return h("img", { class: "row-picture", src: url, alt: "" });
  }

  /** @param {import("./draft.js").Painting | import("./draft.js").Chosen} style */
  #label(style) {
    return "id" in style ? (this.gallery.get(style.id)?.title ?? style.id) : style.name;
  }

  /** @param {string} id */
  #credit(id) {
    const style = this.gallery.get(id);
    return style ? [style.title, style.artist, style.year].filter(Boolean).join(", ") : id;
  }

  /** @param {string} id @param {boolean} checked */
  #choose(id, checked) {
    const { state } = this.draft;
    const kept = state.blend ? state.gallery.filter((style) => style.id !== id) : [];
    if (checked && kept.length >= this.most) {
      this.error.textContent = words.full(this.most);
      const input = this.choice.querySelector(`input[value="${CSS.escape(id)}"]`);
      if (input instanceof HTMLInputElement) input.checked = false;
      return;
    }
    state.gallery = checked ? [...kept, { id, title: this.gallery.get(id)?.title, weight: 1, mask: null }] : kept;
    this.#changed();
    const credit = this.choice.querySelector(".styles-credit");
    if (credit) credit.textContent = state.gallery.map((style) => this.#credit(style.id)).join(" · ") || words.choose;
  }

  /** @param {boolean} blend */
  #blend(blend) {
    const { state } = this.draft;
    state.blend = blend;
    if (!blend) state.gallery = state.gallery.slice(0, 1);
    this.draw();
    this.onchange();
    const box = this.choice.querySelector(".check input");
    if (box instanceof HTMLElement) box.focus();
  }

  /** @param {File[]} files */
  #add(files) {
    const { own } = this.draft.state;
    const taken = files.slice(0, this.most - own.length);
    own.push(...taken.map((file) => ({ blob: file, name: file.name || "painting", weight: 1, mask: null })));
    this.error.textContent = taken.length < files.length ? words.full(this.most) : "";
    this.draw();
    this.announce(words.added(taken.map(({ name }) => name).join(", ")));
    this.onchange();
    // Where no more are taken there is nothing to choose with: the last of them can be removed.
    (this.choice.querySelector("input") ?? this.mixture.querySelector("li:last-child button"))?.focus({ preventScroll: true });
  }

  /** @param {number} k */
  #drop(k) {
    const { state } = this.draft;
    const [gone] = this.draft.styles.splice(k, 1);
    this.announce(words.removed(this.#label(gone)));
    if (state.source === "own" || state.blend) this.draw();
    this.onchange();
    this.choice.querySelector("input")?.focus({ preventScroll: true });
  }

  #changed() {
    this.error.textContent = "";
    this.drawMixture();
    this.drawWhere();
    this.onchange();
  }

  /** @param {string} value of where to paint */
  #paint(value) {
    const { state, styles } = this.draft;
    this.maskError.textContent = "";
    if (value === "mask") {
      this.#editMasks();
      return;
    }
    state.autoMask = value;
    for (const style of styles) style.mask = null;
    this.drawMixture();
    this.drawWhere();
    this.onchange();
    this.#focusWhere();
  }

  async #editMasks() {
    const { content } = this.draft.state;
    const { styles } = this.draft;
    if (!content) return;
    try {
      const { editMasks } = await import("./mask_editor.js").catch((error) => {
        throw new Unreachable(error);
      });
      const regions = styles.map((style) => ({
        label: this.#label(style),
        image: "id" in style ? (this.gallery.get(style.id)?.urls.thumbnail ?? "") : style.blob,
        mask: style.mask,
      }));
      const masks = await editMasks({ content: content.blob, regions, announce: this.announce, api: this.api });
      if (masks) {
        for (const [k, style] of styles.entries()) style.mask = masks[k] ?? null;
        this.draft.state.autoMask = "";
        this.onchange();
      }
    } catch (error) {
      // What the editor itself has to say is for people already.
      const about = told(error);
      this.maskError.textContent = error instanceof Refused || error instanceof Unreachable ? `${about.title}. ${about.advice}` : String(Object(error).message);
    }
    this.drawMixture();
    this.drawWhere();
    this.#focusWhere();
  }

  #focusWhere() {
    const chosen = this.where.querySelector("input:checked");
    if (chosen instanceof HTMLElement) chosen.focus({ preventScroll: true });
  }
}

/**
 * Radio buttons side by side.
 *
 * @param {string} name
 * @param {string} label
 * @param {Record<string, string>} choices texts by value
 * @param {string} value that is chosen
 * @param {(value: string) => void} onchoice
 */
export function segments(name, label, choices, value, onchoice) {
  return h("div", { class: "segments", role: "radiogroup", "aria-label": label },
    Object.entries(choices).map(([choice, text]) =>
      h("label", { class: "segment" },
        h("input", { type: "radio", name, value: choice, checked: choice === value, onchange: () => onchoice(choice) }),
        h("span", {}, text))));
}
