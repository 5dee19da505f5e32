/** Controls for the fields of a form, made from its schema. */

import { h, icon } from "./dom.js";
import { number, percent } from "./format.js";
import { texts } from "./texts.js";

/**
 * @typedef {import("./schema.js").Field} Field
 * @typedef {string | string[]} Value as it is sent
 *
 * @typedef {object} Control
 * @property {Field} field
 * @property {HTMLElement} element
 * @property {HTMLElement} target what gets the focus
 * @property {HTMLElement} error where it says what is wrong
 * @property {() => Value | null} read null where it says nothing, so that the service's default holds
 * @property {(value: unknown) => void} write null or undefined for nothing
 * @property {(value: unknown) => void} fallback tells what holds when it says nothing
 */

/**
 * Fields that are shown as sliders too: over the whole range, or over a part that makes sense, evenly or by ratios.
 *
 * @type {Record<string, {from?: number, to?: number, ratio?: boolean, step?: number, fraction?: boolean}>}
 */
const SLIDERS = {
  size: { from: 128, to: 2048, ratio: true, step: 32 },
  strength: { fraction: true, step: 0.01 },
  content_weight: { from: 0.005, to: 0.5, ratio: true, step: 0.001 },
  iterations: { from: 25, to: 1000, ratio: true, step: 25 },
};

/** Positions of a slider. */
const POSITIONS = 200;

let count = 0;

/**
 * Controls for these fields, in their order. Only what the user has set is read from them, so that the service's
 * defaults, and a preset's, hold for the rest.
 */
export class Controls {
  /**
   * @param {Field[]} fields
   * @param {() => void} onchange called after every change by the user
   */
  constructor(fields, onchange = () => {}) {
    /** @type {Map<string, Control>} */
    this.controls = new Map(fields.map((field) => [field.name, control(field, onchange)]));
    this.element = h("div", { class: "controls" }, [...this.controls.values()].map(({ element }) => element));
  }

  /** What was set, by the name of the field. @returns {Record<string, Value>} */
  values() {
    /** @type {Record<string, Value>} */
    const values = {};
    for (const [name, { read }] of this.controls) {
      const value = read();
      if (value !== null) values[name] = value;
    }
    return values;
  }

  /**
   * Sets these values, and forgets what was set before.
   *
   * @param {Record<string, unknown>} values
   */
  set(values) {
    for (const [name, { write }] of this.controls) write(values[name]);
  }

  /**
   * Tells which values hold where nothing is set; the schema's for those that are not named.
   *
   * @param {Record<string, unknown>} values
   */
  setFallbacks(values) {
    for (const [name, { field, fallback }] of this.controls) fallback(values[name] ?? field.fallback);
  }

  /**
   * Says what is wrong with fields, and that nothing is with the others.
   *
   * @param {Map<string, string>} errors by the name of the field
   * @returns {HTMLElement | null} the first of them
   */
  showErrors(errors) {
    /** @type {HTMLElement | null} */
    let first = null;
    for (const [name, { target, error }] of this.controls) {
      const wrong = errors.get(name);
      error.textContent = wrong ?? "";
      if (wrong) target.setAttribute("aria-invalid", "true");
      else target.removeAttribute("aria-invalid");
      if (wrong) first ??= target;
    }
    return first;
  }

  /** What the browser itself finds wrong, such as letters in a number. @returns {Map<string, string>} */
  faults() {
    /** @type {Map<string, string>} */
    const faults = new Map();
    for (const [name, { element }] of this.controls) {
      const wrong = [...element.querySelectorAll("input")].find((input) => !input.validity.valid);
      if (wrong) faults.set(name, wrong.validationMessage);
    }
    return faults;
  }
}

/**
 * How a field is called.
 *
 * @param {string} name
 */
export function labelOf(name) {
  const known = /** @type {Record<string, {label: string}>} */ (texts.fields);
  const words = name.replaceAll("_", " ");
  return known[name]?.label ?? words[0].toUpperCase() + words.slice(1);
}

/**
 * How a value of a field is called.
 *
 * @param {string} name of the field
 * @param {unknown} value
 * @returns {string}
 */
