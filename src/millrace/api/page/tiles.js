// The first row: five numbers of the range, each with its change against the period before and a word for what the change is worth.

import { aiKnown, aiShare } from "./ai.js";
import { address, get, getShared } from "./answers.js";
import { incompleteCount } from "./complete.js";
import { has } from "./connected.js";
import { h } from "./dom.js";
import * as f from "./format.js";
import { info } from "./info.js";

const TILES = [
  { id: "spent", measure: "cost_usd", title: "Spent", needs: "usage" },
  { id: "per-pr", measure: "cost_per_merged_pr", title: "Per merged PR", needs: "pull_requests" },
  { id: "merged", measure: "merged_prs", title: "Merged PRs", needs: "pull_requests" },
  { id: "median", measure: "median_cycle_time_hours", title: "Median cycle time", needs: "pull_requests", of: "merged" },
  { id: "reverted", measure: "revert_rate", title: "Reverted", needs: "pull_requests", of: "merged" },
];
const TEXTS = { usd: f.shortUsd, count: f.whole, hours: f.hours, share: f.rate };
const isNull = (value) => value === null || value === undefined;
const arrow = (change) => (change > 0 ? "▲" : "▼");

/** A change as text: percent of the value before, or points of a share. */
function changeText({ unit, change }) {
  if (unit === "share") return `${arrow(change)} ${f.points(Math.abs(change))}`;
  return `${arrow(change)} ${f.percent(Math.abs(change))}`;
}

const isSmall = ({ unit, change }) => Math.abs(change) < (unit === "share" ? 0.0005 : 0.005);

/** Whether there cannot be a period before this one. */
const isAll = (previous) => !previous?.from || f.isAll(previous.from, previous.to);

/** The change of a measure and the word of its verdict: [text, verdict]. */
export function changeOf(measure, previous) {
  const { verdict, change } = measure;
  const before = previous?.from ? `vs ${f.shortRange(previous.from, previous.to)}` : "vs the period before";
  if (verdict === "too_few") return "too few to compare";
  if (isNull(measure.previous_value) || verdict === "not_known") return isAll(previous) ? null : "no earlier days to compare";
  if (isNull(change)) return verdict === "same" ? `as before (${before})` : `${verdict} ${before}, from ${TEXTS[measure.unit](measure.previous_value)}`;
  if (verdict === "no_clear_change") return isSmall(measure) ? `no clear change ${before}` : `${changeText(measure)}, could be chance`;
  if (verdict === "same" || isSmall(measure)) return `as ${before.replace("vs ", "on ")}`;
  return `${changeText(measure)} ${before}`;
}

function figureOf(measure, isPartial) {
  const text = TEXTS[measure.unit](measure.value);
  return isPartial && measure.unit === "usd" ? f.atLeast(text) : text;
}

class Tile {
  constructor(tile) {
    this.tile = tile;
    this.figure = h("p", { class: "figure" });
    this.note = h("p", { class: "tile-note" });
    this.element = h("div", { class: "tile", id: `tile-${tile.id}`, "data-state": "loading", role: "group", "aria-labelledby": `tile-name-${tile.id}` },
      h("div", { class: "tile-head" }, h("h3", { id: `tile-name-${tile.id}` }, tile.title), info(tile.id, tile.title)), this.figure, this.note);
  }

  show(state, figure, ...notes) {
    this.element.dataset.state = state;
    this.figure.replaceChildren(figure);
    this.note.replaceChildren(...notes.filter(Boolean).map((note) => h("span", {}, note)));
  }

  answered(summary, chosen) {
    const { measure: name, needs, of } = this.tile;
    const measure = summary.rows.find((row) => row.measure === name);
    const incomplete = needs === "pull_requests" ? incompleteCount(chosen) : null;
    if (!measure || isNull(measure.value) || (name === "cost_usd" && !has.usage())) return this.#nothing(measure, needs, incomplete);
    if (needs === "pull_requests" && !has.pull_requests()) return this.#nothing(measure, needs, incomplete);
    const isPartial = (summary.coverage?.responses_without_cost ?? 0) > 0;
    const interval = name === "revert_rate" && !isNull(measure.interval_low) ? h("small", {}, h("span", { class: "hidden" }, "95% interval "), ` (${f.rates(measure.interval_low, measure.interval_high)})`) : null;
    const change = changeOf(measure, summary.previous);
    const isOver = summary.to === f.lastDayOfMonth(summary.to); // then the projection is the sum
    const ends = name === "cost_usd" && !isNull(summary.projected_cost_usd) && !isOver ? `≈ ${f.shortUsd(summary.projected_cost_usd)} by ${f.shortDay(f.lastDayOfMonth(summary.to))}` : null;
    const n = of ? `of ${f.counted(measure.n, "merged PR")}` : null;
    this.show("ready", h("span", {}, figureOf(measure, isPartial), interval), change, ends ?? n, incomplete);
    this.element.dataset.verdict = measure.verdict;
  }

