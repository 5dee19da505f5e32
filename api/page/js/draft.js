/** What the user is composing. The browser keeps it, so that neither a reload nor another view loses anything. */

import { uuid } from "./api.js";

/**
 * @typedef {{blob: Blob, name: string}} Picture
 * @typedef {{weight: number, mask: Blob | null, color?: string}} Share `color` is this style's own, where it has one
 * @typedef {Picture & Share} Painting
 * @typedef {{id: string, title?: string} & Share} Chosen a style of the gallery
 * @typedef {import("./api.js").Api} Api
 * @typedef {import("./schema.js").Fields} Fields
 *
 * @typedef {object} State
 * @property {Picture | null} content
 * @property {Picture | null} initImage
 * @property {Painting[]} own the user's paintings
 * @property {Chosen[]} gallery
 * @property {"gallery" | "own"} source which of the two is taken
 * @property {boolean} blend whether several of the gallery may be chosen
 * @property {string} autoMask "", "subject" or "background"
 * @property {string} preset
 * @property {Record<string, import("./controls.js").Value>} settings what was set, by the name of the field
 *
 * @typedef {{id: string, files: Blob[]}} Kept files in the store; `id` is another one whenever they are others
 */

const DATABASE = "nst";
const STORE = "draft";

/** What is in the store: the files, and everything else, which changes more often. */
const FILES = "files";
const REST = "rest";

/** Longest name that goes along with a job. */
const NAME_LENGTH = 80;

/** @returns {State} */
function nothing() {
  return {
    content: null, initImage: null, own: [], gallery: [], source: "gallery", blend: false, autoMask: "", preset: "",
    settings: {},
  };
}

export class Draft {
  constructor() {
    this.state = nothing();
    /** What was kept from last time is there. */
    this.ready = this.#load();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** The files as they were kept last, and which keeping that was. @type {Kept} */
    this.kept = { id: "", files: [] };
  }

  /** "gatys" or "fast". */
  get method() {
    return this.state.source === "own" ? "gatys" : "fast";
  }

  /** The styles that are taken, with their weights and masks. @returns {(Painting | Chosen)[]} */
  get styles() {
    const { source, own, gallery } = this.state;
    return source === "own" ? own : gallery;
  }

  /** Whether some of the styles have masks, but not all. */
  get lacksMasks() {
    if (!this.state.content) return false;
    const masked = this.styles.filter(({ mask }) => mask).length;
    return masked > 0 && masked < this.styles.length;
  }

  /** Keeps the state, a moment after the last of several changes. */
  save() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#store(), 250);
  }

  /** Forgets everything. */
  clear() {
    this.state = nothing();
    this.save();
  }

  /**
   * The form of POST /jobs.
   *
   * @param {Fields} fields
   * @returns {FormData}
   */
  form(fields) {
    const { content, initImage, own, gallery, source, autoMask, preset, settings } = this.state;
    const { method, styles } = this;
    const form = new FormData();
    form.append("method", method);
    if (content) form.append("content", content.blob, content.name);
    if (source === "own") for (const { blob, name } of own) form.append("style", blob, name);
    else for (const { id } of gallery) form.append("style_id", id);
    if (new Set(styles.map(({ weight }) => weight)).size > 1) {
      form.append("style_weights", styles.map(({ weight }) => weight).join(","));
    }
    if (styles.some(({ color }) => color)) {
      form.append("color", styles.map(({ color }) => color || settings.color || "style").join(","));
    }
    // Where to paint is said on the photograph.
    const masks = content ? styles.filter(({ mask }) => mask) : [];
    for (const { mask } of masks) if (mask) form.append("mask", mask, "mask.png");
    if (autoMask && content && styles.length === 1 && masks.length === 0) form.append("auto_mask", autoMask);
    if (preset && method === "gatys") form.append("preset", preset);
    for (const [name, value] of Object.entries(settings)) {
      const field = fields.get(name);
      if (form.has(name)) continue;
      if (field && (!field.methods || field.methods.includes(method))) form.append(name, String(value));
    }
    if (initImage && method === "gatys" && settings.init === "image") form.append("init_image", initImage.blob, initImage.name);
    const names = {
      name: named(content?.name),
      styles: source === "own" ? own.map(({ name }) => named(name)) : gallery.map(({ id, title }) => title ?? id),
    };
    form.append("metadata", JSON.stringify(names));
    return form;
  }

  /**
   * Takes over what a job was sent, to send it again with changes.
   *
   * @param {any} job
   * @param {Api} api
   * @param {Fields} fields
   * @param {Record<string, Record<string, unknown>>} presets the options of each
   * @throws {import("./api.js").Refused | import("./api.js").Unreachable} its files cannot be had
   */
  async adopt(job, api, fields, presets) {
    const { params, content_sha256: content, style_sha256, mask_sha256, init_sha256: init } = job.input;
    const names = namesOf(job);
    /** @param {string} digest */
    const file = (digest) => api.blob(`jobs/${job.id}/inputs/${digest}`);
    const [masks, paintings] = await Promise.all(
      [mask_sha256, style_sha256].map((digests) => Promise.all(digests.map(file))),
    );
    /** @param {number} k */
    const part = (k) => ({
      weight: params.style_weights?.[k] ?? 1, mask: masks[k] ?? null, color: params.color?.length > 1 ? params.color[k] : "",
    });
    const state = nothing();
    if (content) state.content = { blob: await file(content), name: names.name || "photo" };
    if (init) state.initImage = { blob: await file(init), name: "start" };
    if (job.method === "fast") {
      state.gallery = params.style_id.split(",").map((/** @type {string} */ id, /** @type {number} */ k) => ({ id, title: names.styles[k], ...part(k) }));
      state.blend = state.gallery.length > 1;
    } else {
      state.source = "own";
      state.own = paintings.map((blob, k) => ({ blob, name: names.styles[k] || "painting", ...part(k) }));
    }
    state.autoMask = params.auto_mask ?? "";
    state.preset = params.preset ?? "";
    state.settings = changed(job, fields, presets[params.preset] ?? {});
    if (params.color?.length > 1) delete state.settings.color;
    this.state = state;
    await this.#store();
  }

  async #load() {
    try {
      await transact("readonly", (store) => {
        const [rest, kept] = [store.get(REST), store.get(FILES)];
        kept.onsuccess = () => {
          this.kept = kept.result ?? this.kept;
          const { files } = this.kept;
          if (rest.result) this.state = { ...nothing(), ...withFiles(rest.result, (k) => files[/** @type {any} */ (k)]) };
        };
      });
    } catch {
      // A browser that keeps nothing, as in a private window: the draft lives as long as the page.
    }
  }

  async #store() {
    /** @type {Blob[]} */
    const files = [];
    const rest = withFiles(this.state, (file) => files.push(file) - 1);
    const same = files.length === this.kept.files.length && files.every((file, k) => file === this.kept.files[k]);
    if (!same) this.kept = { id: uuid(), files };
    const { kept } = this;
    try {
      await transact("readwrite", (store) => {
        const found = store.get(FILES);
        found.onsuccess = () => {
          // Another tab may have kept other files meanwhile: what is kept is always one tab's whole draft.
          if (found.result?.id !== kept.id) store.put(kept, FILES);
          store.put(rest, REST);
        };
      });
    } catch {
      // As above.
    }
  }
}