export function valueOf(name, value) {
  const known = /** @type {Record<string, Record<string, string>>} */ (texts.choices)[name];
  if (Array.isArray(value)) return value.map((item) => valueOf(name, item)).join(", ");
  if (typeof value === "boolean") return value ? texts.controls.yes : texts.controls.no;
  if (typeof value === "number") return SLIDERS[name]?.fraction ? percent(value) : number(value);
  return known?.[String(value)] ?? String(value);
}

/** @param {Field} field @param {() => void} onchange @returns {Control} */
function control(field, onchange) {
  const id = `field-${field.name}-${++count}`;
  const known = /** @type {Record<string, {hint?: string}>} */ (texts.fields);
  const hint = known[field.name]?.hint ?? field.description;
  const error = h("p", { class: "field-error", id: `${id}-error` });
  const about = { id, "aria-describedby": `${id}-hint ${id}-error` };
  const { body, label, target, read, write, fallback } = BUILDERS[field.kind](field, about, () => {
    error.textContent = "";
    target.removeAttribute("aria-invalid");
    onchange();
  });
  const element = h("div", { class: "field", "data-field": field.name, "data-kind": field.kind }, label, body, [
    h("p", { class: "field-hint", id: `${id}-hint` }, hint),
    error,
  ]);
  fallback(field.fallback);
  return { field, element, target, error, read, write, fallback };
}

/**
 * @typedef {{id: string, "aria-describedby": string}} About
 * @typedef {{body: HTMLElement, label: HTMLElement | null, target: HTMLElement, read: Control["read"],
 *            write: Control["write"], fallback: Control["fallback"]}} Built
 */

/** @type {Record<Field["kind"], (field: Field, about: About, onchange: () => void) => Built>} */
const BUILDERS = {
  choice: select,
  choices: (field, about, onchange) => (field.name === "color" ? select : boxes)(field, about, onchange),
  truth: checkbox,
  integer: (field, about, onchange) => (field.name in SLIDERS ? slider : line)(field, about, onchange),
  number: (field, about, onchange) => (field.name in SLIDERS ? slider : line)(field, about, onchange),
  numbers: line,
  text: line,
  texts: line,
  file: line,
};

/** @param {Field} field @param {About} about */
function labelFor(field, about) {
  return h("label", { class: "field-label", for: about.id }, labelOf(field.name));
}

/** One line of text, or a number. @param {Field} field @param {About} about @param {() => void} onchange @returns {Built} */
function line(field, about, onchange) {
  const isNumber = field.kind === "integer" || field.kind === "number";
  const input = h("input", {
    ...about, class: "input", name: field.name, oninput: onchange, autocomplete: "off",
    type: isNumber ? "number" : field.link ? "url" : "text", maxLength: field.maxLength, pattern: field.pattern,
    min: isNumber ? field.minimum : null, max: isNumber ? field.maximum : null,
    step: field.kind === "number" ? "any" : null, inputMode: field.kind === "number" ? "decimal" : null,
  });
  return {
    body: input,
    label: labelFor(field, about),
    target: input,
    read: () => input.value.trim() || null,
    write: (value) => (input.value = value === null || value === undefined ? "" : String(value)),
    fallback: (value) => (input.placeholder = isSaid(value) ? String(value) : isNumber ? texts.controls.unset : ""),
  };
}

