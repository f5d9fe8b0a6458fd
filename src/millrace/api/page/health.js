// The badge: whether the numbers are live, and if not, why. Requested every 15 seconds while the page is visible.

import { get } from "./answers.js";
import { has } from "./connected.js";
import { h } from "./dom.js";
import * as f from "./format.js";

const EVERY_MS = 15_000;
const STATES = { live: "● fresh", syncing: "↻ updating", stale: "▲ not up to date", error: "✕ error", empty: "○ empty" };
const ENOUGH = 0.95; // of the cost: below it the coverage is marked

const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text; // so that a screen reader does not read the same text again
};

/** Requests the status, shows it, and calls `onStatus(status, problem)`. A failure is shown and passed as `problem`. */
export class Health {
  #timer = null;

  constructor(onStatus) {
    this.onStatus = onStatus;
    this.badge = document.getElementById("badge");
    this.reasons = document.getElementById("reasons");
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.#timer) : this.ask()));
  }

  /** Request the status now, and again every 15 seconds. */
  async ask() {
    clearTimeout(this.#timer);
    try {
      const status = await get("/api/etl/status");
      this.#show(status);
      this.onStatus(status, null);
    } catch (problem) {
      const reasons = [[problem.detail ?? problem.title ?? String(problem), problem.nextStep].filter(Boolean).join(" ")];
      this.#show({ health: "error", reasons, as_of: null, built_through: null });
      this.onStatus(null, problem);
    }
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.ask(), EVERY_MS);
  }

  #show({ health, reasons, as_of: asOf, marts, is_simulated: isSimulated, people }) {
    const state = health in STATES ? health : "error";
    const refreshed = (marts ?? []).map((mart) => mart.last_refresh_at).filter(Boolean).sort().at(-1);
    this.badge.dataset.health = state;
    setText(this.badge, STATES[state]);
    setText(document.getElementById("as-of"), asOf ?? refreshed ? `as of ${f.shortInstant(asOf ?? refreshed)} UTC` : "");
    document.getElementById("simulated").hidden = isSimulated !== true;
    if (people) showPeople(people);
    this.#list(reasons ?? []);
  }

  #list(reasons) {
    const shown = JSON.stringify(reasons);
    if (this.shown_reasons === shown) return;
    this.shown_reasons = shown;
    this.reasons.hidden = reasons.length === 0;
    const [first, ...rest] = reasons;
    const more = rest.length ? h("details", {}, h("summary", {}, `${f.counted(rest.length, "more reason")}`), h("ul", {}, rest.map((reason) => h("li", {}, reason)))) : null;
    this.reasons.replaceChildren(...[h("p", {}, first ?? ""), more].filter(Boolean));
  }
}

const PEOPLE = { pseudonyms: "names are pseudonyms", off: "names are off" };

/** Whether names are those of people, as the deployment sets it. */
export function showPeople(people) {
  const text = PEOPLE[people] ?? "";
  document.getElementById("people").hidden = text === "";
  setText(document.getElementById("people"), text);
}

const isKnown = (share) => share !== null && share !== undefined;

/** The badge of coverage: of how much the cost is known, and, where there are repositories, of how much that is. */
export function showCoverage(coverage) {
  const badge = document.getElementById("coverage");
  const shares = [coverage?.cost_known_share, has.pull_requests() ? coverage?.cost_with_repository_share : null];
  badge.hidden = !shares.some(isKnown);
  const isLow = shares.some((share) => isKnown(share) && share < ENOUGH);
  badge.dataset.health = isLow ? "stale" : "live";
  const [known, matched] = shares;
  const to = h("span", { class: "wide-only" }, " to a repository");
  const parts = [isKnown(known) ? [`cost known ${f.rate(known)}`] : null, isKnown(matched) ? ["matched", to, ` ${f.rate(matched)}`] : null].filter(Boolean);
  badge.replaceChildren(isLow ? "◐ " : "● ", ...parts.flatMap((part, index) => (index ? [" · ", ...part] : part)));
}
