// Rows of a week and a repository made into rows of a week: counts and sums are added, then divided.
// There is no average of averages here, and no median of medians: those of a range are the server's `totals`.

import { longDay, range } from "./format.js";

const DAY_MS = 86_400_000;

/** The sum of what is known of `column`; null when nothing is. */
export function sum(rows, column) {
  let total = null;
  for (const row of rows) {
    const value = row[column];
    if (value !== null && value !== undefined) total = (total ?? 0) + Number(value);
  }
  return total;
}

/** One sum by another; null when either is unknown, and for nothing to divide by. */
export function quotient(rows, numerator, denominator) {
  const top = sum(rows, numerator);
  const bottom = sum(rows, denominator);
  return top === null || !bottom ? null : top / bottom;
}

/** Cost per merged pull request, over the rows with a known cost: where nothing was collected, cost is not zero. */
export function costPerMergedPr(rows) {
  return quotient(rows.filter((row) => row.cost_usd !== null && row.cost_usd !== undefined), "cost_usd", "merged_prs");
}

const toDay = (ms) => new Date(ms).toISOString().slice(0, 10);
const toMs = (day) => Date.parse(`${day}T00:00:00Z`);

/** The Monday of a day's week. */
export function monday(day) {
  const ms = toMs(day);
  return toDay(ms - ((new Date(ms).getUTCDay() + 6) % 7) * DAY_MS);
}

/** Every day (or every `step` days) from one to the other, both included. */
export function daysBetween(first, last, step = 1) {
  const found = [];
  for (let ms = toMs(first); ms <= toMs(last); ms += step * DAY_MS) found.push(toDay(ms));
  return found;
}

const months = new Intl.DateTimeFormat("en-US", { timeZone: "UTC", year: "numeric", month: "long" });
const firstOfMonth = (day) => `${day.slice(0, 7)}-01`;

function monthsBetween(first, last) {
  const found = [];
  const at = new Date(toMs(firstOfMonth(first)));
  for (; at.getTime() <= toMs(last); at.setUTCMonth(at.getUTCMonth() + 1)) found.push(toDay(at.getTime()));
  return found;
}

const MOST_DAYS = 122; // drawn day by day; a longer range week by week
const MOST_WEEKS = 57; // and a longer one month by month
const UNITS = {
  day: { of: (day) => day, between: daysBetween, title: longDay },
  week: { of: monday, between: (first, last) => daysBetween(monday(first), last, 7), title: (key) => `Week of ${longDay(key)}` },
  month: { of: firstOfMonth, between: monthsBetween, title: (key) => months.format(toMs(key)) },
};

/**
 * The buckets of a range of days: {unit, keys, of(day) -> key, title(key)}. A key is the first day of its bucket.
 * The unit follows from the length of the range; it is never finer than `finest`, nor coarser than `coarsest`.
 */
export function bucketsOf(first, last, { finest = "day", coarsest = "month" } = {}) {
  const days = (toMs(last) - toMs(first)) / DAY_MS + 1;
  const wanted = days <= MOST_DAYS ? "day" : days <= 7 * MOST_WEEKS ? "week" : "month";
  const order = Object.keys(UNITS);
  const unit = order[Math.min(Math.max(order.indexOf(wanted), order.indexOf(finest)), order.indexOf(coarsest))];
  const { of, between, title } = UNITS[unit];
  return { unit, keys: between(first, last), of, title };
}

/** The bucket that is not over on day `today`, as the `hollow` of a chart: a map of its key to the word for it. */
export function running(buckets, today) {
  const key = today ? buckets.of(today) : null;
  return new Map(buckets.keys.includes(key) ? [[key, "running"]] : []);
}

/** Rows by the value of `key`: [{key, rows}] for each of `keys` in their order, also for those without a row. */
export function grouped(rows, keys, keyOf) {
  const groups = new Map(keys.map((key) => [key, []]));
  for (const row of rows) groups.get(keyOf(row))?.push(row);
  return keys.map((key) => ({ key, rows: groups.get(key) }));
}

const BEGINS = "the data begins here: slow ones are missing";

/** The weeks that are not like the others, as the `hollow` of a chart: a map of the week to the word for it. */
export function unsettled(answer, keys) {
  const { first_unsettled: first = [], running: now = [] } = answer.weeks_note ?? {};
  const words = new Map([...first.map((week) => [week, BEGINS]), ...now.map((week) => [week, "running"])]);
  return new Map(keys.filter((key) => words.has(key)).map((key) => [key, words.get(key)]));
}

/** The sentence below a chart with hollow weeks; null without any. */
export function hollowNote(hollow) {
  const begin = [...hollow].filter(([, word]) => word === BEGINS).map(([week]) => week);
  const said = [
    begin.length ? `${weeksLabel(begin)}, where the data begins: what takes long is missing` : null,
    [...hollow.values()].includes("running") ? "the last one, which is still running" : null,
  ].filter(Boolean);
  return said.length ? `Hollow: ${said.join("; ")}.` : null;
}

/** "week of Nov 2, 2026", or "weeks of Nov 2 – 23, 2026": what is counted by week is counted by whole weeks. */
export function weeksLabel(weeks) {
  if (weeks.length === 0) return "no week";
  return weeks.length === 1 ? `week of ${longDay(weeks[0])}` : `weeks of ${range(weeks[0], weeks.at(-1))}`;
}

/** The 95 % interval of a rate (Wilson's): {value, low, high, n}; all null for none of none. */
export function rateOf(hits, n) {
  if (!n || hits === null || hits === undefined) return { value: null, low: null, high: null, n: n ?? null };
  const z2 = 1.959964 ** 2;
  const p = hits / n;
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Math.sqrt(z2) / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return { value: p, low: Math.max(0, middle - half), high: Math.min(1, middle + half), n };
}

/** The weeks of an answer, oldest first, without gaps: a week in which nothing was merged is included, and empty. */
export function weeksOf(answer) {
  const found = answer.rows.map((row) => row.week).sort();
  if (found.length === 0) return [];
  return grouped(answer.rows, daysBetween(found[0], found.at(-1), 7), (row) => row.week);
}

/** The weeks of an answer over all its repositories: [{key, row}]; a week in which nothing was merged has no row. */
export function weekly(answer) {
  const rows = answer.weeks ?? [];
  if (rows.length === 0) return [];
  const byWeek = new Map(rows.map((row) => [row.week, row]));
  const found = [...byWeek.keys()].sort();
  return daysBetween(found[0], found.at(-1), 7).map((key) => ({ key, row: byWeek.get(key) ?? null }));
}

/** The weeks of an answer, in words. */
export const spanOf = (answer) => weeksLabel([...new Set(answer.rows.map((row) => row.week))].sort());
