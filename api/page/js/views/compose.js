/** Composing a picture: a photograph, styles, settings; then it is sent. */

import { Refused, pause } from "../api.js";
import { ContentField } from "../content_field.js";
import { Controls, valueOf } from "../controls.js";
import { h, fill, icon } from "../dom.js";
import { lead, notice, told } from "../errors.js";
import { filePicker } from "../files.js";
import { duration, percent } from "../format.js";
import { fieldsFor } from "../schema.js";
import { StyleField } from "../style_field.js";
import { texts } from "../texts.js";

const words = texts.compose;

/** What is asked first; the rest is folded away. By method. */
const FIRST = { fast: ["size", "strength", "color"], gatys: ["size", "content_weight", "color"] };

/** Pictures of the way, where they are wanted. */
const WAY = 20;

/** Fields that the other parts of the form are for, or nobody at a page. */
const ELSEWHERE = new Set([
  "content", "style", "mask", "init_image", "content_url", "style_url", "style_id", "style_weights", "auto_mask", "method",
  "preset", "metadata",
]);

/**
 * @param {import("../main.js").Context} context
 * @returns {import("../main.js").View}
 */
export function compose(context) {
  const { api, draft, announce, go } = context;
  const leaving = new AbortController();
  const { signal } = leaving;

  /** @type {import("../schema.js").Fields} */
  let fields = new Map();
  /** @type {{name: string, description: string, options: Record<string, unknown>}[]} */
  let presets = [];
  /** @type {{name: string, queued: number, mean_seconds: number | null}[]} */
  let queues = [];
  let first = new Controls([]);
  let rest = new Controls([]);
  let sending = false;
  let usualSize = 512;

  const content = new ContentField(draft, announce, () => {
    styles.drawWhere();
    styles.drawMixture();
    changed();
  }, tellFallbacks);
  const styles = new StyleField(context, changed);
  const settings = h("section", { class: "panel-part settings", "aria-labelledby": "settings-heading" });
  const message = h("div", { class: "compose-message" });
  const forecast = h("p", { class: "quiet small forecast" });
  const bar = h("progress", { max: 1, value: 0, "aria-label": words.uploading });
  const paint = h("button", { class: "button primary large", type: "submit" }, icon("brush"), words.paint);
  const foot = h("div", { class: "compose-foot" }, h("div", { class: "forecast-box" }, forecast, bar), paint);
  const element = h("form", { class: "compose", noValidate: true, onsubmit: submit },
    h("h1", { class: "sr-only" }, words.heading),
    content.element,
    h("div", { class: "panel" }, styles.element, settings, message, foot));
  const way = h("input", { type: "checkbox", onchange: keepWay });
  bar.hidden = true;
  let method = "";

  let loading = load();
  loading.then(watchQueues);
  api.addEventListener("recovered", () => (loading = load()), { signal });
  return {
    element,
    title: words.title,
    close() {
      leaving.abort();
      content.close();
      styles.close();
    },
  };

  async function load() {
    try {
      const [schema, gallery, named, system] = await Promise.all([
        context.schema(),
        api.json("styles", { signal }),
        api.json("presets", { signal }),
        api.json("system", { signal }),
      ]);
      fields = schema.job;
      presets = named.items;
      queues = system.queues;
      usualSize = system.limits.default_size;
      styles.offer(gallery.items, system.limits.max_job_styles, fields.get("color")?.choices ?? []);
      method = "";
      drawSettings();
    } catch (error) {
      if (!signal.aborted) styles.fail(error, load);
    }
  }

  /** How long it will take changes with what others send. */
  async function watchQueues() {
    while (!signal.aborted) {
      tellForecast();
      try {
        await pause(15_000, signal);
        if (document.hidden) continue;
        ({ queues } = await api.json("system", { signal }));
      } catch (error) {
        // It was asked for a key; asking again and again would be in the way.
        if (error instanceof Refused && error.status === 401) return;
        // The forecast stays as it was.
      }
    }
  }

  function changed() {
    if (draft.method !== method) drawSettings();
    tellForecast();
    draft.save();
  }

  function drawSettings() {
    if (!fields.size) return;
    method = draft.method;
    const mine = fieldsFor(fields, method).filter(({ name }) => !ELSEWHERE.has(name));
    const early = FIRST[/** @type {"fast" | "gatys"} */ (method)];
    const groups = Object.entries(texts.groups).map(([name, group]) => ({ name, label: group.label, names: group.fields }));
    const grouped = new Set(groups.flatMap(({ names }) => names));
    const order = [...groups.flatMap(({ names }) => names), ...mine.map(({ name }) => name).filter((name) => !grouped.has(name))];
    const late = mine.filter(({ name }) => !early.includes(name)).sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    first = new Controls(early.flatMap((name) => mine.find((field) => field.name === name) ?? []), keep);
    rest = new Controls(late, keep);
    for (const controls of [first, rest]) controls.set(draft.state.settings);
    // A heading before the first of each group; what no group knows comes last.
    for (const { label, names } of [...groups, { label: texts.groupRest, names: late.map(({ name }) => name).filter((name) => !grouped.has(name)) }]) {
      const start = late.find(({ name }) => names.includes(name));
      if (start) rest.controls.get(start.name)?.element.before(h("h3", { class: "controls-heading" }, label));
    }
    const fold = h("details", { class: "fold", open: late.some(({ name }) => name in draft.state.settings) },
      h("summary", {}, icon("right"), words.all),
      h("div", { class: "fold-body" }, rest.element));
    fill(settings,
      h("h2", { id: "settings-heading" }, words.settings),
      method === "gatys" && presetField(),
      first.element,
      method === "gatys" && h("label", { class: "check" }, way, words.way),
      fold);
    rest.controls.get("init")?.element.append(initImage());
    tellFallbacks();
    follow();
  }

  function presetField() {
    const about = h("p", { class: "field-hint", id: "preset-hint" });
    const select = h("select", { id: "preset", class: "input", "aria-describedby": "preset-hint", onchange: choose },
      presets.map(({ name }) => h("option", { value: name === "balanced" ? "" : name }, valueOf("preset", name))));
    select.value = draft.state.preset;
    describe();

    function choose() {
      draft.state.preset = select.value;
      describe();
      tellFallbacks();
      changed();
    }

    function describe() {
      about.textContent = presets.find(({ name }) => name === (select.value || "balanced"))?.description ?? "";
    }

    return h("div", { class: "field", "data-field": "preset" },
      h("label", { class: "field-label", for: "preset" }, words.preset), select, about);
  }

  /** Pictures of the way, some of them; how many exactly is said among all settings. */
  function keepWay() {
    const iterations = Number(draft.state.settings.iterations ?? presetOptions().iterations ?? fields.get("iterations")?.fallback);
    const others = { ...draft.state.settings };
    delete others.snapshot_every;
    draft.state.settings = way.checked ? { ...others, snapshot_every: String(Math.ceil(iterations / WAY)) } : others;
    rest.set(draft.state.settings);
    changed();
  }

  /** @returns {Record<string, unknown>} */
  function presetOptions() {
    return presets.find(({ name }) => name === draft.state.preset && method === "gatys")?.options ?? {};
  }

  /** Where nothing is set, a preset's values hold; without a size it is the photograph's own, within a bound. */
  function tellFallbacks() {
    const size = Math.min(content.longSide || Infinity, usualSize);
    for (const controls of [first, rest]) controls.setFallbacks({ size, ...presetOptions() });
  }

  function keep() {
    const others = Object.entries(draft.state.settings).filter(([name]) => !first.controls.has(name) && !rest.controls.has(name));
    draft.state.settings = { ...Object.fromEntries(others), ...first.values(), ...rest.values() };
    follow();
    changed();
  }

  function initImage() {
    const name = h("span", { class: "small" });
    const tell = () => (name.textContent = draft.state.initImage?.name ?? "");
    tell();
    return h("div", { class: "toolbar init-image", hidden: true }, filePicker(words.initImage, "photo", ([file]) => {
      draft.state.initImage = { blob: file, name: file.name };
      tell();
      draft.save();
    }), name);
  }

  /** What depends on other settings. */
  function follow() {
    way.checked = "snapshot_every" in draft.state.settings;
    const picker = settings.querySelector(".init-image");
    if (picker instanceof HTMLElement) picker.hidden = draft.state.settings.init !== "image";
  }

  function tellForecast() {
    if (sending) return;
    const queue = queues.find(({ name }) => name === draft.method);
    forecast.textContent = queue ? words.forecast(queue.mean_seconds === null ? "" : duration(queue.mean_seconds), queue.queued) : "";
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    // What was set before a reload is sent by the names of the schema.
    await loading;
    if (sending || signal.aborted || !fields.size) return;
    fill(message);
    showErrors(new Map());
    const faults = new Map([...first.faults(), ...rest.faults()]);
    if (draft.lacksMasks) faults.set("mask", words.styles.lackingError);
    if (faults.size) {
      showErrors(faults);
      return;
    }
    sending = true;
    paint.disabled = true;
    bar.hidden = false;
    forecast.textContent = words.uploading;
    try {
      const job = await api.submit("jobs", draft.form(fields), (fraction) => {
        bar.value = fraction;
        forecast.textContent = fraction < 1 ? `${words.uploading} ${percent(fraction)}` : words.checking;
      }, signal);
      announce(words.sent);
      go(`#/jobs/${job.id}`);
    } catch (error) {
      if (signal.aborted) return;
      const about = told(error);
      const errors = error instanceof Refused ? error.fields : new Map();
      const shown = [...errors.keys()].some((name) => placed(name));
      fill(message, notice(shown ? { ...about, detail: "" } : about));
      showErrors(errors);
      if (!shown) message.scrollIntoView({ block: "nearest" });
    } finally {
      sending = false;
      paint.disabled = false;
      bar.hidden = true;
      bar.value = 0;
      tellForecast();
      // Nobody has the focus of a button that was disabled.
      if (document.activeElement === document.body) paint.focus({ preventScroll: true });
    }
  }

  /** @param {string} name of a field */
  function placed(name) {
    return ELSEWHERE.has(name) || first.controls.has(name) || rest.controls.has(name);
  }

  /**
   * Marks the fields, and leads to the first.
   *
   * @param {Map<string, string>} errors
   */
  function showErrors(errors) {
    const wrong = errors.get("content") ?? errors.get("content_url");
    lead([
      wrong ? content.showError(wrong) : (content.showError(""), null),
      styles.showErrors(errors),
      first.showErrors(errors),
      rest.showErrors(errors),
    ]);
  }
}
