// What coding agents cost: by day, by provider, by model, and by merged pull request.

import { address, getShared } from "./answers.js";
import { chart, legend, shareBar } from "./charts.js";
import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { choice, Panel } from "./panel.js";
import * as w from "./weeks.js";

const MOST_SERIES = 6;
const MOST_ROWS = 8; // of a bar table; all are in the table of its numbers

const NO_USAGE = "Nothing in this range; no usage was collected for it. Choose other dates, or reset the filters.";

/** The names of a stack: those with the highest cost, and one "other" for the rest. */
function stackNames(rows, nameOf) {
  const totals = new Map();
  for (const row of rows) totals.set(nameOf(row), (totals.get(nameOf(row)) ?? 0) + Number(row.cost_usd ?? 0));
  const names = [...totals].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  if (names.length <= MOST_SERIES) return { names, other: null };
  return { names: names.slice(0, MOST_SERIES - 1), other: `${names.length - MOST_SERIES + 1} others` };
}

const NAMES_OF = { provider: (row) => f.name(row.provider), model: (row) => f.name(row.model) };

function measuresOf(rows) {
  return Object.fromEntries(["cost_usd", "n_cost", "assistant_message_count", "total_tokens"].map((column) => [column, w.sum(rows, column)]));
}

function drawDays(answer, by) {
  if (answer.rows.length === 0) return null;
  const found = answer.rows.map((row) => row.day).sort();
  const buckets = w.bucketsOf(answer.from ?? found[0], answer.to ?? found.at(-1));
  const { keys, unit } = buckets;
  const of = (row) => buckets.of(row.day);
  const days = w.grouped(answer.rows, keys, of).map(({ key, rows }) => ({ key, rows, ...measuresOf(rows) }));
  const nameOf = NAMES_OF[by];
  const { names, other } = stackNames(answer.model_days, nameOf);
  const shown = [...names, ...(other ? [other] : [])];
  const parts = w.grouped(answer.model_days, keys, of).map(({ rows }) =>
    w.grouped(rows, shown, (row) => (names.includes(nameOf(row)) ? nameOf(row) : other)).map((part) => w.sum(part.rows, "cost_usd")));
  const series = shown.map((name, slot) => ({ name, slot, values: parts.map((part) => part[slot]) }));
  const costText = (day) => (day.rows.length === 0 ? "no usage" : f.cost(day));
  const partial = days.filter((day) => f.costNote(day) !== null).length;
  const picture = chart({
    kind: "bars", keys, series, axis: f.axisUsd,
    label: `Cost by ${unit}, stacked by ${by}, ${f.range(keys[0], keys.at(-1))}.`,
    tip: (i) => ({
      title: `${buckets.title(keys[i])}: ${costText(days[i])}`,
      rows: series.filter((one) => one.values[i] !== null).map((one) => [one.name, f.usd(one.values[i])]).reverse(),
    }),
  });
  const columns = [
    { name: { day: "Day", week: "Week", month: "Month" }[unit], of: (i) => buckets.title(keys[i]) },
    { name: "Cost", number: true, of: (i) => costText(days[i]) },
    { name: "Tokens", number: true, of: (i) => f.whole(days[i].total_tokens) },
    ...series.map((one) => ({ name: one.name, number: true, of: (i) => (one.values[i] === null ? f.UNKNOWN : f.usd(one.values[i])) })),
  ];
  return {
    content: [legend("bars", series), picture],
    note: partial ? `On ${partial} of ${f.counted(days.length, unit)} the cost of some responses is unknown: the bar is the part that is known.` : null,
    table: scrolling(`Cost by ${unit}`, table(`Cost by ${unit} and ${by}, USD`, columns, [...keys.keys()].reverse().filter((i) => days[i].rows.length))),
  };
}

const costCell = (row, most) => {
  const note = f.costNote(row);
  return h("span", {}, f.cost(row), note ? h("small", {}, note) : null, shareBar(Number(row.cost_usd ?? 0) / most));
};

const TOKENS = [
  ["total_tokens", "Tokens"], ["input_tokens", "Input"], ["output_tokens", "Output"], ["cache_read_tokens", "Cache read"],
  ["cache_write_5m_tokens", "Cache write, 5 min"], ["cache_write_1h_tokens", "Cache write, 1 h"], ["reasoning_tokens", "Reasoning"],
];
const isPromptsOnly = (row) => row.assistant_message_count === 0 && !row.provider;

