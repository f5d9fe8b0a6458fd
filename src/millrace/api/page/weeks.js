// Rows of a week and a repository made into rows of a week: counts and sums are added, then divided.
// There is no average of averages here, and no median of medians: those of a range are the server's `totals`.

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

/** The mean of a metric over all rows, e.g. of "cycle_time_hours", and the number of its values. */
export function mean(rows, metric) {
  return { value: quotient(rows, `sum_${metric}`, `n_${metric}`), n: sum(rows, `n_${metric}`) };
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

/** Rows by the value of `key`: [{key, rows}] for each of `keys` in their order, also for those without a row. */
export function grouped(rows, keys, keyOf) {
  const groups = new Map(keys.map((key) => [key, []]));
  for (const row of rows) groups.get(keyOf(row))?.push(row);
  return keys.map((key) => ({ key, rows: groups.get(key) }));
}

/** The weeks of an answer, oldest first, without gaps: a week in which nothing was merged is included, and empty. */
export function weeksOf(answer) {
  const found = answer.rows.map((row) => row.week).sort();
  if (found.length === 0) return [];
  return grouped(answer.rows, daysBetween(found[0], found.at(-1), 7), (row) => row.week);
}
