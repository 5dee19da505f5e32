/** Training a style: a painting becomes a style of the gallery. */

import { Refused, pause } from "../api.js";
import { Controls } from "../controls.js";
import { h, fill, icon } from "../dom.js";
import { lead, notice, told } from "../errors.js";
import { percent } from "../format.js";
import { PicturesField } from "../pictures_field.js";
import { segments } from "../style_field.js";
import { StyleList } from "../style_list.js";
import { texts } from "../texts.js";

const words = texts.train;

/** Fields that are asked for before all others, or that nobody at a page is asked for. */
const ASKED = ["id", "title", "artist", "year", "licence"];
const ELSEWHERE = new Set(["style", "style_url", "photograph", "keep_color", "minutes", "metadata", ...ASKED]);

/** Minutes that a training may be given; that of the server's bound comes last. */
const MINUTES = [3, 10];

/** Most photographs that are sent along, as the service has it. */
const PHOTOGRAPHS = 16;

/** Milliseconds between two looks at the trainings that go on. */
const LOOK = 5000;

/**
 * What was entered, as long as the page lives, so that a look at another view loses nothing.
 *
 * @type {{painting: File[], photographs: File[], minutes: string, values: Record<string, unknown>}}
 */
const kept = { painting: [], photographs: [], minutes: "", values: {} };

/**
 * @param {import("../main.js").Context} context
 * @returns {import("../main.js").View}
 */
