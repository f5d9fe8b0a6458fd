// Scales of charts: round steps, the values that would spoil an axis, and the ticks of days, weeks and months.

const TICKS = 4;
const FEW = 8; // values, in which none is an outlier
const FAR = 3; // times as high as nine of ten others: an outlier

/** Round steps from 0, or below it, to at least `max`. */
export function ticks(min, max, count = TICKS) {
  const span = Math.max(max, 0) - Math.min(min, 0) || 1;
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw * 0.999);
  const first = Math.floor(Math.min(min, 0) / step);
  const last = Math.ceil(Math.max(max, 0) / step) || 1;
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** The highest value that an axis has to show: all but the outliers. */
export function highest(values) {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  if (sorted.length === 0) return 0;
  const usual = sorted[Math.floor(0.9 * (sorted.length - 1))];
  if (sorted.length < FEW || sorted.at(-1) <= FAR * usual) return sorted.at(-1);
  return 1.15 * sorted.filter((value) => value <= FAR * usual).at(-1);
}

const format = (options) => new Intl.DateTimeFormat("en-US", { timeZone: "UTC", ...options });
const day = format({ month: "short", day: "numeric" });
const month = format({ month: "short" });
const dateOf = (key) => new Date(`${key}T00:00:00Z`);
const LONG_DAYS = 130; // a longer axis has ticks at the first of a month

/**
 * The ticks of an axis of days: [{index, name, year}]; the year is there where it is new.
 * `most` is how many names have room.
 */
export function dayTicks(keys, most) {
  const span = (dateOf(keys.at(-1)) - dateOf(keys[0])) / 86_400_000;
  const found = span <= LONG_DAYS ? everyFew(keys, most) : monthStarts(keys, most);
  let year = null;
  return found.map(({ index, name }) => {
    const isNew = keys[index].slice(0, 4) !== year;
    year = keys[index].slice(0, 4);
    return { index, name, year: isNew ? year : null };
  });
}

function everyFew(keys, most) {
  const every = Math.max(1, Math.ceil(keys.length / most));
  return keys.flatMap((key, index) => (index % every === 0 ? [{ index, name: day.format(dateOf(key)) }] : []));
}

function monthStarts(keys, most) {
  const isFirst = (key, index) => (index ? keys[index - 1].slice(0, 7) !== key.slice(0, 7) : key.endsWith("-01"));
  const starts = keys.flatMap((key, index) => (isFirst(key, index) ? [index] : []));
  const every = [1, 2, 3, 6, 12].find((step) => starts.length / step <= most) ?? 24;
  const number = (index) => 12 * Number(keys[index].slice(0, 4)) + Number(keys[index].slice(5, 7)) - 1;
  return starts.filter((index) => number(index) % every === 0).map((index) => ({ index, name: month.format(dateOf(keys[index])) }));
}
