/** The service, as the page calls it: with the caller's key, and with errors that say what to do. */

/**
 * @typedef {{status: number, code: string, title: string, detail: string,
 *            errors?: {pointer: string, detail: string}[]}} ProblemDocument
 * @typedef {{name: string, data: any, id: string}} ServerEvent
 */

const KEY = "nst.key";

/** The service refused a request. */
export class Refused extends Error {
  /**
   * @param {ProblemDocument} problem
   * @param {number | null} retryAfter seconds
   */
  constructor(problem, retryAfter = null) {
    super(problem.detail || problem.title);
    this.name = "Refused";
    this.problem = problem;
    this.status = problem.status;
    this.code = problem.code;
    this.retryAfter = retryAfter;
  }

  /** What is wrong with each field, by its name. @returns {Map<string, string>} */
  get fields() {
    return new Map((this.problem.errors ?? []).map((error) => [error.pointer.replace(/^#\//, ""), error.detail]));
  }
}

/** Nobody answered, or something that is not the service. */
export class Unreachable extends Error {
  /** @param {unknown} [cause] */
  constructor(cause) {
    super("The service cannot be reached.", { cause });
    this.name = "Unreachable";
  }
}

/** A file of the user is no longer there, or has changed since it was chosen. */
export class Unreadable extends Error {
  /** @param {string} file its name */
  constructor(file) {
    super(file);
    this.name = "Unreadable";
  }
}

export class Api extends EventTarget {
  /** The Idempotency-Key of what was sent without an answer, by its path. @type {Map<string, string>} */
  #unanswered = new Map();

  /** @param {string} root address of the service, with a slash at its end */
  constructor(root) {
    super();
    this.root = root;
  }

  /** The caller's key, kept in this browser; empty for none. */
  get key() {
    return localStorage.getItem(KEY) ?? "";
  }

  set key(key) {
    if (key) localStorage.setItem(KEY, key);
    else localStorage.removeItem(KEY);
  }

  /** @param {string} path relative to the root */
  url(path) {
    return new URL(path.replace(/^\//, ""), this.root).href;
  }

  /**
   * An answer of 2xx. Fires "online" and "offline" as the service answers or does not, "unauthorized" when it asks for a
   * key.
   *
   * @param {string} path
   * @param {RequestInit} [options]
   * @returns {Promise<Response>}
   * @throws {Refused | Unreachable | DOMException} the last when it was aborted
   */
  async request(path, options = {}) {
    const headers = new Headers(options.headers);
    if (this.key) headers.set("Authorization", `Bearer ${this.key}`);
    /** @type {Response} */
    let response;
    try {
      response = await fetch(this.url(path), { ...options, headers, credentials: "omit" });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      this.dispatchEvent(new Event("offline"));
      throw new Unreachable(error);
    }
    if (response.ok) {
      this.dispatchEvent(new Event("online"));
      return response;
    }
    const refused = await refusal(response);
    this.dispatchEvent(new Event(refused.status >= 502 && refused.code === "unknown" ? "offline" : "online"));
    if (refused.status === 401) this.dispatchEvent(new Event("unauthorized"));
    throw refused;
  }

  /**
   * @param {string} path
   * @param {RequestInit} [options]
   * @returns {Promise<any>}
   */
  async json(path, options) {
    const response = await this.request(path, options);
    return response.status === 204 ? null : this.#body(response.json());
  }

  /**
   * @param {string} path
   * @param {RequestInit} [options]
   * @returns {Promise<Blob>}
   */
  async blob(path, options) {
    const response = await this.request(path, options);
    return this.#body(response.blob());
  }

  /**
   * A body, which may break off, or be that of something else that answers in the service's place.
   *
   * @template T
   * @param {Promise<T>} reading
   * @returns {Promise<T>}
   * @throws {Unreachable | DOMException}
   */
  async #body(reading) {
    try {
      return await reading;
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      this.dispatchEvent(new Event("offline"));
      throw new Unreachable(error);
    }
  }

  /**
   * Sends a job. One whose answer was lost is, when it is sent again, the same job.
   *
   * @param {string} path "jobs" or "styles"
   * @param {FormData} form
   * @param {(fraction: number) => void} [progress] of the upload
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>} the job
   * @throws {Refused | Unreachable | Unreadable | DOMException}
   */
  async submit(path, form, progress = () => {}, signal = undefined) {
    const key = this.#unanswered.get(path) ?? uuid();
    this.#unanswered.set(path, key);
    try {
      const job = await this.#send(path, form, key, progress, signal);
      this.#unanswered.delete(path);
      return job;
    } catch (error) {
      const answered = error instanceof Refused && error.status < 500 && error.code !== "idempotency_key_in_use";
      if (answered) this.#unanswered.delete(path);
      // What was sent before was another request.
      if (answered && error.code === "idempotency_key_reused") return this.submit(path, form, progress, signal);
      throw error;
    }
  }

  /**
   * @param {string} path
   * @param {FormData} form
   * @param {string} key
   * @param {(fraction: number) => void} progress
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<any>}
   */
  #send(path, form, key, progress, signal) {
    // Only XMLHttpRequest tells how much of an upload is done.
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", this.url(path));
      if (this.key) request.setRequestHeader("Authorization", `Bearer ${this.key}`);
      request.setRequestHeader("Idempotency-Key", key);
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      request.onload = async () => {
        const headers = new Headers({ "Retry-After": request.getResponseHeader("Retry-After") ?? "" });
        if (request.status >= 200 && request.status < 300) {
          this.dispatchEvent(new Event("online"));
          resolve(this.#body(new Response(request.responseText).json()));
          return;
        }
        const refused = await refusal(new Response(request.responseText, { status: request.status, headers }));
        if (refused.status === 401) this.dispatchEvent(new Event("unauthorized"));
        reject(refused);
      };
      request.onerror = async () => {
        const file = await unreadable(form);
        if (file) {
          reject(new Unreadable(file.name));
          return;
        }
        this.dispatchEvent(new Event("offline"));
        reject(new Unreachable());
      };
      request.onabort = () => reject(new DOMException("Aborted", "AbortError"));
      signal?.addEventListener("abort", () => request.abort());
      request.send(form);
    });
  }

  /**
   * What becomes of a job, until it has ended ("done") or is not there any more ("gone"). A stream that breaks off is
   * asked for again, where it was; meanwhile "offline" is fired.
   *
   * @param {string} id
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<ServerEvent>}
   * @throws {Refused | DOMException}
   */
  async *events(id, signal) {
    let last = "";
    for (let attempt = 0; ; attempt++) {
      try {
        const headers = last ? { "Last-Event-ID": last } : undefined;
        const response = await this.request(`jobs/${id}/events`, { headers, signal });
        if (response.status === 204 || !response.body) return;
        for await (const event of readEvents(response.body)) {
          attempt = 0;
          last = event.id || last;
          yield event;
          if (event.name === "done" || event.name === "gone") return;
        }
      } catch (error) {
        const passing = error instanceof Refused ? error.status >= 500 : !(error instanceof DOMException);
        if (!passing || signal.aborted) throw error;
        if (!(error instanceof Refused)) this.dispatchEvent(new Event("offline"));
      }
      await pause(Math.min(10_000, 500 * 2 ** attempt), signal);
    }
  }
}

/**
 * Resolves after some time; rejects when it is aborted.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal = undefined) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("Aborted", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** @param {Response} response @returns {Promise<Refused>} */
async function refusal(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  /** @type {ProblemDocument} */
  let problem = { status: response.status, code: "unknown", title: response.statusText, detail: "" };
  try {
    problem = { ...problem, ...(await response.json()) };
  } catch {
    // A proxy's own page.
  }
  return new Refused(problem, Number.isNaN(seconds) ? null : seconds);
}

/**
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<ServerEvent>}
 */
async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = parseEvent(text.slice(0, end));
        text = text.slice(end + 2);
        if (event) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** @param {string} block @returns {ServerEvent | null} */
function parseEvent(block) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const line of block.split("\n")) {
    const [, name, value] = /^(event|data|id): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = fields[name] === undefined ? value : `${fields[name]}\n${value}`;
  }
  if (!fields.data) return null;
  return { name: fields.event ?? "message", data: JSON.parse(fields.data), id: fields.id ?? "" };
}

/** The first of the files that cannot be read; of an upload the browser does not tell it. @param {FormData} form */
async function unreadable(form) {
  for (const value of form.values()) {
    if (!(value instanceof File)) continue;
    try {
      await value.slice(0, 1).arrayBuffer();
    } catch {
      return value;
    }
  }
  return null;
}

/** A random name; `crypto.randomUUID` is there on secure pages only. */
export function uuid() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
