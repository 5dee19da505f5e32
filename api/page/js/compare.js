/** The picture and what it was made of, one over the other. */

import { h, icon } from "./dom.js";
import { percent } from "./format.js";
import { texts } from "./texts.js";
import { Viewer } from "./viewer.js";

const words = texts.compare;

/**
 * The picture in a viewer; over it, where there is one, the photograph, as far as a range says, or while a button or a
 * key is held.
 *
 * @param {{before: string | null, after: string, width: number, height: number, label: string}} pictures addresses
 * @returns {{element: HTMLElement, close(): void}}
 */
export function compare({ before, after, width, height, label }) {
  const viewer = new Viewer({ width, height, label });
  viewer.sheet.append(h("img", { class: "viewer-picture", src: after, alt: label }));
  if (!before) {
    viewer.element.append(viewer.tools);
    return { element: viewer.element, close: () => viewer.close() };
  }

  const photograph = h("img", { class: "viewer-picture viewer-before", src: before, alt: words.before });
  const divider = h("div", { class: "divider", "aria-hidden": "true" }, h("span", { class: "divider-grip" }));
  const range = h("input", { type: "range", min: 0, max: 100, step: 1, value: "0", "aria-label": words.range, oninput: cut });
  const hold = h("button", {
    class: "button", type: "button", "aria-pressed": "false", onpointerdown: () => show(true), onpointerup: () => show(false),
    onpointercancel: () => show(false), onpointerleave: () => show(false), onblur: () => show(false), onkeydown: press,
    onkeyup: release, oncontextmenu: (/** @type {Event} */ event) => event.preventDefault(),
    // What assistive technology sends, without a key or a finger before it.
    onclick: (/** @type {MouseEvent} */ event) => event.detail === 0 && !pressed && toggle(),
  }, icon("compare"), words.hold);
  let pressed = false;

  viewer.sheet.append(photograph);
  viewer.window.append(divider);
  viewer.window.addEventListener("keydown", (event) => {
    if (event.key === "c" && !event.ctrlKey && !event.metaKey) show(true);
    else if (viewer.fitted && event.key === "ArrowLeft") slide(Number(range.value) - 2);
    else if (viewer.fitted && event.key === "ArrowRight") slide(Number(range.value) + 2);
    else return;
    event.preventDefault();
  });
  viewer.window.addEventListener("keyup", (event) => event.key === "c" && show(false));
  viewer.window.addEventListener("blur", () => show(false));
  viewer.onslide = (part) => slide(part * 100);
  viewer.onmove = cut;
  viewer.element.append(
    h("div", { class: "compare-range" }, h("span", { "aria-hidden": "true" }, words.before), range, h("span", { "aria-hidden": "true" }, words.after)),
    h("div", { class: "compare-tools" }, hold, viewer.tools));
  return { element: viewer.element, close: () => viewer.close() };

  /** @param {number} value of the range */
  function slide(value) {
    range.value = String(value);
    cut();
  }

  function cut() {
    const part = Number(range.value) / 100;
    photograph.style.clipPath = `inset(0 ${100 - part * 100}% 0 0)`;
    const x = viewer.x + part * viewer.width * viewer.scale;
    divider.style.transform = `translateX(${Math.min(Math.max(x, 0), viewer.window.clientWidth)}px)`;
    range.setAttribute("aria-valuetext", words.share(percent(part)));
  }

  /** @param {boolean} whole whether the photograph covers the picture */
  function show(whole) {
    viewer.window.classList.toggle("before-only", whole);
    hold.setAttribute("aria-pressed", String(whole));
  }

  function toggle() {
    show(hold.getAttribute("aria-pressed") !== "true");
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    pressed = true;
    show(true);
  }

  function release() {
    if (pressed) show(false);
    pressed = false;
  }
}
