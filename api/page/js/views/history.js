/** The pictures that were painted, and those that are being painted: a grid that goes on as one reads. */

import { Refused, pause } from "../api.js";
import { confirmed } from "../confirm.js";
import { h, fill, icon } from "../dom.js";
import { notice, told } from "../errors.js";
import { HistoryItem } from "../history_item.js";
import { presetOptions } from "../job_actions.js";
import { segments } from "../style_field.js";
import { texts } from "../texts.js";

const words = texts.history;

/** Jobs that are asked for at a time. */
const PAGE = 40;
/** Milliseconds between two looks at the jobs that are being painted. */
const LOOK = 3000;

/**
 * @param {import("../main.js").Context} context
 * @returns {import("../main.js").View}
 */
export function history(context) {
  const { api, announce } = context;
  const leaving = new AbortController();
  const { signal } = leaving;
  /** @type {Map<string, HistoryItem>} */
  const items = new Map();
  /** @type {Map<string, string>} titles of the gallery */
  const titles = new Map();
  const filter = { status: "", method: "" };
  /** @type {string | null} */
  let cursor = null;
  /** Which of the lists is the last that was asked for. */
  let turn = 0;
  let loading = false;
  let selecting = false;

  const method = segments("history-method", words.method, words.methods, "", (value) => {
    filter.method = value;
    begin();
  });
  const status = h("select", { id: "history-status", class: "input", onchange: filterStatus },
    Object.entries({ "": words.anyStatus, ...texts.job.status }).map(([value, text]) => h("option", { value }, text)));
  const select = h("button", { type: "button", class: "button", onclick: () => selectMode(!selecting) });
  const removeSelected = h("button", { type: "button", class: "button danger", onclick: () => remove(selected()) });
  const heading = h("h1", { tabIndex: -1 }, words.heading);
  const grid = h("ul", { class: "history-grid" });
  const message = h("div", { class: "history-message" });
  const more = h("button", { type: "button", class: "button", hidden: true, onclick: load }, words.more);
  const element = h("section", { class: "history" },
    h("div", { class: "history-head" },
      heading,
      h("div", { class: "history-tools" },
        method,
        h("label", { class: "sr-only", for: status.id }, words.status),
        status,
        select,
        removeSelected)),
    grid,
    message,
    h("div", { class: "history-more" }, more));

  // The next page is there before the reader comes to its place.
  const nearEnd = new IntersectionObserver(
    (entries) => entries.some(({ isIntersecting }) => isIntersecting) && load(),
    { rootMargin: "600px" },
  );
  nearEnd.observe(more);
  api.addEventListener("recovered", begin, { signal });
  begin();
  watch();

  return {
    element,
    title: words.heading,
    close() {
      leaving.abort();
      nearEnd.disconnect();
    },
  };

  function filterStatus() {
    filter.status = status.value;
    begin();
  }

  /** Shows the list from its beginning. */
  function begin() {
    turn++;
    loading = false;
    cursor = null;
    items.clear();
    fill(grid);
    selectMode(false);
    load();
  }

  /** Shows the next page. */
  async function load() {
    if (loading) return;
    loading = true;
    more.hidden = true;
    const mine = turn;
    const waiting = setTimeout(() => fill(message, h("p", { class: "loading" }, texts.loading)), 300);
    try {
      const further = cursor !== null;
      let page;
      do { // a page without jobs need not be the last
        [page] = await Promise.all([api.json(`jobs?${query()}`, { signal }), titles.size || knowStyles()]);
        if (mine !== turn) return;
        cursor = page.next_cursor;
      } while (!page.items.length && cursor !== null);
      fill(message);
      page.items.forEach(add);
      if (further) announce(words.count(items.size));
      more.hidden = cursor === null;
      if (!items.size) fill(message, nothing());
    } catch (error) {
      if (signal.aborted || mine !== turn) return;
      fill(message, notice(told(error), h("button", { type: "button", class: "button", onclick: load }, texts.retry)));
    } finally {
      clearTimeout(waiting);
      if (mine === turn) loading = false;
    }
  }

  function query() {
    const parameters = new URLSearchParams({ limit: String(PAGE) });
    for (const [name, value] of Object.entries({ ...filter, cursor })) if (value) parameters.set(name, value);
    return parameters;
  }

  /** What styles are called; where that is not to be had, their ids must do. */
  async function knowStyles() {
    try {
      const gallery = await api.json("styles", { signal });
      for (const { id, title } of gallery.items) titles.set(id, title);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }

  /** @param {string} id */
  function styleName(id) {
    return titles.get(id) ?? id;
  }

  /** @param {any} job */
  function add(job) {
    if (items.has(job.id)) return;
    const item = new HistoryItem(api, job, styleName, { again, remove: (one) => remove([one]), select: countSelected });
    item.selectable = selecting;
    items.set(job.id, item);
    grid.append(item.element);
  }

  /** Looks after what is being painted, as long as somebody can see it, and lets go of what expires. */
  async function watch() {
    while (!signal.aborted) {
      try {
        await pause(LOOK, signal);
        if (document.hidden) continue;
        for (const item of [...items.values()]) {
          if (item.live) await look(item);
          else if (Date.parse(item.job.expires_at) < Date.now()) forget(item);
        }
      } catch {
        // The service is away for a moment, or the reader for good.
      }
    }
  }

  /** @param {HistoryItem} item */
  async function look(item) {
    try {
      item.update(await api.json(`jobs/${item.job.id}`, { signal }));
    } catch (error) {
      if (!isGone(error)) throw error;
      forget(item);
    }
    if (!item.live) announce(words.ended(item.name, item.status));
  }

  /** @param {HistoryItem} item */
  function forget(item) {
    items.delete(item.job.id);
    item.element.remove();
    countSelected();
    if (!items.size && cursor === null) fill(message, nothing());
  }

  /** Takes over what a job was sent, to be changed and sent again. @param {HistoryItem} item */
  async function again(item) {
    item.again.disabled = true;
    try {
      const [{ job: fields }, presets] = await Promise.all([context.schema(), presetOptions(api)]);
      await context.draft.adopt(item.job, api, fields, presets);
      if (!signal.aborted) context.go("#/");
    } catch (error) {
      if (!signal.aborted) complain(error);
    } finally {
      item.again.disabled = false;
    }
  }

  /** @param {HistoryItem[]} chosen */
  async function remove(chosen) {
    const question = {
      title: words.removeTitle(chosen.length),
      text: words.removeText(chosen.some(({ live }) => live)),
      action: words.removeAction,
    };
    if (!(await confirmed(question))) return;
    const last = chosen[chosen.length - 1].element;
    const next = last.nextElementSibling ?? chosen[0].element.previousElementSibling;
    let gone = 0;
    for (const item of chosen) {
      try {
        await api.request(`jobs/${item.job.id}`, { method: "DELETE", signal });
      } catch (error) {
        if (signal.aborted) return;
        if (!isGone(error)) {
          complain(error);
          break;
        }
      }
      forget(item);
      gone++;
    }
    if (gone) announce(words.removed(gone));
    if (gone === chosen.length) selectMode(false);
    (next?.isConnected ? next.querySelector("a") : heading)?.focus();
  }

  /** @param {unknown} error */
  function complain(error) {
    fill(message, notice(told(error)));
    message.scrollIntoView({ block: "nearest" });
  }

  function selected() {
    return [...items.values()].filter((item) => item.selected);
  }

  /** @param {boolean} on */
  function selectMode(on) {
    selecting = on;
    for (const item of items.values()) item.selectable = on;
    fill(select, on ? texts.cancel : words.select);
    grid.classList.toggle("selecting", on);
    countSelected();
  }

  function countSelected() {
    const count = selected().length;
    removeSelected.hidden = !selecting;
    removeSelected.disabled = !count;
    fill(removeSelected, icon("trash"), words.removeSelected(count));
  }

  /** What is there instead of pictures. */
  function nothing() {
    const filtered = Boolean(filter.status || filter.method);
    return h("div", { class: "empty" },
      icon("frame"),
      h("h2", {}, filtered ? words.noneSuch : words.empty),
      h("p", { class: "quiet" }, filtered ? words.noneSuchText : words.emptyText),
      !filtered && h("a", { class: "button primary", href: "#/" }, words.begin));
  }
}

/** Whether an error says that a job is not there any more. @param {unknown} error */
function isGone(error) {
  return error instanceof Refused && (error.status === 404 || error.status === 410);
}
