// What AI-assisted development does: whether AI makes a difference, how fast work is merged, what is reverted, the effort of reviews.

import { agentsPanel } from "./agents.js";
import { address, getShared } from "./answers.js";
import { chart, legend } from "./charts.js";
import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { impactPanel } from "./impact.js";
import { Panel } from "./panel.js";
import * as w from "./weeks.js";

const TIMES = [
  { column: "p50_cycle_time_hours", name: "Median", isMain: true },
  { column: "p90_cycle_time_hours", name: "90th percentile" },
];
const PHASES = [
  { metric: "coding_lead_time_hours", name: "coding" },
  { metric: "pickup_time_hours", name: "waiting for a review" },
  { metric: "review_lead_time_hours", name: "in review" },
];
const known = (value) => (value === null || value === undefined ? null : Number(value));

function phasesNote(totals) {
  const parts = PHASES.filter(({ metric }) => known(totals?.[`avg_${metric}`]) !== null).map(({ metric, name }) => `${f.hours(known(totals[`avg_${metric}`]))} ${name}`);
  return parts.length ? `On average ${parts.join(", ")}; the parts need not add up, for not every pull request has all.` : null;
}

const joined = (...notes) => notes.filter(Boolean).join(" ") || null;

function drawCycle(answer) {
  const weeks = w.weekly(answer);
  if (weeks.length === 0) return null;
  const keys = weeks.map((week) => week.key);
  const hollow = w.unsettled(answer, keys);
  const series = TIMES.map(({ column, name, isMain }, slot) => ({ name, isMain, slot, values: weeks.map(({ row }) => known(row?.[column])) }));
  const n = (row) => known(row?.n_cycle_time_hours) ?? 0;
  const picture = chart({
    kind: "lines", keys, series, hollow, axis: (value) => `${f.axis(value)} h`,
    label: "Hours from the first commit to the merge, median and 90th percentile, by week.",
    tip: (i) => ({ title: `Week of ${f.longDay(keys[i])}`, rows: [
      ...series.map(({ name, values }) => [name, f.hours(values[i])]),
      ["n", f.whole(n(weeks[i].row))], ["Merged", f.whole(known(weeks[i].row?.total_prs) ?? 0)]] }),
  });
  const columns = [
    { name: "Week", of: (week) => [f.longDay(week.key), hollow.has(week.key) ? h("small", {}, hollow.get(week.key)) : null] },
    ...TIMES.map(({ column, name }) => ({ name, number: true, of: ({ row }) => f.hours(known(row?.[column])) })),
    { name: "n", number: true, of: ({ row }) => f.whole(n(row)) },
    ...PHASES.map(({ metric, name }) => ({ name: `Average ${name}`, number: true, of: ({ row }) => f.hours(known(row?.[`avg_${metric}`])) })),
    { name: "Merged", number: true, of: ({ row }) => f.whole(known(row?.total_prs) ?? 0) },
  ];
  return {
    content: [legend("lines", series), picture],
    span: w.weeksLabel(keys),
    note: joined(w.hollowNote(hollow), phasesNote(answer.totals)),
    table: scrolling("Cycle time by week", table("Cycle time by week: hours, and over how many pull requests (n)", columns, [...weeks].reverse())),
  };
}

const rateText = ({ value, low, high, n }) => (value === null ? f.UNKNOWN : `${f.rate(value)} (${f.rate(low)} to ${f.rate(high)}), n ${f.whole(n)}`);

/** Reverts by week, or by month for a long range: counts are added up first, so the rate of a month is its own. */
function drawReverts(answer) {
  const found = w.weekly(answer);
  if (found.length === 0) return null;
  const weeks = found.map((week) => week.key);
  const buckets = w.bucketsOf(weeks[0], weeks.at(-1), { finest: "week" });
  const { keys } = buckets;
  const rates = w.grouped(found, keys, (week) => buckets.of(week.key)).map(({ rows }) => {
    const counted = rows.flatMap(({ row }) => row ?? []);
    return { ...w.rateOf(w.sum(counted, "reverted_prs"), w.sum(counted, "n_revert_known")), merged: w.sum(counted, "total_prs") ?? 0 };
  });
  const now = answer.weeks_note?.running?.at(-1);
  const hollow = w.running(buckets, now ?? null);
  const pick = (name) => rates.map((rate) => rate[name]);
  const { reverted_prs: reverted, n_revert_known: n } = answer.totals ?? {};
  const all = w.rateOf(reverted, n);
  const allText = all.value === null ? "Of no pull request it is known whether it was reverted."
    : `${f.whole(reverted)} of ${f.counted(n, "pull request")} ${reverted === 1 ? "was" : "were"} reverted: ${f.rate(all.value)} (95% interval ${f.rate(all.low)} to ${f.rate(all.high)}).`;
  const picture = chart({
    kind: "lines", keys, hollow, axis: f.percent, level: all.value, label: `Share of merged pull requests that were reverted, with 95% intervals, by ${buckets.unit}.`,
    series: [{ name: "Reverted", slot: 0, values: pick("value"), lows: pick("low"), highs: pick("high") }],
    tip: (i) => ({ title: buckets.title(keys[i]), rows: [["Reverted", f.rate(rates[i].value)], ["95% interval", `${f.rate(rates[i].low)} to ${f.rate(rates[i].high)}`],
      ["n", f.whole(rates[i].n ?? 0)]] }),
  });
  const columns = [
    { name: buckets.unit === "month" ? "Month" : "Week", of: (i) => buckets.title(keys[i]) },
    { name: "Reverted (95% interval)", number: true, of: (i) => rateText(rates[i]) },
    { name: "Merged", number: true, of: (i) => f.whole(rates[i].merged) },
  ];
  return {
    content: [h("p", { class: "verdict" }, allText), picture],
    span: w.weeksLabel(weeks),
    note: joined(w.hollowNote(hollow), "Dashed: the rate of the whole range. Upright lines are 95% intervals: where they overlap, a change can be chance. A revert may come later, so the newest values can still rise."),
    table: scrolling("Reverted pull requests", table(`Share of reverted pull requests, by ${buckets.unit}`, columns, [...keys.keys()].reverse())),
  };
}

