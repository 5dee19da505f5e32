/** Errors, as they are told to people: what happened, and what to do. */

import { Refused, Unreachable, Unreadable } from "./api.js";
import { h, icon } from "./dom.js";
import { duration } from "./format.js";
import { texts } from "./texts.js";

/** @typedef {{title: string, advice: string, detail: string}} Told `detail` is the service's own words, if there are any */

/**
 * What to say about an error.
 *
 * @param {unknown} error
 * @returns {Told}
 */
export function told(error) {
  if (error instanceof Unreachable) return { ...texts.errors.unreachable, detail: "" };
  if (error instanceof Unreadable) return { ...texts.errors.unreadable, detail: error.message };
  if (!(error instanceof Refused)) return { ...texts.errors.unknown, detail: String(error) };
  // How a program sends its key is nothing for people.
  const found = toldOf(error.code, error.status === 401 ? "" : error.problem.detail);
  if (error.retryAfter !== null && error.status !== 409) found.advice = texts.retryAfter(duration(error.retryAfter));
  return found;
}

/**
 * What to say about an error of this code.
 *
 * @param {string} code
 * @param {string} detail
 * @returns {Told}
 */
export function toldOf(code, detail) {
  const known = /** @type {Record<string, {title: string, advice: string}>} */ (texts.errors);
  return { ...(known[code] ?? texts.errors.unknown), detail };
}

/**
 * An error as a part of a page, read out at once.
 *
 * @param {Told} error
 * @param {...Node} actions buttons that help
 */
export function notice(error, ...actions) {
  return h("div", { class: "notice wrong", role: "alert" }, icon("warning"), [
    h("div", { class: "notice-text" },
      h("p", { class: "notice-title" }, error.title),
      error.advice && h("p", {}, error.advice),
      error.detail && h("p", { class: "small quiet" }, error.detail),
      actions.length > 0 && h("div", { class: "toolbar" }, actions)),
  ]);
}

/**
 * An error that is all there is to see.
 *
 * @param {Told} error
 * @param {...Node} actions buttons and links that lead on
 */
export function dead(error, ...actions) {
  return h("div", { class: "empty" },
    icon("warning"),
    h("h1", { tabIndex: -1 }, error.title),
    h("p", { class: "quiet" }, error.advice),
    actions.length > 0 && h("div", { class: "toolbar" }, actions));
}

/**
 * Leads to the first of these controls that there is, also into a fold.
 *
 * @param {(HTMLElement | null | undefined)[]} controls
 * @returns {boolean} whether there is one
 */
export function lead(controls) {
  const target = controls.find(Boolean);
  const fold = target?.closest("details");
  if (fold) fold.open = true;
  target?.focus();
  target?.scrollIntoView({ block: "center" });
  return Boolean(target);
}
