// Six numbers at a glance, each with its own states: cost, tokens, sessions; merged, median cycle time, AI share.

import { address, getShared } from "./answers.js";
import { h } from "./dom.js";
import * as f from "./format.js";

const TILES = [
  { id: "cost", title: "Cost", kind: "usage", figure: (t) => f.cost(t), note: (t) => f.costNote(t) ?? "cost known for all responses" },
  { id: "tokens", title: "Tokens", kind: "usage", figure: (t) => f.compact(t.total_tokens), exact: (t) => f.whole(t.total_tokens),
    note: (t) => f.counted(t.assistant_message_count, "response") },
  { id: "sessions", title: "Sessions", kind: "usage", figure: (t) => f.whole(t.session_count),
    note: (t) => `${f.counted(t.user_count, "user")}, ${f.counted(t.project_count, "project")}` },
  { id: "merged", title: "Merged pull requests", kind: "delivery", figure: (t) => f.whole(t.total_prs),
    note: (t) => f.counted(t.active_developers, "active developer") },
  { id: "median", title: "Median cycle time", kind: "delivery", figure: (t) => f.hours(t.p50_cycle_time_hours),
    note: (t) => `n ${f.whole(t.n_cycle_time_hours)}; 90th percentile ${f.hours(t.p90_cycle_time_hours)}` },
  { id: "ai-share", title: "AI share of lines", kind: "delivery", figure: (t) => f.rate(t.ai_line_share),
    note: (t) => `${f.compact(t.ai_lines_added)} of ${f.compact(t.lines_added)} lines added` },
];
const ROUTES = { usage: "/api/dashboard-data", delivery: "/api/velocity" };

class Tile {
  constructor(tile, filters) {
    this.tile = tile;
    this.filters = filters;
    this.figure = h("p", { class: "figure" });
    this.note = h("p", { class: "tile-note" });
    this.element = h("div", { class: "tile", id: `tile-${tile.id}`, "data-state": "loading", role: "group", "aria-labelledby": `tile-name-${tile.id}` },
      h("h3", { id: `tile-name-${tile.id}` }, tile.title), this.figure, this.note);
  }

  async refresh(signal, isQuiet = false) {
    if (!isQuiet || this.element.dataset.state !== "ready") this.#show("loading", "…", "Loading …");
    try {
      const answer = await getShared(address(ROUTES[this.tile.kind], this.tile.kind, this.filters()), signal);
      if (!signal.aborted) this.#answered(answer);
    } catch (error) {
      if (!signal.aborted) this.#show("error", f.UNKNOWN, error.detail ?? error.title ?? String(error), error.nextStep ?? "");
    }
  }

  #answered({ rows, totals, from, to }) {
    if (rows.length === 0 || !totals) return this.#show("empty", f.UNKNOWN, "nothing in this range", f.range(from, to));
    this.#show("ready", this.tile.figure(totals), this.tile.note(totals), f.range(from, to));
    if (this.tile.exact) this.figure.title = this.tile.exact(totals);
  }

  #show(state, figure, ...notes) {
    this.element.dataset.state = state;
    this.figure.textContent = figure;
    this.note.replaceChildren(...notes.filter(Boolean).map((note) => h("span", {}, note)));
  }
}

/** The tiles, in their order. */
export const tiles = (filters) => TILES.map((tile) => new Tile(tile, filters));
