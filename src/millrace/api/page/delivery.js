// What AI-assisted development does: how fast work is merged, the effect of much or little AI, the effort of reviews.

import { address, getShared } from "./answers.js";
import { chart, legend, shareBar } from "./charts.js";
import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { Panel } from "./panel.js";
import * as w from "./weeks.js";

const PHASES = [
  { metric: "cycle_time_hours", name: "Cycle time", isMain: true },
  { metric: "coding_lead_time_hours", name: "Coding" },
  { metric: "pickup_time_hours", name: "Pickup" },
  { metric: "review_lead_time_hours", name: "Review" },
];
const withN = (mean) => (mean.value === null ? f.UNKNOWN : [f.hours(mean.value), h("small", {}, `n ${f.whole(mean.n)}`)]);

function drawCycle(answer) {
  const weeks = w.weeksOf(answer).map(({ key, rows }) => ({ key, merged: w.sum(rows, "total_prs"), means: PHASES.map(({ metric }) => w.mean(rows, metric)) }));
  if (weeks.length === 0) return null;
  const keys = weeks.map((week) => week.key);
  const series = PHASES.map(({ name, isMain }, slot) => ({ name, isMain, slot, values: weeks.map((week) => week.means[slot].value) }));
  const picture = chart({
    kind: "lines", keys, series, name: f.shortDay, axis: (value) => `${f.axis(value)} h`,
    label: "Average hours from the first commit to the merge, and of its phases, by week.",
    tip: (i) => ({ title: `Week of ${f.longDay(keys[i])}`, rows: [
      ...PHASES.map(({ name }, slot) => [name, `${f.hours(weeks[i].means[slot].value)} (n ${f.whole(weeks[i].means[slot].n)})`]),
      ["Merged", f.whole(weeks[i].merged)]] }),
  });
  const columns = [
    { name: "Week", of: (week) => f.longDay(week.key) },
    ...PHASES.map(({ name }, slot) => ({ name, number: true, of: (week) => withN(week.means[slot]) })),
    { name: "Merged", number: true, of: (week) => f.whole(week.merged) },
  ];
  return {
    content: [legend("lines", series), picture],
    note: "Averages over the pull requests whose times are all known (n). Phases need not add up to the cycle time, and a phase may be negative: work is at times opened before its first commit.",
    table: scrolling("Cycle time by week", table("Cycle time and its phases by week: average hours, and over how many pull requests", columns, [...weeks].reverse())),
  };
}

const BANDS = ["low", "medium", "high", "unknown"];
const BAND_SHARES = { low: "under 30%", medium: "30% to 60%", high: "60% and more", unknown: "share unknown" };
const IMPACTS = [
  { title: "Cycle time, average", value: "avg_cycle_time_hours", n: "n_cycle_time_hours", text: f.hours },
  { title: "Review rounds per PR", value: "avg_review_rounds", n: "pr_count", text: f.hundredth },
  { title: "Reverted", value: "revert_rate", n: "n_revert_known", text: f.rate },
  { title: "Bug fixes", value: "bug_fix_rate", n: "n_bug_fix_known", text: f.rate },
];

function impact({ title, value, n, text }, bands) {
  const most = Math.max(...bands.map(({ row }) => Number(row?.[value] ?? 0)), Number.MIN_VALUE);
  return table(title, [
    { name: "AI share", of: ({ band }) => [band, h("small", {}, BAND_SHARES[band])] },
    { name: "Value", of: ({ row }) => h("span", {}, text(row?.[value]), shareBar(Number(row?.[value] ?? 0) / most)) },
    { name: "n", number: true, of: ({ row }) => (row ? f.whole(row[n]) : "0") },
  ], bands, { isCaptionShown: true });
}

function drawImpact(answer) {
  const byBand = new Map((answer.bands ?? []).map((row) => [row.ai_band, row]));
  if (byBand.size === 0) return null;
  const bands = BANDS.map((band) => ({ band, row: byBand.get(band) ?? null }));
  return {
    content: h("div", { class: "multiples" }, IMPACTS.map((one) => impact(one, bands))),
    note: "What goes with AI, not what comes from it: people use it more for some work than for other. Look at n first; “Bug fixes” are those that the source calls so.",
  };
}

const LOADS = [
  { title: "Reviews", value: (rows) => w.sum(rows, "review_count"), total: (t) => t.review_count, text: f.whole },
  { title: "Review rounds per PR", value: (rows) => w.quotient(rows, "sum_review_rounds", "total_prs"), total: (t) => t.avg_review_rounds, text: f.hundredth },
  { title: "Comments per 100 lines", value: (rows) => { const share = w.quotient(rows, "comment_count", "total_loc"); return share === null ? null : 100 * share; },
    total: (t) => t.comments_per_100_loc, text: f.hundredth },
  { title: "Estimated review hours", value: (rows) => w.sum(rows, "estimated_review_hours"), total: (t) => t.estimated_review_hours, text: f.hours },
];

function load(one, slot, weeks, totals) {
  const keys = weeks.map((week) => week.key);
  const values = weeks.map((week) => one.value(week.rows));
  return h("div", { class: "multiple" },
    h("h4", {}, one.title),
    h("p", { class: "figure" }, one.text(one.total(totals)), h("small", {}, " in the range")),
    chart({ kind: "bars", isSmall: true, keys, name: f.shortDay, axis: f.axis, label: `${one.title}, by week.`,
      series: [{ name: one.title, slot: 0, values }], tip: (i) => ({ title: `Week of ${f.longDay(keys[i])}`, rows: [[one.title, one.text(values[i])]] }) }));
}

function drawReviews(answer) {
  const weeks = w.weeksOf(answer);
  if (weeks.length === 0) return null;
  const columns = [
    { name: "Week", of: (week) => f.longDay(week.key) },
    ...LOADS.map((one) => ({ name: one.title, number: true, of: (week) => one.text(one.value(week.rows)) })),
    { name: "Merged", number: true, of: (week) => f.whole(w.sum(week.rows, "total_prs")) },
    { name: "Unreviewed", number: true, of: (week) => f.whole(w.sum(week.rows, "unreviewed_prs")) },
  ];
  return {
    content: h("div", { class: "multiples" }, LOADS.map((one, slot) => load(one, slot, weeks, answer.totals ?? {}))),
    note: "Hours are estimated: a quarter of an hour for each review, and 1,200 lines an hour.",
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
    panel({ id: "cycle-time", title: "Cycle time by week", isWide: true, route: "/api/velocity",
      draw: (answer) => {
        learn("repo", answer.rows.map((row) => row.repo_name));
        return drawCycle(answer);
      } }),
    panel({ id: "ai-impact", title: "With much and with little AI", isWide: true, route: "/api/ai-impact",
      lead: "Merged pull requests by the share of their lines that AI wrote.", draw: drawImpact }),
    panel({ id: "review-load", title: "Review load", isWide: true, route: "/api/review-costs", draw: drawReviews }),
  ];
}