export function train(context) {
  const { api, announce, go } = context;
  const leaving = new AbortController();
  const { signal } = leaving;
  let about = new Controls([]);
  let color = new Controls([]);
  let rest = new Controls([]);
  let sending = false;
  /** Whether the id was entered, or follows the title. */
  let ownId = Boolean(kept.values.id);

  const painting = new PicturesField({ ...words.painting, name: "style", most: 1, large: true, announce }, kept.painting, () => {
    suggest();
  });
  const photographs = new PicturesField(
    { ...words.photographs, name: "photograph", most: PHOTOGRAPHS, large: false, announce },
    kept.photographs,
  );
  const fields = h("div", { class: "panel-part" }, h("p", { class: "loading" }, texts.loading));
  const message = h("div", { class: "compose-message" });
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": words.uploading });
  const state = h("p", { class: "quiet small" }, words.forecast);
  const send = h("button", { class: "button primary large", type: "submit", disabled: true }, words.send);
  const styles = new StyleList(context, signal);
  const running = h("div", { class: "train-running" });
  const element = h("div", { class: "train" },
    h("form", { class: "compose", noValidate: true, onsubmit: submit },
      painting.element,
      h("div", { class: "panel" },
        h("div", { class: "panel-part" }, h("h1", {}, words.heading), h("p", { class: "quiet" }, words.about)),
        running,
        fields,
        message,
        h("div", { class: "compose-foot" }, h("div", { class: "forecast-box" }, state, bar), send))),
    styles.element);

  api.addEventListener("recovered", load, { signal });
  load();
  watch();
  return {
    element,
    title: words.heading,
    close() {
      leaving.abort();
      painting.close();
      photographs.close();
    },
  };

  async function load() {
    try {
      const { style: schema } = await context.schema();
      const pick = (/** @type {string[]} */ names) => names.flatMap((name) => schema.get(name) ?? []);
      about = new Controls(pick(ASKED), keep);
      color = new Controls(pick(["keep_color"]), keep);
      rest = new Controls([...schema.values()].filter(({ name }) => !ELSEWHERE.has(name)), keep);
      draw(schema.get("minutes")?.maximum);
    } catch (error) {
      if (!signal.aborted) fill(fields, notice(told(error), retry()));
    }
  }

  function retry() {
    return h("button", { class: "button", type: "button", onclick: load }, texts.retry);
  }

  /** @param {number | undefined} longest minutes of a training */
  function draw(longest) {
    for (const controls of [about, color, rest]) controls.set(kept.values);
    const shorter = MINUTES.filter((minutes) => minutes < (longest ?? Infinity));
    const lengths = Object.fromEntries(shorter.map((minutes) => [String(minutes), words.minutes(minutes)]));
    const more = h("details", { class: "fold" },
      h("summary", {}, icon("right"), words.credit),
      h("div", { class: "fold-body" }, ["artist", "year", "licence"].map((name) => about.controls.get(name)?.element)));
    fill(fields,
      h("div", { class: "controls" }, ["title", "id"].map((name) => about.controls.get(name)?.element)),
      more,
      photographs.element,
      color.element,
      h("div", { class: "field" },
        h("p", { class: "field-label" }, words.length),
        // The empty choice sends nothing: the server's own bound holds.
        segments("minutes", words.length, { ...lengths, "": longest ? words.minutes(longest) : words.longest }, kept.minutes,
          (value) => (kept.minutes = value)),
        h("p", { class: "field-hint" }, words.lengthHint)),
      h("details", { class: "fold" },
        h("summary", {}, icon("right"), texts.compose.all),
        h("div", { class: "fold-body" }, rest.element)));
    about.controls.get("id")?.target.addEventListener("input", () => (ownId = true));
    about.controls.get("title")?.target.addEventListener("input", suggest);
    send.disabled = false;
  }

  function keep() {
    kept.values = { ...about.values(), ...color.values(), ...rest.values() };
  }

  /** A title of the file's name, and an id of the title, unless they were entered. */
  function suggest() {
    const title = about.controls.get("title");
    const id = about.controls.get("id");
    const file = painting.files[0]?.name.replace(/\.\w+$/, "").replace(/[_-]+/g, " ").trim();
    if (file && title && !title.read()) title.write(file[0].toUpperCase() + file.slice(1));
    if (!ownId) id?.write(freeId(String(title?.read() ?? ""), styles.ids));
    keep();
  }

  /** Shows the trainings that go on. */
  async function watch() {
    while (!signal.aborted) {
      try {
        const found = await Promise.all(
          ["processing", "queued"].map((status) => api.json(`jobs?method=train&status=${status}&limit=20`, { signal })),
        );
        const jobs = found.flatMap(({ items }) => items);
        fill(running, jobs.map((job) =>
          h("a", { class: "train-job", href: `#/jobs/${job.id}` },
            icon("clock"),
            words.running(job.input.params.title || job.input.params.style_id, percent(job.progress.fraction)))));
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused && error.status === 401) return;
      }
      await pause(LOOK, signal).catch(() => {});
    }
  }

  function form() {
    const data = new FormData();
    for (const [name, value] of Object.entries({ ...about.values(), ...color.values(), ...rest.values() })) {
      data.append(name, String(value));
    }
    if (kept.minutes) data.append("minutes", kept.minutes);
    for (const file of painting.files) data.append("style", file, file.name);
    for (const file of photographs.files) data.append("photograph", file, file.name);
    return data;
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    if (sending) return;
    const faults = new Map([about, color, rest].flatMap((controls) => [...controls.faults()]));
    if (!painting.files.length) faults.set("style", words.painting.missing);
    if (!about.values().id) faults.set("id", words.idMissing);
    fill(message);
    showErrors(faults);
    if (faults.size) return;
    setSending(true);
    try {
      const job = await api.submit("styles", form(), (fraction) => {
        bar.value = fraction;
        state.textContent = fraction < 1 ? `${words.uploading} ${percent(fraction)}` : words.checking;
      }, signal);
      Object.assign(kept, { painting: [], photographs: [], minutes: "", values: {} });
      announce(words.sent);
      go(`#/jobs/${job.id}`);
    } catch (error) {
      if (signal.aborted) return;
      setSending(false);
      fill(message, notice(told(error)));
      const errors = error instanceof Refused ? error.fields : new Map();
      if (error instanceof Refused && error.code === "training_not_configured") {
        errors.set("photograph", words.photographs.needed);
      }
      if (showErrors(errors)) return;
      message.scrollIntoView({ block: "nearest" });
      // Nobody has the focus of a button that was disabled.
      if (document.activeElement === document.body) send.focus({ preventScroll: true });
    }
  }

  /** @param {boolean} now */
  function setSending(now) {
    sending = now;
    send.disabled = now;
    bar.hidden = !now;
    bar.value = 0;
    state.textContent = now ? words.uploading : words.forecast;
  }

  /**
   * Marks the fields, and leads to the first.
   *
   * @param {Map<string, string>} errors
   * @returns {boolean} whether there is one
   */
  function showErrors(errors) {
    return lead([
      painting.showError(errors.get("style") ?? ""),
      about.showErrors(errors),
      photographs.showError(errors.get("photograph") ?? ""),
      color.showErrors(errors),
      rest.showErrors(errors),
    ]);
  }
}

/**
 * An id like a title, which no style has yet.
 *
 * @param {string} title
 * @param {string[]} taken
 */
function freeId(title, taken) {
  // Letters without their accents, which are letters of their own in this form.
  const plain = title.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const id = plain.replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 60);
  if (!id || !taken.includes(id)) return id;
  let n = 2;
  while (taken.includes(`${id}_${n}`)) n++;
  return `${id}_${n}`;
}