  #nothing(measure, needs, incomplete) {
    if (!has[needs]()) return this.show("empty", f.UNKNOWN, needs === "usage" ? "no usage yet" : "no pull requests yet", h("a", { href: needs === "usage" ? "#where" : "#went-into" }, "what to connect"), incomplete);
    const why = this.tile.measure === "cost_per_merged_pr" ? "no spend matched to merged work" : "nothing in these days";
    this.show("empty", this.tile.measure === "cost_usd" && measure?.n === 0 ? "unknown" : f.UNKNOWN, why, incomplete);
  }
}

/** The line of the other sums: [text] of what there is. */
function factsOf({ rows, coverage }) {
  const of = (name) => rows.find((row) => row.measure === name)?.value ?? null;
  return [
    has.usage() && !isNull(of("total_tokens")) ? `${f.compact(of("total_tokens"))} tokens` : null,
    has.usage() && !isNull(of("session_count")) ? f.counted(of("session_count"), "session") : null,
    has.usage() && !isNull(of("user_count")) ? `${f.counted(of("user_count"), "person", "people")} with usage` : null,
    has.pull_requests() && !isNull(of("active_developers")) ? `${f.counted(of("active_developers"), "person", "people")} merged pull requests` : null,
    has.pull_requests() ? aiFact(of("ai_line_share"), of("merged_prs"), coverage) : null,
  ].filter(Boolean);
}

/** The share of AI with how much of it is known; null where nothing was merged. */
function aiFact(share, merged, coverage) {
  const known = aiKnown(coverage ?? {}, merged);
  if (isNull(share)) return known && `AI share of the merged lines unknown (${known})`;
  return `AI wrote ${aiShare({ ...coverage, ai_line_share: share }, merged)} of the lines that were merged${known ? ` (${known})` : ""}`;
}

/** The tiles; `answered(summary)` is called with each new answer. */
export class Tiles {
  constructor(filters, answered) {
    this.filters = filters;
    this.answered = answered;
    this.tiles = TILES.map((tile) => new Tile(tile));
    this.problem = h("div", { class: "problem", hidden: true });
    this.facts = h("p", { class: "sums" });
    document.getElementById("tiles").append(...this.tiles.map((tile) => tile.element));
    document.getElementById("tiles").after(this.problem, this.facts);
  }

  /** The period of the tiles in words, e.g. "Nov 1 – 24, against Oct 1 – 24". */
  #span({ from, to, previous, is_running: isRunning, rows }) {
    const isCompared = !isAll(previous) && rows.some((row) => !isNull(row.previous_value));
    const [period = ""] = this.filters().period;
    return [f.shortRange(from, to), isRunning && period.startsWith("this_") ? " so far" : "",
      isCompared ? `, compared with ${f.shortRange(previous.from, previous.to)}` : ""].join("");
  }

  async refresh(signal, isQuiet = false) {
    if (!isQuiet || !this.answer) for (const tile of this.tiles) tile.show("loading", "…", "Loading …");
    try {
      const answer = await getShared(address("/api/summary", "usage", this.filters()), signal, get);
      if (signal.aborted) return;
      this.answer = answer;
      this.redraw();
    } catch (error) {
      if (!signal.aborted) this.#failed(error, signal);
    }
  }

  /** Draw the last answer again: a status arrived. */
  redraw() {
    if (!this.answer) return;
    this.problem.hidden = true;
    for (const tile of this.tiles) tile.answered(this.answer, this.filters().repo);
    this.facts.replaceChildren(...factsOf(this.answer).map((fact) => h("span", {}, fact)));
    document.getElementById("span").textContent = this.#span(this.answer);
    this.answered(this.answer);
  }

  /** The filters cannot be. */
  refuse() {
    this.answer = null;
    for (const tile of this.tiles) tile.show("refused", f.UNKNOWN);
    this.facts.replaceChildren();
    document.getElementById("span").textContent = "";
  }

  #failed(error, signal) {
    this.refuse();
    if (error.status === 422) return dispatchEvent(new CustomEvent("refused", { detail: error }));
    if (!error.title) console.error(error); // ours: a bug, not an answer
    for (const tile of this.tiles) tile.element.dataset.state = "error";
    this.problem.hidden = false;
    this.problem.replaceChildren(h("p", {}, h("strong", {}, error.title ?? "The numbers could not be drawn")),
      h("p", {}, [error.detail, error.nextStep].filter(Boolean).join(" ") || String(error)),
      h("button", { type: "button", onclick: () => this.refresh(signal) }, "Try again"));
  }
}
