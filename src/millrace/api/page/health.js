// The badge: whether the numbers are live, and if not, why. Requested every 15 seconds while the page is visible.

import { get } from "./answers.js";
import { h } from "./dom.js";
import * as f from "./format.js";

const EVERY_MS = 15_000;
const SIGNS = { live: "●", syncing: "↻", stale: "▲", error: "✕", empty: "○" };

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

  #show({ health, reasons, as_of: asOf, built_through: through }) {
    const state = health in SIGNS ? health : "error";
    this.badge.dataset.health = state;
    setText(this.badge, `${SIGNS[state]} ${health}`);
    setText(document.getElementById("as-of"), asOf || through !== null ? `as of ${f.instant(asOf)}, built through load ${f.whole(through)}` : "");
    this.#tell(reasons ?? []);
  }

  #tell(reasons) {
    const shown = JSON.stringify(reasons);
    if (this.shown_reasons === shown) return;
    this.shown_reasons = shown;
    this.reasons.hidden = reasons.length === 0;
    const [first, ...rest] = reasons;
    const more = rest.length ? h("details", {}, h("summary", {}, `${f.counted(rest.length, "more reason")}`), h("ul", {}, rest.map((reason) => h("li", {}, reason)))) : null;
    this.reasons.replaceChildren(...[h("p", {}, first ?? ""), more].filter(Boolean));
  }
}
