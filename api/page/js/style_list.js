/** The styles that users have added, which can be removed again. */

import { confirmed } from "./confirm.js";
import { h, fill, icon } from "./dom.js";
import { notice, told } from "./errors.js";
import { picture } from "./picture.js";
import { texts } from "./texts.js";

const words = texts.train.styles;

export class StyleList {
  /**
   * @param {import("./main.js").Context} context
   * @param {AbortSignal} signal that ends what the list has begun
   */
  constructor({ api, announce }, signal) {
    this.api = api;
    this.announce = announce;
    this.signal = signal;
    /** Of all styles of the gallery. @type {string[]} */
    this.ids = [];
    this.heading = h("h2", { tabIndex: -1 }, words.heading);
    this.list = h("ul", { class: "added-list" });
    this.message = h("div", {});
    this.element = h("section", { class: "train-styles", hidden: true }, this.heading, this.list, this.message);
    api.addEventListener("recovered", () => this.#load(), { signal });
    this.#load();
  }

  async #load() {
    try {
      const { items } = await this.api.json("styles", { signal: this.signal });
      this.ids = items.map((/** @type {any} */ { id }) => id);
      const own = items.filter((/** @type {any} */ { removable }) => removable);
      this.element.hidden = !own.length;
      fill(this.list, own.map((/** @type {any} */ style) => this.#row(style)));
    } catch {
      // The view says itself when the service is away; without this list it can be used all the same.
    }
  }

  /** @param {any} style */
  #row(style) {
    return h("li", { class: "added-row" },
      picture(this.api, style.urls.thumbnail, { alt: "", class: "added-picture" }),
      h("div", { class: "added-name" },
        h("strong", {}, style.title),
        h("span", { class: "quiet small" }, [style.artist, style.year].filter(Boolean).join(", ") || style.id)),
      h("button", {
        class: "button plain only-icon", type: "button", "aria-label": words.remove(style.title), title: words.remove(style.title),
        onclick: () => this.#remove(style),
      }, icon("trash")));
  }

  /** @param {any} style */
  async #remove(style) {
    const question = { title: words.removeTitle(style.title), text: words.removeText, action: words.removeAction };
    if (!(await confirmed(question))) return;
    try {
      await this.api.request(style.urls.self, { method: "DELETE", signal: this.signal });
      fill(this.message);
      this.announce(words.removed(style.title));
    } catch (error) {
      if (this.signal.aborted) return;
      fill(this.message, notice(told(error)));
    }
    await this.#load();
    this.heading.focus();
  }
}
