// Whether AI makes a difference to delivery: pull requests with much of it beside those with little, of the same people.

import { commitsMatched } from "./ai.js";
import { address, getShared } from "./answers.js";
import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { intervals } from "./intervals.js";
import { choice, Panel } from "./panel.js";
import * as w from "./weeks.js";

// The name of a measure, the factor and the unit of its difference, and where its axis ends at most.
const MEASURES = {
  cycle_time_hours: { name: "Cycle time", factor: 100, unit: "%", most: 1 },
  review_rounds: { name: "Review rounds", factor: 1, unit: "", most: 2 },
  revert_rate: { name: "Reverted", factor: 100, unit: " points", most: 0.5 },
};
const VERDICTS = { lower: "lower", higher: "higher", no_clear_difference: "no clear difference", too_few: "too few" };
const BANDS = ["low", "medium", "high", "unknown"];
const BAND_NAMES = { low: "little, under 30%", medium: "some, 30% to 60%", high: "much, 60% and more", unknown: "share unknown" };
const HALF = 0.5;

const isKnown = (value) => value !== null && value !== undefined;
const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "");
const measureOf = ({ measure, unit }) => MEASURES[measure] ?? { name: measure, factor: unit === "ratio" ? 100 : 1, unit: unit === "ratio" ? "%" : "", most: Infinity };
const nameOf = (effect) => measureOf(effect).name;

/** A difference with its sign: two digits after the point below one, one below ten. */
function signed(value) {
  const digits = Math.abs(value) < 0.995 ? 100 : Math.abs(value) < 9.95 ? 10 : 1;
  const rounded = Math.round(value * digits) / digits;
  return `${sign(rounded)}${f.hundredth(Math.abs(rounded))}`;
}
const number = (value) => (isKnown(value) ? Number(value) : null);

/** "−12% (−30% to +10%)", "+1.2 points (−3 to +5.4)": an interval that spans zero could be chance. */
function effectText(effect) {
  const { effect: value, interval_low: low, interval_high: high, verdict } = effect;
  if (!isKnown(value)) return verdict === "too_few" ? "too few" : "unknown";
  const { factor, unit } = measureOf(effect);
  const end = unit === "%" ? unit : "";
  const text = `${signed(value * factor)}${unit}`;
  return isKnown(low) ? `${text} (${signed(low * factor)}${end} to ${signed(high * factor)}${end})` : text;
}

function withinRow(effect) {
  const isFew = effect.verdict === "too_few";
  const { name, factor, unit, most } = measureOf(effect);
  return {
    name, most, axis: (value) => `${sign(value)}${f.hundredth(Math.abs(value * factor))}${unit === "%" ? unit : ""}`,
    value: number(effect.effect), low: number(effect.interval_low), high: number(effect.interval_high),
    text: isFew ? VERDICTS.too_few : effectText(effect),
    isGrey: isFew, isSure: effect.verdict === "lower" || effect.verdict === "higher",
    tip: [["Much against little AI", effectText(effect)], ["Verdict", VERDICTS[effect.verdict] ?? effect.verdict],
      ["Compared", `${f.whole(effect.n_compared_high)} with much, ${f.whole(effect.n_compared_low)} with little`],
      ["People", f.whole(effect.people_compared)]],
  };
}

/** The effects whose sentence is shown: that there are too few is said once. */
function said(effects) {
  const withSentence = effects.filter((effect) => effect.sentence);
  const known = withSentence.filter((effect) => effect.verdict !== "too_few");
  return known.length ? known : withSentence.slice(0, 1);
}

function drawWithin(effects) {
  return [
    intervals({
      label: "Difference between pull requests with much and with little AI, within the same developer and repository, with 95% intervals.",
      rows: effects.map(withinRow), isAroundZero: true, sides: ["lower with much AI", "higher"],
    }),
    h("p", { class: "note" }, "A filled dot is a difference; a hollow one could be chance. Grey, dashed: too few, under 20 pull requests or 3 people. Points are percentage points."),
    h("ul", { class: "sentences" }, said(effects).map((effect) => h("li", {}, h("strong", {}, `${nameOf(effect)}: `), effect.sentence))),
  ];
}