/** A number, with a slider for its usual range. @param {Field} field @param {About} about @param {() => void} onchange @returns {Built} */
function slider(field, about, onchange) {
  const { from = field.minimum ?? 0, to = field.maximum ?? 1, ratio, step = 1, fraction } = SLIDERS[field.name];
  const most = Math.min(to, field.maximum ?? to);
  const exact = line(field, about, changed);
  const input = /** @type {HTMLInputElement} */ (exact.target);
  const range = h("input", {
    type: "range", min: 0, max: POSITIONS, "aria-label": labelOf(field.name), "aria-describedby": about["aria-describedby"],
    oninput: moved,
  });
  const reset = h("button", {
    class: "reset", type: "button", hidden: true, "aria-label": texts.controls.reset(labelOf(field.name)), onclick: forget,
  }, icon("undo"));
  /** @type {unknown} */
  let fallback;

  /** @param {number} value */
  const position = (value) => Math.round(POSITIONS * (ratio ? Math.log(value / from) / Math.log(most / from) : (value - from) / (most - from)));

  function moved() {
    const part = Number(range.value) / POSITIONS;
    const value = ratio ? from * (most / from) ** part : from + part * (most - from);
    const rounded = Math.min(most, Math.max(from, Math.round(value / step) * step));
    input.value = String(Number(rounded.toFixed(4)));
    tell();
    onchange();
  }

  function changed() {
    follow();
    onchange();
  }

  function forget() {
    input.value = "";
    follow();
    input.focus();
    onchange();
  }

  function follow() {
    const value = input.value === "" ? Number(fallback ?? from) : Number(input.value);
    range.value = String(position(Math.max(from, value)));
    tell();
  }

  function tell() {
    reset.hidden = input.value === "";
    const value = input.value === "" ? fallback : Number(input.value);
    range.setAttribute("aria-valuetext", isSaid(value) ? valueOf(field.name, value) : texts.controls.automatic);
  }

  if (fraction) input.step = "any";
  return {
    ...exact,
    label: h("div", { class: "field-label" }, h("label", { for: about.id }, labelOf(field.name)), reset),
    body: h("div", { class: "slider" }, range, input),
    write(value) {
      exact.write(value);
      follow();
    },
    fallback(value) {
      fallback = value;
      exact.fallback(value);
      follow();
    },
  };
}

/** One of several. @param {Field} field @param {About} about @param {() => void} onchange @returns {Built} */
function select(field, about, onchange) {
  const automatic = h("option", { value: "" });
  const options = field.choices.map((choice) => h("option", { value: choice }, valueOf(field.name, choice)));
  const input = h("select", { ...about, class: "input", name: field.name, onchange }, automatic, options);
  return {
    body: input,
    label: labelFor(field, about),
    target: input,
    read: () => input.value || null,
    write(value) {
      const text = isSaid(value) ? String(value) : "";
      // Of several styles each may have its own; the whole list is then a choice.
      if (![...input.options].some((option) => option.value === text)) {
        input.append(h("option", { value: text }, valueOf(field.name, value)));
      }
      input.value = text;
    },
    fallback(value) {
      automatic.textContent = isSaid(value) ? texts.controls.usually(valueOf(field.name, value)) : texts.controls.automatic;
    },
  };
}

/** Any of several. @param {Field} field @param {About} about @param {() => void} onchange @returns {Built} */
function boxes(field, about, onchange) {
  const inputs = field.choices.map((choice) => h("input", { type: "checkbox", value: choice, onchange }));
  const list = h("div", { class: "boxes", role: "group", "aria-label": labelOf(field.name), ...about },
    inputs.map((input) => h("label", { class: "check" }, input, valueOf(field.name, input.value))));
  return {
    body: list,
    label: h("p", { class: "field-label" }, labelOf(field.name)),
    target: inputs[0] ?? list,
    read() {
      const checked = inputs.filter((input) => input.checked).map((input) => input.value);
      return checked.length ? checked.join(",") : null;
    },
    write(value) {
      const chosen = new Set(isSaid(value) ? String(value).split(",") : []);
      for (const input of inputs) input.checked = chosen.has(input.value);
    },
    fallback() {},
  };
}

/** Yes or no. @param {Field} field @param {About} about @param {() => void} onchange @returns {Built} */
function checkbox(field, about, onchange) {
  let usually = false;
  let touched = false;
  const input = h("input", { ...about, type: "checkbox", name: field.name, onchange: () => {
    touched = true;
    onchange();
  } });
  return {
    body: h("label", { class: "check" }, input, labelOf(field.name)),
    label: null,
    target: input,
    read: () => (touched && input.checked !== usually ? String(input.checked) : null),
    write(value) {
      touched = isSaid(value);
      input.checked = touched ? String(value) === "true" : usually;
    },
    fallback(value) {
      usually = value === true;
      if (!touched) input.checked = usually;
    },
  };
}

/** @param {unknown} value */
function isSaid(value) {
  return value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0);
}
