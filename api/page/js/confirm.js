/** A question before something that cannot be taken back. */

import { h } from "./dom.js";
import { texts } from "./texts.js";

/**
 * Asks.
 *
 * @param {{title: string, text: string, action: string}} question `action` is what the button says that does it
 * @returns {Promise<boolean>} whether to do it
 */
export function confirmed({ title, text, action }) {
  return new Promise((resolve) => {
    const dialog = h("dialog", {
      "aria-labelledby": "confirm-title",
      "aria-describedby": "confirm-text",
      onclose() {
        dialog.remove();
        resolve(dialog.returnValue === "yes");
      },
    },
      h("form", { class: "dialog-body", method: "dialog" },
        h("h2", { id: "confirm-title" }, title),
        h("p", { id: "confirm-text", class: "quiet" }, text),
        h("div", { class: "dialog-actions" },
          h("button", { class: "button", value: "no", autofocus: true }, texts.cancel),
          h("button", { class: "button danger", value: "yes" }, action))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
