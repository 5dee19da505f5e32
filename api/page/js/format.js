/** Numbers, times and sizes, as one writes them in the language of the texts. */

import { texts } from "./texts.js";

const numbers = new Intl.NumberFormat(texts.language, { maximumSignificantDigits: 4 });
const wholes = new Intl.NumberFormat(texts.language);
const percents = new Intl.NumberFormat(texts.language, { style: "percent" });
const dates = new Intl.DateTimeFormat(texts.language, { dateStyle: "medium", timeStyle: "short" });

/** @param {number} value */
export const number = (value) => (Number.isInteger(value) ? wholes : numbers).format(value);

/** @param {number} fraction */
export const percent = (fraction) => percents.format(fraction);

/** @param {string | Date} date */
export const moment = (date) => dates.format(new Date(date));

/** A length of time in one unit. @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return texts.time.now;
  if (seconds < 90) return texts.time.seconds(Math.round(seconds));
  if (seconds < 90 * 60) return texts.time.minutes(Math.round(seconds / 60));
  if (seconds < 36 * 3600) return texts.time.hours(Math.round(seconds / 3600));
  return texts.time.days(Math.round(seconds / 86400));
}

/** @param {number} count of bytes */
export function bytes(count) {
  const [unit, size] = count < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  const form = new Intl.NumberFormat(texts.language, { style: "unit", unit, maximumSignificantDigits: 3 });
  return form.format(Number(count) / Number(size));
}