function barTable(title, nameOf, answer) {
  const rows = answer.rows.filter((row) => !isPromptsOnly(row));
  if (rows.length === 0) return null;
  const most = Math.max(...rows.map((row) => Number(row.cost_usd ?? 0)), Number.MIN_VALUE);
  const hidden = rows.length - MOST_ROWS;
  return {
    content: table(title, [
      { name: "Name", of: nameOf },
      { name: "Cost", of: (row) => costCell(row, most) },
      { name: "Tokens", number: true, of: (row) => h("span", { title: f.whole(row.total_tokens) }, f.compact(row.total_tokens)) },
      { name: "Sessions", number: true, of: (row) => f.whole(row.session_count) },
    ], rows.slice(0, MOST_ROWS)),
    note: hidden > 0 ? `And ${f.whole(hidden)} more, which cost less: see the numbers.` : null,
    table: scrolling(title, table(`${title}: all measures`, [
      { name: "Name", of: nameOf },
      { name: "Cost", number: true, of: f.cost },
      { name: "Reported by agents", number: true, of: (row) => f.usd(row.reported_cost_usd) },
      { name: "Responses", number: true, of: (row) => f.whole(row.assistant_message_count) },
      { name: "with a cost", number: true, of: (row) => f.whole(row.n_cost) },
      ...TOKENS.map(([column, name]) => ({ name, number: true, of: (row) => f.whole(row[column]) })),
      { name: "Sessions", number: true, of: (row) => f.whole(row.session_count) },
    ], rows)),
  };
}

const modelName = (row) => [f.name(row.model), h("small", {}, f.name(row.provider))];

function drawPerPr(answer) {
  const weeks = w.weeksOf(answer).map(({ key, rows }) => ({
    key, rows, value: w.costPerMergedPr(rows), cost: w.sum(rows, "cost_usd"), merged: w.sum(rows, "merged_prs"),
    costShare: rows[0]?.cost_attributed_share ?? null, prShare: rows[0]?.pr_attributed_share ?? null,
    n_cost: w.sum(rows, "n_cost"), assistant_message_count: w.sum(rows, "assistant_message_count"),
  }));
  if (weeks.length === 0) return null;
  const costText = (week) => f.cost({ ...week, cost_usd: week.cost });
  const valueText = (week) => (week.value === null ? "unknown" : (f.costNote({ ...week, cost_usd: week.cost }) ? "≥ " : "") + f.usd(week.value));
  const keys = weeks.map((week) => week.key);
  const known = weeks.filter((week) => week.value !== null).length;
  const picture = chart({
    kind: "bars", keys, axis: f.axisUsd, label: "Cost per merged pull request, by week.",
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
  const unattributed = "No cost is attributed to a repository in these weeks, so it is unknown: name the projects of each repository in the seed usage_repositories.csv.";
  return {
    content: known ? picture : h("p", { class: "nothing" }, unattributed),
    note: known ? `Known for ${known} of ${f.counted(weeks.length, "week")}. Only repositories with attributed cost count; “of all cost” and “of all merged” say how much of the week that is.` : null,
    table: scrolling("Cost per merged pull request by week", table("Cost per merged pull request, by week", columns, [...weeks].reverse())),
  };
}

/** The panels of cost, in their order. `filters()` returns those of the page. */
export function spendPanels(filters, learn, stack) {
  const usage = (route) => () => address(route, "usage", filters());
  const panel = (options) => new Panel({ ...options, load: (signal) => getShared(options.url(), signal) });
  const days = panel({
    id: "cost-by-day", title: "Cost by day", isWide: true, url: usage("/api/dashboard-data"), nothing: NO_USAGE,
    controls: choice("stack", "Stack by", [["provider", "by provider"], ["model", "by model"]], stack.value, (value) => { stack.set(value); days.redraw(); }),
    draw: (answer) => {
      learn("provider", answer.providers.map((row) => row.provider));
      learn("model", answer.models.map((row) => row.model));
      return drawDays(answer, stack.value);
    },
  });
  return [
    days,
    panel({ id: "by-provider", title: "Cost by provider", url: usage("/api/cost-data/by-provider"), nothing: NO_USAGE,
      draw: (answer) => barTable("Cost by provider", (row) => f.name(row.provider), answer) }),
    panel({ id: "by-model", title: "Cost by model", url: usage("/api/cost-data/by-model"), nothing: NO_USAGE,
      draw: (answer) => barTable("Cost by model", modelName, answer) }),
    panel({ id: "cost-per-pr", title: "Cost per merged pull request", isWide: true, url: usage("/api/ai-spend"),
      draw: (answer) => {
        learn("repo", answer.rows.map((row) => row.repo_name));
        return drawPerPr(answer);
      } }),
  ];
}
