/** One job: how it comes about, and what became of it. */

import { Refused, Unreachable, pause } from "../api.js";
import { h, fill, icon } from "../dom.js";
import { dead, told } from "../errors.js";
import { nameOf, statusOf } from "../job_head.js";
import { jobProgress } from "../job_progress.js";
import { jobFailure, jobResult } from "../job_result.js";
import { texts } from "../texts.js";

const words = texts.job;

/**
 * @param {import("../main.js").Context} context
 * @returns {import("../main.js").View}
 */
export function job(context) {
  const { api, announce, retitle } = context;
  const { id } = context.parameters;
  const leaving = new AbortController();
  const { signal } = leaving;
  /** @type {(() => void)[]} what is to be done when the view is left */
  const endings = [];
  const element = h("article", { class: "job" }, h("h1", { class: "sr-only" }, words.title), h("p", { class: "loading" }, texts.loading));
  watch();
  return {
    element,
    title: words.title,
    close() {
      leaving.abort();
      for (const end of endings) end();
    },
  };

  /** Follows the job to its end, however often the service goes away meanwhile. */
  async function watch() {
    while (!signal.aborted) {
      try {
        const now = await api.json(`jobs/${id}`, { signal });
        if (isFinal(now)) {
          await finish(now);
          return;
        }
        const live = jobProgress(context, now, signal, draw);
        for await (const event of api.events(id, signal)) {
          if (event.name === "status") live.update(event.data);
          else if (event.name === "progress") live.progress(event.data);
          else if (event.name === "preview") live.preview();
          else if (event.name === "done") {
            announce(words.ended(statusOf(event.data)));
            await finish(event.data);
            return;
          }
        }
        // It is gone, or has ended in a moment when nobody looked: the next look tells which.
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused && error.status < 500 && error.status !== 429) {
          gone(error);
          return;
        }
        if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
        // While the picture is on its way, what is there stays; a service that is away is told of by the page.
        if (error instanceof Refused && !element.querySelector(".live")) draw(dead(told(error)));
        await pause(error instanceof Refused && error.retryAfter ? error.retryAfter * 1000 : 1500, signal).catch(() => {});
      }
    }
  }

  /** Shows something else; a reader who was here is led to its heading. @param {(Node | null)[]} children */
  function draw(...children) {
    const here = element.contains(document.activeElement);
    fill(element, ...children);
    const title = element.querySelector("h1");
    title?.setAttribute("tabindex", "-1");
    if (here) title?.focus({ preventScroll: true });
  }

  /** @param {Refused} error */
  function gone(error) {
    const about = told(error);
    retitle(about.title);
    draw(dead(about,
      error.status === 401
        ? h("button", { class: "button primary", type: "button", onclick: () => api.dispatchEvent(new Event("unauthorized")) }, icon("key"), texts.key.button)
        : h("a", { class: "button primary", href: "#/" }, texts.notFound.link),
      h("a", { class: "button", href: "#/history" }, texts.nav.history)));
  }

  /** @param {any} ended */
  async function finish(ended) {
    retitle(`${statusOf(ended)} – ${nameOf(ended)}`);
    if (ended.status === "succeeded") await jobResult(context, ended, signal, endings, draw);
    else jobFailure(context, ended, draw);
  }
}

/** @param {any} job */
function isFinal({ status }) {
  return status === "succeeded" || status === "failed" || status === "canceled";
}
