// What coding agents cost: by day, week or month, and by merged pull request.

import { address, getShared } from "./answers.js";
import { chart, legend } from "./charts.js";
import { stepElement, steps } from "./connected.js";
import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { matchesTable } from "./matches.js";
import { modelsOf, namesOfModels } from "./models.js";
import { choice, Panel } from "./panel.js";
import * as w from "./weeks.js";

const MOST_SERIES = 6;
const UNNAMED = "not named in the logs"; // responses without a model or a provider
const WEEKLY = { finest: "week", coarsest: "week" };

/** The names of a stack: those with the highest cost, and one "other" for the rest. */
function stackNames(rows, nameOf) {
  const totals = new Map();
  for (const row of rows) totals.set(nameOf(row), (totals.get(nameOf(row)) ?? 0) + Number(row.cost_usd ?? 0));
  const names = [...totals].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  const shown = names.length <= MOST_SERIES ? names : names.slice(0, MOST_SERIES - 1);
  const rest = names.slice(shown.length);
  const other = rest.length ? `${rest.length} others` : null;
  const costs = [...shown.map((name) => totals.get(name)), ...(other ? [rest.reduce((sum, name) => sum + totals.get(name), 0)] : [])];
  return { names: shown, other, costs };
}

const TITLES = { day: "Spend by day", week: "Spend by week", month: "Spend by month" };

/** The days of the answer: all of a range, but of one that begins before the first usage those from there. */
function bucketsOf(answer, isAll) {
  const known = answer.rows.map((row) => row.day).sort();
  return w.bucketsOf(isAll ? known[0] : answer.from ?? known[0], answer.to ?? known.at(-1));
}

function measuresOf(rows) {
  return Object.fromEntries(["cost_usd", "n_cost", "assistant_message_count", "total_tokens"].map((column) => [column, w.sum(rows, column)]));
}

function drawDays({ days: answer, models }, by, isAll) {
  if (answer.rows.length === 0) return null;
  const buckets = bucketsOf(answer, isAll);
  const { keys, of, unit, title } = buckets;
  const days = w.grouped(answer.rows, keys, dayOf).map(({ key, rows }) => ({ key, rows, ...measuresOf(rows) }));
  const modelOf = namesOfModels(models);
  const nameOf = by === "model" ? (row) => modelOf(row.model) ?? UNNAMED : (row) => row.provider ?? UNNAMED;
  const used = answer.model_days.filter((row) => row.assistant_message_count > 0);
  const { names, other, costs } = stackNames(used, nameOf);
  const shown = [...names, ...(other ? [other] : [])];
  const parts = w.grouped(used, keys, dayOf).map(({ rows }) =>
    w.grouped(rows, shown, (row) => (names.includes(nameOf(row)) ? nameOf(row) : other)).map((part) => w.sum(part.rows, "cost_usd")));
  const series = shown.map((name, slot) => ({ name, slot, values: parts.map((part) => part[slot]) }));
  const costText = (day) => (day.rows.length === 0 ? "no usage" : f.cost(day));
  const partial = days.filter((day) => f.costNote(day) !== null).length;
  const picture = chart({
    kind: "bars", keys, series, buckets, height: 150, isWhole: true, axis: f.axisUsd, hollow: w.running(buckets, answer.to),
    label: `Cost by ${unit}, stacked by ${by}, ${f.range(keys[0], answer.to ?? keys.at(-1))}.`,
    tip: (i) => ({
      title: `${title(keys[i])}: ${costText(days[i])}`,
      rows: series.filter((one) => one.values[i] !== null).map((one) => [one.name, f.usd(one.values[i])]).reverse(),
    }),
  });
  const columns = [
    { name: f.sentence(unit), of: (i) => title(keys[i]) },
    { name: "Cost", number: true, of: (i) => costText(days[i]) },
    { name: "Tokens", number: true, of: (i) => f.whole(days[i].total_tokens) },
    ...series.map((one) => ({ name: one.name, number: true, of: (i) => (one.values[i] === null ? f.UNKNOWN : f.usd(one.values[i])) })),
  ];
  return {
    title: TITLES[unit],
    content: [picture, legend("bars", series.map((one, i) => ({ ...one, name: `${one.name} ${f.shortUsd(costs[i])}` })))],
    note: partial ? `${unit === "day" ? "On" : "In"} ${partial === days.length ? `each ${unit}` : `${partial} of ${f.counted(days.length, unit)}`} the cost of some responses is unknown: the bar is the known part.` : null,
    table: scrolling(TITLES[unit], table(`Cost by ${unit} and ${by}, USD`, columns, [...keys.keys()].reverse().filter((i) => days[i].rows.length))),
  };
  function dayOf(row) {
    return of(row.day);
  }
}

