/** Picture files from the user: chosen, dropped or pasted. */

import { h, icon } from "./dom.js";

/** What the service reads; phones offer their camera for it too. */
const ACCEPT = "image/*,.heic,.heif,.avif,.tif,.tiff";

/**
 * A native file input that looks like a button.
 *
 * @param {string} text
 * @param {string} symbol an icon
 * @param {(files: File[]) => void} onfiles
 * @param {{several?: boolean, camera?: boolean, primary?: boolean, describedby?: string}} [options]
 * @returns {HTMLElement}
 */
export function filePicker(text, symbol, onfiles, { several = false, camera = false, primary = false, describedby } = {}) {
  const input = h("input", {
    class: "sr-only", type: "file", accept: camera ? "image/*" : ACCEPT, multiple: several,
    capture: camera ? "environment" : null, "aria-describedby": describedby, onchange: take,
  });

  function take() {
    const files = [...(input.files ?? [])];
    // So that the same file may be chosen again.
    input.value = "";
    if (files.length) onfiles(files);
  }

  return h("label", { class: "picker" }, input, h("span", { class: primary ? "button primary" : "button" }, icon(symbol), text));
}

/**
 * Lets files be dropped on an element, which has the class "over" meanwhile.
 *
 * @param {HTMLElement} element
 * @param {(files: File[]) => void} onfiles
 */
export function acceptDrops(element, onfiles) {
  let depth = 0;
  /** @param {DragEvent} event */
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  element.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth++;
    element.classList.add("over");
  });
  element.addEventListener("dragleave", (event) => {
    if (hasFiles(event) && --depth <= 0) element.classList.remove("over");
  });
  element.addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  element.addEventListener("drop", (event) => {
    depth = 0;
    element.classList.remove("over");
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    onfiles(files);
  });
}

/**
 * The picture files that were pasted.
 *
 * @param {ClipboardEvent} event
 * @returns {File[]}
 */
export function pasted(event) {
  return [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
}