const LOADS = [
  { title: "Reviews", value: (rows) => w.sum(rows, "review_count"), total: (t) => t.review_count, text: f.whole },
  { title: "Review rounds per PR", value: (rows) => w.quotient(rows, "sum_review_rounds", "total_prs"), total: (t) => t.avg_review_rounds, text: f.hundredth },
  { title: "Comments per 100 lines", value: (rows) => { const share = w.quotient(rows, "comment_count", "total_loc"); return share === null ? null : 100 * share; },
    total: (t) => t.comments_per_100_loc, text: f.hundredth },
  { title: "Estimated review hours", value: (rows) => w.sum(rows, "estimated_review_hours"), total: (t) => t.estimated_review_hours, text: f.hours },
];

function load(one, buckets, groups, totals, hollow) {
  const { keys, title, unit } = buckets;
  const values = groups.map((group) => one.value(group.rows));
  return h("div", { class: "multiple" },
    h("h4", {}, one.title),
    h("p", { class: "figure" }, one.text(one.total(totals)), h("small", {}, " in the range")),
    chart({ kind: "bars", isSmall: true, keys, hollow, axis: f.axis, label: `${one.title}, by ${unit}.`,
      series: [{ name: one.title, slot: 0, values }], tip: (i) => ({ title: title(keys[i]), rows: [[one.title, one.text(values[i])]] }) }));
}

function drawReviews(answer) {
  const weeks = w.weeksOf(answer);
  if (weeks.length === 0) return null;
  const mondays = weeks.map((week) => week.key);
  const buckets = w.bucketsOf(mondays[0], mondays.at(-1), { finest: "week" });
  const groups = w.grouped(answer.rows, buckets.keys, (row) => buckets.of(row.week));
  const hollow = w.running(buckets, answer.weeks_note?.running?.at(-1) ?? null);
  const columns = [
    { name: "Week", of: (week) => f.longDay(week.key) },
    ...LOADS.map((one) => ({ name: one.title, number: true, of: (week) => one.text(one.value(week.rows)) })),
    { name: "Merged", number: true, of: (week) => f.whole(w.sum(week.rows, "total_prs")) },
    { name: "Unreviewed", number: true, of: (week) => f.whole(w.sum(week.rows, "unreviewed_prs")) },
  ];
  return {
    content: h("div", { class: "multiples" }, LOADS.map((one) => load(one, buckets, groups, answer.totals ?? {}, hollow))),
    span: w.weeksLabel(mondays),
    note: joined(w.hollowNote(hollow), "Hours are estimated: a quarter of an hour for each review, and 1,200 lines an hour."),
    table: scrolling("Review load by week", table("Review load by week", columns, [...weeks].reverse())),
  };
}

/** The panels of delivery, in their order. */
export function deliveryPanels(filters, learn) {
  const panel = (options) => {
    const url = () => address(options.route, "delivery", filters());
    return new Panel({ ...options, url, load: (signal) => getShared(url(), signal) });
  };
  return [
    impactPanel(filters),
    agentsPanel(filters),
    panel({ id: "cycle-time", title: "Cycle time by week", route: "/api/velocity",
      draw: (answer) => {
        learn("repo", answer.rows.map((row) => row.repo_name));
        return drawCycle(answer);
      } }),
    panel({ id: "reverts", title: "Reverted pull requests", route: "/api/quality", draw: drawReverts }),
    panel({ id: "review-load", title: "Review load", isWide: true, route: "/api/review-costs", draw: drawReviews }),
  ];
}