/**
 * The state with something else in the place of each file: its number, and back.
 *
 * @param {State} state
 * @param {(file: any) => any} other
 * @returns {State}
 */
function withFiles(state, other) {
  /** @param {any} file */
  const replaced = (file) => (file === null ? null : other(file));
  /** @template {Picture | null} T @param {T} one @returns {T} */
  const picture = (one) => one && { ...one, blob: replaced(one.blob) };
  return {
    ...state,
    content: picture(state.content),
    initImage: picture(state.initImage),
    own: state.own.map((style) => ({ ...picture(style), mask: replaced(style.mask) })),
    gallery: state.gallery.map((style) => ({ ...style, mask: replaced(style.mask) })),
  };
}

/**
 * What the files of a job were called, when this page has sent it.
 *
 * @param {any} job
 * @returns {{name: string, styles: string[]}} empty where that is not known
 */
export function namesOf({ metadata: { name, styles } }) {
  return { name: typeof name === "string" ? name : "", styles: Array.isArray(styles) ? styles.map(String) : [] };
}

/**
 * What a job was told that differs from the defaults, by the name of the field.
 *
 * @param {any} job
 * @param {Fields} fields
 * @param {Record<string, unknown>} preset its options
 * @returns {Record<string, import("./controls.js").Value>}
 */
export function changed(job, fields, preset) {
  /** @type {Record<string, import("./controls.js").Value>} */
  const settings = {};
  const { params } = job.input;
  for (const { name, methods, fallback } of fields.values()) {
    const value = { ...params, priority: job.priority, ttl_seconds: job.ttl_seconds }[name];
    if (SET_ELSEWHERE.has(name) || value === null || value === undefined) continue;
    if (methods && !methods.includes(job.method)) continue;
    if (String(value) === String(preset[name] ?? fallback ?? "")) continue;
    if (name === "style_size" && value === params.size) continue;
    settings[name] = String(value);
  }
  return settings;
}

/** Fields that have controls of their own. */
const SET_ELSEWHERE = new Set(["method", "preset", "style_id", "style_weights", "auto_mask", "metadata"]);

/** @param {string | undefined} name */
function named(name) {
  // By characters: half of one would be no text, and refused.
  return [...(name ?? "").replace(/\.\w+$/, "")].slice(0, NAME_LENGTH).join("");
}

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => void} action
 * @returns {Promise<void>}
 */
function transact(mode, action) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, mode);
      transaction.oncomplete = () => resolve();
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
      transaction.addEventListener("complete", () => database.close());
      action(transaction.objectStore(STORE));
    };
  });
}
