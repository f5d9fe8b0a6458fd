// A panel: a heading, its origin, and one of four states (loading, an answer, nothing, a problem) of its own.

import { asCsv } from "./answers.js";
import { h } from "./dom.js";
import { range, whole } from "./format.js";

const NOTHING = "Nothing in this range; choose other dates, or reset the filters.";
const seen = new Map(); // by panel: whether its table is open, also after a redraw

/** The origin of the numbers: "marts" or "events", and the range of days. */
function origin(answer, span = range(answer.from, answer.to)) {
  if (!answer.source) return [];
  const why = answer.source === "events" ? "counted from the single events, because a filter is finer than the mart" : "read from the mart";
  return [h("span", {}, span), h("span", { class: "source", title: why }, `from ${answer.source}`, h("span", { class: "hidden" }, `, ${why}`))];
}

/** Saves focus and scrolling within an element, and returns a function that restores them in its new content. */
function whereabouts(element) {
  const stops = () => [...element.querySelectorAll("[tabindex], summary, button")];
  const focused = stops().indexOf(document.activeElement);
  const scrolled = [...element.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  return () => {
    stops()[focused]?.focus({ preventScroll: true });
    element.querySelectorAll(".scroll").forEach((one, index) => (one.scrollLeft = scrolled[index] ?? 0));
  };
}

/** A place for one panel. `load(signal)` returns answers, `draw(answer)` returns {content, table?, note?} or null for nothing. */
export class Panel {
  /**
   * options: id, title, lead (one sentence), isWide, controls (elements), url() of the CSV or null,
   * nothing (the text of the empty state, or a function of the answer that returns it), load(signal) -> answer, draw(answer), again() after a failure.
   */
  constructor(options) {
    this.options = options;
    this.body = h("div", { class: "panel-body" });
    this.meta = h("p", { class: "meta" });
    this.csv = options.url ? h("a", { class: "csv", download: true }, "CSV", h("span", { class: "hidden" }, ` of ${options.title}`)) : null;
    this.title = h("h3", { id: `panel-${options.id}` }, options.title);
    this.element = h(
      "section",
      { class: `panel${options.isWide ? " wide" : ""}`, id: options.id, "aria-labelledby": `panel-${options.id}`, "data-state": "loading" },
      h("div", { class: "panel-head" }, this.title, this.csv),
      options.lead ? h("p", { class: "lead" }, options.lead) : null,
      options.controls ?? null,
      this.meta,
      this.body,
    );
    this.#loading();
  }

  /** Load and draw. The old content stays during a quiet refresh. */
  async refresh(signal, isQuiet = false) {
    this.signal = signal;
    if (this.csv) this.csv.href = asCsv(this.options.url());
    if (!isQuiet || this.element.dataset.state !== "ready") this.#loading();
    try {
      this.answer = await this.options.load(signal);
      if (!signal.aborted) this.redraw();
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
  }

  /** Draw the last answer again: a switch was moved. */
  redraw() {
    if (!this.answer) return;
    const drawn = this.options.draw(this.answer);
    this.meta.replaceChildren(...origin(this.answer, drawn?.span));
    if (drawn === null) return this.#show("empty", h("p", { class: "nothing" }, this.#nothing()));
    this.#show("ready", drawn.content, this.#partial(), drawn.note ? h("p", { class: "note" }, drawn.note) : null,
      drawn.table ? this.#tableOf(drawn.table) : null);
  }

  #show(state, ...children) {
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "loading"));
    const keep = whereabouts(this.body);
    this.body.replaceChildren(...children.flat().filter(Boolean));
    keep();
  }

  #nothing() {
    const { nothing = NOTHING } = this.options;
    return typeof nothing === "function" ? nothing(this.answer) : nothing;
  }

  #loading() {
    this.answer = null;
    this.meta.replaceChildren();
    this.#show("loading", h("p", { class: "waiting" }, "Loading …"));
  }

  #failed(error) {
    this.answer = null;
    this.meta.replaceChildren();
    if (!error.title) console.error(error); // ours: a bug, not an answer
    const again = h("button", { type: "button", onclick: () => (this.options.again ?? (() => this.refresh(this.signal)))() }, "Try again");
    this.#show("error", h("div", { class: "problem" },
      h("p", {}, h("strong", {}, error.title ?? "This panel could not be drawn")),
      error.title && error.detail ? h("p", {}, error.detail) : null,
      h("p", {}, error.title ? error.nextStep : String(error)),
      again));
  }

  #partial() {
    const { total_count: total, rows, is_whole: isWhole } = this.answer;
    return isWhole === false ? h("p", { class: "note" }, `Only the first ${whole(rows.length)} of ${whole(total)} rows are shown: narrow the range.`) : null;
  }

  #tableOf(content) {
    const { id, title } = this.options;
    const details = h("details", { class: "numbers", open: seen.get(id) ?? false },
      h("summary", {}, "Show the numbers", h("span", { class: "hidden" }, ` of ${title}`)), content);
    details.addEventListener("toggle", () => seen.set(id, details.open));
    return details;
  }
}

/** A switch between a few views, as radio buttons. */
export function choice(name, label, options, chosen, changed) {
  const radio = ([value, text]) =>
    h("label", {}, h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => changed(value) }), h("span", {}, text));
  return h("fieldset", { class: "choice" }, h("legend", { class: "hidden" }, label), options.map(radio));
}