/** The bands as they are, for those who know what mixes in them. */
function drawRaw(bands) {
  const slot = Object.fromEntries(BANDS.map((band, index) => [band, index]));
  const row = (band, value, low, high, text, n) => ({
    name: BAND_NAMES[band], value, low, high, text, isSure: true, slot: slot[band], shape: slot[band], tip: [["Value", text], ["n", f.whole(n)]],
  });
  const times = bands.map((one) => row(one.ai_band, number(one.p50_cycle_time_hours), null, null,
    isKnown(one.p50_cycle_time_hours) ? `${f.hours(one.p50_cycle_time_hours)}, 90% within ${f.hours(one.p90_cycle_time_hours)}` : f.UNKNOWN, one.n_cycle_time_hours));
  const rates = bands.map((one) => {
    const { value, low, high, n } = w.rateOf(one.reverted_prs, one.n_revert_known);
    return row(one.ai_band, value, low, high, value === null ? f.UNKNOWN : `${f.rate(value)} (${f.rate(low)} to ${f.rate(high)})`, n);
  });
  const group = (title, spec) => h("div", {}, h("h4", {}, title), intervals(spec));
  return [
    h("div", { class: "pair" },
      group("Cycle time, median", { label: "Median cycle time by the share of AI.", rows: times, axis: (value) => `${f.axis(value)} h` }),
      group("Reverted, with 95% interval", { label: "Share of reverted pull requests by the share of AI, with 95% intervals.", rows: rates, axis: f.percent })),
    h("p", { class: "note" }, "People use AI more for some work than for other, and some people more than others: a difference here can be theirs. The comparison within the same people leaves both out."),
  ];
}

/** Whose pull requests these are, and how large: what else could explain a difference. */
function madeOf(of) {
  const share = number(of.top_person_share);
  const isOne = share !== null && share > HALF;
  const topCount = share === null ? null : Math.round(share * of.pull_requests_high);
  const who = of.top_person ? `${of.top_person}’s` : "one person’s";
  const fact = (title, text, note = null, flag = "") => h("div", { class: flag }, h("dt", {}, title), h("dd", {}, text, note ? h("small", {}, note) : null));
  return h("dl", { class: "made-of" },
    fact("With much AI", f.counted(of.pull_requests_high, "pull request"), "60% and more of their lines"),
    fact("With little AI", f.counted(of.pull_requests_low, "pull request"), "under 30%"),
    topCount === null || !of.pull_requests_high ? null
      : fact("Who it is made of", `${f.whole(topCount)} of ${f.whole(of.pull_requests_high)} are ${who}`,
        isOne ? "! Over half are one person’s: what is true of them looks like an effect of AI." : `of ${f.counted(of.people, "person", "people")} in all`, isOne ? "warn" : ""),
    isKnown(of.size_median_high) ? fact("Size, median", `${f.whole(of.size_median_high)} lines with much`, `${f.whole(of.size_median_low)} lines with little: larger ones take longer anyway`) : null);
}

const HOW = [
  "A merged pull request has much AI when AI wrote 60% and more of its added lines, and little under 30%.",
  "Pull requests with much AI are compared only with those with little AI of the same developer in the same repository, and the differences are averaged. So neither a fast developer nor a slow repository looks like an effect.",
  "Cycle time is compared as a ratio (−12% is 12% shorter), review rounds as a difference of their number, reverts as one of percentage points.",
  "The interval has the true difference in it 95 times of 100. The verdict is stricter: it allows for the number of measures, so that one panel of a hundred claims a difference where there is none.",
  "Under 20 pull requests or 3 people on either side nothing is claimed: “too few”.",
  "It is not an experiment. People choose when to use AI, and easier work may be what they choose it for.",
];

