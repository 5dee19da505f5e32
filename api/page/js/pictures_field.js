/** A field for picture files: one that is shown large, or several. */

import { h, fill, icon } from "./dom.js";
import { acceptDrops, filePicker } from "./files.js";

/**
 * @typedef {object} About
 * @property {string} name of the field
 * @property {number} most files
 * @property {boolean} large whether a file is shown as large as there is room
 * @property {(text: string) => void} announce
 * @property {string} label
 * @property {string} hint
 * @property {string} pick what the button says that chooses files
 * @property {string} another what it says when there are some
 * @property {(most: number) => string} full
 * @property {(name: string) => string} taken
 * @property {(name: string) => string} remove
 */

export class PicturesField {
  /**
   * @param {About} about
   * @param {File[]} files those that are there, which the field changes in place
   * @param {() => void} onchange
   */
  constructor(about, files, onchange = () => {}) {
    this.about = about;
    this.files = files;
    this.onchange = onchange;
    /** @type {string[]} */
    this.urls = [];
    this.error = h("p", { class: "field-error", id: `${about.name}-error`, role: "alert" });
    this.body = h("div", { class: "pictures" });
    this.element = h("section", { class: about.large ? "content" : "field", "aria-label": about.label, "data-field": about.name }, [
      !about.large && h("p", { class: "field-label" }, about.label),
      this.body,
      !about.large && h("p", { class: "field-hint", id: `${about.name}-hint` }, about.hint),
      this.error,
    ]);
    acceptDrops(this.element, (dropped) => this.#take(dropped));
    this.#draw();
  }

  /**
   * @param {string} text what is wrong, or nothing
   * @returns {HTMLElement | null} what gets the focus
   */
  showError(text) {
    this.error.textContent = text;
    return text ? this.body.querySelector("input") : null;
  }

  /** Lets go of the pictures. */
  close() {
    for (const url of this.urls.splice(0)) URL.revokeObjectURL(url);
  }

  /** @param {File[]} files */
  #take(files) {
    const { most, full, taken, announce } = this.about;
    if (most === 1) this.files.length = 0;
    const fitting = files.slice(0, most - this.files.length);
    this.files.push(...fitting);
    this.#draw();
    this.error.textContent = fitting.length < files.length && most > 1 ? full(most) : "";
    announce(fitting.map(({ name }) => taken(name)).join(", "));
    this.body.querySelector("input")?.focus({ preventScroll: true });
    this.onchange();
  }

  /** @param {number} k */
  #remove(k) {
    this.files.splice(k, 1);
    this.#draw();
    this.body.querySelector("input")?.focus({ preventScroll: true });
    this.onchange();
  }

  #draw() {
    this.close();
    const { about, files } = this;
    const describedby = `${about.name}-hint ${about.name}-error`;
    const picker = filePicker(files.length ? about.another : about.pick, "photo", (chosen) => this.#take(chosen), {
      several: about.most > 1,
      primary: about.large && !files.length,
      describedby,
    });
    if (about.large && !files.length) {
      fill(this.body, h("div", { class: "drop" },
        icon("frame"),
        h("p", { class: "drop-title" }, about.label),
        h("p", { class: "quiet drop-hint", id: `${about.name}-hint` }, about.hint),
        picker));
    } else if (about.large) {
      fill(this.body, h("figure", {},
        h("div", { class: "content-frame" }, this.#picture(files[0], "content-picture")),
        h("figcaption", { class: "content-caption" },
          h("div", { class: "content-name" }, h("strong", {}, files[0].name)),
          h("div", { class: "toolbar" }, picker, this.#removal(0)))));
    } else {
      fill(this.body,
        files.length > 0 && h("ul", { class: "pictures-list" },
          files.map((file, k) => h("li", {}, this.#picture(file, "pictures-one"), this.#removal(k)))),
        files.length < about.most && picker);
    }
  }

  /** @param {File} file @param {string} name of the class */
  #picture(file, name) {
    const url = URL.createObjectURL(file);
    this.urls.push(url);
    const image = h("img", {
      src: url,
      alt: file.name,
      class: name,
      // A kind of file that the server reads and the browser does not.
      onerror: () => image.replaceWith(h("span", { class: `${name} pictures-unseen` }, icon("photo"), file.name)),
    });
    return image;
  }

  /** @param {number} k */
  #removal(k) {
    const label = this.about.remove(this.files[k].name);
    return h("button", {
      class: "button plain only-icon", type: "button", "aria-label": label, title: label, onclick: () => this.#remove(k),
    }, icon("close"));
  }
}
