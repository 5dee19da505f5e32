/** The photograph to paint: dropped, pasted, chosen or taken, and shown large. */

import { h, fill, icon } from "./dom.js";
import { acceptDrops, filePicker, pasted } from "./files.js";
import { bytes } from "./format.js";
import { texts } from "./texts.js";

const words = texts.compose.content;

export class ContentField {
  /**
   * @param {import("./draft.js").Draft} draft
   * @param {(text: string) => void} announce
   * @param {() => void} onchange
   * @param {() => void} onmeasure its size is known
   */
  constructor(draft, announce, onchange, onmeasure) {
    this.draft = draft;
    this.announce = announce;
    this.onchange = onchange;
    this.onmeasure = onmeasure;
    this.url = "";
    /** In pixels; 0 while it is not known. */
    this.longSide = 0;
    this.error = h("p", { class: "field-error", id: "content-error", role: "alert" });
    this.body = h("div", { class: "content-body" });
    this.element = h("section", { class: "content", "aria-label": words.label, "data-field": "content" }, this.body, this.error);
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    acceptDrops(this.element, (files) => this.take(files));
    // A file that misses its place must not take the reader away from the page.
    for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault(), { signal });
    document.addEventListener("paste", (event) => {
      const files = pasted(event);
      if (files.length && !document.querySelector("dialog[open]")) this.take(files);
    }, { signal });
    this.draw();
  }

  /** @param {File[]} files */
  take([file]) {
    this.draft.state.content = { blob: file, name: file.name || "photo" };
    for (const style of [...this.draft.state.own, ...this.draft.state.gallery]) style.mask = null;
    this.showError("");
    this.draw();
    this.announce(words.taken(file.name || "photo"));
    this.onchange();
    this.element.querySelector("input")?.focus({ preventScroll: true });
  }

  remove() {
    this.draft.state.content = null;
    this.draw();
    this.onchange();
    this.element.querySelector("input")?.focus();
  }

  draw() {
    URL.revokeObjectURL(this.url);
    this.longSide = 0;
    const { content } = this.draft.state;
    fill(this.body, content ? this.#preview(content) : this.#invitation());
  }

  /**
   * @param {string} text what is wrong, or nothing
   * @returns {HTMLElement} what gets the focus
   */
  showError(text) {
    this.error.textContent = text && !this.draft.state.content ? words.missing : text;
    return this.element.querySelector("input") ?? this.element;
  }

  close() {
    this.leaving.abort();
    URL.revokeObjectURL(this.url);
  }

  #invitation() {
    const pick = (/** @type {File[]} */ files) => this.take(files);
    return h("div", { class: "drop" },
      icon("photo"),
      h("p", { class: "drop-title" }, words.title),
      h("p", { class: "quiet drop-hint", id: "content-hint" }, words.hint),
      h("div", { class: "toolbar" },
        filePicker(words.choose, "photo", pick, { primary: true, describedby: "content-hint content-error" }),
        h("div", { class: "for-touch" }, filePicker(words.take, "camera", pick, { camera: true }))));
  }

  /** @param {import("./draft.js").Picture} content */
  #preview({ blob, name }) {
    this.url = URL.createObjectURL(blob);
    const size = h("span", { class: "quiet small" }, bytes(blob.size));
    const image = h("img", { class: "content-picture", alt: words.alt(name), onload: () => {
      const { naturalWidth: width, naturalHeight: height } = image;
      figure.style.setProperty("--ratio", String(width / height));
      size.textContent = words.size(width, height, bytes(blob.size));
      this.longSide = Math.max(width, height);
      this.onmeasure();
    }, onerror: unseen });
    image.src = this.url;

    function unseen() {
      image.replaceWith(h("div", { class: "drop" }, icon("photo"), h("p", { class: "quiet" }, words.unseen)));
    }

    const figure = h("figure", { class: "content-figure" },
      h("div", { class: "content-frame" }, image),
      h("figcaption", { class: "content-caption" },
        h("div", { class: "content-name" }, h("strong", {}, name), size),
        h("div", { class: "toolbar" },
          filePicker(words.replace, "again", (files) => this.take(files), { describedby: "content-error" }),
          h("button", { class: "button plain only-icon", type: "button", "aria-label": words.remove, onclick: () => this.remove() }, icon("close")))));
    return figure;
  }
}
