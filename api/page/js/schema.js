/** The fields of the service's forms, as its OpenAPI document tells them. */

/** @typedef {import("./api.js").Api} Api */

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {"file" | "choice" | "choices" | "truth" | "integer" | "number" | "numbers" | "text" | "texts"} kind
 * @property {string} description for people
 * @property {string[]} choices of a choice
 * @property {string[] | null} methods that it is for; null for all
 * @property {unknown} fallback the value in force when it is not sent; undefined where that depends
 * @property {number | undefined} minimum
 * @property {number | undefined} maximum
 * @property {number | undefined} maxLength
 * @property {string | undefined} pattern
 * @property {boolean} several whether it may have more than one value
 * @property {boolean} link whether it is a URL
 *
 * @typedef {Map<string, Field>} Fields by name, in the document's order
 * @typedef {{job: Fields, style: Fields}} Schema of POST /jobs and POST /styles
 */

/**
 * @param {Api} api
 * @returns {Promise<Schema>}
 */
export async function loadSchema(api) {
  const { paths } = await api.json("openapi.json");
  return { job: fieldsOf(paths["/jobs"]), style: fieldsOf(paths["/styles"]) };
}

/**
 * The fields of these that go with a method.
 *
 * @param {Fields} fields
 * @param {string} method
 * @returns {Field[]}
 */
export function fieldsFor(fields, method) {
  return [...fields.values()].filter(({ methods }) => !methods || methods.includes(method));
}

/** @param {any} path of the document @returns {Fields} */
function fieldsOf(path) {
  const { properties } = path.post.requestBody.content["multipart/form-data"].schema;
  return new Map(Object.entries(properties).map(([name, schema]) => [name, fieldOf(name, schema)]));
}

/** @param {string} name @param {any} schema @returns {Field} */
function fieldOf(name, schema) {
  const item = schema.type === "array" ? schema.items : schema;
  const fallback = schema["x-default"] ?? schema.default;
  return {
    name,
    kind: kindOf(item, schema.type === "array"),
    description: forPeople(schema.description ?? "", fallback !== undefined),
    choices: (item.enum ?? []).map(String),
    methods: schema["x-methods"] ?? null,
    fallback,
    minimum: item.minimum,
    maximum: item.maximum,
    maxLength: item.maxLength,
    // Inputs read it with the flag v, by which a hyphen at the end of a class is escaped.
    pattern: item.pattern?.replaceAll("-]", "\\-]"),
    several: schema.type === "array",
    link: item.format === "uri",
  };
}

/** @param {any} item @param {boolean} several @returns {Field["kind"]} */
function kindOf(item, several) {
  if (item.format === "binary") return "file";
  if (item.enum) return several ? "choices" : "choice";
  if (item.type === "boolean") return "truth";
  if (item.type === "integer" || item.type === "number") return several ? "numbers" : item.type;
  return several ? "texts" : "text";
}

/**
 * A description without what the page tells otherwise.
 *
 * @param {string} description
 * @param {boolean} knowsDefault
 */
function forPeople(description, knowsDefault) {
  const text = description.replace(/ For method=\w+\./, "").replaceAll("`", "");
  return knowsDefault ? text.replace(/ Default: .*$/, "") : text;
}