function drawPerPr(answer) {
  const weeks = w.weeksOf(answer).map(({ key, rows }) => ({
    key, rows, value: w.costPerMergedPr(rows), cost: w.sum(rows, "cost_usd"), merged: w.sum(rows, "merged_prs"),
    costShare: rows[0]?.cost_attributed_share ?? null, prShare: rows[0]?.pr_attributed_share ?? null,
    n_cost: w.sum(rows, "n_cost"), assistant_message_count: w.sum(rows, "assistant_message_count"),
  }));
  if (weeks.length === 0) return null;
  const costText = (week) => f.cost({ ...week, cost_usd: week.cost });
  const valueText = (week) => (week.value === null ? "unknown" : f.costNote({ ...week, cost_usd: week.cost }) ? f.atLeast(f.usd(week.value)) : f.usd(week.value));
  const keys = weeks.map((week) => week.key);
  const known = weeks.filter((week) => week.value !== null).length;
  const picture = chart({
    kind: "bars", keys, buckets: w.bucketsOf(keys[0], keys.at(-1), WEEKLY), hollow: w.unsettled(answer, keys), isWhole: true, axis: f.axisUsd, label: "Cost per merged pull request, by week.",
    series: [{ name: "cost per merged pull request", slot: 0, values: weeks.map((week) => week.value) }],
    tip: (i) => ({ title: `Week of ${f.longDay(keys[i])}: ${valueText(weeks[i])}`, rows: [
      ["cost", costText(weeks[i])], ["merged", f.whole(weeks[i].merged)],
      ["of all cost", f.rate(weeks[i].costShare)], ["of all merged", f.rate(weeks[i].prShare)]] }),
  });
  const columns = [
    { name: "Week", of: (week) => f.longDay(week.key) },
    { name: "Per merged PR", number: true, of: valueText },
    { name: "Cost", number: true, of: costText },
    { name: "Merged", number: true, of: (week) => f.whole(week.merged) },
    { name: "Of all cost", number: true, of: (week) => f.rate(week.costShare) },
    { name: "Of all merged", number: true, of: (week) => f.rate(week.prShare) },
  ];
  const unattributed = ["No cost is matched to a repository in these weeks, so it is unknown. Name the repository of a project: ",
    stepElement(steps.map_project())];
  return {
    span: w.weeksLabel(keys),
    content: [known ? picture : h("p", { class: "nothing" }, unattributed), matchesTable(answer.matches)],
    note: known ? `Known for ${known} of ${f.counted(weeks.length, "week")}. Only repositories with attributed cost count; “of all cost” and “of all merged” say how much of the week that is.` : null,
    table: scrolling("Cost per merged pull request by week", table("Cost per merged pull request, by week", columns, [...weeks].reverse())),
  };
}

/** The panel of spend by day, week or month; `page` has the filters and the parts of the address. */
export function spendPanel(page) {
  const url = () => address("/api/dashboard-data", "usage", page.filters());
  const panel = new Panel({
    id: "cost-by-day", title: "Spend", isWide: true, isCalm: true, needs: "usage", url,
    controls: choice("stack", "Stack by", [["model", "by model"], ["provider", "by provider"]], page.part("stack"), (value) => {
      page.setPart("stack", value);
      panel.redraw();
    }),
    load: async (signal) => {
      const [days, models] = await Promise.all([getShared(url(), signal), modelsOf(page.filters(), signal)]);
      return { ...days, days, models };
    },
    draw: (answer) => {
      const drawn = drawDays(answer, page.part("stack"), page.filters().period[0] === "all");
      panel.title.textContent = drawn?.title ?? "Spend";
      return drawn;
    },
  });
  return panel;
}

/** The panel of cost per merged pull request, by week. */
export function perPrPanel(page) {
  const url = () => address("/api/ai-spend", "spend", page.filters());
  return new Panel({
    id: "cost-per-pr", title: "Cost per merged pull request by week", isWide: true, isWeekly: true, needs: "pull_requests", url,
    load: (signal) => getShared(url(), signal), draw: drawPerPr,
  });
}
