// A panel: a heading, its definition, and one of five states (loading, an answer, nothing, refused, a problem) of its own.

import { asCsv } from "./answers.js";
import { DEFINITIONS } from "./definitions.js";
import { h } from "./dom.js";
import { range, shortRange, whole } from "./format.js";
import { info } from "./info.js";
import { emptiness, stepElement } from "./connected.js";
import { monday } from "./weeks.js";

const seen = new Map(); // by panel: whether its table is open, also after a redraw

/** Whether a week begins on a day of the range: a week counts by its Monday. */
const hasMonday = ({ from, to }) => !from || !to || monday(to) >= from;

/** Saves focus and scrolling within an element, and returns a function that restores them in its new content. */
function whereabouts(element) {
  const stops = () => [...element.querySelectorAll("[tabindex], summary, button, a")];
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
   * options: id, title, lead (one sentence), isWide, isCalm (without the line of its days), controls (elements),
   * url() of the CSV or null, needs ("usage" or "pull_requests": what to connect where there is none), isWeekly (counted by weeks), nothing (the text of the empty
   * state, or a function of the answer that returns it), beside() what is said below it of the repositories that are not complete, or null, load(signal) -> answer, draw(answer), again() after a failure.
   */
  constructor(options) {
    this.options = options;
    this.body = h("div", { class: "panel-body" });
    this.meta = h("p", { class: "meta", hidden: options.isCalm });
    this.csv = options.url ? h("a", { class: "csv", download: true }, "CSV", h("span", { class: "hidden" }, ` of ${options.title}`)) : null;
    this.title = h("h3", { id: `panel-${options.id}` }, options.title);
    this.element = h(
      "section",
      { class: `panel${options.isWide ? " wide" : ""}`, id: options.id, "aria-labelledby": `panel-${options.id}`, "data-state": "loading" },
      h("div", { class: "panel-head" }, this.title, options.id in DEFINITIONS ? info(options.id, options.title) : null,
        options.controls ? h("div", { class: "controls" }, options.controls) : null, this.csv),
      options.lead ? h("p", { class: "lead" }, options.lead) : null,
      this.meta,
      this.body,
    );
    this.#loading();
  }

  /** Load and draw. The old content stays during a quiet refresh. */
  async refresh(signal, isQuiet = false) {
    this.signal = signal;
    const turn = (this.turn = (this.turn ?? 0) + 1); // a later call overtakes an earlier one
    const isOver = () => signal.aborted || turn !== this.turn;
    if (this.csv) this.csv.href = asCsv(this.options.url());
    if (!isQuiet || this.element.dataset.state !== "ready") this.#loading();
    try {
      const answer = await this.options.load(signal);
      if (isOver()) return;
      this.answer = answer;
      this.redraw();
    } catch (error) {
      if (isOver()) return;
      if (error.status === 422 && this.options.url) this.refuse(error);
      else this.#failed(error);
    }
  }

  /** Draw the last answer again: a switch was moved, or a status arrived. */
  redraw() {
    if (!this.answer) return;
    const drawn = this.options.draw(this.answer);
    this.meta.textContent = drawn === null || this.answer.from === undefined ? "" : drawn.span ?? range(this.answer.from, this.answer.to);
    if (drawn === null) return this.#show("empty", this.#nothing(), this.#beside());
    this.#show("ready", drawn.content, this.#partial(), drawn.note ? h("p", { class: "note" }, drawn.note) : null,
      this.#beside(), drawn.table ? this.#tableOf(drawn.table) : null);
  }

  /** The filters cannot be: they are named once, beside the filters. */
  refuse(problem = null) {
    this.answer = null;
    this.meta.textContent = "";
    this.#show("refused", h("p", { class: "nothing" }, "Not shown: see the message at the filters."));
    if (problem) dispatchEvent(new CustomEvent("refused", { detail: problem }));
  }

  #show(state, ...children) {
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "loading"));
    const keep = whereabouts(this.body);
    this.body.replaceChildren(...children.flat().filter(Boolean));
    keep();
  }

  #nothing() {
    const { nothing, needs } = this.options;
    const [sentence, step] = emptiness(needs);
    if (step) return h("p", { class: "nothing" }, sentence, stepElement(step));
    if (this.options.isWeekly && !hasMonday(this.answer))
      return h("p", { class: "nothing" }, `No week begins on ${shortRange(this.answer.from, this.answer.to)}. Weeks count by their Monday: choose a longer range.`);
    return h("p", { class: "nothing" }, (typeof nothing === "function" ? nothing(this.answer) : nothing) ?? sentence);
  }

  #loading() {
    this.answer = null;
    this.meta.textContent = "";
    this.#show("loading", h("p", { class: "waiting" }, "Loading …"));
  }

  #failed(error) {
    this.answer = null;
    this.meta.textContent = "";
    if (!error.title) console.error(error); // ours: a bug, not an answer
    const again = h("button", { type: "button", onclick: () => (this.options.again ?? (() => this.refresh(this.signal)))() }, "Try again");
    this.#show("error", h("div", { class: "problem" },
      h("p", {}, h("strong", {}, error.title ?? "This panel could not be drawn")),
      error.title && error.detail ? h("p", {}, error.detail) : null,
      h("p", {}, error.title ? error.nextStep : String(error)),
      again));
  }

  #beside() {
    const text = this.options.beside?.() ?? null;
    return text === null ? null : h("p", { class: "note incomplete" }, text);
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