function numbers(effects, bands) {
  const compared = table("Much against little AI, within the same developer and repository", [
    { name: "Measure", of: nameOf },
    { name: "Difference (95% interval)", number: true, of: effectText },
    { name: "Verdict", of: (one) => VERDICTS[one.verdict] ?? one.verdict },
    { name: "Much", number: true, of: (one) => f.whole(one.n_high) },
    { name: "Little", number: true, of: (one) => f.whole(one.n_low) },
    { name: "Compared", number: true, of: (one) => `${f.whole(one.n_compared_high)} and ${f.whole(one.n_compared_low)}` },
    { name: "People", number: true, of: (one) => f.whole(one.people_compared) },
  ], effects, { isCaptionShown: true });
  const raw = table("All pull requests by share of AI", [
    { name: "AI share", of: (band) => BAND_NAMES[band.ai_band] },
    { name: "Pull requests", number: true, of: (band) => f.whole(band.pr_count) },
    { name: "Cycle time, median", number: true, of: (band) => f.hours(number(band.p50_cycle_time_hours)) },
    { name: "90th percentile", number: true, of: (band) => f.hours(number(band.p90_cycle_time_hours)) },
    { name: "n", number: true, of: (band) => f.whole(band.n_cycle_time_hours) },
    { name: "Review rounds", number: true, of: (band) => f.hundredth(number(band.avg_review_rounds)) },
    { name: "Reverted", number: true, of: (band) => f.rate(band.revert_rate) },
    { name: "n", number: true, of: (band) => f.whole(band.n_revert_known) },
  ], bands, { isCaptionShown: true });
  return scrolling("AI and delivery", [effects.length ? compared : null, raw].filter(Boolean));
}

/** Of how many pull requests the share of AI is known, and how many commits were matched; null where nothing was merged. */
function knownOf(bands, velocity) {
  const [all, without] = [bands, bands.filter((band) => band.ai_band === "unknown")].map((some) => w.sum(some, "pr_count") ?? 0);
  const known = `AI share known for ${f.whole(all - without)} of ${f.counted(all, "pull request")}`;
  return all ? `${[known, velocity ? commitsMatched(velocity.totals ?? {}) : "not known how many commits are matched"].filter(Boolean).join(", ")}.` : null;
}

function draw({ impact: answer, velocity }, view, views) {
  const byBand = new Map((answer.bands ?? []).map((row) => [row.ai_band, row]));
  if (byBand.size === 0) return null;
  const bands = BANDS.flatMap((band) => byBand.get(band) ?? []).filter((band) => band.pr_count > 0);
  const { effects = [], effects_of: of = null } = answer;
  return {
    content: [
      of?.summary ? h("p", { class: "verdict" }, of.summary) : null,
      effects.length ? views : null,
      view === "raw" || effects.length === 0 ? drawRaw(bands) : drawWithin(effects),
      of ? madeOf(of) : null,
      h("details", { class: "how" }, h("summary", {}, "How this is computed"), h("ul", {}, HOW.map((line) => h("li", {}, line)))),
    ].flat(),
    span: w.spanOf(answer),
    note: knownOf(bands, velocity),
    table: numbers(effects, bands),
  };
}

/** The panel of AI and delivery. */
export function impactPanel(filters) {
  let view = "within";
  const url = () => address("/api/ai-impact", "delivery", filters());
  const options = [["within", "within the same people"], ["raw", "raw comparison"]];
  const views = choice("impact", "Compare", options, view, (value) => {
    view = value;
    panel.redraw();
  });
  const panel = new Panel({
    id: "ai-impact", title: "AI and delivery: is there a difference?", isWide: true, url,
    load: async (signal) => {
      const matched = getShared(address("/api/velocity", "delivery", filters()), signal).catch(() => null); // its own panel shows a failure
      const [impact, velocity] = await Promise.all([getShared(url(), signal), matched]);
      return { ...impact, impact, velocity };
    },
    draw: (answer) => draw(answer, view, views),
  });
  return panel;
}
