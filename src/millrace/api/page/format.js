// Values as text. Unknown (null) is "–" or "unknown", never 0; a sum that leaves something out starts with "≥".

export const UNKNOWN = "–";

const isUnknown = (value) => value === null || value === undefined;
const locale = "en-US";
const formats = {
  whole: new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }),
  tenth: new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }),
  hours: new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  hundredth: new Intl.NumberFormat(locale, { maximumFractionDigits: 2 }),
  compact: new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }),
  percent: new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }),
  tenthPercent: new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }),
  usd: new Intl.NumberFormat(locale, { style: "currency", currency: "USD" }),
  wholeUsd: new Intl.NumberFormat(locale, { style: "currency", currency: "USD", maximumFractionDigits: 0 }),
  compactUsd: new Intl.NumberFormat(locale, {
    style: "currency", currency: "USD", notation: "compact", maximumFractionDigits: 1,
  }),
};
const date = (options) => new Intl.DateTimeFormat(locale, { timeZone: "UTC", ...options });
const days = {
  short: date({ month: "short", day: "numeric" }),
  long: date({ year: "numeric", month: "short", day: "numeric" }),
  shortInstant: date({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  instant: date({ year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
};

const by = (format) => (value) => (isUnknown(value) ? UNKNOWN : format.format(value));

export const whole = by(formats.whole);
export const hundredth = by(formats.hundredth);
export const compact = by(formats.compact);
export const percent = by(formats.percent);

/** Values on an axis: short, and not rounded to another tick. */
export const axis = (value) => (Math.abs(value) < 10 ? formats.hundredth : formats.compact).format(value);
export const axisUsd = (value) => (Math.abs(value) < 10 && value % 1 ? formats.usd : formats.compactUsd).format(value);

/** A rate 0..1; near either end with a digit after the point, so that it is shown as 0 % or 100 % only where it is. */
export function rate(value) {
  if (isUnknown(value)) return UNKNOWN;
  if (value > 0.99 && value < 1) return formats.tenthPercent.format(Math.floor(value * 1000) / 1000);
  if (value > 0 && value < 0.0005) return `< ${formats.tenthPercent.format(0.001)}`;
  return value > 0 && value < 0.1 ? formats.tenthPercent.format(value) : formats.percent.format(value);
}

/** The interval of a rate: "2.8–21%". */
export const rates = (low, high) => `${rate(low).replace("%", "")}\u2013${rate(high)}`;

/** USD from a decimal string (or a number); a positive amount is never shown as zero. */
export function usd(value) {
  if (isUnknown(value)) return "unknown";
  const amount = Number(value);
  return amount > 0 && amount < 0.005 ? "< $0.01" : formats.usd.format(amount);
}

/** USD where space is small: from $1,000 without cents. */
export const shortUsd = (value) => (Number(value) >= 999.995 ? formats.wholeUsd.format(Number(value)) : usd(value));

export const hours = (value) => (isUnknown(value) ? UNKNOWN : `${formats.hours.format(value)} h`);

/** The share of responses with a known cost, not rounded. Null when there are no responses. */
export function knownShare(measures) {
  const { n_cost: known, assistant_message_count: all } = measures;
  if (isUnknown(known) || isUnknown(all) || all === 0) return null;
  return known / all;
}

const isPartial = (measures) => (knownShare(measures) ?? 1) < 1;

/** A lower bound; its sign and its value are never on two lines. */
export const atLeast = (text) => `≥\u00a0${text}`;

/** The cost of a row of measures: "$1.20", "≥ $1.20" when the cost of some responses is unknown, or "unknown". */
export function cost(measures, text = usd) {
  if (isUnknown(measures.cost_usd)) return "unknown";
  return isPartial(measures) ? atLeast(text(measures.cost_usd)) : text(measures.cost_usd);
}

/** The note beside a cost: how much of it is known; null when all is. */
export function costNote(measures) {
  if (!isPartial(measures)) return null;
  if (isUnknown(measures.cost_usd)) return `no cost known for ${whole(measures.assistant_message_count)} responses`;
  const share = knownShare(measures);
  const digits = share > 0.99 ? 1000 : 100; // rounded down, so that 99.96 % is not shown as 100 %
  return `cost known for ${formats.tenthPercent.format(Math.floor(share * digits) / digits)}`;
}

const parsed = (day) => new Date(`${day}T00:00:00Z`);

export const shortDay = (day) => (isUnknown(day) ? UNKNOWN : days.short.format(parsed(day)));
export const longDay = (day) => (isUnknown(day) ? UNKNOWN : days.long.format(parsed(day)));
export const instant = (at) => (isUnknown(at) ? "unknown" : `${days.instant.format(new Date(at))} UTC`);


/** The same in a column whose head says UTC. */
export const plainInstant = (at) => (isUnknown(at) ? "unknown" : days.instant.format(new Date(at)));

/** Whether a range is the longest one: all days until its last. */
export const isAll = (from, to) => isUnknown(from) || isUnknown(to) || parsed(to) - parsed(from) > 3658 * 86_400_000;

const all = (to) => (isUnknown(to) ? "all days" : `all days until ${longDay(to)}`);

export function range(from, to) {
  if (isAll(from, to)) return all(to);
  return days.long.formatRange(parsed(from), parsed(to));
}

/** The same without the year where it is this one. */
export function shortRange(from, to) {
  if (isAll(from, to)) return all(to);
  const year = new Date().toISOString().slice(0, 4);
  return (from.startsWith(year) && to.startsWith(year) ? days.short : days.long).formatRange(parsed(from), parsed(to));
}

/** The name of a folder or repository without what is before it; the whole name where that is empty. */
export const shortName = (text) => text.slice(text.lastIndexOf("/") + 1) || text;

/** Hours where space is small: from ten without a digit after the point. */
export const wholeHours = (value) => (isUnknown(value) || Math.abs(value) < 10 ? hours(value) : `${formats.whole.format(value)} h`);

/** A difference of two rates: "1.2 points". */
export const points = (value) => `${formats.tenth.format(100 * value)} points`;

/** The last day of a day's month. */
export const lastDayOfMonth = (day) => new Date(Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)), 0)).toISOString().slice(0, 10);

/** Days and hours without the year: "Nov 24, 07:33". */
export const shortInstant = (at) => (isUnknown(at) ? "unknown" : days.shortInstant.format(new Date(at)));

/** Seconds as one readable length: "42 s", "7 min", "3.5 h", "12 days". */
export function seconds(value) {
  if (isUnknown(value)) return "unknown";
  if (value < 90) return `${formats.tenth.format(value)} s`;
  if (value < 90 * 60) return `${formats.whole.format(value / 60)} min`;
  if (value < 48 * 3600) return `${formats.tenth.format(value / 3600)} h`;
  return `${formats.whole.format(value / 86400)} days`;
}

/** A name from the data: null and blank are "unknown". */
export const name = (value) => (isUnknown(value) || String(value).trim() === "" ? "unknown" : String(value));

/** "1 session", "2 sessions", "unknown sessions". */
export const counted = (count, one, many = `${one}s`) =>
  `${isUnknown(count) ? "unknown" : whole(count)} ${count === 1 ? one : many}`;

/** A text with a capital first letter. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
