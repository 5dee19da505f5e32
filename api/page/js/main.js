/** The frame of the page: which view is shown, the caller's key, and whether the service answers. */

import { Api, Refused, Unreachable, pause } from "./api.js";
import { h, fill, icon } from "./dom.js";
import { Draft } from "./draft.js";
import { dead, told } from "./errors.js";
import { loadSchema } from "./schema.js";
import { texts } from "./texts.js";

/**
 * What a view is given.
 *
 * @typedef {object} Context
 * @property {Api} api fires "recovered" when the service is back
 * @property {Record<string, string>} parameters of the address
 * @property {(hash: string) => void} go to another view: "#/history"
 * @property {(text: string) => void} announce to those who do not see the page
 * @property {(title: string) => void} retitle the tab
 * @property {Draft} draft what the user is composing
 * @property {() => Promise<import("./schema.js").Schema>} schema the fields that the service takes
 *
 * @typedef {{element: HTMLElement, title: string, close(): void}} View `close` ends what the view has begun
 */

/** @type {[RegExp, string, () => Promise<(context: Context) => View>][]} */
const ROUTES = [
  [/^#?\/?$/, "compose", async () => (await import("./views/compose.js")).compose],
  [/^#\/jobs\/(?<id>[^/]+)$/, "job", async () => (await import("./views/job.js")).job],
  [/^#\/history$/, "history", async () => (await import("./views/history.js")).history],
  [/^#\/train$/, "train", async () => (await import("./views/train.js")).train],
];

/** Milliseconds until the view that was asked for is surely there. */
const AT_LEISURE = 3000;

const api = new Api(new URL(".", document.baseURI).href);
const draft = new Draft();

/** @type {ReturnType<typeof loadSchema> | null} */
let schema = null;

/** @type {View | null} */
let shown = null;

/** Which of the changes of the address is the last. */
let turn = 0;

const main = h("main", { id: "main", class: "main" });
const live = h("div", { class: "sr-only", role: "status", "aria-live": "polite" });
const banner = h("div", { class: "banner", role: "status", hidden: true });
const keyButton = h("button", { class: "button plain", type: "button", onclick: () => askForKey(false) }, icon("key"), [
  h("span", { class: "sr-only" }, texts.key.button),
]);
const links = [
  { route: "compose", hash: "#/", text: texts.nav.compose },
  { route: "history", hash: "#/history", text: texts.nav.history },
  { route: "train", hash: "#/train", text: texts.nav.train },
].map(({ route, hash, text }) => h("a", { href: hash, "data-route": route }, text));

start();

function start() {
  document.documentElement.lang = texts.language;
  document.querySelector("#page")?.replaceWith(
    h("a", { class: "skip", href: "#main", onclick: skip }, texts.skip),
    h("header", { class: "header" },
      h("a", { class: "brand", href: "#/" }, icon("mark"), h("span", { class: "brand-name" }, texts.product)),
      h("nav", { class: "nav", "aria-label": texts.nav.label }, links),
      keyButton),
    banner,
    main,
    h("footer", { class: "footer" },
      h("a", { href: api.url("docs") }, texts.footer.api),
      h("a", { href: api.url("openapi.json") }, texts.footer.openapi)),
    live,
  );
  api.addEventListener("unauthorized", () => askForKey(true));
  api.addEventListener("offline", watchConnection);
  window.addEventListener("offline", watchConnection);
  window.addEventListener("hashchange", () => turnTo(true));
  turnTo(false);
  // The other views are there before they are asked for, also when the service is away by then.
  setTimeout(() => Promise.allSettled(ROUTES.map(([, , load]) => load())), AT_LEISURE);
}

/**
 * Shows the view of the address.
 *
 * @param {boolean} focus whether to lead the reader to it
 */
async function turnTo(focus) {
  const mine = ++turn;
  shown?.close();
  shown = null;
  const late = setTimeout(() => mine === turn && fill(main, h("p", { class: "loading" }, texts.loading)), 200);
  /** @type {View} */
  let view;
  try {
    view = await viewOf(location.hash);
  } catch (error) {
    view = { element: dead(told(error), again()), title: texts.product, close() {} };
    // As the banner promises.
    api.addEventListener("recovered", () => mine === turn && turnTo(false), { once: true });
  }
  clearTimeout(late);
  if (mine !== turn) {
    view.close();
    return;
  }
  shown = view;
  fill(main, view.element);
  retitle(view.title);
  window.scrollTo(0, 0);
  if (focus) {
    const heading = main.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }
}

/** @param {string} hash @returns {Promise<View>} */
async function viewOf(hash) {
  for (const [pattern, name, load] of ROUTES) {
    const found = pattern.exec(hash);
    if (!found) continue;
    for (const link of links) {
      if (link.dataset.route === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const [view] = await Promise.all([load().catch(missing), draft.ready]);
    const parameters = { ...found.groups };
    return view({ api, parameters, go, announce, retitle, draft, schema: fields });
  }
  const link = h("a", { class: "button primary", href: "#/" }, texts.notFound.link);
  return { element: dead({ ...texts.notFound, detail: "" }, link), title: texts.notFound.title, close() {} };
}

/** A part of the page itself cannot be had. @param {unknown} error @returns {never} */
function missing(error) {
  api.dispatchEvent(new Event("offline"));
  throw new Unreachable(error);
}

function again() {
  return h("button", { class: "button", type: "button", onclick: () => turnTo(true) }, texts.retry);
}

/** @param {string} hash */
function go(hash) {
  if (location.hash === hash) turnTo(true);
  else location.hash = hash;
}

/** @param {string} title */
function retitle(title) {
  document.title = title === texts.product ? title : `${title} · ${texts.product}`;
}

/** @param {string} text */
function announce(text) {
  // The same text again would not be read again.
  live.textContent = live.textContent === text ? `${text}\u00a0` : text;
}

/** Fetched once, when first needed; again after a failure. */
function fields() {
  schema ??= loadSchema(api).catch((error) => {
    schema = null;
    throw error;
  });
  return schema;
}

/** The address is that of the view, so the link only moves the focus. @param {Event} event */
function skip(event) {
  event.preventDefault();
  main.tabIndex = -1;
  main.focus();
}

/** Tells that the service is away, and asks until it is back. */
async function watchConnection() {
  if (!banner.hidden) return;
  banner.hidden = false;
  fill(banner, icon("away"), navigator.onLine ? texts.connection.away : texts.connection.offline);
  for (;;) {
    await pause(2000);
    try {
      await api.request("livez");
      break;
    } catch (error) {
      if (error instanceof Refused && error.code !== "unknown") break;
    }
  }
  banner.hidden = true;
  announce(texts.connection.back);
  api.dispatchEvent(new Event("recovered"));
}

/** @param {boolean} needed whether the service has asked for it */
function askForKey(needed) {
  if (document.querySelector("dialog.key")) return;
  const wrong = h("p", { class: "field-error", id: "key-error", role: "alert" });
  const input = h("input", {
    id: "key", class: "input", type: "password", name: "key", value: api.key, autocomplete: "off",
    autocapitalize: "off", spellcheck: false, "aria-describedby": "key-about key-error",
  });
  const before = api.key;

  /** @param {SubmitEvent} event */
  async function save(event) {
    event.preventDefault();
    if (event.submitter?.dataset.forget) input.value = "";
    else if (!input.value.trim()) return refuse(texts.key.empty);
    // Others cannot stand in a header; they come along when a key is copied from a text.
    else if (!/^[\x21-\x7e]+$/.test(input.value.trim())) return refuse(texts.key.strange);
    api.key = input.value.trim();
    try {
      if (api.key) await api.json("jobs?limit=1");
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        api.key = before;
        return refuse(texts.key.unknown);
      }
      // Whether the key is right shows when the service is back.
    }
    dialog.close();
    announce(api.key ? texts.key.kept : texts.key.forgotten);
    turnTo(false);
  }

  /** @param {string} why */
  function refuse(why) {
    wrong.textContent = why;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }

  const dialog = h("dialog", { class: "key", "aria-labelledby": "key-title", onclose: () => dialog.remove() },
    h("form", { class: "dialog-body", onsubmit: save },
      h("h2", { id: "key-title" }, needed ? texts.errors.unauthorized.title : texts.key.title),
      h("p", { id: "key-about", class: "quiet" }, texts.key.about),
      h("div", { class: "field" }, h("label", { class: "field-label", for: "key" }, texts.key.field), input, wrong),
      h("div", { class: "dialog-actions" },
        before && h("button", { class: "button plain danger", type: "submit", "data-forget": "yes" }, texts.key.forget),
        h("button", { class: "button", type: "button", onclick: () => dialog.close() }, texts.key.cancel),
        h("button", { class: "button primary", type: "submit" }, texts.key.save))));
  document.body.append(dialog);
  dialog.showModal();
}
